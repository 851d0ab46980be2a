"""A stretch of the log as a file, and what a third party finds out with it and the checkpoints it holds.

The file is NDJSON: a head, then the bytes of each entry on a line of their own. Nothing in it is believed: the hash of
everything up to its end must be the root of a checkpoint, and so must be that of what stands before its beginning.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from registry.domain.audit.checkpoint import Checkpoint
from registry.domain.audit.merkle import HASH_BYTES, Frontier, leaf_hash

FORM = "shuqiao-access-log/1"


class ExportMalformed(ValueError):  # noqa: N818  (named for what was met)
    """A file is no export of an access log."""

    def __init__(self, why: str) -> None:
        super().__init__(f"不是访问日志的导出文件 no export of an access log: {why}")


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about the entries from ``first`` to ``last`` is not as it was logged."""

    kind: str
    first: int
    last: int
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Checked:
    """What an export shows, held against checkpoints whose signatures were verified before."""

    first: int
    end: int
    """The entries from ``first`` up to, and without, ``end`` were read."""
    confirmed: tuple[int, ...]
    """The sizes at which a checkpoint agrees."""
    findings: tuple[Finding, ...]

    @property
    def proven(self) -> int:
        """How many entries are proven to be those that were logged: up to the last checkpoint that agrees."""
        return 0 if self.findings else max(self.confirmed, default=self.first) - self.first


def head(start: Frontier) -> bytes:
    """The first line, without its end: where the file begins, and what stands before."""
    return orjson.dumps({"form": FORM, "first": start.size, "peaks": [peak.hex() for peak in start.peaks]})


def check(lines: Iterable[bytes], checkpoints: Sequence[Checkpoint]) -> Checked:
    """Hold an export against checkpoints. Raises ExportMalformed for a file that is none.

    The first entry after the last checkpoint that agrees, up to the next that does not, is as near as a change can be
    located without the database.
    """
    given = iter(lines)
    edge = _head(next(given, b""))
    first, confirmed, findings = edge.size, [], list[Finding]()
    waiting = sorted((each for each in checkpoints if each.size >= first), key=lambda each: each.size, reverse=True)

    def compare(at: Frontier) -> None:
        while waiting and waiting[-1].size == at.size:
            if waiting.pop().root == at.root:
                confirmed.append(at.size)
            elif not findings:
                findings.append(_disagrees(max(confirmed, default=first), at.size))

    compare(edge)
    for line in given:
        data = line.rstrip(b"\r\n")
        index = _index(data)
        if index != edge.size:
            findings.append(_out_of_order(edge.size, index))
            break
        edge, _ = edge.extended([leaf_hash(data)], keep_from=HASH_BYTES * 8)
        compare(edge)
    if first and first not in confirmed and not findings:
        findings.append(_unfounded(first))
    return Checked(first, edge.size, tuple(dict.fromkeys(confirmed)), tuple(findings))


def _head(line: bytes) -> Frontier:
    try:
        found: Any = orjson.loads(line)
        if found["form"] != FORM:
            raise ValueError(f"expected the form {FORM}")  # noqa: TRY301
        return Frontier(int(found["first"]), tuple(bytes.fromhex(peak) for peak in found["peaks"]))
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
        raise ExportMalformed(f"the first line is no head of an export: {error}") from error


def _index(data: bytes) -> int:
    try:
        found: Any = orjson.loads(data)
        return int(found["index"])
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
        raise ExportMalformed(f"a line is no entry: {error}") from error


def _disagrees(after: int, size: int) -> Finding:
    return Finding(
        "checkpoint", after, size - 1,
        f"条目 {after} 至 {size - 1} 与大小为 {size} 的检查点不符：其中有条目被改动",
        f"entries {after} to {size - 1} do not agree with the checkpoint of size {size}: one among them was altered",
    )  # fmt: skip


def _out_of_order(expected: int, got: int) -> Finding:
    return Finding(
        "missing" if got > expected else "moved", expected, max(got - 1, expected),
        f"此处应为条目 {expected}，实为 {got}", f"entry {expected} is expected here, entry {got} is there",
    )  # fmt: skip


def _unfounded(first: int) -> Finding:
    return Finding(
        "checkpoint", first, first,
        f"没有大小为 {first} 的检查点，无法证明该文件之前的部分",
        f"no checkpoint of size {first} is given: what stands before this file's beginning is not proven",
    )  # fmt: skip
