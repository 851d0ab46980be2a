"""Scorecards 信用评价指标卡 as versioned data: which records count, for how many points, and where the grades begin.

A card is a file ``scorecards/<name>/<version>.yaml``. Points are whole numbers, and no score is cut off at the end:
each factor has between nothing and its weight, so the factors' points always add up to the score, and the weights to
the best score. Every fault of a wrong card is said at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args

from registry.domain.credit.publicity import Regimes, Title, default_regimes
from registry.domain.credit.readers import Reader
from registry.domain.credit.record_facts import RecordRules, default_record_rules
from registry.domain.credit.rule_files import (
    RULES,
    RuleFile,
    RuleFileError,
    RuleProblem,
    optional_day,
    read_rule_file,
    rule_folders,
)
from schemas.catalogue import Catalogue, default_catalogue
from schemas.documents import Key
from schemas.errors import UnknownSchema
from schemas.structure import did_you_mean

SCORECARDS = RULES / "scorecards"
"""The cards that come with the hub."""
SCHEMA = SCORECARDS / "scorecard.schema.json"
_FILES = "*/*.yaml"

Status = Literal["draft", "live"]
Counts = Literal["always", "while_shared", "while_public", "after_repair"]

_TEXTS = frozenset({"string", "array"})


class UnknownScorecard(LookupError):  # noqa: N818  (named for what the caller meets)
    """There is no such card, or none is live on a day."""


@dataclass(frozen=True, slots=True)
class CardGrade:
    """One grade and the least score that has it."""

    code: str
    title: Title
    least: int


@dataclass(frozen=True, slots=True)
class AmountBounds:
    """Which amounts of money fit, in yuan; one that is not in yuan fits no bound."""

    field: str
    least: float | None
    below: float | None


@dataclass(frozen=True, slots=True)
class Age:
    """The days on which a record is so old: calendar months since the day in a field."""

    since: str | None
    """None: since the repair."""
    from_months: int
    below_months: int | None


@dataclass(frozen=True, slots=True)
class ScoreRule:
    """Which records of one dataset count on which days, and for how much; all conditions must hold."""

    name: str
    title: Title
    dataset: str
    counts: Counts
    """``while_shared``: on the days on which the card's reader sees it; ``while_public``: on which the public does;
    ``after_repair``: from the day of its repair on; ``always``: on every day until it is repaired or withdrawn."""
    grades: frozenset[str]
    """Grades of the publicity rules; empty: any."""
    where: Mapping[str, frozenset[str]]
    where_not: Mapping[str, frozenset[str]]
    amount: AmountBounds | None
    age: Age | None
    valid_from: str | None
    """The field with the first day on which it counts; a record without one counts from ever."""
    valid_to: str | None
    """The field with the last such day."""
    ended_on: str | None
    """The field with the day from which it counts no longer."""
    points: int
    """For each record; negative: taken away."""
    at_most: int | None
    """The most that all its records together add or take away."""
    grade_at_most: str | None
    """The best grade that an enterprise with such a record can have."""

    @property
    def fields(self) -> frozenset[str]:
        """The fields of a record that it looks at itself."""
        named = (self.valid_from, self.valid_to, self.ended_on, self.age and self.age.since)
        amount = {self.amount.field} if self.amount else set()
        return frozenset({*self.where, *self.where_not, *amount, *(name for name in named if name)})


@dataclass(frozen=True, slots=True)
class Factor:
    """One factor: it starts somewhere, records move it, and it stays between 0 and its weight."""

    name: str
    title: Title
    weight: int
    starts_at: int
    only_newest: str | None
    """Of the records that fit only the one with the greatest value in this field counts; None: all count."""
    legal_basis: str
    rules: tuple[ScoreRule, ...]
    """A record counts by the first one that fits it on the day."""


@dataclass(frozen=True, slots=True)
class Scorecard:
    """One version of a card."""

    name: str
    version: int
    title: Title
    status: Status
    example: bool
    """Whether it is an example that a city must set itself before it uses it."""
    valid_from: date
    valid_to: date | None
    source: str
    notes: tuple[str, ...]
    enterprises: str
    """The dataset whose entities are evaluated."""
    reader: Reader
    disputed: Literal["count", "leave_out"]
    grades: tuple[CardGrade, ...]
    """The best one first."""
    factors: tuple[Factor, ...]
    path: Path
    digest: str
    """SHA-256 (hexadecimal) of the file."""

    @property
    def reference(self) -> str:
        """``enterprise_credit@1``."""
        return f"{self.name}@{self.version}"

    @property
    def best(self) -> int:
        """The best score there can be."""
        return sum(factor.weight for factor in self.factors)

    @property
    def datasets(self) -> tuple[str, ...]:
        """The datasets whose records it looks at, that of the enterprises included."""
        named = {rule.dataset for factor in self.factors for rule in factor.rules}
        return tuple(sorted({self.enterprises, *named}))

    def factor(self, name: str) -> Factor:
        """A factor by its name. Raises KeyError."""
        for factor in self.factors:
            if factor.name == name:
                return factor
        raise KeyError(name)

    def grade(self, score: int, limits: Iterable[str] = ()) -> CardGrade:
        """The grade of a score, and no better than any of the grades in ``limits``."""
        codes = [grade.code for grade in self.grades]
        first = max((codes.index(code) for code in limits), default=0)
        return next(grade for grade in self.grades[first:] if score >= grade.least or grade is self.grades[-1])

    def fields(self, dataset: str, records: RecordRules | None = None) -> frozenset[str]:
        """The fields of a dataset's records that bear on an evaluation; the others need not be read."""
        found: set[str] = set()
        for factor in self.factors:
            for rule in factor.rules:
                if rule.dataset == dataset:
                    found |= rule.fields | ({factor.only_newest} if factor.only_newest else set())
                    found |= set() if rule.counts == "always" else _facts_fields(dataset, records)
        return frozenset(found)


