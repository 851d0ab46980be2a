"""Append to the access log: many entries at once, one transaction, the tree with them.

Whoever appends locks the one row of ``registry.access_log_head``, so that entries stand in the order of commits and
without a gap. An entry is in the log when :func:`append` has returned, whatever happens after.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import psycopg

from registry.domain.audit import entry as entries
from registry.domain.audit.entry import Entry
from registry.domain.audit.merkle import HASH_BYTES, Frontier, leaf_hash

TILE_LEVEL = 8
TILE = 1 << TILE_LEVEL
"""Entries whose leaf hashes are kept together."""
STRETCH_LEVEL = 24
"""Entries of one partition, as a power of two; the database's function has it too."""

_COPY = """
COPY registry.access_log (index, at, action, status, client, dataset, entity, entities, fields, purpose, case_number,
    request_digest, trace_id, process, leaf_hash) FROM STDIN (FORMAT BINARY)
"""
_TYPES = (
    "int8", "timestamptz", "text", "int2", "text", "text", "text", "text[]", "text[]", "text", "text",
    "bytea", "text", "text", "bytea",
)  # fmt: skip
_HEAD = "SELECT size, peaks FROM registry.access_log_head"


def head(connection: psycopg.Connection) -> Frontier:
    """The log's right edge as it is now."""
    return _frontier(connection.execute(_HEAD).fetchone())


def append(connection: psycopg.Connection, added: Sequence[Entry]) -> int:
    """Write entries behind the last one; the index of the first. They are committed when this returns.

    Raises psycopg.Error; whether the entries stand in the log is then not known if the connection broke at the commit.
    Raises ValueError for an entry that cannot be said in JSON; then none is written.
    """
    with connection.transaction():
        edge = _frontier(connection.execute(_HEAD + " FOR UPDATE").fetchone())
        first = edge.size
        if not added:
            return first
        hashes = [leaf_hash(entries.canonical(each, index)) for index, each in enumerate(added, first)]
        grown, nodes = edge.extended(hashes, keep_from=TILE_LEVEL)
        _make_room(connection, first, grown.size)
        write_rows(connection, first, added, hashes)
        if nodes:
            _write_tiles(connection, first, hashes, grown.size)
            connection.cursor().executemany(
                "INSERT INTO registry.access_log_node (level, number, hash) VALUES (%s, %s, %s)",
                [(node.level, node.number, made) for node, made in nodes],
            )
        connection.execute("UPDATE registry.access_log_head SET size = %s, peaks = %s", (grown.size, list(grown.peaks)))
    return first


def write_rows(connection: psycopg.Connection, first: int, added: Iterable[Entry], leaves: Iterable[bytes]) -> None:
    """The entries' rows, from the index ``first`` on; nothing of the tree."""
    with connection.cursor() as cursor, cursor.copy(_COPY) as copy:
        copy.set_types(_TYPES)
        for index, (each, leaf) in enumerate(zip(added, leaves, strict=True), first):
            copy.write_row(
                (
                    index, each.at, each.action, each.status, each.client, each.dataset, each.entity,
                    None if each.entities is None else list(each.entities),
                    None if each.fields is None else list(each.fields),
                    each.purpose, each.case_number, each.request_digest, each.trace_id, each.process, leaf,
                )
            )  # fmt: skip


def _make_room(connection: psycopg.Connection, first: int, end: int) -> None:
    """There is always one empty stretch ahead of the one that is written to."""
    last = end >> STRETCH_LEVEL
    if first >> STRETCH_LEVEL != last:
        connection.execute("SELECT registry.ensure_access_log_stretch(%s)", (last + 1,))


def _write_tiles(connection: psycopg.Connection, first: int, hashes: Sequence[bytes], end: int) -> None:
    """The tiles that are full now; the first of them may have begun in earlier batches.

    Where somebody took away rows of it, its tile is not written: the log goes on, and a check tells of both.
    """
    start = first - first % TILE
    earlier = connection.execute(
        "SELECT leaf_hash FROM registry.access_log WHERE index >= %s AND index < %s ORDER BY index", (start, first)
    ).fetchall()
    begun = [row[0] for row in earlier]
    known = begun + [bytes(HASH_BYTES)] * (first - start - len(begun)) + list(hashes)
    whole = start if len(begun) == first - start else start + TILE
    connection.cursor().executemany(
        "INSERT INTO registry.access_log_tile (tile, hashes) VALUES (%s, %s)",
        [
            (at >> TILE_LEVEL, b"".join(known[at - start : at - start + TILE]))
            for at in range(whole, end - end % TILE, TILE)
        ],
    )


def _frontier(row: tuple[int, list[bytes]] | None) -> Frontier:
    if row is None:
        raise LookupError("registry.access_log_head has no row")
    return Frontier(row[0], tuple(row[1]))
