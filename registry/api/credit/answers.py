"""What is answered about an enterprise's public credit data: its file, its credit record, the measures that apply.

The command line says the same by the same functions.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal

import orjson

from registry.api.representations import sources
from registry.domain.credit.catalogue import default_credit_catalogue
from registry.domain.credit.double_publicity import default_formats
from registry.domain.credit.enterprise_file import FileRecord, Provenance, enterprise_file, provenance
from registry.domain.credit.lending import default_lending_rules
from registry.domain.credit.marks import Mark, china_day
from registry.domain.credit.matching import normalise_identifier
from registry.domain.credit.measures import (
    Holding,
    ListRecord,
    Measure,
    default_measures,
    measures_for,
)
from registry.domain.credit.publicity import default_regimes
from registry.domain.credit.readers import Reader, default_reader_rules, without_identifiers
from registry.domain.credit.record_facts import default_record_rules
from registry.domain.credit.report import (
    CreditRecord,
    HeldRecord,
    ShownRecord,
    body_for,
    credit_record,
    digest,
    may_see,
    summary,
)
from registry.domain.credit.scorecard import default_scorecards
from registry.domain.credit.sources import default_sources
from registry.sealing.records import opened
from registry.storage.reads import credit
from registry.storage.reads.datasets import DatasetState
from registry.storage.reads.pool import Pool, Row
from schemas.errors import SchemaError
from schemas.identifiers import is_uscc

Datasets = Mapping[str, DatasetState]
CreditReader = Literal["public", "department", "bank"]
"""``bank``: a lender to whom the enterprise has consented, which is the route's to check."""
_READERS: Mapping[CreditReader, Reader] = {"public": "public", "department": "department", "bank": "authorised_bank"}


class UnknownEnterprise(LookupError):  # noqa: N818  (named for what the caller meets)
    """The registry knows nothing of an enterprise that this reader may know."""


class AmbiguousIdentifier(LookupError):  # noqa: N818
    """Records give one old identifier to several enterprises; nobody is guessed."""

    def __init__(self, candidates: list[str]) -> None:
        self.candidates = candidates
        super().__init__(", ".join(candidates))


@dataclass(frozen=True, slots=True)
class Found:
    """The enterprise that is asked for."""

    uscc: str
    by: str
    """``uscc``, or the kind of the old identifier that led to it."""


def load_rules() -> None:
    """Read every rule file that these answers need, so that a wrong one is told before anybody asks.

    Raises RuleFileError.
    """
    for load in (
        default_credit_catalogue, default_formats, default_lending_rules, default_measures, default_reader_rules,
        default_record_rules, default_regimes, default_sources, default_scorecards,
    ):  # fmt: skip
        load()


async def find(pool: Pool, identifier: str) -> Found:
    """The enterprise of a code or an old identifier. Raises UnknownEnterprise, AmbiguousIdentifier."""
    code = normalise_identifier(identifier)
    if is_uscc(code):
        return Found(code, "uscc")
    rows = await credit.identified(pool, code) if code else []
    if not rows:
        raise UnknownEnterprise(identifier)
    if len(rows) > 1:
        raise AmbiguousIdentifier([row["entity"] for row in rows])
    return Found(rows[0]["entity"], rows[0]["kinds"][0])


async def file(pool: Pool, datasets: Datasets, found: Found, granted: Iterable[str], at: datetime) -> dict[str, Any]:
    """The enterprise's file for a department; ``granted``: datasets it may read beside those of the catalogue.

    Raises UnknownEnterprise.
    """
    today = china_day(at)
    rules = default_sources().on(today)
    readable = {*default_credit_catalogue().on(today).by_dataset, *granted}
    named = rules.datasets
    ids = _ids(datasets, [name for name in named if name in readable])
    rows = await credit.records_of(pool, found.uscc, ids)
    shown = [_for_department(held) for held in map(held_of, rows) if may_see(held, today, "department")]
    if not shown:
        raise UnknownEnterprise(found.uscc)
    merged = enterprise_file(found.uscc, shown, today, rules)
    titles = {rule.name: rule.title for rule in rules.fields} | {rule.name: rule.title for rule in rules.lists}
    identifiers: dict[str, list[str]] = {}
    for row in await credit.identifiers_of(pool, found.uscc, ids):
        identifiers.setdefault(row["kind"], []).append(row["value"])
    open_now = await credit.discrepancies(
        pool, after=0, limit=_MOST_DISCREPANCIES, department=None, entity=found.uscc, is_open=True
    )
    return {
        "uscc": found.uscc,
        "found_by": found.by,
        "as_of": at,
        "sources": sources_of(datasets, [name for name in named if name in readable], at),
        "edition": merged.edition,
        "fields": {
            name: {
                "title": _title(titles[name]),
                "value": each.value,
                "authoritative": each.authoritative,
                "source": source_of(each.provenance),
            }
            for name, each in merged.fields.items()
        },
        "lists": {
            name: {
                "title": _title(titles[name]),
                "entries": [{"body": entry.body, "source": source_of(entry.provenance)} for entry in entries],
            }
            for name, entries in merged.lists.items()
        },
        "identifiers": identifiers,
        "discrepancies": [{name: row[name] for name in _OF_DISCREPANCY} for row in open_now],
        "oldest_age_days": merged.age_days,
        "not_granted": [name for name in named if name in datasets and name not in readable],
    }


