"""The whole log held against its own tree and against the checkpoints that were signed.

What is written down more than once is compared: a row's content, the leaf hash beside it, the leaf hashes of its
tile, the nodes above, the right edge, the checkpoints. Which copy was altered shows where the others agree. So a
changed, moved, removed or added row is located exactly while the tile's hashes stand; where they were altered too, to
the tile of 256 entries; where the whole tree was made anew, to the stretch between two checkpoints. Whoever can write
the database can take away its newest entries *and* checkpoints: so others hold checkpoints, and they are given here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from psycopg import IsolationLevel

from registry.audit import archive, checkpoints, notes, proofs, reading
from registry.audit.checkpoints import Kept
from registry.audit.log import TILE, TILE_LEVEL, head
from registry.audit.notes import LogKey, NotSigned
from registry.audit.reading import Logged
from registry.domain.audit.checkpoint import Checkpoint, CheckpointMalformed
from registry.domain.audit.export import Finding
from registry.domain.audit.merkle import HASH_BYTES, Frontier, Node, leaf_hash, node_hash

TILES_AT_ONCE = 32
MOST_FINDINGS = 1000


@dataclass(frozen=True, slots=True)
class Report:
    """What a check of the whole log found."""

    first: int
    """Where the check began; what stands before was not looked at."""
    size: int
    root: bytes
    """Of the entries as they are there now."""
    archived: int
    """Entries below this index stand in files: what they say was checked only where files were given."""
    checkpoints: int
    """How many checkpoints agree, those that were given included."""
    proven: int
    """The size of the newest checkpoint that agrees: what came later is not yet signed."""
    findings: tuple[Finding, ...]


def check(
    connection: psycopg.Connection,
    keys: Sequence[LogKey],
    held: Iterable[Checkpoint] = (),
    *,
    since: int = 0,
    files: Sequence[Path] = (),
    say: Callable[[int, int], None] = lambda _done, _of: None,
) -> Report:
    """Check everything in one snapshot; ``held`` are checkpoints that others keep, their signatures verified.

    ``since``: only the entries from there on (from the beginning of their tile), and that the tree leads there.
    ``files``: archives, in their order, whose entries are checked as rows are. ``connection`` must not be in a
    transaction. Findings beyond the first thousand are not listed. Raises ExportMalformed for a file that is none.
    """
    connection.isolation_level, before = IsolationLevel.REPEATABLE_READ, connection.isolation_level
    try:
        with connection.transaction():
            return examine(connection, keys, held, since=since, files=files, say=say)
    finally:
        connection.isolation_level = before


def examine(
    connection: psycopg.Connection,
    keys: Sequence[LogKey],
    held: Iterable[Checkpoint] = (),
    *,
    since: int = 0,
    files: Sequence[Path] = (),
    say: Callable[[int, int], None] = lambda _done, _of: None,
) -> Report:
    """The same within the caller's transaction, which has to see one snapshot."""
    return _Check(connection, keys, list(held), since, _Filed(files)).report(say)


class _Filed:
    """The entries of archives, read on as the check goes on."""

    def __init__(self, files: Sequence[Path]) -> None:
        self.given = bool(files)
        self._rows = (row for file in files for row in archive.rows(file))
        self._next = next(self._rows, None)

    def between(self, start: int, end: int) -> Iterator[Logged]:
        """Those of a stretch; stretches come in their order."""
        while self._next is not None and self._next.index < end:
            if self._next.index >= start:
                yield self._next
            self._next = next(self._rows, None)


