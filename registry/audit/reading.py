"""Entries of the access log as they were written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg

from registry.domain.audit import entry as entries
from registry.domain.audit.entry import Entry

_COLUMNS = """
    index, at, action, status, client, dataset, entity, entities, fields, purpose, case_number, request_digest,
    trace_id, process, leaf_hash
"""
_BETWEEN = f"SELECT {_COLUMNS} FROM registry.access_log WHERE index >= %s AND index < %s ORDER BY index"
_FETCHED = 5000


@dataclass(frozen=True, slots=True)
class Logged:
    """An entry in its place."""

    index: int
    entry: Entry
    leaf: bytes
    """The leaf hash that was written with it."""

    @property
    def data(self) -> bytes:
        """The bytes that the leaf hash is made of."""
        return entries.canonical(self.entry, self.index)


def between(connection: psycopg.Connection, start: int, end: int) -> list[Logged]:
    """The entries of a stretch that are there, by index."""
    return [_logged(row) for row in connection.execute(_BETWEEN.encode(), (start, end))]


def every(connection: psycopg.Connection, start: int, end: int) -> Iterator[Logged]:
    """The same, some thousands at a time."""
    for at in range(start, end, _FETCHED):
        yield from between(connection, at, min(at + _FETCHED, end))


def about(
    connection: psycopg.Connection,
    entity: str,
    *,
    client: str | None = None,
    given: bool = False,
    before: int | None,
    limit: int,
) -> list[Logged]:
    """Who read the data of an enterprise, the newest first, below the index ``before``; one client if it is named.

    ``given``: only where something was given, no refusals.
    """
    rest = "AND (%(client)s::text IS NULL OR client = %(client)s) AND index < %(before)s"
    rest += (" AND status < 400" if given else "") + " ORDER BY index DESC"
    statement = f"""
        (SELECT {_COLUMNS} FROM registry.access_log WHERE entity = %(entity)s {rest} LIMIT %(limit)s)
        UNION ALL
        (SELECT {_COLUMNS} FROM registry.access_log WHERE entities @> ARRAY[%(entity)s] {rest} LIMIT %(limit)s)
        ORDER BY index DESC LIMIT %(limit)s
    """
    values = {"entity": entity, "client": client, "before": _MOST if before is None else before, "limit": limit}
    return [_logged(row) for row in connection.execute(statement.encode(), values)]


def newest(
    connection: psycopg.Connection, *, client: str | None = None, before: int | None, limit: int
) -> list[Logged]:
    """Entries, the newest first; those of one client if it is named."""
    where = "index < %s" if client is None else "index < %s AND client = %s"
    values = [_MOST if before is None else before, *([] if client is None else [client]), limit]
    statement = f"SELECT {_COLUMNS} FROM registry.access_log WHERE {where} ORDER BY index DESC LIMIT %s"
    return [_logged(row) for row in connection.execute(statement.encode(), values)]


_MOST = (1 << 63) - 1


def _logged(row: tuple[Any, ...]) -> Logged:
    (
        index, at, action, status, client, dataset, entity, entities, fields, purpose, case_number, request_digest,
        trace_id, process, leaf,
    ) = row  # fmt: skip
    return Logged(
        index,
        Entry(
            at=at,
            action=action,
            status=status,
            client=client,
            dataset=dataset,
            entity=entity,
            entities=None if entities is None else tuple(entities),
            fields=None if fields is None else tuple(fields),
            purpose=purpose,
            case_number=case_number,
            request_digest=request_digest,
            trace_id=trace_id,
            process=process,
        ),
        leaf,
    )
