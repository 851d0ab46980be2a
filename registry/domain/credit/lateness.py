"""Whether permits and penalties are made public in time 双公示, and how the departments do: lateness and coverage.

Permits and penalties go public within seven working days of the decision (国发〔2016〕33号; the number is in
``records/<edition>.yaml``). A decision that was changed or revoked is withdrawn within three calendar days
(行政处罚法 article 48; the number is in ``publicity/<regime>.yaml``).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal

from registry.domain.credit.working_days import WorkingCalendar, default_calendar

_SHARE = Decimal("0.0001")
_MEAN = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Lateness:
    """How late something was done."""

    deadline: date
    """The last day in time."""
    late_by: int
    """Days after it, of the kind that the deadline counts; 0: in time."""
    assumed: bool = False
    """Whether the deadline or the days after it rest on a year whose working days are assumed."""

    @property
    def late(self) -> bool:
        """Whether it was done after the deadline."""
        return self.late_by > 0


@dataclass(frozen=True, slots=True)
class DepartmentCounts:
    """What was counted of one department's decisions of one dataset and period."""

    department: str
    published: int
    """Decisions that are in the hub."""
    late: int
    """Of them those published after the deadline."""
    days_late: int
    """Working days after the deadline, summed over the late ones."""
    longest: int
    """Working days of the latest one."""
    decided: int | None = None
    """Decisions that the department made, by its own ledger or another source; None: nobody said."""


@dataclass(frozen=True, slots=True)
class Timeliness:
    """The figures that an assessment asks for. Shares are between 0 and 1, rounded to four places."""

    counts: DepartmentCounts
    coverage: Decimal | None
    """Published of those decided; above 1 where more are in the hub than were said to be decided. None: unknown."""
    missing: int | None
    """Decided but not in the hub; None: unknown."""
    timely: Decimal | None
    """In time of those published; None: nothing was published."""
    mean_days_late: Decimal | None
    """Working days, over the late ones, rounded to two places; None: none was late."""


def publication_lateness(
    decided_on: date, published_on: date, within: int, calendar: WorkingCalendar | None = None
) -> Lateness:
    """How many working days too late a decision was published; for one that is not yet public give today.

    The day of the decision does not count; published on the last of ``within`` working days is in time, on a day off
    right after it late by 1. Raises CalendarYearMissing, unless the calendar assumes.
    """
    calendar = calendar or default_calendar()
    deadline = calendar.deadline(decided_on, within)
    if published_on <= deadline.day:
        return Lateness(deadline.day, 0, deadline.assumed)
    late_by = max(calendar.between(deadline.day, published_on), 1)
    return Lateness(deadline.day, late_by, calendar.is_assumed(decided_on, published_on))


def withdrawal_lateness(changed_on: date, withdrawn_on: date, within: int) -> Lateness:
    """How many calendar days too late a changed or revoked decision was withdrawn; not yet withdrawn: give today."""
    deadline = changed_on + timedelta(days=within)
    return Lateness(deadline, max((withdrawn_on - deadline).days, 0))


def count(department: str, found: Iterable[Lateness], decided: int | None = None) -> DepartmentCounts:
    """Count one department's published decisions."""
    published = late = days = longest = 0
    for lateness in found:
        published += 1
        late += lateness.late
        days += lateness.late_by
        longest = max(longest, lateness.late_by)
    return DepartmentCounts(department, published, late, days, longest, decided)


def timeliness(counts: DepartmentCounts) -> Timeliness:
    """The figures of one department, or of several added up."""
    decided = counts.decided
    return Timeliness(
        counts=counts,
        coverage=None if decided is None else share(counts.published, decided),
        missing=None if decided is None else max(decided - counts.published, 0),
        timely=share(counts.published - counts.late, counts.published),
        mean_days_late=_rounded(counts.days_late, counts.late, _MEAN),
    )


def added_up(name: str, parts: Iterable[DepartmentCounts]) -> DepartmentCounts:
    """Several counts as one: a city's, a dataset's. What was decided is known only if every part knows it."""
    parts = list(parts)
    decided = [part.decided for part in parts if part.decided is not None]
    return DepartmentCounts(
        department=name,
        published=sum(part.published for part in parts),
        late=sum(part.late for part in parts),
        days_late=sum(part.days_late for part in parts),
        longest=max((part.longest for part in parts), default=0),
        decided=sum(decided) if parts and len(decided) == len(parts) else None,
    )


def share(part: int, whole: int) -> Decimal | None:
    """A part of a whole, rounded to four places; None of nothing."""
    return _rounded(part, whole, _SHARE)


def _rounded(part: int, whole: int, places: Decimal) -> Decimal | None:
    return (Decimal(part) / whole).quantize(places, ROUND_HALF_UP) if whole else None