@dataclass(frozen=True, slots=True)
class Scorecards:
    """The cards that there are, in all their versions."""

    all: tuple[Scorecard, ...]
    """By name, then version."""

    def one(self, reference: str) -> Scorecard:
        """The version that a reference such as ``enterprise_credit@1`` names. Raises UnknownScorecard."""
        for card in self.all:
            if card.reference == reference:
                return card
        raise UnknownScorecard(f"no scorecard {reference!r}; there are {', '.join(c.reference for c in self.all)}")

    def live(self, day: date) -> tuple[Scorecard, ...]:
        """The cards in force on a day, one version of each name: of several that of the newest ``valid_from``."""
        found = {
            card.name: card
            for card in sorted(self.all, key=lambda card: (card.valid_from, card.version))
            if card.status == "live" and card.valid_from <= day and (card.valid_to is None or day <= card.valid_to)
        }
        return tuple(found[name] for name in sorted(found))

    def up_to(self, day: date) -> tuple[Scorecard, ...]:
        """The cards in force on a day with the live versions before them; of each name the one in force last."""
        names = {card.name for card in self.live(day)}
        begun = [c for c in self.all if c.status == "live" and c.valid_from <= day and c.name in names]
        return tuple(sorted(begun, key=lambda card: (card.name, card.valid_from, card.version)))

    def live_one(self, name: str, day: date) -> Scorecard:
        """The version of a card in force on a day. Raises UnknownScorecard."""
        for card in self.live(day):
            if card.name == name:
                return card
        raise UnknownScorecard(f"no version of the scorecard {name!r} is in force on {day}")


def load_scorecard(path: Path, *, catalogue: Catalogue | None = None) -> Scorecard:
    """Read and check one file. Raises RuleFileError with every problem found."""
    file = read_rule_file(path, SCHEMA)
    problems = list(_faults(file, catalogue or default_catalogue(), default_record_rules(), default_regimes()))
    if problems:
        raise RuleFileError(sorted(problems, key=lambda problem: problem.line))
    return _scorecard(file)


