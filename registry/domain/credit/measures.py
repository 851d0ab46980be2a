"""Incentives and restrictions 守信激励、失信惩戒: what being on a list means in a scene, by rules as data.

Pure: the records of an enterprise's lists, a day and an edition (``measures/<edition>.yaml``) give the lists that hold
on that day and the measures that follow. A list whose records have publicity rules holds as long as departments may see
the record: removal, the maximum term, a granted repair and a withdrawn decision lift its measures. Other lists name
their own first and last day.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

from registry.domain.credit.marks import NO_MARK, Mark, china_day, with_mark
from registry.domain.credit.publicity import NoRegime, Title, add_months
from registry.domain.credit.record_facts import NoFacts, RecordRules, default_record_rules, facts_of
from registry.domain.credit.rule_files import RULES, RuleFile, RuleFileError, RuleProblem, optional_day, read_all
from registry.domain.credit.visibility import visibility
from schemas.catalogue import Catalogue, default_catalogue
from schemas.errors import SchemaError

EDITIONS = RULES / "measures"
"""The editions that come with the hub."""
SCHEMA = EDITIONS / "measures.schema.json"

_ONE_DAY = timedelta(days=1)

Kind = Literal["incentive", "restriction"]


class NoMeasures(LookupError):  # noqa: N818  (named for what the caller meets)
    """No edition of the catalogue of measures is in force on a day."""


@dataclass(frozen=True, slots=True)
class ListRule:
    """When an enterprise is on a list."""

    name: str
    title: Title
    dataset: str
    where: Mapping[str, frozenset[str]]
    """Values that a record's fields must have; of other records nothing follows."""
    newest_by: str | None
    """Of the records begun by then only those with the greatest value count: last year's rating is not this year's."""
    begins: tuple[str, ...]
    """Fields with the first day, the best first; none: the publicity rules of the dataset say when it holds."""
    ends: str | None
    """The field with the last day."""
    months: int | None
    """How long a record holds that names no last day."""


@dataclass(frozen=True, slots=True)
class Measure:
    """What follows from being on a list in one scene."""

    code: str
    scene: str
    kind: Kind
    title: Title
    legal_basis: str
    lists: tuple[str, ...]
    """Any of these is enough."""
    unless: tuple[str, ...]
    """It is withheld while the enterprise is on one of these."""


@dataclass(frozen=True, slots=True)
class Edition:
    """One edition of the catalogue of measures."""

    name: str
    title: Title
    valid_from: date | None
    valid_to: date | None
    """The last day on which it is in force."""
    source: str
    scenes: Mapping[str, Title]
    lists: Mapping[str, ListRule]
    measures: tuple[Measure, ...]
    digest: str

    @property
    def datasets(self) -> tuple[str, ...]:
        """Whose records decide."""
        return tuple(sorted({rule.dataset for rule in self.lists.values()}))

    def covers(self, day: date) -> bool:
        """Whether it is in force on that day."""
        return (self.valid_from is None or self.valid_from <= day) and (self.valid_to is None or day <= self.valid_to)


@dataclass(frozen=True, slots=True)
class Editions:
    """All editions, by day."""

    all: tuple[Edition, ...]

    def on(self, day: date) -> Edition:
        """The edition in force. Raises NoMeasures."""
        for edition in self.all:
            if edition.covers(day):
                return edition
        raise NoMeasures(f"no edition of the catalogue of measures is in force on {day}")


@dataclass(frozen=True, slots=True)
class ListRecord:
    """A record of an enterprise that may put it on a list."""

    dataset: str
    key: str
    body: Mapping[str, Any]
    mark: Mark = NO_MARK


@dataclass(frozen=True, slots=True)
class Holding:
    """A list that an enterprise is on, by one record."""

    list: str
    record: ListRecord
    since: date
    until: date | None
    """The last day, by the facts known; None: no end is known."""
    disputed: bool
    """Whether an objection to the record is open: the measure applies, and must be shown with this mark."""


@dataclass(frozen=True, slots=True)
class Applying:
    """A measure and what it rests on."""

    measure: Measure
    because: tuple[Holding, ...]


@dataclass(frozen=True, slots=True)
class Withheld:
    """An incentive that would apply if the enterprise were not also on other lists."""

    measure: Measure
    because: tuple[Holding, ...]
    """What it would rest on."""
    prevented_by: tuple[Holding, ...]


