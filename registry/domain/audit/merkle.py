"""The Merkle tree over a log: RFC 6962 section 2.1, as RFC 9162 section 2.1 has it, with SHA-256.

A tree is cut into perfect subtrees, a :class:`Node` each: ``Node(level, number)`` stands over the leaves from
``number * 2**level`` up to ``(number + 1) * 2**level``. A perfect subtree never changes once its leaves are there, so
that whoever keeps these hashes proves anything about the log from a few of them. Nothing here reads or writes anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import NamedTuple

EMPTY_ROOT = sha256(b"").digest()
HASH_BYTES = 32


class Node(NamedTuple):
    """A perfect subtree by its height above the leaves and its number from the left, both from 0."""

    level: int
    number: int

    @property
    def first(self) -> int:
        """The first leaf below it."""
        return self.number << self.level

    @property
    def end(self) -> int:
        """The leaf after its last one."""
        return (self.number + 1) << self.level


class Range(NamedTuple):
    """The leaves from ``start`` up to, and without, ``end``."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Frontier:
    """The right edge of a tree: what has to be known of it to append."""

    size: int = 0
    peaks: tuple[bytes, ...] = ()
    """The hashes of the perfect subtrees that the tree is made of, the largest first."""

    def __post_init__(self) -> None:
        """Raises ValueError for peaks that no tree of that size has."""
        if self.size < 0 or len(self.peaks) != self.size.bit_count():
            raise ValueError(f"a tree of {self.size} leaves has not {len(self.peaks)} peaks")

    @property
    def root(self) -> bytes:
        """The hash of the whole tree."""
        return _folded(self.peaks) if self.peaks else EMPTY_ROOT

    def extended(self, leaves: Iterable[bytes], keep_from: int = 0) -> tuple[Frontier, list[tuple[Node, bytes]]]:
        """The edge with more leaves (their hashes), and the subtrees of level ``keep_from`` and up that they end."""
        size, peaks = self.size, list(self.peaks)
        complete = []
        for leaf in leaves:
            found, level = leaf, 0
            if level >= keep_from:
                complete.append((Node(level, size), found))
            while size >> level & 1:
                found = node_hash(peaks.pop(), found)
                level += 1
                if level >= keep_from:
                    complete.append((Node(level, size >> level), found))
            peaks.append(found)
            size += 1
        return Frontier(size, tuple(peaks)), complete


def leaf_hash(data: bytes) -> bytes:
    """The hash of one entry."""
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of two subtrees side by side."""
    return sha256(b"\x01" + left + right).digest()


def cover(part: Range) -> list[Node]:
    """The fewest perfect subtrees that make up a range, from left to right."""
    start, nodes = part.start, []
    while start < part.end:
        level = (part.end - start).bit_length() - 1
        if start:
            level = min(level, (start & -start).bit_length() - 1)
        nodes.append(Node(level, start >> level))
        start += 1 << level
    return nodes


def hash_of(part: Range, hashes: Mapping[Node, bytes]) -> bytes:
    """The hash of a subtree that need not be perfect, as they are found in proofs. Raises KeyError."""
    nodes = cover(part)
    return _folded([hashes[node] for node in nodes]) if nodes else EMPTY_ROOT


def inclusion_ranges(index: int, size: int) -> list[Range]:
    """What proves that a leaf stands in a tree: the subtrees beside its way to the root, the lowest first."""
    if not 0 <= index < size:
        raise ValueError(f"a tree of {size} leaves has no leaf {index}")
    start, end = 0, size
    path = []
    while end - start > 1:
        split = start + _left(end - start)
        if index < split:
            path.append(Range(split, end))
            end = split
        else:
            path.append(Range(start, split))
            start = split
    return path[::-1]


def consistency_ranges(old: int, new: int) -> list[Range]:
    """What proves that a tree of ``new`` leaves begins with the tree of ``old``, the lowest first."""
    if not 0 <= old <= new:
        raise ValueError(f"a tree of {new} leaves does not begin with one of {old}")
    if old in {0, new}:
        return []
    start, end, path, at_edge = 0, new, [], True
    while old != end:
        split = start + _left(end - start)
        if old <= split:
            path.append(Range(split, end))
            end = split
        else:
            path.append(Range(start, split))
            start, at_edge = split, False
    if not at_edge:
        path.append(Range(start, end))
    return path[::-1]


def proof(ranges: Iterable[Range], hashes: Mapping[Node, bytes]) -> list[bytes]:
    """The hashes of a proof's subtrees. Raises KeyError for one that is not known."""
    return [hash_of(part, hashes) for part in ranges]


def includes(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """Whether ``path`` proves that the leaf (its hash) stands at ``index`` in the tree of that root.

    RFC 9162 section 2.1.3.2.
    """
    if not 0 <= index < size:
        return False
    place, last, found = index, size - 1, leaf
    for beside in path:
        if last == 0:
            return False
        if place & 1 or place == last:
            found = node_hash(beside, found)
            while not place & 1 and place:
                place >>= 1
                last >>= 1
        else:
            found = node_hash(found, beside)
        place >>= 1
        last >>= 1
    return last == 0 and found == root


def consistent(old: int, old_root: bytes, new: int, new_root: bytes, path: Sequence[bytes]) -> bool:
    """Whether ``path`` proves that the tree of ``new`` leaves begins with the tree of ``old``.

    RFC 9162 section 2.1.4.2; every tree begins with the empty one.
    """
    if not 0 <= old <= new:
        return False
    if old in {0, new}:
        return not path and old_root == (EMPTY_ROOT if old == 0 else new_root)
    hashes = list(path)
    if old & old - 1 == 0:
        hashes.insert(0, old_root)
    if not hashes:
        return False
    place, last = old - 1, new - 1
    while place & 1:
        place >>= 1
        last >>= 1
    found_old = found_new = hashes[0]
    for beside in hashes[1:]:
        if last == 0:
            return False
        if place & 1 or place == last:
            found_old, found_new = node_hash(beside, found_old), node_hash(beside, found_new)
            while not place & 1 and place:
                place >>= 1
                last >>= 1
        else:
            found_new = node_hash(found_new, beside)
        place >>= 1
        last >>= 1
    return last == 0 and found_old == old_root and found_new == new_root


def _left(size: int) -> int:
    """How many leaves of a tree stand in its left half: the largest power of two below its size."""
    return 1 << (size - 1).bit_length() - 1


def _folded(peaks: Sequence[bytes]) -> bytes:
    found = peaks[-1]
    for peak in reversed(peaks[:-1]):
        found = node_hash(peak, found)
    return found
