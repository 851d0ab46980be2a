"""The tax bureau's own records: one SQLite file, rows as the JSON objects that its API hands out."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from shuqiao.demo.rosters import City
from shuqiao.demo.rows import Row, all_rows, written_on


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource of the API."""

    path: str
    connector: str
    table: str
    key: str
    """The source's own number of a row."""


RESOURCES = (
    Resource("taxpayers", "tax.registration", "taxpayers", "djxh"),
    Resource("credit-ratings", "tax.credit-rating", "credit_ratings", "pjxh"),
    Resource("arrears", "tax.arrears", "arrears", "id"),
)


def store_path(data: Path) -> Path:
    """Where the tax bureau keeps its records below the demo city's data."""
    return data / "tax" / "tax.sqlite"


@contextmanager
def opened(data: Path) -> Iterator[sqlite3.Connection]:
    """The store, for one transaction."""
    with closing(sqlite3.connect(store_path(data), timeout=30)) as connection, connection:
        yield connection


def load(data: Path, city: City, day: int = 0) -> int:
    """Fill the store anew with the city as it is in the evening of a day; rows written."""
    path = store_path(data)
    path.parent.mkdir(parents=True, exist_ok=True)
    written = 0
    with opened(data) as connection:
        for resource in RESOURCES:
            connection.execute(f"DROP TABLE IF EXISTS {resource.table}")
            connection.execute(
                f"CREATE TABLE {resource.table} (number INTEGER PRIMARY KEY, key TEXT, updated_at TEXT, body TEXT)"
            )
            written += _insert(connection, resource, all_rows(city, resource.connector, day))
            connection.execute(f"CREATE INDEX {resource.table}_key ON {resource.table} (key)")
            connection.execute(f"CREATE INDEX {resource.table}_time ON {resource.table} (updated_at, number)")
    return written


def change(data: Path, city: City, day: int) -> int:
    """Write what happened on one day; rows written."""
    written = 0
    with opened(data) as connection:
        for resource in RESOURCES:
            rows = [row for _, _, after in written_on(city, resource.connector, day) for row in after.rows]
            keys = {(row[resource.key],) for row in rows}
            connection.executemany(f"DELETE FROM {resource.table} WHERE key = ?", sorted(keys))
            written += _insert(connection, resource, rows)
    return written


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows, as JSON texts, and how many there are in all."""

    bodies: list[str]
    total: int
    last: tuple[str, int] | None
    """Place of the last row, to go on after it."""


def page(
    connection: sqlite3.Connection,
    resource: Resource,
    since: str,
    limit: int,
    *,
    offset: int = 0,
    after: tuple[str, int] = ("", 0),
) -> Page:
    """Rows changed at ``since`` or later, in the order of their changes."""
    start = max((since, -1), after)
    table = resource.table
    (total,) = connection.execute(f"SELECT count(*) FROM {table} WHERE updated_at >= ?", (since,)).fetchone()
    rows = connection.execute(
        f"SELECT body, updated_at, number FROM {table} WHERE number IN (SELECT number FROM {table}"
        " WHERE (updated_at, number) > (?, ?) ORDER BY updated_at, number LIMIT ? OFFSET ?)"
        " ORDER BY updated_at, number",
        (*start, limit, offset),
    ).fetchall()
    return Page([row[0] for row in rows], total, rows[-1][1:] if rows else None)


def _insert(connection: sqlite3.Connection, resource: Resource, rows: Iterable[Row]) -> int:
    statement = f"INSERT INTO {resource.table} (key, updated_at, body) VALUES (?, ?, ?)"
    before = connection.total_changes
    values = ((row[resource.key], row["updated_at"], json.dumps(row, ensure_ascii=False)) for row in rows)
    connection.executemany(statement, values)
    return connection.total_changes - before