@cache
def default_scorecards() -> Scorecards:
    """The cards that come with the hub and the city's (``SHUQIAO_CREDIT_RULES``), read once. Raises RuleFileError.

    A city's file of the same name and version takes the place of the hub's.
    """
    paths = {path.relative_to(folder): path for folder in rule_folders(SCORECARDS) for path in folder.glob(_FILES)}
    cards: list[Scorecard] = []
    found: list[RuleProblem] = []
    for name in sorted(paths):
        try:
            cards.append(load_scorecard(paths[name]))
        except RuleFileError as error:
            found += error.problems
    found += _clashes(cards)
    if found:
        raise RuleFileError(found)
    return Scorecards(tuple(sorted(cards, key=lambda card: (card.name, card.version))))


def _facts_fields(dataset: str, records: RecordRules | None) -> set[str]:
    """The fields from which a record's visibility is computed."""
    rule = (records or default_record_rules()).of(dataset)
    named = (
        *(rule.decided_on, rule.stated_until, rule.ended_on, rule.use_scope, rule.holder_kind, rule.holder_code_type),
        *(rule.entity_code, rule.penalty_kinds, rule.fine, rule.status, *rule.sector_texts, *rule.procedure_texts),
    )
    return {name for name in named if name}


def _faults(file: RuleFile, catalogue: Catalogue, records: RecordRules, regimes: Regimes) -> Iterator[RuleProblem]:
    """What the JSON Schema cannot see."""
    data = file.data
    if file.path.parent.name != data["scorecard"]:
        expected = f"expected the name of its folder, {file.path.parent.name}"
        yield file.problem(("scorecard",), f"got {data['scorecard']!r}; {expected}")
    if file.path.stem != str(data["version"]):
        yield file.problem(("version",), f"got {data['version']} in {file.path.name}; expected the file's name")
    first, last = optional_day(data["valid_from"]), optional_day(data["valid_to"])
    if first and last and last < first:
        yield file.problem(("valid_to",), f"got {last}; expected no day before valid_from, {first}")
    if _schema(catalogue, data["enterprises"]) is None:
        yield file.problem(("enterprises",), _unknown_dataset(data["enterprises"], catalogue))
    yield from _grade_faults(file)
    yield from _twice(file, ("factors",), [factor["name"] for factor in data["factors"]])
    for number, factor in enumerate(data["factors"]):
        key: Key = ("factors", number)
        if factor["starts_at"] > factor["weight"]:
            message = f"got {factor['starts_at']}; expected at most the weight, {factor['weight']}"
            yield file.problem((*key, "starts_at"), message)
        yield from _twice(file, (*key, "rules"), [rule["name"] for rule in factor["rules"]])
        for place, rule in enumerate(factor["rules"]):
            rule_key: Key = (*key, "rules", place)
            for inner, message in _rule_faults(rule, factor, data, catalogue, records, regimes):
                yield file.problem((*rule_key, *inner), message)


def _grade_faults(file: RuleFile) -> Iterator[RuleProblem]:
    grades = file.data["grades"]
    yield from _twice(file, ("grades",), [grade["grade"] for grade in grades], "grade")
    best = sum(factor["weight"] for factor in file.data["factors"])
    for number, grade in enumerate(grades):
        key: Key = ("grades", number, "from")
        if number and grade["from"] >= grades[number - 1]["from"]:
            yield file.problem(key, f"got {grade['from']}; expected less than {grades[number - 1]['from']} before it")
        if grade["from"] > best:
            yield file.problem(key, f"got {grade['from']}; expected at most the sum of the weights, {best}")
    if grades[-1]["from"] != 0:
        message = f"got {grades[-1]['from']}; expected 0: the last grade takes every score that is left"
        yield file.problem(("grades", len(grades) - 1, "from"), message)


