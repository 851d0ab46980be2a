"""One file per enterprise 法人库: the records of one code from all datasets, each field from its one source.

Pure and deterministic: the same records, day and edition give the same file, in whatever order the records come.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from registry.domain.credit.sources import FieldRule, ListRule, Source, Sources, fits


@dataclass(frozen=True, slots=True)
class FileRecord:
    """A record of the enterprise, as it stood on the day of the file."""

    dataset: str
    key: str
    body: Mapping[str, Any]
    version: int
    published_on: date
    """The day on which this version came into the registry."""
    confirmed_on: date
    """The last day on which its source was read to the end and still said so."""
    batch_id: int
    connector: str
    department: str
    matched: bool = False
    """Whether it carries no code and belongs here by an accepted match."""


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a value or a list entry comes from."""

    dataset: str
    key: str
    version: int
    department: str
    connector: str
    batch_id: int
    published_on: date
    confirmed_on: date
    age_days: int
    """Days since the source last confirmed it."""
    matched: bool


@dataclass(frozen=True, slots=True)
class FieldValue:
    """One field of the file."""

    field: str
    value: Any
    authoritative: bool
    """Whether the department that answers for the field says so; False: it says nothing, another one does."""
    provenance: Provenance


@dataclass(frozen=True, slots=True)
class Entry:
    """One record of a list."""

    body: Mapping[str, Any]
    provenance: Provenance


@dataclass(frozen=True, slots=True)
class EnterpriseFile:
    """What is known of one enterprise on a day."""

    uscc: str
    day: date
    edition: str
    """Of the sources."""
    fields: Mapping[str, FieldValue]
    """Those with a value, in the edition's order."""
    lists: Mapping[str, tuple[Entry, ...]]
    """Every list of the edition, newest first; empty where there is nothing."""
    datasets: tuple[str, ...]
    """Whose records it was made from."""

    @property
    def age_days(self) -> int:
        """The age of its oldest value; 0 without any."""
        return max((each.provenance.age_days for each in self.fields.values()), default=0)


def enterprise_file(uscc: str, records: Iterable[FileRecord], day: date, sources: Sources) -> EnterpriseFile:
    """Merge an enterprise's records of one day."""
    ordered = sorted(records, key=lambda record: (record.dataset, record.key))
    by_dataset: dict[str, list[FileRecord]] = {}
    for record in ordered:
        by_dataset.setdefault(record.dataset, []).append(record)
    fields = {}
    for rule in sources.fields:
        found = _value(rule, by_dataset, day)
        if found is not None:
            fields[rule.name] = found
    lists = {rule.name: _entries(rule, by_dataset, day) for rule in sources.lists}
    return EnterpriseFile(uscc, day, sources.edition, fields, lists, tuple(by_dataset))


def stating(source: Source, records: Sequence[FileRecord]) -> FileRecord | None:
    """The record that speaks for a source: of those with a value the newest; of one age, that of the greatest key.

    An authoritative source speaks only through its own department's records that carry the code themselves.
    """
    candidates = [
        record
        for record in records
        if record.body.get(source.field) is not None
        and fits(record.body, source.where)
        and (source.department is None or (record.department == source.department and not record.matched))
    ]
    return max(candidates, key=lambda record: _newness(source, record), default=None)


def _newness(source: Source, record: FileRecord) -> tuple[str, date, int, str]:
    newest = str(record.body.get(source.newest_by, "")) if source.newest_by else ""
    return newest, record.published_on, record.version, record.key


def _value(rule: FieldRule, by_dataset: Mapping[str, Sequence[FileRecord]], day: date) -> FieldValue | None:
    for source in (*rule.authoritative, *rule.others):
        record = stating(source, by_dataset.get(source.dataset, ())) if source.for_value else None
        if record is not None:
            authoritative = source.department is not None
            return FieldValue(rule.name, record.body[source.field], authoritative, provenance(record, day))
    return None


def _entries(rule: ListRule, by_dataset: Mapping[str, Sequence[FileRecord]], day: date) -> tuple[Entry, ...]:
    found = [
        (str(record.body.get(field, "")), record.dataset, record.key, Entry(record.body, provenance(record, day)))
        for dataset, field in rule.datasets.items()
        for record in by_dataset.get(dataset, ())
    ]
    found.sort(key=lambda each: each[:3])
    found.sort(key=lambda each: each[0], reverse=True)
    return tuple(each[3] for each in found)


def provenance(record: FileRecord, day: date) -> Provenance:
    """Where a record comes from, as seen on a day."""
    return Provenance(
        dataset=record.dataset,
        key=record.key,
        version=record.version,
        department=record.department,
        connector=record.connector,
        batch_id=record.batch_id,
        published_on=record.published_on,
        confirmed_on=record.confirmed_on,
        age_days=max((day - record.confirmed_on).days, 0),
        matched=record.matched,
    )
