"""Seal again with the active key what another one sealed, and seal what lies in the clear from before there were keys.

A thousand rows a transaction, passing over rows that somebody is changing: nobody waits for it, and it may be stopped
and started at any time. It makes no version, no history and no entry in the change feed: what records say stays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from registry.intake.own_ring import expect_own
from registry.sealing import key_file
from registry.sealing.documents import context_of as of_document
from registry.sealing.errors import PersonalKeyRefused
from registry.sealing.records import RecordSealer, context_of, masked_row, resealed
from registry.sealing.ring import DOCUMENT, HEAD
from schemas.personal import PersonalFields, of_dataset

BATCH = 1000
"""Rows of one transaction."""
_SEALED = f"substring({{}} FROM 1 FOR 1) = '\\x{DOCUMENT:02x}'"
_NUMBER = f"substring({{}} FROM 2 FOR {HEAD - 1})"


@dataclass(frozen=True, slots=True)
class Resealed:
    """What was done."""

    resealed: int
    """Were sealed with another key."""
    sealed: int
    """Lay in the clear."""


@dataclass(frozen=True, slots=True)
class _Place:
    """A table with something sealed in it."""

    table: str
    names: tuple[str, ...]
    """The columns that tell one row from another, in the order in which they are gone through."""
    source: str
    """``FROM ...``; the table is ``t``, its dataset ``d``."""
    told: str
    """What the values are bound to, as expressions."""
    context: Callable[[tuple[Any, ...]], bytes]
    """What is told -> what the values are bound to."""
    column: str = "personal"
    """Where it lies; in another column than this one something may lie as it is, too."""

    @property
    def is_sealed(self) -> str:
        """A condition on the rows in which something is sealed."""
        return f"{self.column} IS NOT NULL" if self.column == "personal" else _SEALED.format(self.column)


_PLACES = (
    _Place("record", ("dataset_id", "key"), "", "t.dataset_id, t.key", lambda told: context_of(told[0], told[1])),
    _Place(
        "record_history", ("dataset_id", "key", "version"), "", "t.dataset_id, t.key",
        lambda told: context_of(told[0], told[1]),
    ),
    _Place(
        "refusal", ("id",), "",
        "t.dataset_id, CASE WHEN get_byte(t.personal, 0) = 1 THEN coalesce(t.key, '') ELSE t.row_id END",
        lambda told: context_of(told[0], told[1]),
    ),
    _Place(
        "discrepancy", ("id",), "JOIN registry.dataset d ON d.id = t.dataset_id",
        "t.entity || '/' || t.field || '/' || d.name || '/' || t.key",
        lambda told: of_document("discrepancy", told[0]),
    ),
    _Place("licence", ("id",), "", "t.id::text", lambda told: of_document("licence", told[0])),
    _Place(
        "licence_form", ("licence_id", "form"), "", "t.licence_id || '/' || t.form",
        lambda told: of_document("licence_form", told[0]), "body",
    ),
    _Place(
        "licence_copy", ("id",), "", "t.id || '/credential'",
        lambda told: of_document("licence_copy", told[0]), "credential",
    ),
    _Place("licence_copy", ("id",), "", "t.id || '/pdf'", lambda told: of_document("licence_copy", told[0]), "pdf"),
    _Place("issued_credential", ("id",), "", "t.id", lambda told: of_document("issued_credential", told[0]), "body"),
)  # fmt: skip


def reseal(connection: psycopg.Connection) -> Resealed:
    """Go through everything once. Rows that somebody was changing are left for the next time.

    Raises PersonalKeysError, also where something cannot be opened or the key is rotated meanwhile: what was done
    before it stays done.
    """
    expect_own(connection)
    again = sum(_reseal(connection, place) for place in _PLACES)
    clear = 0
    for dataset_id, schema in connection.execute("SELECT id, schema FROM registry.dataset").fetchall():
        fields = of_dataset(schema)
        if fields:
            sealer = RecordSealer(dataset_id, fields)
            for table, names in (("record", ("key",)), ("record_history", ("key", "version"))):
                clear += _seal(connection, table, names, dataset_id, sealer, fields)
            clear += _seal_refusals(connection, dataset_id, sealer)
    return Resealed(again, clear)


def in_use(connection: psycopg.Connection) -> dict[int, int]:
    """How many sealed values each key still has: number of the key -> values, staged rows included.

    All as of one moment: what is published meanwhile is counted where it lay.
    """
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        return _in_use(connection)


def _in_use(connection: psycopg.Connection) -> dict[int, int]:
    counted: dict[int, int] = {}
    staged = connection.execute(
        "SELECT relname FROM pg_class WHERE relnamespace = 'staging'::regnamespace AND relkind = 'r'"
    ).fetchall()
    places = [(sql.Identifier("registry", place.table), place.column, place.is_sealed) for place in _PLACES]
    places += [
        (table, "personal", "personal IS NOT NULL")
        for table in (
            sql.Identifier("registry", "staged_refusal"),
            *(sql.Identifier("staging", name) for (name,) in staged),
        )
    ]
    for table, column, is_sealed in places:
        for number, values in connection.execute(
            sql.SQL(
                "SELECT get_byte({column}, 1) * 256 + get_byte({column}, 2), count(*) FROM {table}"
                " WHERE {is_sealed} GROUP BY 1"
            ).format(column=sql.Identifier(column), table=table, is_sealed=sql.SQL(is_sealed))
        ):
            counted[number] = counted.get(number, 0) + values
    return counted


def oldest_transaction(connection: psycopg.Connection) -> datetime | None:
    """Since when another transaction of this database runs that may have sealed something; None: there is none."""
    row = connection.execute(
        "SELECT min(xact_start) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        " AND backend_type = 'client backend'"
    ).fetchone()
    return row[0] if row else None


def _reseal(connection: psycopg.Connection, place: _Place) -> int:
    names = [sql.Identifier(name) for name in place.names]
    prefixed = sql.SQL(", ").join(sql.SQL("t.{}").format(name) for name in names)
    query = sql.SQL(
        "SELECT {names}, t.{column}, {told} FROM registry.{table} t {source}"
        " WHERE " + place.is_sealed + " AND " + _NUMBER.format(f"t.{place.column}") + " <> %s"
        " AND (%s OR ({names}) > ({after})) ORDER BY {names} LIMIT %s FOR UPDATE OF t SKIP LOCKED"
    ).format(
        names=prefixed,
        column=sql.Identifier(place.column),
        told=sql.SQL(place.told),
        table=sql.Identifier(place.table),
        source=sql.SQL(place.source),
        after=sql.SQL(", ").join([sql.Placeholder()] * len(names)),
    )
    write = sql.SQL("UPDATE registry.{} t SET {} = %s WHERE {}").format(
        sql.Identifier(place.table),
        sql.Identifier(place.column),
        sql.SQL(" AND ").join(sql.SQL("t.{} = %s").format(name) for name in names),
    )
    ring = key_file.ring()
    count, width = len(names), 0
    for rows in _pages(connection, query, (ring.head(0)[1:],), count):
        if key_file.ring().active != ring.active:
            raise PersonalKeyRefused(
                "重新加密期间密钥已更换，请再次执行 `shuqiao keys personal reencrypt`。",
                "The key was rotated meanwhile: run `shuqiao keys personal reencrypt` again.",
            )
        with connection.cursor() as cursor:
            cursor.executemany(
                write,
                [(resealed(ring, bytes(row[count]), place.context(row[count + 1 :])), *row[:count]) for row in rows],
            )
        width += len(rows)
    return width


def _seal(
    connection: psycopg.Connection,
    table: str,
    names: Sequence[str],
    dataset_id: int,
    sealer: RecordSealer,
    fields: PersonalFields,
) -> int:
    """Records of one dataset that hold personal values in the clear."""
    columns = sql.SQL(", ").join(sql.SQL("t.{}").format(sql.Identifier(name)) for name in names)
    query = sql.SQL(
        "SELECT {names}, t.body FROM registry.{table} t WHERE t.dataset_id = %s AND t.personal IS NULL"
        " AND (%s OR ({names}) > ({after})) ORDER BY {names} LIMIT %s FOR UPDATE OF t SKIP LOCKED"
    ).format(
        names=columns,
        table=sql.Identifier(table),
        after=sql.SQL(", ").join([sql.Placeholder()] * len(names)),
    )
    write = sql.SQL(
        "UPDATE registry.{} t SET body = %s::jsonb, hash = %s, personal = %s, blind = %s::uuid[]"
        " WHERE t.dataset_id = %s AND {}"
    ).format(
        sql.Identifier(table),
        sql.SQL(" AND ").join(sql.SQL("t.{} = %s").format(sql.Identifier(name)) for name in names),
    )
    done = 0
    for rows in _pages(connection, query, (dataset_id,), len(names)):
        clear = [row for row in rows if fields.taken(row[-1])]
        apart = sealer.apart(orjson.dumps(row[-1]) for row in clear)
        with connection.cursor() as cursor:
            cursor.executemany(
                write,
                [
                    (each.body.decode(), each.digest, each.personal, each.blind, dataset_id, *row[:-1])
                    for row, each in zip(clear, sealer.seal([row[0] for row in clear], *apart), strict=True)
                ],
            )
        done += len(clear)
    return done


def _seal_refusals(connection: psycopg.Connection, dataset_id: int, sealer: RecordSealer) -> int:
    """Refused rows of one dataset that lie in the clear: nobody knows any more which of their columns are public."""
    query = sql.SQL(
        "SELECT t.id, t.row_id, t.raw FROM registry.refusal t WHERE t.dataset_id = %s AND t.personal IS NULL"
        " AND (%s OR t.id > %s) ORDER BY t.id LIMIT %s FOR UPDATE OF t SKIP LOCKED"
    )
    done = 0
    for rows in _pages(connection, query, (dataset_id,), 1):
        with connection.cursor() as cursor:
            cursor.executemany(
                "UPDATE registry.refusal SET raw = %s, personal = %s WHERE id = %s",
                [(Jsonb(masked_row(raw, ())), sealer.seal_row(row_id, raw), number) for number, row_id, raw in rows],
            )
        done += len(rows)
    return done


def _pages(
    connection: psycopg.Connection, query: sql.SQL | sql.Composed, values: tuple[Any, ...], width: int
) -> Iterator[list[tuple[Any, ...]]]:
    """Rows of a query, a transaction for each page: what is done with a page is committed before the next is read."""
    after: tuple[Any, ...] = (None,) * width
    first = True
    while True:
        with connection.transaction():
            rows = connection.execute(query, (*values, first, *after, BATCH)).fetchall()
            if rows:
                yield rows
        if not rows:
            return
        first, after = False, tuple(rows[-1][:width])
