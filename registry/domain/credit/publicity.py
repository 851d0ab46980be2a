"""How long a record is public: regimes as data (``publicity/<regime>.yaml``), chosen by the day of the decision.

A record is judged by the regime in force on the day of its deciding document, for its whole life. Its grade is that of
the first rule of the regime that fits; so, where one decision has several kinds of penalty, the gravest decides.

Terms are calendar months from the day of the deciding document. A term of n months ends with the day of the same number
n months later, that day included; where that month has no such day, with the month's last day (31 January + 1 month =
28 or 29 February; 29 February + 12 months = 28 February).
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

from registry.domain.credit.rule_files import RULES, RuleFile, RuleFileError, RuleProblem, optional_day, read_all

REGIMES = RULES / "publicity"
"""The regimes that come with the hub."""
SCHEMA = REGIMES / "publicity.schema.json"

HolderKind = Literal["legal_person", "individual_business", "natural_person"]
Published = Literal["always", "on_request", "never"]
Ends = Literal["term", "removal", "validity"]
Repair = Literal["after_minimum", "when_duty_done", "never"]
Procedure = Literal["summary", "ordinary"]

_ONE_DAY = timedelta(days=1)


class NoRegime(LookupError):  # noqa: N818  (named for what the caller meets)
    """No regime of publicity covers a day, or it has no rule for a kind of record."""


@dataclass(frozen=True, slots=True)
class Title:
    """A name in both languages."""

    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class GradeInputs:
    """What the rules of a regime look at to find the grade."""

    holder: HolderKind
    penalty_kinds: frozenset[str] = frozenset()
    """Codes of the list ``penalty_kinds``."""
    fine: Decimal | None = None
    """In yuan; None: no fine, or none known."""
    procedure: Procedure = "ordinary"
    sectors: frozenset[str] = frozenset()
    stated_grade: str | None = None
    """The grade that the record itself states, such as a tax credit rating's."""


@dataclass(frozen=True, slots=True)
class Grade:
    """One grade of one kind of record: how long it is public and when it may be repaired."""

    code: str
    title: Title
    published: Published
    """``on_request``: only where the department found publication necessary."""
    minimum_months: int
    maximum_months: int | None
    """None: without a maximum."""
    ends: Ends
    """What else ends it: nothing (``term``), removal from the list, or the end of the permit's validity."""
    repair: Repair
    continues_unperformed: bool
    """Whether it stays public beyond the maximum until the duty is performed."""
    rule: str
    """Where the rule stands: ``publicity/2026#penalty.ordinary``."""
    regime: str


@dataclass(frozen=True, slots=True)
class GradeRule:
    """Conditions, all of which must hold, and the grade they give; an empty condition always holds."""

    grade: Grade
    any_kind: frozenset[str]
    only_kinds: frozenset[str]
    any_sector: frozenset[str]
    stated_grade: frozenset[str]
    procedure: Procedure | None
    holder: frozenset[str]
    fine_from: int | None
    fine_below: int | None

    def fits(self, inputs: GradeInputs) -> bool:
        """Whether a record with these inputs is of the rule's grade. A fine that is not known fits no bound."""
        return (
            (not self.any_kind or not self.any_kind.isdisjoint(inputs.penalty_kinds))
            and (not self.only_kinds or bool(inputs.penalty_kinds and inputs.penalty_kinds <= self.only_kinds))
            and (not self.any_sector or not self.any_sector.isdisjoint(inputs.sectors))
            and (not self.stated_grade or inputs.stated_grade in self.stated_grade)
            and self.procedure in (None, inputs.procedure)
            and (not self.holder or inputs.holder in self.holder)
            and (self.fine_from is None or (inputs.fine is not None and inputs.fine >= self.fine_from))
            and (self.fine_below is None or (inputs.fine is not None and inputs.fine < self.fine_below))
        )


