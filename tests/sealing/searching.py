"""What the system wrote, searched for values that nobody could mistake."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

from registry.storage.database import connect


@dataclass
class Written:
    """What the system wrote, piece by piece."""

    pieces: list[tuple[str, bytes]]

    def holding(self, value: str) -> list[str]:
        """Where a value stands, also written as bytes, as JSON escapes, or in an address."""
        forms = {value.encode(), value.encode().hex().encode(), value.encode("unicode_escape"), quote(value).encode()}
        return sorted({place for place, text in self.pieces if any(form in text for form in forms)})


def tables(url: str) -> Iterator[tuple[str, bytes]]:
    """Every column of every table as text; what is sealed is looked at too: it must not be there as it is."""
    with connect(url) as connection:
        names = connection.execute(
            "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1, 2"
        ).fetchall()
        for schema, name in names:
            yield f"{schema}.{name}", table(connection, schema, name)


def table(connection: psycopg.Connection, schema: str, name: str) -> bytes:
    with (
        connection.cursor() as cursor,
        cursor.copy(sql.SQL("COPY {} TO STDOUT").format(sql.Identifier(schema, name))) as out,
    ):
        return b"".join(bytes(block) for block in out)


def files(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Every file of a folder."""
    for path in folder.rglob("*"):
        if path.is_file():
            yield str(path), path.read_bytes()
