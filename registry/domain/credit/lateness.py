"""Whether permits and penalties are made public in time 双公示.

Permits and penalties go public within seven working days of the decision (国发〔2016〕33号; the number is in
``records/<edition>.yaml``). A decision that was changed or revoked is withdrawn within three calendar days
(行政处罚法 article 48; the number is in ``publicity/<regime>.yaml``).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal

from registry.domain.credit.working_days import WorkingCalendar, default_calendar

_SHARE = Decimal("0.0001")


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


def share(part: int, whole: int) -> Decimal | None:
    """A part of a whole, rounded to four places; None of nothing."""
    return (Decimal(part) / whole).quantize(_SHARE, ROUND_HALF_UP) if whole else None
