"""一数一源 as data: whose word counts for each field of an enterprise's file, and how others' words are compared.

An edition is a file ``sources/<edition>.yaml``; the one in force on a day is :meth:`SourceEditions.on`. Which records
are old identifiers' evidence, which records without a code may be matched and which records are looked at for findings
stands in the same file, so that a city's own dataset needs no code.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

from registry.domain.credit.rule_files import RULES, RuleFile, RuleFileError, RuleProblem, optional_day, read_all
from schemas import code_lists
from schemas.catalogue import Catalogue, default_catalogue
from schemas.documents import Key

SOURCES = RULES / "sources"
"""The editions that come with the hub."""
SCHEMA = SOURCES / "sources.schema.json"

_KIND_OF_DIVISION = re.compile("(?:特别行政区|(?:壮族|回族|维吾尔)?自治区|自治[州县旗]|地区|新区|[省市区县盟旗])$")

Comparison = Literal["company_name", "person_name", "address", "code"]
Where = Mapping[str, frozenset[str]]
"""Field -> values of which it must have one; all fields must fit. Empty: every record."""


class NoEdition(LookupError):  # noqa: N818  (named for what the caller meets)
    """No edition of the sources is in force on a day."""


@dataclass(frozen=True, slots=True)
class Title:
    """A name in both languages."""

    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Source:
    """A place that states a field of the file."""

    dataset: str
    field: str
    department: str | None
    """The authoritative department; None: this source is not authoritative, whoever it is."""
    newest_by: str | None
    """Of several records the one with the greatest value here counts; None: the one published last."""
    for_value: bool
    """Whether its word stands in the file where no authoritative source says anything."""
    where: Where
    """Which records state it."""
    agrees: Mapping[str, frozenset[str]] | None
    """What is stated here -> the authoritative values that fit it; None: both must be the same once normalised."""


@dataclass(frozen=True, slots=True)
class FieldRule:
    """One field of the file: its authoritative sources in order, and who else states it."""

    name: str
    title: Title
    personal: bool
    compared_as: Comparison | None
    """How values are normalised before they are compared; None: nobody else's word on it is a conflict."""
    authoritative: tuple[Source, ...]
    others: tuple[Source, ...]


@dataclass(frozen=True, slots=True)
class ListRule:
    """A list of the file: its datasets, each with the field that orders its records, newest first."""

    name: str
    title: Title
    datasets: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class IdentifierSource:
    """Where a record states an old identifier of its entity: in a field, in its row's identity, or in the USCC."""

    kind: str
    dataset: str
    field: str | None
    row_id: bool = False
    part_of_uscc: bool = False


@dataclass(frozen=True, slots=True)
class MatchingRule:
    """Where a dataset's records name the enterprise they are about, if they carry no code."""

    dataset: str
    name: str | None
    legal_representative: str | None
    division: str | None
    address: str | None
    day: str | None
    """The field with the day of the record: no enterprise is matched that was founded later."""
    identifiers: Mapping[str, str]
    """Kind of old identifier -> field."""
    natural_person: Where
    """A record that fits any of these is about a person: never matched to an enterprise."""


@dataclass(frozen=True, slots=True)
class Matching:
    """How records without a code become candidates."""

    candidate_from: float
    """The least score (0 to 1) of a candidate."""
    most_candidates: int
    """Of one record."""
    endings: tuple[tuple[str, ...], ...]
    """Groups of endings of names that mean the same, such as 有限公司 and 有限责任公司."""
    regions: frozenset[str]
    """Words for regions that names begin with: those of the code list of divisions, and the edition's own."""
    never_automatic: tuple[str, ...]
    """Beginnings of codes of enterprises whose names need not be unique: matched by persons only."""
    rules: Mapping[str, MatchingRule]
    """By dataset."""


