"""The way of a record as far as the registry: source, mapping, validation; what is accepted, what is refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from connectors.connection import Connection
from connectors.kinds.file import FileSource
from connectors.kinds.rest import RestSource
from connectors.kinds.sql import SqlSource
from connectors.manifest import DEPARTMENTS, Manifest, load
from connectors.mapping import Mapping as RowMapping
from connectors.mapping import compile_mapping
from connectors.source import Cursor, Source
from schemas.validation import validator

KINDS: Mapping[str, type[Source]] = {"sql": SqlSource, "rest": RestSource, "file": FileSource}


@dataclass
class Pulled:
    """What one run of a connector brings."""

    records: dict[tuple[Any, ...], dict[str, Any]] = field(default_factory=dict)
    """By key; the later row wins."""
    refused: dict[str, list[str]] = field(default_factory=dict)
    """Row id -> rules; rows that could not be read have their place instead of an id."""
    deleted: set[tuple[Any, ...]] = field(default_factory=set)
    rows: int = 0
    accepted_rows: int = 0
    cursor: Cursor | None = None
    unchanged: bool = False


def manifest(connector: str) -> Manifest:
    department, _, name = connector.partition(".")
    return load(DEPARTMENTS / department / f"{name}.yaml")


def pull(connector: str, connection: Connection, since: Cursor | None = None) -> Pulled:
    what = manifest(connector)
    mapping = compile_mapping(what)
    source = KINDS[what.source.kind](what.source.settings, connection, mapping.source_columns)
    pulled = Pulled()
    reached = []
    try:
        for partition in source.partitions(since):
            last = None
            for rows in source.read(partition, since):
                pulled.unchanged |= rows.unchanged
                pulled.refused |= {each.place: [each.rule] for each in rows.refused}
                pulled.rows += len(rows.rows) + len(rows.refused)
                if rows.rows:
                    take(what, mapping, rows.columns, rows.rows, pulled)
                last = rows.reached
            reached.append(last)
        pulled.cursor = source.combine(since, reached)
    finally:
        source.close()
    return pulled


def take(what: Manifest, mapping: RowMapping, columns: tuple[str, ...], rows: Any, pulled: Pulled) -> None:
    bound = mapping.bind(columns)
    deletions = bound.deletions(rows) or [False] * len(rows)
    records, problems = bound.apply(rows)
    check = validator(what.schema)
    places = [columns.index(name) for name in what.source.row_id]
    for number, (record, gone, row) in enumerate(zip(records, deletions, rows, strict=True)):
        row_id = "|".join("" if row[place] is None else str(row[place]) for place in places)
        if record is None:
            pulled.refused[row_id] = [each.rule for each in problems[number]]
        elif not check.is_valid(record):
            pulled.refused[row_id] = [each.rule for each in check.violations(record)]
        elif gone:
            pulled.deleted.add(tuple(record[name] for name in what.key))
        else:
            pulled.accepted_rows += 1
            pulled.records[tuple(record[name] for name in what.key)] = record
