"""Working days 工作日 in China: weekdays without the holidays, with the weekend days worked in exchange 调休.

What the State Council ordered for a year is a file ``calendar/<year>.yaml``. A year without a file is refused
(:class:`CalendarYearMissing` names the file to add), unless the calendar was loaded to assume plain weekdays; then
:meth:`WorkingCalendar.is_assumed` and :class:`Deadline` say so.

A period of n working days that starts with an event on a day ends with the n-th working day after it: the day of the
event does not count (民法典 article 201).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from registry.domain.credit.rule_files import RULES, RuleFile, RuleFileError, RuleProblem, read_all, rule_folders
from schemas.formats import is_date

CALENDARS = RULES / "calendar"
"""The years that come with the hub."""
SCHEMA = CALENDARS / "calendar.schema.json"

_SATURDAY = 5


class CalendarYearMissing(LookupError):  # noqa: N818  (named for what the caller meets)
    """Nobody has entered the working days of a year; the message names the file to add."""

    def __init__(self, year: int, folder: Path) -> None:
        self.year = year
        self.path = folder / f"{year}.yaml"
        super().__init__(
            f"the working days of {year} are not known: add {self.path} from the State Council's notice of that year "
            f"(python tools/working_days.py {year} writes it once the notice is out)"
        )


@dataclass(frozen=True, slots=True)
class Deadline:
    """The last day of a period of working days."""

    day: date
    assumed: bool
    """Whether a year in it has no calendar, so that its weekdays were taken for its working days."""


@dataclass(frozen=True, slots=True)
class _Year:
    """The ordinals of a year's working days, ascending."""

    working: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class WorkingCalendar:
    """The working days of the years that are known."""

    folder: Path
    """Where a further year is added."""
    days_off: Mapping[int, frozenset[date]]
    """Per year the weekdays that are not worked."""
    days_worked: Mapping[int, frozenset[date]]
    """Per year the weekend days that are worked."""
    assume_weekdays: bool = False
    """Whether a year that is not known has its plain weekdays for working days, instead of being refused."""
    _years: dict[int, _Year] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def years(self) -> tuple[int, ...]:
        """The years with data, ascending."""
        return tuple(sorted(self.days_off))

    def is_assumed(self, first: date, last: date) -> bool:
        """Whether a year between two days (both included) is not known."""
        return any(year not in self.days_off for year in range(first.year, last.year + 1))

    def is_working_day(self, day: date) -> bool:
        """Raises CalendarYearMissing."""
        working = self._year(day.year).working
        ordinal = day.toordinal()
        place = bisect_left(working, ordinal)
        return place < len(working) and working[place] == ordinal

    def add(self, day: date, count: int) -> date:
        """The ``count``-th working day after ``day``; 0: the day itself, or the next working day if it is none.

        Raises CalendarYearMissing, and ValueError of a negative count.
        """
        if count < 0:
            raise ValueError(f"got {count} working days; expected none or more")
        year = day.year
        working = self._year(year).working
        place = bisect_left(working, day.toordinal() + (count > 0)) + max(count - 1, 0)
        while place >= len(working):
            place -= len(working)
            year += 1
            working = self._year(year).working
        return date.fromordinal(working[place])

    def deadline(self, day: date, count: int) -> Deadline:
        """:meth:`add`, with whether a year of the way was assumed."""
        last = self.add(day, count)
        return Deadline(last, self.is_assumed(day, last))

    def between(self, first: date, last: date) -> int:
        """How many working days come after ``first``, up to and with ``last``; negative if ``last`` is before.

        ``between(day, add(day, n)) == n`` for every n from 1 on. Raises CalendarYearMissing.
        """
        if last < first:
            return -self.between(last, first)
        total = self._up_to(last) - self._up_to(first)
        return total + sum(len(self._year(year).working) for year in range(first.year, last.year))

    def _up_to(self, day: date) -> int:
        """The working days of a day's year up to and with it."""
        return bisect_left(self._year(day.year).working, day.toordinal() + 1)

    def _year(self, number: int) -> _Year:
        found = self._years.get(number)
        if found is None:
            if number not in self.days_off and not self.assume_weekdays:
                raise CalendarYearMissing(number, self.folder)
            off, worked = self.days_off.get(number, frozenset()), self.days_worked.get(number, frozenset())
            found = self._years[number] = _Year(
                tuple(
                    day.toordinal()
                    for day in _days_of(number)
                    if day in worked or (day.weekday() < _SATURDAY and day not in off)
                )
            )
        return found


def load_calendar(folder: Path = CALENDARS, *, assume_weekdays: bool = False) -> WorkingCalendar:
    """The calendars of a folder. Raises RuleFileError with every problem of every file."""
    years = dict(read_all(folder, SCHEMA, _read_year))
    return WorkingCalendar(
        rule_folders(folder)[-1],
        {year: off for year, (off, _) in years.items()},
        {year: worked for year, (_, worked) in years.items()},
        assume_weekdays,
    )


@cache
def default_calendar(*, assume_weekdays: bool = False) -> WorkingCalendar:
    """The calendars that come with the hub, read once."""
    return load_calendar(assume_weekdays=assume_weekdays)


def is_working_day(day: date, calendar: WorkingCalendar | None = None) -> bool:
    """Whether people work on that day. Raises CalendarYearMissing."""
    return (calendar or default_calendar()).is_working_day(day)


def _read_year(file: RuleFile) -> tuple[int, tuple[frozenset[date], frozenset[date]]]:
    year: int = file.data["year"]
    problems: list[RuleProblem] = []
    if file.path.stem != str(year):
        problems.append(file.problem(("year",), f"got {year} in {file.path.name}; expected the year of the name"))
    off = _read_days(file, "days_off", year, weekend=False, problems=problems)
    worked = _read_days(file, "days_worked", year, weekend=True, problems=problems)
    if problems:
        raise RuleFileError(problems)
    return year, (off, worked)


def _read_days(file: RuleFile, name: str, year: int, *, weekend: bool, problems: list[RuleProblem]) -> frozenset[date]:
    kind = "Saturday or Sunday" if weekend else "Monday to Friday"
    days = set()
    listed: Mapping[str, Any] = file.data[name]
    for text in listed:
        day = date.fromisoformat(text) if is_date(text) else None
        if day is None or day.year != year:
            problems.append(file.problem((name, text), f"got {text!r}; expected a day of {year}"))
        elif (day.weekday() >= _SATURDAY) is not weekend:
            problems.append(file.problem((name, text), f"got {text} ({day:%A}); expected a day from {kind}"))
        else:
            days.add(day)
    return frozenset(days)


def _days_of(year: int) -> list[date]:
    first = date(year, 1, 1)
    return [first + timedelta(number) for number in range((date(year + 1, 1, 1) - first).days)]