@dataclass(frozen=True, slots=True)
class Sources:
    """One edition."""

    edition: str
    valid_from: date | None
    valid_to: date | None
    source: str
    entity_dataset: str
    """The dataset whose records are the entities: a match is made with these only."""
    entity_department: str
    fields: tuple[FieldRule, ...]
    lists: tuple[ListRule, ...]
    identifiers: tuple[IdentifierSource, ...]
    matching: Matching
    findings: Mapping[str, frozenset[str]]
    """Kind of finding -> datasets."""
    digest: str
    path: Path

    @property
    def datasets(self) -> tuple[str, ...]:
        """Every dataset the edition names, the entities first, then by name."""
        named = {source.dataset for rule in self.fields for source in (*rule.authoritative, *rule.others)}
        named |= {dataset for rule in self.lists for dataset in rule.datasets}
        named |= {source.dataset for source in self.identifiers} | self.matching.rules.keys()
        named |= self.examined
        return (self.entity_dataset, *sorted(named - {self.entity_dataset}))

    @property
    def compared(self) -> frozenset[str]:
        """The datasets whose records take part in comparisons."""
        rules = [rule for rule in self.fields if rule.compared_as is not None]
        return frozenset(source.dataset for rule in rules for source in (*rule.authoritative, *rule.others))

    @property
    def examined(self) -> frozenset[str]:
        """The datasets in which findings are made."""
        return frozenset(dataset for datasets in self.findings.values() for dataset in datasets)

    def identifiers_of(self, dataset: str) -> tuple[IdentifierSource, ...]:
        """Where records of a dataset state old identifiers."""
        return tuple(source for source in self.identifiers if source.dataset == dataset)


@dataclass(frozen=True, slots=True)
class SourceEditions:
    """All editions, by the day from which they hold."""

    all: tuple[Sources, ...]

    def on(self, day: date) -> Sources:
        """The edition in force on a day; before the first one, the first. Raises NoEdition after the last one."""
        for edition in reversed(self.all):
            if edition.valid_from is None or edition.valid_from <= day:
                if edition.valid_to is not None and day > edition.valid_to:
                    raise NoEdition(f"no edition of the sources is in force on {day}: the last ends {edition.valid_to}")
                return edition
        return self.all[0]


def load_sources(folder: Path = SOURCES, *, catalogue: Catalogue | None = None) -> SourceEditions:
    """The editions of a folder. Raises RuleFileError with every problem of every file."""
    known = _Known(catalogue or default_catalogue())
    editions = read_all(folder, SCHEMA, lambda file: _edition(file, known))
    editions.sort(key=lambda edition: edition.valid_from or date.min)
    problems = [
        RuleProblem(later.path, 0, "valid_from", f"from {later.valid_from}; {earlier.path.name} still holds that day")
        for earlier, later in pairwise(editions)
        if earlier.valid_to is None or later.valid_from is None or earlier.valid_to >= later.valid_from
    ]
    if problems:
        raise RuleFileError(problems)
    return SourceEditions(tuple(editions))


@cache
def default_sources() -> SourceEditions:
    """The editions that come with the hub, read once."""
    return load_sources()


def fits(body: Mapping[str, Any], where: Where) -> bool:
    """Whether a record has, in every field of a condition, one of its values."""
    return all(body.get(field) in values for field, values in where.items())


