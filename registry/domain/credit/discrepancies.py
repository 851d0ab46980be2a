"""Where a department says something else of an enterprise than the one that is authoritative.

Values are compared as they mean, not as they are spelt: bracket and spacing variants are no conflict.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from registry.domain.credit.enterprise_file import FileRecord, stating
from registry.domain.credit.matching import same
from registry.domain.credit.sources import Comparison, FieldRule, Source, Sources, fits


@dataclass(frozen=True, slots=True)
class Statement:
    """What a record says of a field."""

    department: str
    dataset: str
    key: str
    value: str


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """Two statements that cannot both be true."""

    field: str
    other: Statement
    """Of the department that is not authoritative: it is asked to mend its record."""
    authority: Statement


def discrepancies(records: Iterable[FileRecord], sources: Sources) -> list[Discrepancy]:
    """Every discrepancy among one enterprise's records, by field, dataset and key."""
    by_dataset: dict[str, list[FileRecord]] = {}
    for record in records:
        if not record.matched:  # whether a record without a code belongs here is an opinion; it accuses nobody
            by_dataset.setdefault(record.dataset, []).append(record)
    found: list[Discrepancy] = []
    for rule in sources.fields:
        if rule.compared_as is not None:
            for authority in rule.authoritative:
                speaking = stating(authority, by_dataset.get(authority.dataset, ()))
                if speaking is not None:
                    found += _against(rule, rule.compared_as, authority, speaking, by_dataset)
                    break
    return sorted(found, key=lambda each: (each.field, each.other.dataset, each.other.key))


def states_value(source: Source, record: FileRecord) -> bool:
    """Whether a record states the field of a source."""
    return record.body.get(source.field) is not None and fits(record.body, source.where)


def _against(
    rule: FieldRule,
    comparison: Comparison,
    authority: Source,
    speaking: FileRecord,
    by_dataset: dict[str, list[FileRecord]],
) -> Iterable[Discrepancy]:
    truth = speaking.body[authority.field]
    later: Sequence[Source] = rule.authoritative[rule.authoritative.index(authority) + 1 :]
    for source in (*later, *rule.others):
        for record in by_dataset.get(source.dataset, ()):
            if record.department == speaking.department or not states_value(source, record):
                continue
            if not _agree(source, comparison, record.body[source.field], truth):
                yield Discrepancy(
                    rule.name,
                    _statement(record, record.body[source.field]),
                    _statement(speaking, truth),
                )


def _agree(source: Source, comparison: Comparison, stated: Any, truth: Any) -> bool:
    if source.agrees is not None:
        return (
            stated not in source.agrees or truth in source.agrees[stated]
        )  # a state the table does not know accuses nobody
    return same(comparison, stated, truth)


def _statement(record: FileRecord, value: Any) -> Statement:
    return Statement(record.department, record.dataset, record.key, str(value))
