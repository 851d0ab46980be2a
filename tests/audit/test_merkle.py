"""The tree and its proofs, held against RFC 6962's own words and the reference vectors of Certificate Transparency."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.domain.audit import merkle
from registry.domain.audit.merkle import EMPTY_ROOT, Frontier, Node, Range

INPUTS = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
"""Of the first one, two ... eight inputs, from the test data of the reference implementation."""


def slow_root(leaves: Sequence[bytes]) -> bytes:
    """MTH of RFC 6962 section 2.1, word for word; ``leaves`` are the entries."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return sha256(b"\x00" + leaves[0]).digest()
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return sha256(b"\x01" + slow_root(leaves[:split]) + slow_root(leaves[split:])).digest()


def slow_path(index: int, leaves: Sequence[bytes]) -> list[bytes]:
    """PATH of RFC 6962 section 2.1.1."""
    if len(leaves) == 1:
        return []
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    if index < split:
        return [*slow_path(index, leaves[:split]), slow_root(leaves[split:])]
    return [*slow_path(index - split, leaves[split:]), slow_root(leaves[:split])]


def slow_proof(old: int, leaves: Sequence[bytes], *, whole: bool = True) -> list[bytes]:
    """SUBPROOF of RFC 6962 section 2.1.2."""
    if old == len(leaves):
        return [] if whole else [slow_root(leaves)]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    if old <= split:
        return [*slow_proof(old, leaves[:split], whole=whole), slow_root(leaves[split:])]
    return [*slow_proof(old - split, leaves[split:], whole=False), slow_root(leaves[:split])]


def entries(size: int) -> list[bytes]:
    return [b"entry %d" % number for number in range(size)]


def tree(size: int) -> tuple[Frontier, dict[Node, bytes]]:
    frontier, nodes = Frontier().extended(map(merkle.leaf_hash, entries(size)))
    return frontier, dict(nodes)


SIZES = st.integers(1, 130)


@pytest.mark.parametrize("size", range(1, 9))
def test_the_roots_are_those_of_the_reference_implementation(size: int) -> None:
    frontier, _ = Frontier().extended(merkle.leaf_hash(bytes.fromhex(text)) for text in INPUTS[:size])

    assert frontier.root.hex() == ROOTS[size - 1]


def test_the_empty_tree_has_the_hash_of_nothing() -> None:
    assert Frontier().root.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@given(st.integers(0, 130), st.integers(0, 130))
def test_a_tree_grown_in_two_steps_is_the_tree_of_all_its_leaves(first: int, more: int) -> None:
    hashes = list(map(merkle.leaf_hash, entries(first + more)))
    half, some = Frontier().extended(hashes[:first], keep_from=2)
    whole, others = half.extended(hashes[first:], keep_from=2)

    assert whole.root == slow_root(entries(first + more))
    assert dict(some) | dict(others) == {node: made for node, made in tree(first + more)[1].items() if node.level >= 2}


@given(st.data(), SIZES)
def test_inclusion_is_proven_as_the_rfc_has_it(data: st.DataObject, size: int) -> None:
    index = data.draw(st.integers(0, size - 1))
    frontier, nodes = tree(size)
    path = merkle.proof(merkle.inclusion_ranges(index, size), nodes)

    assert path == slow_path(index, entries(size))
    assert merkle.includes(merkle.leaf_hash(entries(size)[index]), index, size, path, frontier.root)


@given(st.data(), SIZES)
def test_consistency_is_proven_as_the_rfc_has_it(data: st.DataObject, size: int) -> None:
    old = data.draw(st.integers(1, size))
    frontier, nodes = tree(size)
    path = merkle.proof(merkle.consistency_ranges(old, size), nodes)

    assert path == slow_proof(old, entries(size))
    assert merkle.consistent(old, slow_root(entries(old)), size, frontier.root, path)


@given(SIZES)
def test_every_tree_begins_with_the_empty_one(size: int) -> None:
    assert merkle.consistent(0, EMPTY_ROOT, size, tree(size)[0].root, [])
    assert not merkle.consistent(0, b"\0" * 32, size, tree(size)[0].root, [])


@given(st.data(), st.integers(2, 130))
def test_a_proof_of_inclusion_proves_nothing_else(data: st.DataObject, size: int) -> None:
    index = data.draw(st.integers(0, size - 1))
    frontier, nodes = tree(size)
    path = merkle.proof(merkle.inclusion_ranges(index, size), nodes)
    leaf = merkle.leaf_hash(entries(size)[index])
    place = data.draw(st.integers(0, len(path) - 1))
    other = data.draw(st.integers(0, size - 1).filter(lambda number: number != index))

    assert not merkle.includes(merkle.leaf_hash(b"another"), index, size, path, frontier.root)
    assert not merkle.includes(leaf, other, size, path, frontier.root)
    assert not merkle.includes(leaf, index, size, path, EMPTY_ROOT)
    assert not merkle.includes(leaf, index, size, _flipped(path, place), frontier.root)
    assert not merkle.includes(leaf, index, size, path[:place] + path[place + 1 :], frontier.root)
    assert not merkle.includes(leaf, index, size, [*path, leaf], frontier.root)
    assert not merkle.includes(leaf, size, size, path, frontier.root)


@given(st.data(), st.integers(2, 130))
def test_a_proof_of_consistency_proves_nothing_else(data: st.DataObject, size: int) -> None:
    old = data.draw(st.integers(1, size - 1))
    frontier, nodes = tree(size)
    path = merkle.proof(merkle.consistency_ranges(old, size), nodes)
    old_root = slow_root(entries(old))
    place = data.draw(st.integers(0, len(path) - 1))

    assert not merkle.consistent(old, EMPTY_ROOT, size, frontier.root, path)
    assert not merkle.consistent(old, old_root, size, EMPTY_ROOT, path)
    assert not merkle.consistent(old, old_root, size, frontier.root, _flipped(path, place))
    assert not merkle.consistent(old, old_root, size, frontier.root, path[:place] + path[place + 1 :])
    assert not merkle.consistent(old, old_root, size, frontier.root, [*path, old_root])
    assert not merkle.consistent(size, frontier.root, old, old_root, path)


@given(st.integers(0, 1 << 40), st.integers(0, 1 << 20))
def test_a_range_is_covered_by_perfect_subtrees_without_gap_or_overlap(start: int, length: int) -> None:
    nodes = merkle.cover(Range(start, start + length))

    reached = start
    for node in nodes:
        assert node.first == reached
        reached = node.end
    assert reached == start + length
    assert len(nodes) <= 2 * 41


@pytest.mark.parametrize(("size", "peaks"), [(1, ()), (0, (EMPTY_ROOT,)), (3, (EMPTY_ROOT,)), (-1, ())])
def test_an_edge_that_no_tree_has_is_refused(size: int, peaks: tuple[bytes, ...]) -> None:
    with pytest.raises(ValueError, match="peaks"):
        Frontier(size, peaks)


@pytest.mark.parametrize(("index", "size"), [(0, 0), (1, 1), (-1, 3)])
def test_there_is_no_proof_for_a_leaf_that_is_not_there(index: int, size: int) -> None:
    with pytest.raises(ValueError, match="has no leaf"):
        merkle.inclusion_ranges(index, size)


def _flipped(path: list[bytes], place: int) -> list[bytes]:
    changed = bytes([path[place][0] ^ 1]) + path[place][1:]
    return [*path[:place], changed, *path[place + 1 :]]
