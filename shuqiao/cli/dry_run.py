"""Some rows of a source through mapping and validation, without the registry: what would become of them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from connectors.manifest import Manifest
from connectors.source import Rows, Source
from registry.sealing.records import masked_row
from shuqiao.cli.progress import telling
from shuqiao.ingest import open_source
from shuqiao.row_check import RowCheck


@dataclass(slots=True)
class Trial:
    """What became of the rows that were read; personal values are masked."""

    connector: str
    read: int = 0
    accepted: int = 0
    refused: int = 0
    deletions: int = 0
    complete: bool = True
    """Whether the end of the source was reached; not when the limit came first."""
    records: list[dict[str, Any]] = field(default_factory=list)
    refusals: list[dict[str, Any]] = field(default_factory=list)
    seconds: Mapping[str, float] = field(default_factory=dict)

    def as_document(self) -> dict[str, Any]:
        """As JSON has it."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


def trial(manifest: Manifest, limit: int) -> Trial:
    """Read up to ``limit`` rows from the start of the source. Raises the source's errors."""
    found = Trial(manifest.connector)
    check = RowCheck(manifest)
    reading = checking = 0.0
    with telling(f"{manifest.connector}: 读取 reading …") as say, open_source(manifest) as source:
        began = time.perf_counter()
        for rows in _batches(source):
            read = time.perf_counter()
            _add(found, check, _first(rows, limit - found.read))
            reading, checking, began = (
                reading + read - began,
                checking + time.perf_counter() - read,
                time.perf_counter(),
            )
            say(f"{manifest.connector}: {found.read:,} 读取 read, {found.refused:,} 退回 refused")
            if found.read >= limit:
                found.complete = False
                break
    found.seconds = {"reading": round(reading, 3), "mapping_and_validation": round(checking, 3)}
    return found


def _batches(source: Source) -> Iterator[Rows]:
    for partition in source.partitions(None):
        yield from source.read(partition, None)


def _first(rows: Rows, count: int) -> Rows:
    """The first rows; those that could not be read come after them."""
    if len(rows.rows) + len(rows.refused) <= count:
        return rows
    return replace(rows, rows=rows.rows[:count], refused=rows.refused[: max(0, count - len(rows.rows))])


def _add(found: Trial, check: RowCheck, rows: Rows) -> None:
    checked = check.check(rows)
    found.read += len(rows.rows) + len(rows.refused)
    found.accepted += len(checked.bodies)
    found.refused += len(checked.refusals)
    found.deletions += len(checked.deletes)
    found.records += [orjson.loads(body) for body in checked.bodies]
    for refusal in checked.refusals:
        raw = masked_row(refusal.raw, refusal.public)
        found.refusals.append({"place": refusal.place, "raw": raw, "reasons": refusal.reasons})