@dataclass(slots=True)
class _Check:
    """The state of one check on its way through the log."""

    connection: psycopg.Connection
    keys: Sequence[LogKey]
    held: list[Checkpoint]
    since: int
    filed: _Filed
    archived: int = 0
    findings: list[Finding] = field(default_factory=list)
    roots: dict[int, list[bytes]] = field(default_factory=dict)
    agreed: list[int] = field(default_factory=list)
    disagreed: bool = False

    def report(self, say: Callable[[int, int], None]) -> Report:
        edge = self._head()
        self.archived = self._archived()
        first = min(self.since, edge.size) >> TILE_LEVEL << TILE_LEVEL
        self._expect(self.held, first)
        self._look_beyond(edge.size)
        size = min(edge.size, self._rows_end())
        if size < edge.size:
            self.found("missing", size, edge.size - 1, "末尾条目被删除", "the last entries were removed")
        first = min(first, size >> TILE_LEVEL << TILE_LEVEL)
        walked = self._beginning(first)
        self._compare(walked)
        for start in range(first, size, TILES_AT_ONCE * TILE):
            say(start, size)
            walked = self._walk(walked, start, min(start + TILES_AT_ONCE * TILE, size))
        if walked != edge:
            self._explain_head(walked.size)
        for size_then in sorted(each for each in self.roots if each > edge.size):
            zh = f"检查点证明日志曾有 {size_then} 条，现有 {edge.size} 条：末尾条目被删除"
            en = f"a checkpoint proves {size_then} entries, there are {edge.size}: the last ones were removed"
            self.found("missing", edge.size, size_then - 1, zh, en)
        proven = max(self.agreed, default=0)
        findings = tuple(_joined(self.findings))
        return Report(first, walked.size, walked.root, self.archived, len(self.agreed), proven, findings)

    def _archived(self) -> int:
        """Below which index entries stand in files; archives follow each other without a gap."""
        until = 0
        for each in archive.every(self.connection):
            if each.restored_at is None and each.first == until:
                until = each.until
            elif each.restored_at is None:
                zh, en = "归档之间有缺口", "between the archives entries are left out, or stand twice"
                self.found("archive", min(until, each.first), max(until, each.first), zh, en)
        return until

    def _beginning(self, first: int) -> Frontier:
        """The edge where the check begins, as the tree has it."""
        if not first:
            return Frontier()
        try:
            return proofs.frontier(self.connection, first)
        except (LookupError, ValueError):
            self.found("node", 0, max(first - 1, 0), "缺少树节点", "nodes above these entries are gone")
            return Frontier(first, tuple(bytes(HASH_BYTES) for _ in range(first.bit_count())))

    def _head(self) -> Frontier:
        """The edge as it is written; where that is none, as long as the rows are."""
        try:
            return head(self.connection)
        except (ValueError, LookupError):
            self.found("head", 0, 0, "日志头被改动", "the head of the log was altered")
            size = self._rows_end()
            return Frontier(size, tuple(bytes(HASH_BYTES) for _ in range(size.bit_count())))

    def _rows_end(self) -> int:
        row = self.connection.execute("SELECT coalesce(max(index) + 1, 0) FROM registry.access_log").fetchone()
        return max(int(row[0]) if row else 0, self.archived)

    def _expect(self, held: Iterable[Checkpoint], first: int) -> None:
        for kept in checkpoints.every(self.connection, since=first):
            self._expect_kept(kept)
        for each in held:
            if each.size >= first:
                self.roots.setdefault(each.size, []).append(each.root)

    def found(self, kind: str, first: int, last: int, zh: str, en: str) -> None:
        if len(self.findings) < MOST_FINDINGS:
            self.findings.append(Finding(kind, first, last, zh, en))

    def _expect_kept(self, kept: Kept) -> None:
        try:
            opened = notes.opened(kept.note, self.keys)
        except (CheckpointMalformed, NotSigned) as error:
            zh = f"大小为 {kept.size} 的检查点签名无效"
            self.found("signature", kept.size, kept.size, zh, f"the checkpoint of size {kept.size}: {error}")
            return
        if (opened.size, opened.root) != (kept.size, kept.root):
            zh, en = (
                f"检查点 {kept.size} 被改动",
                f"the checkpoint of size {kept.size} says something else than its row",
            )
            self.found("signature", kept.size, kept.size, zh, en)
        self.roots.setdefault(opened.size, []).append(opened.root)

    def _look_beyond(self, size: int) -> None:
        beyond = self.connection.execute(
            "SELECT min(index), max(index) FROM registry.access_log WHERE index >= %s", (size,)
        ).fetchone()
        if beyond and beyond[0] is not None:
            zh, en = "日志末尾之后有多余的条目", "entries stand behind the end of the log"
            self.found("added", beyond[0], beyond[1], zh, en)
        tiles = self.connection.execute(
            "SELECT min(tile), max(tile) FROM registry.access_log_tile WHERE tile < 0 OR tile >= %s",
            (size >> TILE_LEVEL,),
        ).fetchone()
        nodes = self.connection.execute(
            "SELECT min(number << level), max(number << level) FROM registry.access_log_node"
            " WHERE number < 0 OR (number + 1) << level > %s",
            (size,),
        ).fetchone()
        if tiles and tiles[0] is not None:
            zh, en = "有不属于日志的叶哈希块", "there are tiles that the log does not have"
            self.found("tile", tiles[0] << TILE_LEVEL, (tiles[1] + 1 << TILE_LEVEL) - 1, zh, en)
        if nodes and nodes[0] is not None:
            zh, en = "有不属于日志的树节点", "there are nodes that the tree does not have"
            self.found("node", nodes[0], nodes[1], zh, en)

    def _walk(self, edge: Frontier, start: int, end: int) -> Frontier:
        """Check some tiles, and give back the edge behind them."""
        rows = {each.index: each for each in self.filed.between(start, min(end, self.archived))}
        rows |= {each.index: each for each in reading.between(self.connection, start, end)}
        tiles: dict[int, bytes] = dict(
            self.connection.execute(
                "SELECT tile, hashes FROM registry.access_log_tile WHERE tile >= %s AND tile < %s",
                (start >> TILE_LEVEL, end >> TILE_LEVEL),
            ).fetchall()
        )
        nodes = self._nodes(start, end)
        for at in range(start, end, TILE):
            last = min(at + TILE, end)
            found = [rows.get(index) for index in range(at, last)]
            if last - at == TILE:
                edge = self._whole_tile(edge, found, tiles.get(at >> TILE_LEVEL), nodes)
            else:
                contents = [_content(row) for row in found]
                self._compare_rows(at, found, contents, None)
                edge = self._grown(edge, contents)
                self._compare(edge)
        return edge

    def _nodes(self, start: int, end: int) -> dict[Node, bytes]:
        """The nodes that end within a stretch."""
        levels = list(range(TILE_LEVEL, max(end.bit_length(), TILE_LEVEL)))
        rows = self.connection.execute(
            "SELECT n.level, n.number, n.hash"
            " FROM unnest(%s::smallint[], %s::bigint[], %s::bigint[]) AS w (level, a, z)"
            " JOIN registry.access_log_node n ON n.level = w.level AND n.number >= w.a AND n.number < w.z",
            (levels, [start >> level for level in levels], [end >> level for level in levels]),
        )
        return {Node(level, number): made for level, number, made in rows}

    def _whole_tile(
        self, edge: Frontier, rows: list[Logged | None], tile: bytes | None, nodes: dict[Node, bytes]
    ) -> Frontier:
        at = edge.size
        last = at + TILE - 1
        written = None if tile is None else [tile[i : i + HASH_BYTES] for i in range(0, len(tile), HASH_BYTES)]
        contents = [
            written[index - at] if written is not None and row is None and self._is_elsewhere(index) else _content(row)
            for index, row in enumerate(rows, at)
        ]
        node = nodes.get(Node(TILE_LEVEL, at >> TILE_LEVEL))
        made = _root(contents)
        stands = written is not None and (node is None or _root(written) == node)
        self._compare_rows(at, rows, contents, written if stands else None)
        if written is None:
            self.found("tile", at, last, "缺少叶哈希块", "the tile with their leaf hashes is gone")
        elif not stands and made == node:
            self.found("tile", at, last, "叶哈希块被改动", "the tile with their leaf hashes was altered")
        if node is None:
            self.found("node", at, last, "缺少树节点", "the node above them is gone")
        elif made != node and not stands:
            self.found("node", at, last, "条目或树节点被改动", "these entries were altered, or the tree above them")
        grown = self._grown(edge, contents)
        if node is not None and made != node:
            # On from what is stored: one altered row is told once, and not by every checkpoint after it.
            high, _ = Frontier(at >> TILE_LEVEL, edge.peaks).extended([node])
            grown = Frontier(at + TILE, high.peaks)
        self._compare_nodes(grown.size, nodes)
        self._compare(grown)
        return grown

    def _grown(self, edge: Frontier, leaves: Sequence[bytes]) -> Frontier:
        """The edge with more leaves; on the way, checkpoints of the sizes between are compared."""
        start, at, end = edge.size, edge.size, edge.size + len(leaves)
        for size in sorted(self.roots.keys() & set(range(start + 1, end))):
            edge, _ = edge.extended(leaves[at - start : size - start], keep_from=64)
            self._compare(edge)
            at = size
        return edge.extended(leaves[at - start :], keep_from=64)[0]

    def _compare_rows(
        self, at: int, rows: list[Logged | None], contents: list[bytes], written: list[bytes] | None
    ) -> None:
        """Rows against the hashes of their tile, or against those beside them where the tile cannot be relied on."""
        for index, (row, content) in enumerate(zip(rows, contents, strict=True), at):
            if row is None and self._is_elsewhere(index):
                continue
            if row is None:
                self.found("missing", index, index, "条目被删除", "the entry was removed")
            elif content != (row.leaf if written is None else written[index - at]):
                self.found("changed", index, index, "条目被改动或移位", "the entry was changed or moved")
            elif content != row.leaf:
                self.found("leaf", index, index, "条目旁的哈希被改动", "the hash beside the entry was changed")

    def _is_elsewhere(self, index: int) -> bool:
        """Whether an entry stands in a file that was not given."""
        return index < self.archived and not self.filed.given

    def _compare_nodes(self, end: int, nodes: dict[Node, bytes]) -> None:
        """Higher nodes that end here are the hashes of the two below each."""
        level = TILE_LEVEL + 1
        while end % (1 << level) == 0:
            node = Node(level, (end >> level) - 1)
            below = [self._node(Node(level - 1, node.number * 2 + side), nodes) for side in (0, 1)]
            made = None if None in below else node_hash(*(each for each in below if each is not None))
            if nodes.get(node) is None:
                self.found("node", node.first, node.end - 1, "缺少树节点", "the node above them is gone")
            elif made is not None and nodes[node] != made:
                self.found("node", node.first, node.end - 1, "树节点被改动", "a node above them was altered")
            level += 1

    def _node(self, node: Node, nodes: dict[Node, bytes]) -> bytes | None:
        if node in nodes:
            return nodes[node]
        row = self.connection.execute(
            "SELECT hash FROM registry.access_log_node WHERE level = %s AND number = %s", node
        ).fetchone()
        return row[0] if row else None

    def _compare(self, edge: Frontier) -> None:
        """Hold the edge against the checkpoints of its size; only the first that disagrees is told."""
        for root in self.roots.get(edge.size, ()):
            if root == edge.root:
                self.agreed.append(edge.size)
            elif not self.disagreed:
                self.disagreed = True
                first = max(self.agreed, default=0)
                zh = f"条目 {first} 至 {edge.size - 1} 与大小为 {edge.size} 的检查点不符"
                en = f"entries {first} to {edge.size - 1} do not agree with the checkpoint of size {edge.size}"
                self.found("checkpoint", first, max(edge.size - 1, first), zh, en)

    def _explain_head(self, size: int) -> None:
        if not any(each.kind in {"missing", "changed", "node", "head"} for each in self.findings):
            first = max(self.agreed, default=0)
            zh, en = "日志头与条目不符", "the head of the log does not agree with its entries"
            self.found("head", min(first, size), max(size - 1, 0), zh, en)


def _content(row: Logged | None) -> bytes:
    """The leaf hash of what the row says now; of nothing where there is no row."""
    if row is None:
        return bytes(HASH_BYTES)
    return leaf_hash(row.data)


def _root(leaves: Sequence[bytes]) -> bytes:
    return Frontier().extended(leaves, keep_from=64)[0].root


def _joined(findings: Sequence[Finding]) -> list[Finding]:
    """Findings of one kind that follow each other as one."""
    joined: list[Finding] = []
    for each in findings:
        last = joined[-1] if joined else None
        if last and last.kind == each.kind and last.en == each.en and last.last + 1 == each.first:
            joined[-1] = Finding(last.kind, last.first, each.last, last.zh, last.en)
        else:
            joined.append(each)
    return joined