def _twice(file: RuleFile, key: Key, names: Sequence[str], field: str = "name") -> Iterator[RuleProblem]:
    for number, name in enumerate(names):
        if name in names[:number]:
            yield file.problem((*key, number, field), f"{name!r} stands twice")


def _rule_faults(
    rule: Mapping[str, Any],
    factor: Mapping[str, Any],
    card: Mapping[str, Any],
    catalogue: Catalogue,
    records: RecordRules,
    regimes: Regimes,
) -> Iterator[tuple[Key, str]]:
    schema = _schema(catalogue, rule["dataset"])
    if schema is None:
        yield ("dataset",), _unknown_dataset(rule["dataset"], catalogue)
        return
    yield from _field_faults(rule, factor, schema)
    yield from _publicity_faults(rule, records, regimes)
    codes = [grade["grade"] for grade in card["grades"]]
    if rule.get("grade_at_most") not in (None, *codes):
        yield ("grade_at_most",), f"got {rule['grade_at_most']!r}; expected one of {', '.join(codes)}"
    if rule.get("at_most") is not None and rule["at_most"] < abs(rule["points"]):
        yield ("at_most",), f"got {rule['at_most']}; expected at least the points of one record, {abs(rule['points'])}"


def _field_faults(
    rule: Mapping[str, Any], factor: Mapping[str, Any], schema: Mapping[str, Any]
) -> Iterator[tuple[Key, str]]:
    fields = schema.get("properties", {})
    age, amount = rule.get("age", {}), rule.get("amount", {})
    named: list[tuple[Key, str | None, str]] = [
        (("age", "since"), age.get("since"), "string"),
        (("amount", "field"), amount.get("field"), "object"),
        *(((name,), rule.get(name), "string") for name in ("valid_from", "valid_to", "ended_on")),
    ]
    for key, field, kind in named:
        if field is not None:
            yield from _named_field(key, field, kind, rule["dataset"], fields)
    for name in ("where", "where_not"):
        for field, values in rule.get(name, {}).items():
            yield from _condition_faults((name, field), field, values, rule["dataset"], fields)
    newest = factor.get("only_newest")
    if newest is not None and newest not in fields:
        yield ("dataset",), f"only_newest of the factor is {newest!r}, which {rule['dataset']} does not have"
    for part, low, high in ((amount, "from", "below"), (age, "from_months", "below_months")):
        if part.get(low) is not None and part.get(high) is not None and part[high] <= part[low]:
            key = ("amount" if part is amount else "age", high)
            yield key, f"got {part[high]}; expected more than {low}, {part[low]}"


def _named_field(key: Key, field: str, kind: str, dataset: str, fields: Mapping[str, Any]) -> Iterator[tuple[Key, str]]:
    if field not in fields:
        yield key, f"{dataset} has no field {field!r}{did_you_mean(field, fields)}"
    elif fields[field].get("type") != kind:
        words = "a day" if kind == "string" else "an amount of money"
        yield key, f"got {field!r}; expected a field with {words}"


def _condition_faults(
    key: Key, field: str, values: Sequence[str], dataset: str, fields: Mapping[str, Any]
) -> Iterator[tuple[Key, str]]:
    found = fields.get(field)
    if found is None:
        yield key, f"{dataset} has no field {field!r}{did_you_mean(field, fields)}"
        return
    if found.get("type") not in _TEXTS:
        yield key, f"got {field!r}; expected a field with a text"
    known = found.get("enum") or found.get("items", {}).get("enum")
    for number, value in enumerate(values):
        if known and value not in known:
            yield (*key, number), f"got {value!r}; expected one of {', '.join(known)}{did_you_mean(value, known)}"


