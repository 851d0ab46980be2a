"""Proofs from what the database holds: a look into the tree for each level, and into two tiles at most."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import psycopg

from registry.audit.log import TILE, TILE_LEVEL, head
from registry.domain.audit import merkle
from registry.domain.audit.merkle import EMPTY_ROOT, HASH_BYTES, Frontier, Node, Range


class NotInLog(LookupError):  # noqa: N818  (named for what was met)
    """The log is not that long, or not any more."""


@dataclass(frozen=True, slots=True)
class Inclusion:
    """That an entry stands in the log."""

    index: int
    size: int
    leaf: bytes
    path: tuple[bytes, ...]
    root: bytes


@dataclass(frozen=True, slots=True)
class Consistency:
    """That a log begins with an earlier one."""

    old: int
    old_root: bytes
    new: int
    new_root: bytes
    path: tuple[bytes, ...]


def inclusion(connection: psycopg.Connection, index: int | None, size: int | None = None) -> Inclusion:
    """Prove that an entry (None: the last) is among the first ``size`` (None: all that there are). Raises NotInLog."""
    there = head(connection).size
    whole = there if size is None else size
    index = whole - 1 if index is None else index
    if not 0 <= index < whole <= there:
        raise NotInLog(f"a log of {there} entries has no entry {index} among its first {whole}")
    leaf, path = Node(0, index), merkle.inclusion_ranges(index, whole)
    known = hashes(connection, {leaf, *_nodes([*path, Range(0, whole)])}, there)
    return Inclusion(
        index, whole, known[leaf], tuple(merkle.proof(path, known)), merkle.hash_of(Range(0, whole), known)
    )


def consistency(connection: psycopg.Connection, old: int, new: int | None = None) -> Consistency:
    """Prove that the first ``new`` entries begin with the first ``old``. Raises NotInLog."""
    there = head(connection).size
    whole = there if new is None else new
    if not 0 <= old <= whole <= there:
        raise NotInLog(f"a log of {there} entries has no {old} among its first {whole}")
    path = merkle.consistency_ranges(old, whole)
    known = hashes(connection, _nodes([*path, Range(0, old), Range(0, whole)]), there)
    old_root, new_root = (merkle.hash_of(Range(0, size), known) if size else EMPTY_ROOT for size in (old, whole))
    return Consistency(old, old_root, whole, new_root, tuple(merkle.proof(path, known)))


def frontier(connection: psycopg.Connection, size: int) -> Frontier:
    """The right edge of the log when it had so many entries. Raises NotInLog."""
    there = head(connection).size
    if not 0 <= size <= there:
        raise NotInLog(f"the log has {there} entries, not {size}")
    nodes = merkle.cover(Range(0, size))
    known = hashes(connection, nodes, there)
    return Frontier(size, tuple(known[node] for node in nodes))


def hashes(connection: psycopg.Connection, wanted: Iterable[Node], size: int) -> dict[Node, bytes]:
    """The hashes of subtrees of a log that has ``size`` entries. Raises NotInLog where rows or tiles are gone."""
    nodes = set(wanted)
    high = [node for node in nodes if node.level >= TILE_LEVEL]
    known = {
        Node(level, number): found
        for level, number, found in connection.execute(
            "SELECT n.level, n.number, n.hash FROM unnest(%s::smallint[], %s::bigint[]) AS w (level, number)"
            " JOIN registry.access_log_node n USING (level, number)",
            ([node.level for node in high], [node.number for node in high]),
        )
    }
    for tile in {node.first >> TILE_LEVEL for node in nodes if node.level < TILE_LEVEL}:
        _, inside = Frontier().extended(leaves(connection, tile, size))
        known |= {Node(node.level, node.number + (tile << TILE_LEVEL - node.level)): found for node, found in inside}
    if missing := nodes - known.keys():
        raise NotInLog(f"the tree lacks {len(missing)} of its hashes: {sorted(missing)[:3]}")
    return known


def leaves(connection: psycopg.Connection, tile: int, size: int) -> list[bytes]:
    """The leaf hashes of a tile: those of the whole tile together, or of the last rows one by one."""
    start = tile << TILE_LEVEL
    if start + TILE <= size:
        row = connection.execute("SELECT hashes FROM registry.access_log_tile WHERE tile = %s", (tile,)).fetchone()
        if row is not None:
            return [row[0][at : at + HASH_BYTES] for at in range(0, len(row[0]), HASH_BYTES)]
    rows = connection.execute(
        "SELECT leaf_hash FROM registry.access_log WHERE index >= %s AND index < %s ORDER BY index",
        (start, min(start + TILE, size)),
    )
    return [found for (found,) in rows]


def _nodes(ranges: Iterable[Range]) -> list[Node]:
    return [node for part in ranges for node in merkle.cover(part)]
