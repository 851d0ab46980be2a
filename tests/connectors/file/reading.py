"""How the tests read a source."""

from __future__ import annotations

from typing import Any

from connectors.kinds.file import FileSource
from connectors.source import Cursor, Rows


def read_all(source: FileSource, since: Cursor | None = None) -> tuple[list[Rows], Cursor | None]:
    """One run: every partition, and the cursor after it."""
    batches: list[Rows] = []
    reached: list[Cursor | None] = []
    for partition in source.partitions(since):
        found = list(source.read(partition, since))
        batches += found
        reached.append(found[-1].reached)
    cursor = source.combine(since, reached)
    source.close()
    return batches, cursor


def values(batches: list[Rows]) -> list[tuple[Any, ...]]:
    return [tuple(row) for batch in batches for row in batch.rows]


def refusals(batches: list[Rows]) -> list[tuple[str, str]]:
    """Line number and rule of each refused row."""
    return [(each.place.rpartition(":")[2], each.rule) for batch in batches for each in batch.refused]
