"""An enterprise's credit record 公共信用记录 as one reader sees it: which of its records, with what of them, and why.

A record is in it if a class of the catalogue names its dataset, its publicity can be judged, and the reader may see it
both on the day asked for and today: asking for a day gone by does not bring back what has been repaired, withdrawn or
has run out since.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

from registry.domain.credit.catalogue import CatalogueClass, CreditCatalogue, default_credit_catalogue
from registry.domain.credit.enterprise_file import FileRecord
from registry.domain.credit.marks import NO_MARK, Mark, with_mark
from registry.domain.credit.publicity import HolderKind, NoRegime
from registry.domain.credit.readers import Reader, shown_record, without_identifiers
from registry.domain.credit.record_facts import NoFacts, default_record_rules, facts_of, holder_kind
from registry.domain.credit.visibility import Facts, Visibility, visibility
from schemas.errors import SchemaError

_INDIVIDUAL_BUSINESS = "92"
"""How the unified social credit code of an individual business 个体工商户 begins."""


@dataclass(frozen=True, slots=True)
class HeldRecord:
    """A record of an enterprise as the registry holds it now."""

    record: FileRecord
    schema: str
    """Of its dataset, such as ``administrative_penalty@1``."""
    mark: Mark = NO_MARK


@dataclass(frozen=True, slots=True)
class ShownRecord:
    """A record that the reader sees."""

    held: HeldRecord
    catalogue_class: CatalogueClass
    body: dict[str, Any]
    """Only what the reader may see of it."""
    decided_on: date
    visibility: Visibility
    """On the day asked for; its marks are today's."""


@dataclass(frozen=True, slots=True)
class CreditRecord:
    """What one reader sees of one enterprise."""

    day: date
    reader: Reader
    catalogue: str
    """The edition by which records were let in."""
    records: tuple[ShownRecord, ...]
    """The newest decision first."""
    left_out: tuple[str, ...]
    """Datasets of the catalogue with records of which no rule says who may see them: nobody does."""


def credit_record(
    records: Iterable[HeldRecord],
    day: date,
    today: date,
    reader: Reader,
    *,
    registration: str,
    catalogue: CreditCatalogue | None = None,
) -> CreditRecord:
    """What ``reader`` sees today of the records, as they were to be seen on ``day``. Raises OutsideCatalogue.

    ``registration``: the dataset that says who the enterprise is, which is the head of the record and no part of it.
    """
    edition = (catalogue or default_credit_catalogue()).on(today)
    shown: list[ShownRecord] = []
    left_out: set[str] = set()
    for held in records:
        catalogue_class = edition.by_dataset.get(held.record.dataset)
        if catalogue_class is None or held.record.dataset == registration:
            continue
        try:
            facts = facts_with_mark(held)
            then, now = visibility(facts, day, reader), visibility(facts, today, reader)
            body = body_for(held, reader)
        except (NoFacts, NoRegime, SchemaError):
            left_out.add(held.record.dataset)
            continue
        if then.visible and now.visible:
            seen = then if then.marks == now.marks else _marked_as(then, now)
            shown.append(ShownRecord(held, catalogue_class, body, facts.decided_on, seen))
    shown.sort(key=lambda each: (each.held.record.dataset, each.held.record.key))
    shown.sort(key=lambda each: each.decided_on, reverse=True)
    return CreditRecord(day, reader, edition.name, tuple(shown), tuple(sorted(left_out)))


def summary(record: CreditRecord) -> list[tuple[CatalogueClass, int, int]]:
    """Per class of the catalogue with records: how many there are, and how many of them are disputed."""
    found: dict[int, tuple[CatalogueClass, int, int]] = {}
    for each in record.records:
        one = each.catalogue_class
        _, shown, disputed = found.get(one.number, (one, 0, 0))
        found[one.number] = (one, shown + 1, disputed + bool(each.visibility.marks))
    return [found[number] for number in sorted(found)]


def digest(record: CreditRecord) -> str:
    """By which two reports are compared: SHA-256 of a line for each record, sorted; docs/credit.md says how.

    The same records in the same versions with the same marks give the same digest, whenever and to whomever.
    """
    lines = sorted(
        f"{each.held.record.dataset}\t{without_identifiers(each.held.record.key)}\t{each.held.record.version}"
        f"\t{','.join(each.visibility.marks)}\n"
        for each in record.records
    )
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def may_see(held: HeldRecord, today: date, reader: Reader) -> bool:
    """Whether a reader may see a record today as far as publicity goes; records without such rules: yes, unmarked ones.

    For files that a reader gets by a grant of the dataset, where the rules of publicity can only take away.
    """
    try:
        return visibility(facts_with_mark(held), today, reader).visible
    except (NoFacts, NoRegime):
        return held.mark.shared


def facts_with_mark(held: HeldRecord) -> Facts:
    """What publicity is judged by. Raises NoFacts."""
    return with_mark(facts_of(held.record.dataset, held.record.body), held.mark)


def body_for(held: HeldRecord, reader: Reader) -> dict[str, Any]:
    """A record with only what the reader may see of it. Raises UnknownSchema."""
    return shown_record(held.record.body, held.schema, _holder(held), reader)


def _holder(held: HeldRecord) -> HolderKind:
    """Whom it is about; of datasets whose rules do not say it, by the code."""
    rule = default_record_rules().records.get(held.record.dataset)
    if rule is not None:
        return holder_kind(rule, held.record.body)
    code = str(held.record.body.get("uscc") or "")
    if not code:
        return "natural_person"
    return "individual_business" if code.startswith(_INDIVIDUAL_BUSINESS) else "legal_person"


def _marked_as(then: Visibility, now: Visibility) -> Visibility:
    return Visibility(
        visible=True,
        since=then.since,
        until=then.until,
        marks=now.marks,
        reason=then.reason,
        grade=then.grade,
        rule=then.rule,
    )