async def record(
    pool: Pool,
    datasets: Datasets,
    found: Found,
    reader: CreditReader,
    day: date,
    at: datetime,
    only: Collection[str] | None = None,
) -> dict[str, Any]:
    """What the reader sees of the enterprise's credit record; ``only``: of these datasets. Raises UnknownEnterprise."""
    _, _, said = await _record(pool, datasets, found, reader, day, at, only)
    return said


async def report(
    pool: Pool,
    datasets: Datasets,
    found: Found,
    reader: CreditReader,
    at: datetime,
    only: Collection[str] | None = None,
) -> dict[str, Any]:
    """The credit report of today: the record, what it comes to, how old the data is, what to check it by.

    For departments with the measures that apply; ``only``: of these datasets. Raises UnknownEnterprise.
    """
    rows, seen, said = await _record(pool, datasets, found, reader, china_day(at), at, only, with_measures=True)
    read = [source["read_at"] for each in said["sources"].values() for source in each]
    head = {
        "title": {"zh": "公共信用信息报告", "en": "Report of public credit information"},
        "summary": [
            {"number": one.number, "code": one.code, "title": _title(one.title), "records": shown, "disputed": disputed}
            for one, shown, disputed in summary(seen)
        ],
        "oldest_read_at": None if None in read else min(read, default=None),
        "check": {"records": len(seen.records), "digest": f"sha256:{digest(seen)}"},
    }
    if reader == "department":
        head["measures"] = _measures(rows, datasets, found, None, at)["applies"]
    return said | head


async def _record(
    pool: Pool,
    datasets: Datasets,
    found: Found,
    reader: CreditReader,
    day: date,
    at: datetime,
    only: Collection[str] | None,
    *,
    with_measures: bool = False,
) -> tuple[list[Row], CreditRecord, dict[str, Any]]:
    """The rows that were read (``with_measures``: for those too), the record and what is said of it."""
    today = china_day(at)
    rules = default_sources().on(today)
    catalogue = default_credit_catalogue().on(today).by_dataset
    wanted = {*(catalogue if only is None else catalogue.keys() & only), rules.entity_dataset}
    of_measures = default_measures().on(today).datasets if with_measures and reader == "department" else ()
    read = await credit.records_of(pool, found.uscc, _ids(datasets, {*wanted, *of_measures}))
    rows = [row for row in read if row["dataset"] in wanted]
    stale = {(row["dataset"], row["key"]): row for row in rows if row["stale_since"] is not None}
    held = [held_of(row) for row in rows]
    registered = [each for each in held if each.record.dataset == rules.entity_dataset and not each.record.matched]
    seen = credit_record(held, day, today, _READERS[reader], registration=rules.entity_dataset)
    if not registered and not seen.records:
        raise UnknownEnterprise(found.uscc)
    registration = body_for(registered[0], _READERS[reader]) if registered else {}
    answer = {
        "uscc": found.uscc,
        "found_by": found.by,
        "name": registration.get("name"),
        "status": registration.get("status"),
        "as_of": at,
        "day": day,
        "reader": reader,
        "catalogue": seen.catalogue,
        "sources": sources_of(datasets, wanted, at),
        "records": [_shown(each, today, stale) for each in seen.records],
    }
    if reader == "department":
        answer["left_out"] = list(seen.left_out)
        answer["evaluations"] = [dict(row) for row in await credit.evaluations_of(pool, found.uscc)]
    return read, seen, answer


async def measures(pool: Pool, datasets: Datasets, found: Found, scene: str | None, at: datetime) -> dict[str, Any]:
    """What applies to the enterprise today, and why. Raises KeyError for an unknown scene."""
    today = china_day(at)
    wanted = {*default_measures().on(today).datasets, default_sources().on(today).entity_dataset}
    rows = await credit.records_of(pool, found.uscc, _ids(datasets, wanted))
    return _measures(rows, datasets, found, scene, at)