@dataclass(frozen=True, slots=True)
class KindRules:
    """What a regime says of one kind of record."""

    kind: str
    title: Title
    grades: Mapping[str, Grade]
    rules: tuple[GradeRule, ...]
    _known: dict[GradeInputs, Grade] = field(default_factory=dict, init=False, repr=False, compare=False)

    def grade(self, inputs: GradeInputs) -> Grade:
        """The grade of the first rule that fits; the last one always does."""
        found = self._known.get(inputs)
        if found is None:
            found = next(rule.grade for rule in self.rules if rule.fits(inputs))
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known[inputs] = found
        return found


_MOST_KNOWN = 100_000


@dataclass(frozen=True, slots=True)
class Regime:
    """One regime of publicity."""

    name: str
    title: Title
    valid_from: date | None
    """The first day whose decisions it covers; None: all earlier ones too."""
    valid_to: date | None
    """The last such day; None: still in force."""
    source: str
    notes: tuple[str, ...]
    withdraw_within_days: int
    """Calendar days within which a decision that was changed or revoked must be withdrawn."""
    kinds: Mapping[str, KindRules] = field(repr=False)
    digest: str
    """SHA-256 (hexadecimal) of the file."""

    def covers(self, day: date) -> bool:
        """Whether decisions of that day are its."""
        return (self.valid_from is None or self.valid_from <= day) and (self.valid_to is None or day <= self.valid_to)

    def kind(self, name: str) -> KindRules:
        """The rules for a kind of record. Raises NoRegime."""
        found = self.kinds.get(name)
        if found is None:
            raise NoRegime(f"regime {self.name} has no rule for {name!r}; it has {', '.join(self.kinds)}")
        return found


@dataclass(frozen=True, slots=True)
class Term:
    """The publicity term of one record."""

    grade: Grade
    since: date
    """The day of the deciding document."""
    minimum_until: date
    """The last day of the minimum term; the day of the document where there is no minimum."""
    maximum_until: date | None
    """The last day of the maximum term; None: without one."""
    repair_from: date | None
    """The first day on which repair may be asked for; None: never. Other conditions are not looked at here."""


@dataclass(frozen=True, slots=True)
class Regimes:
    """All regimes, by the days of their decisions: without gap, without overlap."""

    all: tuple[Regime, ...]

    def on(self, day: date) -> Regime:
        """The regime of a decision of that day. Raises NoRegime."""
        for regime in self.all:
            if regime.covers(day):
                return regime
        raise NoRegime(
            f"no regime of publicity covers decisions of {day}; the first begins on {self.all[0].valid_from}"
        )

    def term(self, kind: str, decided_on: date, inputs: GradeInputs) -> Term:
        """The term of a record by the day of its deciding document, its kind and its grade. Raises NoRegime."""
        return term(self.on(decided_on).kind(kind).grade(inputs), decided_on)


def term(grade: Grade, decided_on: date) -> Term:
    """The term of a record of this grade that was decided on this day."""
    minimum_until = add_months(decided_on, grade.minimum_months)
    maximum = grade.maximum_months
    if grade.repair == "after_minimum":
        repair_from: date | None = minimum_until + _ONE_DAY
    else:
        repair_from = decided_on if grade.repair == "when_duty_done" else None
    maximum_until = None if maximum is None else add_months(decided_on, maximum)
    return Term(grade, decided_on, minimum_until, maximum_until, repair_from)


def add_months(day: date, months: int) -> date:
    """The day of the same number so many months later, or that month's last day if it has no such day."""
    years, month = divmod(day.month - 1 + months, 12)
    year = day.year + years
    month += 1
    if day.day <= _ALWAYS_THERE:
        return date(year, month, day.day)
    return date(year, month, min(day.day, monthrange(year, month)[1]))


_ALWAYS_THERE = 28


def load_regimes(folder: Path = REGIMES) -> Regimes:
    """The regimes of a folder. Raises RuleFileError with every problem of every file."""
    found = read_all(folder, SCHEMA, _read_regime)
    found.sort(key=lambda regime: regime.valid_from or date.min)
    problems = list(_span_problems(folder, found))
    if problems:
        raise RuleFileError(problems)
    return Regimes(tuple(found))