@dataclass(frozen=True, slots=True)
class Measures:
    """What applies to one enterprise on a day."""

    day: date
    edition: str
    holdings: tuple[Holding, ...]
    """Every list that it is on."""
    applying: tuple[Applying, ...]
    """In the edition's order."""
    withheld: tuple[Withheld, ...]


def measures_for(
    records: Iterable[ListRecord],
    day: date,
    scene: str | None = None,
    *,
    edition: Edition | None = None,
    rules: RecordRules | None = None,
) -> Measures:
    """What applies on a day, and why; ``scene``: only there. Raises NoMeasures, KeyError for an unknown scene."""
    edition = edition or default_measures().on(day)
    if scene is not None and scene not in edition.scenes:
        raise KeyError(scene)
    held = holdings(records, day, edition, rules)
    by_list: dict[str, list[Holding]] = {}
    for each in held:
        by_list.setdefault(each.list, []).append(each)
    applying, withheld = [], []
    for measure in edition.measures:
        because = _of(by_list, measure.lists)
        if not because or scene not in {None, measure.scene}:
            continue
        prevented_by = _of(by_list, measure.unless)
        if prevented_by:
            withheld.append(Withheld(measure, because, prevented_by))
        else:
            applying.append(Applying(measure, because))
    return Measures(day, edition.name, held, tuple(applying), tuple(withheld))


def holdings(
    records: Iterable[ListRecord], day: date, edition: Edition, rules: RecordRules | None = None
) -> tuple[Holding, ...]:
    """The lists that hold on a day, in whatever order the records come."""
    ordered = sorted(records, key=lambda record: (record.dataset, record.key))
    found: list[Holding] = []
    for rule in edition.lists.values():
        mine = [record for record in ordered if record.dataset == rule.dataset]
        found += _by_own_days(rule, mine, day) if rule.begins else _by_publicity(rule, mine, day, rules)
    return tuple(found)


def load_measures(folder: Path = EDITIONS, *, catalogue: Catalogue | None = None) -> Editions:
    """The editions of a folder. Raises RuleFileError with every problem of every file."""
    known = catalogue or default_catalogue()
    found = read_all(folder, SCHEMA, lambda file: _edition(file, known))
    found.sort(key=lambda edition: edition.valid_from or date.min)
    problems = [
        RuleProblem(
            folder / f"{after.name}.yaml",
            0,
            "valid_from",
            f"begins on {after.valid_from}; expected the day after the last one of {before.name}, {before.valid_to}",
        )
        for before, after in pairwise(found)
        if before.valid_to is None or after.valid_from != before.valid_to + _ONE_DAY
    ]
    if problems:
        raise RuleFileError(problems)
    return Editions(tuple(found))


@cache
def default_measures() -> Editions:
    """The editions that come with the hub, read once."""
    return load_measures()


def _of(by_list: Mapping[str, Sequence[Holding]], names: Sequence[str]) -> tuple[Holding, ...]:
    return tuple(each for name in names for each in by_list.get(name, ()))


def _fits(rule: ListRule, record: ListRecord) -> bool:
    return all(record.body.get(field) in values for field, values in rule.where.items())


def _by_publicity(
    rule: ListRule, records: Sequence[ListRecord], day: date, rules: RecordRules | None
) -> Iterator[Holding]:
    """Records that departments may see on the day; one that cannot be judged puts nobody on a list."""
    for record in records:
        if not _fits(rule, record):
            continue
        try:
            facts = with_mark(facts_of(record.dataset, record.body, rules or default_record_rules()), record.mark)
            seen = visibility(facts, day, "department")
        except (NoFacts, NoRegime):
            continue
        if seen.visible and seen.since is not None:
            yield Holding(rule.name, record, seen.since, seen.until, "disputed" in seen.marks)


def _by_own_days(rule: ListRule, records: Sequence[ListRecord], day: date) -> Iterator[Holding]:
    """Records whose own days include the day; of those begun by then only the newest."""
    begun = [(record, since) for record in records if (since := _begins(rule, record)) is not None and since <= day]
    newest = max((_newness(rule, record) for record, _ in begun), default="")
    for record, since in begun:
        until = _ends(rule, record, since)
        if _newness(rule, record) == newest and since <= day <= until and _fits(rule, record):
            disputed = record.mark.disputed_since
            yield Holding(rule.name, record, since, until, disputed is not None and china_day(disputed) <= day)


