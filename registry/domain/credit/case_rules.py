"""How a place handles repairs and objections: rules as data (``cases/<place>.yaml``), chosen by the day of filing.

A place that says nothing of a kind of case takes the national rule. What no source states is marked as assumed, and a
deadline that rests on it says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any, Literal

from registry.domain.credit.cases import CreditRefused, Kind, Role
from registry.domain.credit.publicity import Title
from registry.domain.credit.rule_files import RULES, RuleFile, RuleFileError, RuleProblem, optional_day, read_all
from registry.domain.credit.working_days import WorkingCalendar, default_calendar

CASES = RULES / "cases"
"""The rules that come with the hub; a city that has its own gives another folder."""
SCHEMA = CASES / "cases.schema.json"
NATIONAL = "national"

Step = Literal["accept", "forward", "decide", "decide_forwarded"]
From = Literal["filed", "accepted", "forwarded"]
Condition = Literal["minimum_term_reached", "duty_performed", "commitment_given"]

_BEFORE: dict[Step, tuple[From, ...]] = {
    "accept": ("filed",),
    "forward": ("filed", "accepted"),
    "decide": ("filed", "accepted"),
    "decide_forwarded": ("filed", "accepted", "forwarded"),
}
"""What has happened when a step is due: a period can only begin with one of them."""


class NoCaseRules(LookupError):  # noqa: N818  (named for what the caller meets)
    """No rules for cases of a place on a day."""


@dataclass(frozen=True, slots=True)
class Period:
    """So many working days after an event; the day of the event does not count."""

    days: int
    since: From
    assumed: bool


@dataclass(frozen=True, slots=True)
class Extension:
    """By how much a deadline can be put off, once: further working days, or up to so many in all."""

    days: int | None
    total: Period | None
    assumed: bool


@dataclass(frozen=True, slots=True)
class Effect:
    """Working days that the rule allows until a granted case has its effect; the hub needs none."""

    days: int
    assumed: bool


@dataclass(frozen=True, slots=True)
class KindRules:
    """How one kind of case is handled."""

    reference: str
    """Where the rule stands: ``cases/zhejiang#objection``."""
    digest: str
    """SHA-256 (hexadecimal) of the file."""
    periods: Mapping[Step, Period]
    extension: Extension | None
    effect: Effect | None
    mark_from: Literal["filed", "accepted"] | None
    """Of an objection: from when on the record is marked as disputed. The hub marks it in that same moment."""
    conditions: tuple[Condition, ...]
    """Of a repair."""


@dataclass(frozen=True, slots=True)
class PlaceRules:
    """One edition of one place's rules."""

    name: str
    place: str
    title: Title
    valid_from: date | None
    valid_to: date | None
    source: str
    notes: tuple[str, ...]
    kinds: Mapping[Kind, KindRules]
    digest: str

    def covers(self, day: date) -> bool:
        """Whether cases filed on that day are its."""
        return (self.valid_from is None or self.valid_from <= day) and (self.valid_to is None or day <= self.valid_to)


@dataclass(frozen=True, slots=True)
class CaseRules:
    """The rules of all places."""

    all: tuple[PlaceRules, ...]

    @property
    def places(self) -> tuple[str, ...]:
        """The places that have rules of their own, and ``national``."""
        return tuple(dict.fromkeys(rules.place for rules in self.all))

    def of(self, kind: Kind, place: str, filed_on: date) -> KindRules:
        """The rule for a case filed in a place on a day; the national one where the place has none.

        Raises NoCaseRules of a place that is not known: a slip in its name must not change the deadlines.
        """
        if place not in self.places:
            raise NoCaseRules(f"no rules for cases in {place!r}; there are for {', '.join(self.places)}")
        for where in (place, NATIONAL):
            for rules in self.all:
                if rules.place == where and rules.covers(filed_on) and kind in rules.kinds:
                    return rules.kinds[kind]
        raise NoCaseRules(f"no rule for a case of {kind} filed in {place} on {filed_on}")

    def by_reference(self, reference: str) -> KindRules:
        """The rule by which a case is handled for its whole life. Raises NoCaseRules."""
        for rules in self.all:
            for found in rules.kinds.values():
                if found.reference == reference:
                    return found
        raise NoCaseRules(f"the rule {reference!r} is not kept any more; put its file back")


@dataclass(frozen=True, slots=True)
class Days:
    """The Chinese days on which a case was filed, accepted, forwarded; None: not yet."""

    filed: date
    accepted: date | None = None
    forwarded: date | None = None


@dataclass(frozen=True, slots=True)
class Due:
    """The last day on which the next step is in time."""

    day: date
    step: Step
    assumed: bool
    """Whether the period is assumed, or a year on the way has no calendar of working days."""


def due(
    rules: KindRules, days: Days, *, accepted_by: Role | None = None, calendar: WorkingCalendar | None = None
) -> Due:
    """When the next step of an open case is due.

    ``accepted_by``: a case that the hub has accepted is to be forwarded next (where the rule has a period for that);
    one that the department has accepted is to be decided.
    """
    step = _next_step(rules, days, accepted_by)
    return _due(rules.periods[step], step, days, calendar)