def _publicity_faults(rule: Mapping[str, Any], records: RecordRules, regimes: Regimes) -> Iterator[tuple[Key, str]]:
    found = records.records.get(rule["dataset"])
    if rule["counts"] == "always":
        if "grade" in rule:
            yield ("grade",), "needs counts: while_shared, while_public or after_repair"
    elif found is None:
        known = ", ".join(records.records)
        yield (
            ("counts",),
            f"no publicity rules for records of {rule['dataset']}; expected always (there are for {known})",
        )
    else:
        grades = {
            code for regime in regimes.all if found.kind in regime.kinds for code in regime.kinds[found.kind].grades
        }
        for number, grade in enumerate(rule.get("grade", ())):
            if grade not in grades:
                yield ("grade", number), f"got {grade!r}; expected one of {', '.join(sorted(grades))}"
    if "age" in rule and "since" not in rule["age"] and rule["counts"] != "after_repair":
        yield ("age", "since"), "is missing; only counts: after_repair counts from the repair without it"


def _schema(catalogue: Catalogue, dataset: str) -> Mapping[str, Any] | None:
    """The dataset's newest schema; None where there is none."""
    versions = [reference for reference in catalogue.references() if reference.rpartition("@")[0] == dataset]
    try:
        return catalogue.schema(versions[-1]) if versions else None
    except UnknownSchema:
        return None


def _unknown_dataset(name: str, catalogue: Catalogue) -> str:
    known = {reference.rpartition("@")[0] for reference in catalogue.references()}
    return f"no dataset {name!r}{did_you_mean(name, known) or '; there are ' + ', '.join(sorted(known))}"


def _clashes(cards: Sequence[Scorecard]) -> Iterator[RuleProblem]:
    """Two live versions from the same day on."""
    begun: dict[tuple[str, date], Scorecard] = {}
    for card in cards:
        if card.status != "live":
            continue
        other = begun.setdefault((card.name, card.valid_from), card)
        if other is not card:
            yield RuleProblem(card.path, 0, "valid_from", f"{other.reference} is live from {card.valid_from} on, too")


def _scorecard(file: RuleFile) -> Scorecard:
    data = file.data
    readers: dict[str, Reader] = {reader: reader for reader in get_args(Reader)}
    return Scorecard(
        name=data["scorecard"],
        version=data["version"],
        title=Title(**data["title"]),
        status=data["status"],
        example=data.get("example", False),
        valid_from=date.fromisoformat(data["valid_from"]),
        valid_to=optional_day(data["valid_to"]),
        source=data["source"],
        notes=tuple(data.get("notes", ())),
        enterprises=data["enterprises"],
        reader=readers[data["reader"]],
        disputed=data["disputed"],
        grades=tuple(CardGrade(grade["grade"], Title(**grade["title"]), grade["from"]) for grade in data["grades"]),
        factors=tuple(_factor(factor) for factor in data["factors"]),
        path=file.path,
        digest=file.digest,
    )


def _factor(data: Mapping[str, Any]) -> Factor:
    return Factor(
        name=data["name"],
        title=Title(**data["title"]),
        weight=data["weight"],
        starts_at=data["starts_at"],
        only_newest=data.get("only_newest"),
        legal_basis=data["legal_basis"],
        rules=tuple(_rule(rule) for rule in data["rules"]),
    )


def _rule(data: Mapping[str, Any]) -> ScoreRule:
    age, amount = data.get("age"), data.get("amount")
    return ScoreRule(
        name=data["name"],
        title=Title(**data["title"]),
        dataset=data["dataset"],
        counts=data["counts"],
        grades=frozenset(data.get("grade", ())),
        where={field: frozenset(values) for field, values in data.get("where", {}).items()},
        where_not={field: frozenset(values) for field, values in data.get("where_not", {}).items()},
        amount=amount and AmountBounds(amount["field"], amount.get("from"), amount.get("below")),
        age=age and Age(age.get("since"), age.get("from_months", 0), age.get("below_months")),
        valid_from=data.get("valid_from"),
        valid_to=data.get("valid_to"),
        ended_on=data.get("ended_on"),
        points=data["points"],
        at_most=data.get("at_most"),
        grade_at_most=data.get("grade_at_most"),
    )