def _measures(rows: Iterable[Row], datasets: Datasets, found: Found, scene: str | None, at: datetime) -> dict[str, Any]:
    """From the enterprise's records; those of other datasets than the measures' do not matter."""
    today = china_day(at)
    edition = default_measures().on(today)
    entity_dataset = default_sources().on(today).entity_dataset
    wanted = {entity_dataset, *edition.datasets}
    rows = [row for row in rows if row["dataset"] in wanted]
    lists = [
        ListRecord(each.record.dataset, each.record.key, each.record.body, each.mark) for each in map(held_of, rows)
    ]
    said = measures_for(lists, today, scene, edition=edition)

    def holding(each: Holding) -> dict[str, Any]:
        return {
            "list": each.list,
            "title": _title(edition.lists[each.list].title),
            "dataset": each.record.dataset,
            "key": without_identifiers(each.record.key),
            "since": each.since,
            "until": each.until,
            "disputed": each.disputed,
        }

    def measure(each: Measure) -> dict[str, Any]:
        return {
            "code": each.code,
            "scene": each.scene,
            "kind": each.kind,
            "title": _title(each.title),
            "legal_basis": each.legal_basis,
        }

    return {
        "uscc": found.uscc,
        "found_by": found.by,
        "registered": any(row["dataset"] == entity_dataset for row in rows),
        "as_of": at,
        "day": today,
        "scene": scene,
        "edition": said.edition,
        "applies": [
            measure(each.measure) | {"because": [holding(one) for one in each.because]} for each in said.applying
        ],
        "withheld": [
            measure(each.measure)
            | {
                "because": [holding(one) for one in each.because],
                "prevented_by": [holding(one) for one in each.prevented_by],
            }
            for each in said.withheld
        ],
        "lists": [holding(each) for each in said.holdings],
        "sources": sources_of(datasets, edition.datasets, at),
        "missing": [name for name in edition.datasets if name not in datasets],
    }


_MOST_DISCREPANCIES = 100
_OF_DISCREPANCY = ("id", "field", "department", "authoritative_department", "opened_at")


def _ids(datasets: Datasets, names: Iterable[str]) -> list[int]:
    return [datasets[name].id for name in sorted(set(names)) if name in datasets]


def held_of(row: Row) -> HeldRecord:
    """A row of the registry as the rules know it."""
    made = FileRecord(
        dataset=row["dataset"],
        key=row["key"],
        body=opened(orjson.loads(row["body"]), row["personal"], row["dataset_id"], row["key"]),
        version=row["version"],
        published_on=china_day(row["valid_from"]),
        confirmed_on=china_day(row["confirmed_at"]),
        batch_id=row["batch_id"],
        connector=row["connector"],
        department=row["department"],
        matched=row["matched"],
    )
    return HeldRecord(made, row["schema"], Mark(disputed_since=row["disputed_since"]))


def _for_department(held: HeldRecord) -> FileRecord:
    """The record with only what departments may see of it; of a dataset whose schema is not known here: nothing."""
    try:
        body = body_for(held, "department")
    except SchemaError:
        body = {}
    one = held.record
    return FileRecord(
        one.dataset, one.key, body, one.version, one.published_on, one.confirmed_on, one.batch_id, one.connector,
        one.department, one.matched,
    )  # fmt: skip


def _shown(each: ShownRecord, today: date, stale: Mapping[tuple[str, str], Row]) -> dict[str, Any]:
    one, seen = each.held.record, each.visibility
    shown = {
        "dataset": one.dataset,
        "key": without_identifiers(one.key),
        "class": {
            "number": each.catalogue_class.number,
            "code": each.catalogue_class.code,
            "title": _title(each.catalogue_class.title),
        },
        "decided_on": each.decided_on,
        "body": each.body,
        "since": seen.since,
        "until": seen.until,
        "grade": seen.grade,
        "reason": {"code": seen.reason.code, "zh": seen.reason.zh, "en": seen.reason.en},
        "rule": seen.rule,
        "marks": list(seen.marks),
        "source": source_of(provenance(one, today)),
    }
    row = stale.get((one.dataset, one.key))
    return shown if row is None else shown | {"stale_since": row["stale_since"]}


def source_of(said: Provenance) -> dict[str, Any]:
    """Where a value comes from, and how old it is."""
    return {
        "dataset": said.dataset,
        "department": said.department,
        "connector": said.connector,
        "batch": said.batch_id,
        "version": said.version,
        "published_on": said.published_on,
        "confirmed_on": said.confirmed_on,
        "age_days": said.age_days,
        "matched": said.matched,
    }


def sources_of(datasets: Datasets, names: Iterable[str], at: datetime) -> dict[str, Any]:
    """How old the data of some datasets is, by dataset; those that the registry does not hold are left out."""
    return {name: sources(datasets[name], at) for name in sorted(set(names)) if name in datasets}


def _title(title: Any) -> dict[str, str]:
    return {"zh": title.zh, "en": title.en}