def extended(rules: KindRules, days: Days, current: Due, calendar: WorkingCalendar | None = None) -> Due:
    """The deadline of a decision, put off once. Raises CreditRefused where the rule has no extension."""
    extension = rules.extension
    if extension is None:
        raise CreditRefused(
            "no_extension",
            f"适用规则 {rules.reference} 没有规定延长办理期限",
            f"the rule {rules.reference} knows no extension",
        )
    if extension.total is not None:
        found = _due(extension.total, current.step, days, calendar)
        return found if found.day > current.day else current
    calendar = calendar or default_calendar(assume_weekdays=True)
    found_day = calendar.deadline(current.day, extension.days or 0)
    return Due(found_day.day, current.step, current.assumed or extension.assumed or found_day.assumed)


def load_case_rules(folder: Path = CASES) -> CaseRules:
    """The rules of a folder. Raises RuleFileError with every problem of every file."""
    found = read_all(folder, SCHEMA, _read)
    found.sort(key=lambda rules: (rules.place, rules.valid_from or date.min))
    problems = list(_problems(folder, found))
    if problems:
        raise RuleFileError(problems)
    return CaseRules(tuple(found))


@cache
def default_case_rules() -> CaseRules:
    """The rules that come with the hub, read once."""
    return load_case_rules()


def _next_step(rules: KindRules, days: Days, accepted_by: Role | None) -> Step:
    if days.forwarded is not None:
        return "decide_forwarded"
    if days.accepted is None:
        return "accept"
    return "forward" if accepted_by == "hub" and "forward" in rules.periods else "decide"


def _due(period: Period, step: Step, days: Days, calendar: WorkingCalendar | None) -> Due:
    since = {"filed": days.filed, "accepted": days.accepted, "forwarded": days.forwarded}[period.since]
    calendar = calendar or default_calendar(assume_weekdays=True)
    found = calendar.deadline(since or days.filed, period.days)
    return Due(found.day, step, period.assumed or found.assumed)


def _read(file: RuleFile) -> PlaceRules:
    data = file.data
    problems = list(_file_problems(file))
    if problems:
        raise RuleFileError(problems)
    name = file.path.stem
    kinds: dict[Kind, KindRules] = {}
    for kind in ("repair", "objection"):
        if kind in data:
            kinds[kind] = _kind_rules(f"cases/{name}#{kind}", file.digest, data[kind])
    return PlaceRules(
        name=name,
        place=data["place"],
        title=Title(**data["title"]),
        valid_from=optional_day(data["valid_from"]),
        valid_to=optional_day(data["valid_to"]),
        source=data["source"],
        notes=tuple(data.get("notes", ())),
        kinds=kinds,
        digest=file.digest,
    )


def _kind_rules(reference: str, digest: str, data: Mapping[str, Any]) -> KindRules:
    extension, effect, mark = data.get("extension"), data.get("effect_within"), data.get("mark")
    return KindRules(
        reference=reference,
        digest=digest,
        periods={step: _period(period) for step, period in data["periods"].items()},
        extension=None if extension is None else _extension(extension),
        effect=None if effect is None else Effect(effect["days"], effect.get("assumed", False)),
        mark_from=None if mark is None else mark["from"],
        conditions=tuple(data.get("conditions", ())),
    )


def _period(data: Mapping[str, Any]) -> Period:
    return Period(data["days"], data["from"], data.get("assumed", False))


def _extension(data: Mapping[str, Any]) -> Extension:
    assumed = data.get("assumed", False)
    total = Period(data["total"], data["from"], assumed) if "total" in data else None
    return Extension(data.get("days"), total, assumed)


def _file_problems(file: RuleFile) -> Iterator[RuleProblem]:
    data, stem = file.data, file.path.stem
    place = data["place"]
    if stem != place and not stem.startswith(f"{place}-"):
        yield file.problem(
            ("place",), f"got {place!r} in {file.path.name}; expected {place}.yaml or {place}-<year>.yaml"
        )
    first, last = optional_day(data["valid_from"]), optional_day(data["valid_to"])
    if first is not None and last is not None and last < first:
        yield file.problem(("valid_to",), f"got {last}; expected no day before valid_from, {first}")
    for kind in ("repair", "objection"):
        periods: Mapping[Step, Any] = data.get(kind, {}).get("periods", {})
        for step, period in periods.items():
            if period["from"] not in _BEFORE[step]:
                expected = ", ".join(_BEFORE[step])
                yield file.problem((kind, "periods", step, "from"), f"got {period['from']}; expected one of {expected}")


def _problems(folder: Path, found: list[PlaceRules]) -> Iterator[RuleProblem]:
    for _, of_place in groupby(found, key=lambda rules: rules.place):
        for before, after in pairwise(of_place):
            if after.valid_from is None or before.valid_to is None or after.valid_from <= before.valid_to:
                message = f"begins on {after.valid_from}; expected a day after the last one of {before.name}"
                yield RuleProblem(
                    folder / f"{after.name}.yaml",
                    0,
                    "valid_from",
                    f"{message}, {before.valid_to or 'which has no end'}",
                )
    national = [rules for rules in found if rules.place == NATIONAL]
    for kind in ("repair", "objection"):
        if not any(kind in rules.kinds for rules in national):
            yield RuleProblem(folder / "national.yaml", 0, kind, "expected the rule that holds where a place has none")