def _begins(rule: ListRule, record: ListRecord) -> date | None:
    texts = (record.body.get(name) for name in rule.begins)
    return next((date.fromisoformat(text) for text in texts if isinstance(text, str)), None)


def _newness(rule: ListRule, record: ListRecord) -> str:
    return str(record.body.get(rule.newest_by, "")) if rule.newest_by else ""


def _ends(rule: ListRule, record: ListRecord, since: date) -> date:
    """The last day: the record's own or by the rule, earlier if it was repaired or withdrawn."""
    stated = record.body.get(rule.ends) if rule.ends else None
    until = date.fromisoformat(stated) if isinstance(stated, str) else add_months(since, rule.months or 0) - _ONE_DAY
    lifted = [china_day(at) - _ONE_DAY for at in (record.mark.repaired_at, record.mark.withdrawn_at) if at is not None]
    return min([until, *lifted])


def _edition(file: RuleFile, catalogue: Catalogue) -> Edition:
    problems = [*_name_problems(file), *_list_problems(file, catalogue)]
    if problems:
        raise RuleFileError(problems)
    data = file.data
    return Edition(
        name=data["edition"],
        title=Title(**data["title"]),
        valid_from=optional_day(data["valid_from"]),
        valid_to=optional_day(data["valid_to"]),
        source=data["source"],
        scenes={name: Title(**title) for name, title in data["scenes"].items()},
        lists={name: _list(name, rule) for name, rule in data["lists"].items()},
        measures=tuple(_measure(measure) for measure in data["measures"]),
        digest=file.digest,
    )


def _list(name: str, data: Mapping[str, Any]) -> ListRule:
    return ListRule(
        name=name,
        title=Title(**data["title"]),
        dataset=data["dataset"],
        where={field: frozenset(values) for field, values in data.get("where", {}).items()},
        newest_by=data.get("newest_by"),
        begins=tuple(data.get("begins", ())),
        ends=data.get("ends"),
        months=data.get("months"),
    )


def _measure(data: Mapping[str, Any]) -> Measure:
    return Measure(
        code=data["code"],
        scene=data["scene"],
        kind=data["kind"],
        title=Title(**data["title"]),
        legal_basis=data["legal_basis"],
        lists=tuple(data["lists"]),
        unless=tuple(data.get("unless", ())),
    )


def _name_problems(file: RuleFile) -> Iterator[RuleProblem]:
    """Measures that name scenes or lists that there are not, or that stand twice."""
    data = file.data
    if file.path.stem != data["edition"]:
        yield file.problem(("edition",), f"got {data['edition']!r} in {file.path.name}; expected the file's name")
    codes: dict[str, int] = {}
    for place, measure in enumerate(data["measures"]):
        first = codes.setdefault(measure["code"], place)
        if first != place:
            yield file.problem(("measures", place, "code"), f"{measure['code']!r} is also measures[{first}]")
        if measure["scene"] not in data["scenes"]:
            known = ", ".join(data["scenes"])
            yield file.problem(("measures", place, "scene"), f"got {measure['scene']!r}; expected one of {known}")
        for member in ("lists", "unless"):
            for number, name in enumerate(measure.get(member, ())):
                if name not in data["lists"]:
                    known = ", ".join(data["lists"])
                    yield file.problem(
                        ("measures", place, member, number), f"got {name!r}; expected one of the lists {known}"
                    )


def _list_problems(file: RuleFile, catalogue: Catalogue) -> Iterator[RuleProblem]:
    """Lists whose datasets or fields there are not, or of which nothing says when they hold."""
    for name, rule in file.data["lists"].items():
        place = ("lists", name)
        try:
            fields = catalogue.schema(f"{rule['dataset']}@1").get("properties", {})
        except SchemaError:
            yield file.problem((*place, "dataset"), f"there is no schema {rule['dataset']}@1")
            continue
        named = {"where": [*rule.get("where", ())], "begins": rule.get("begins", [])}
        named |= {member: [rule[member]] for member in ("newest_by", "ends") if member in rule}
        for member, wanted in named.items():
            for field in wanted:
                if field not in fields:
                    yield file.problem((*place, member), f"{rule['dataset']}@1 has no field {field!r}")
        if "begins" not in rule and rule["dataset"] not in default_record_rules().records:
            yield file.problem(place, f"no publicity rules for {rule['dataset']}: expected begins and months")