class _Known:
    """Which datasets and fields there are, in any version of their schemas."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._fields: dict[str, set[str]] = {}
        for reference in catalogue.references():
            dataset = reference.partition("@")[0]
            self._fields.setdefault(dataset, set()).update(catalogue.schema(reference).get("properties", {}))

    def problem(self, dataset: str, field: str | None) -> str | None:
        if dataset not in self._fields:
            return f"got the dataset {dataset}, which has no schema; there are {', '.join(sorted(self._fields))}"
        if field is not None and field not in self._fields[dataset]:
            return f"{dataset} has no field {field}; it has {', '.join(sorted(self._fields[dataset]))}"
        return None


def _edition(file: RuleFile, known: _Known) -> Sources:
    data = file.data
    problems = [
        file.problem(key, message)
        for key, dataset, field in _named(data)
        if (message := known.problem(dataset, field)) is not None
    ]
    if file.path.stem != data["edition"]:
        message = f"got {data['edition']} in {file.path.name}; expected the edition of the name"
        problems.append(file.problem(("edition",), message))
    valid_from, valid_to = optional_day(data["valid_from"]), optional_day(data["valid_to"])
    if valid_from is not None and valid_to is not None and valid_to < valid_from:
        problems.append(file.problem(("valid_to",), f"got {valid_to}; expected no day before {valid_from}"))
    for name, rule in data["fields"].items():
        if any("agrees" in source for source in rule.get("also", ())) and "compared_as" not in rule:
            problems.append(file.problem(("fields", name), "has agrees; expected compared_as with it"))
    if problems:
        raise RuleFileError(problems)
    return Sources(
        edition=data["edition"],
        valid_from=valid_from,
        valid_to=valid_to,
        source=data["source"],
        entity_dataset=data["entity"]["dataset"],
        entity_department=data["entity"]["department"],
        fields=tuple(_field(name, rule) for name, rule in data["fields"].items()),
        lists=tuple(ListRule(name, Title(**rule["title"]), rule["datasets"]) for name, rule in data["lists"].items()),
        identifiers=tuple(
            IdentifierSource(
                kind,
                found["dataset"],
                found.get("field"),
                row_id=found.get("row_id", False),
                part_of_uscc=found.get("part_of_uscc", False),
            )
            for kind, rule in data["identifiers"].items()
            for found in rule["from"]
        ),
        matching=_matching(data["matching"]),
        findings={kind: frozenset(rule["datasets"]) for kind, rule in data["findings"].items()},
        digest=file.digest,
        path=file.path,
    )


def _named(data: Mapping[str, Any]) -> Iterator[tuple[Key, str, str | None]]:
    """Every dataset and field an edition names, with its place."""
    yield ("entity", "dataset"), data["entity"]["dataset"], None
    yield from _named_by_fields(data["fields"])
    yield from _named_by_matching(data["matching"]["records"])
    for name, rule in data["lists"].items():
        for dataset, field in rule["datasets"].items():
            yield ("lists", name, "datasets", dataset), dataset, field
    for kind, rule in data["identifiers"].items():
        for number, source in enumerate(rule["from"]):
            yield ("identifiers", kind, "from", number), source["dataset"], source.get("field")
    for kind, rule in data["findings"].items():
        for dataset in rule["datasets"]:
            yield ("findings", kind, "datasets"), dataset, None


def _named_by_fields(fields: Mapping[str, Any]) -> Iterator[tuple[Key, str, str | None]]:
    for name, rule in fields.items():
        for part in ("from", "also"):
            for number, source in enumerate(rule.get(part, ())):
                for field in (source["field"], source.get("newest_by"), *source.get("where", ())):
                    yield ("fields", name, part, number), source["dataset"], field


def _named_by_matching(records: Mapping[str, Any]) -> Iterator[tuple[Key, str, str | None]]:
    for dataset, rule in records.items():
        plain = [rule.get(name) for name in ("name", "legal_representative", "division", "address", "day")]
        for field in (*plain, *rule.get("identifiers", {}).values(), *rule.get("natural_person", {})):
            yield ("matching", "records", dataset), dataset, field


def _field(name: str, rule: Mapping[str, Any]) -> FieldRule:
    return FieldRule(
        name=name,
        title=Title(**rule["title"]),
        personal=rule.get("personal", False),
        compared_as=rule.get("compared_as"),
        authoritative=tuple(_source(source) for source in rule["from"]),
        others=tuple(_source(source) for source in rule.get("also", ())),
    )


def _source(data: Mapping[str, Any]) -> Source:
    agrees = data.get("agrees")
    return Source(
        dataset=data["dataset"],
        field=data["field"],
        department=data.get("department"),
        newest_by=data.get("newest_by"),
        for_value=data.get("use", "value") == "value",
        where=_where(data.get("where", {})),
        agrees=None if agrees is None else {value: frozenset(fitting) for value, fitting in agrees.items()},
    )


def _where(data: Mapping[str, Sequence[str]]) -> Where:
    return {field: frozenset(values) for field, values in data.items()}


def _matching(data: Mapping[str, Any]) -> Matching:
    return Matching(
        data["candidate_from"],
        data["most_candidates"],
        tuple(tuple(group) for group in data["endings"]),
        _division_names() | frozenset(data.get("regions", ())),
        tuple(data["never_automatic"]),
        {
            dataset: MatchingRule(
                dataset=dataset,
                name=rule.get("name"),
                legal_representative=rule.get("legal_representative"),
                division=rule.get("division"),
                address=rule.get("address"),
                day=rule.get("day"),
                identifiers=rule.get("identifiers", {}),
                natural_person=_where(rule.get("natural_person", {})),
            )
            for dataset, rule in data["records"].items()
        },
    )


@cache
def _division_names() -> frozenset[str]:
    """Names of provinces, cities and counties, valid now or once, with and without the word for what they are."""
    names = {entry.zh for entry in code_lists.load("divisions").entries}
    short = {_KIND_OF_DIVISION.sub("", name) for name in names}
    return frozenset(name for name in names | short if len(name) > 1)