@cache
def default_regimes() -> Regimes:
    """The regimes that come with the hub, read once."""
    return load_regimes()


def _read_regime(file: RuleFile) -> Regime:
    data = file.data
    problems = list(_regime_problems(file))
    if problems:
        raise RuleFileError(problems)
    name = data["regime"]
    return Regime(
        name=name,
        title=Title(**data["title"]),
        valid_from=optional_day(data["valid_from"]),
        valid_to=optional_day(data["valid_to"]),
        source=data["source"],
        notes=tuple(data.get("notes", ())),
        withdraw_within_days=data["withdraw_within_days"],
        kinds={kind: _kind_rules(name, kind, rules) for kind, rules in data["kinds"].items()},
        digest=file.digest,
    )


def _kind_rules(regime: str, kind: str, data: Mapping[str, Any]) -> KindRules:
    grades = {
        code: Grade(
            code=code,
            title=Title(**grade["title"]),
            published=grade["published"],
            minimum_months=grade["minimum_months"],
            maximum_months=grade["maximum_months"],
            ends=grade["ends"],
            repair=grade["repair"],
            continues_unperformed=grade.get("unperformed_at_maximum") == "continue",
            rule=f"publicity/{regime}#{kind}.{code}",
            regime=regime,
        )
        for code, grade in data["grades"].items()
    }
    rules = tuple(
        GradeRule(
            grade=grades[rule["grade"]],
            any_kind=frozenset(rule.get("any_kind", ())),
            only_kinds=frozenset(rule.get("only_kinds", ())),
            any_sector=frozenset(rule.get("any_sector", ())),
            stated_grade=frozenset(rule.get("stated_grade", ())),
            procedure=rule.get("procedure"),
            holder=frozenset(rule.get("holder", ())),
            fine_from=rule.get("fine_from"),
            fine_below=rule.get("fine_below"),
        )
        for rule in data["rules"]
    )
    return KindRules(kind, Title(**data["title"]), grades, rules)


def _regime_problems(file: RuleFile) -> Iterator[RuleProblem]:
    data = file.data
    if file.path.stem != data["regime"]:
        yield file.problem(("regime",), f"got {data['regime']!r} in {file.path.name}; expected the file's name")
    first, last = optional_day(data["valid_from"]), optional_day(data["valid_to"])
    if first is not None and last is not None and last < first:
        yield file.problem(("valid_to",), f"got {last}; expected no day before valid_from, {first}")
    for kind, rules in data["kinds"].items():
        yield from _kind_problems(file, kind, rules)


def _kind_problems(file: RuleFile, kind: str, data: Mapping[str, Any]) -> Iterator[RuleProblem]:
    for code, grade in data["grades"].items():
        maximum = grade["maximum_months"]
        if maximum is not None and maximum < grade["minimum_months"]:
            key = ("kinds", kind, "grades", code, "maximum_months")
            yield file.problem(key, f"got {maximum}; expected at least the minimum, {grade['minimum_months']}")
    for number, rule in enumerate(data["rules"]):
        if rule["grade"] not in data["grades"]:
            known = ", ".join(data["grades"])
            key = ("kinds", kind, "rules", number, "grade")
            yield file.problem(key, f"got {rule['grade']!r}; expected one of {known}")
        last = number == len(data["rules"]) - 1
        if last is not (not set(rule) - {"grade", "note"}):
            expected = (
                "no condition: the last rule takes what is left" if last else "a condition: only the last has none"
            )
            yield file.problem(("kinds", kind, "rules", number), f"expected {expected}")


def _span_problems(folder: Path, regimes: list[Regime]) -> Iterator[RuleProblem]:
    for before, after in pairwise(regimes):
        expected = None if before.valid_to is None else before.valid_to + _ONE_DAY
        if after.valid_from is None or after.valid_from != expected:
            message = f"begins on {after.valid_from}; expected the day after the last one of {before.name}"
            yield RuleProblem(folder / f"{after.name}.yaml", 0, "valid_from", f"{message}, {before.valid_to}")
