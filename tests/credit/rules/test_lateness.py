"""Decisions published after seven working days are late by so many."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.domain.credit.lateness import (
    Lateness,
    publication_lateness,
    share,
    withdrawal_lateness,
)
from registry.domain.credit.working_days import CalendarYearMissing, default_calendar, is_working_day

DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("decided", "published", "deadline", "late_by"),
    [
        ("2026-06-01", "2026-06-01", "2026-06-10", 0),
        ("2026-06-01", "2026-06-10", "2026-06-10", 0),
        ("2026-06-01", "2026-06-11", "2026-06-10", 1),
        ("2026-06-01", "2026-06-15", "2026-06-10", 3),
        ("2026-09-30", "2026-10-15", "2026-10-15", 0),  # the National Day's holidays are no working days
        ("2026-09-30", "2026-10-16", "2026-10-15", 1),
        ("2026-02-05", "2026-02-14", "2026-02-14", 0),  # a Saturday worked in exchange counts
        ("2026-02-05", "2026-02-15", "2026-02-14", 1),  # the holidays after the last day are after it
        ("2026-02-05", "2026-02-24", "2026-02-14", 1),
        ("2026-06-10", "2026-06-01", "2026-06-22", 0),  # published before it was decided: not late
    ],
)
def test_published_after_the_seventh_working_day_is_late(
    decided: str, published: str, deadline: str, late_by: int
) -> None:
    found = publication_lateness(date.fromisoformat(decided), date.fromisoformat(published), 7)

    assert found == Lateness(date.fromisoformat(deadline), late_by)
    assert found.late is (late_by > 0)


@given(st.dates(date(2015, 1, 1), date(2026, 6, 1)), st.integers(0, 90), st.integers(1, 20))
def test_lateness_is_counted_day_by_day(decided: date, passed: int, within: int) -> None:
    published = decided + passed * DAY
    left, day, after = within, decided, []
    while day < published:
        day += DAY
        if left:
            left -= is_working_day(day)
        else:
            after.append(is_working_day(day))

    assert publication_lateness(decided, published, within).late_by == (max(sum(after), 1) if after else 0)


def test_a_year_without_calendar_is_refused_or_said_to_be_assumed() -> None:
    with pytest.raises(CalendarYearMissing):
        publication_lateness(date(2026, 12, 25), date(2027, 1, 20), 7)

    found = publication_lateness(date(2026, 12, 25), date(2027, 1, 20), 7, default_calendar(assume_weekdays=True))

    assert found.assumed
    assert found.late


@pytest.mark.parametrize(("withdrawn", "late_by"), [("2026-06-05", 0), ("2026-06-08", 0), ("2026-06-09", 1)])
def test_a_changed_decision_is_withdrawn_within_three_days(withdrawn: str, late_by: int) -> None:
    assert withdrawal_lateness(date(2026, 6, 5), date.fromisoformat(withdrawn), 3) == Lateness(
        date(2026, 6, 8), late_by
    )


@pytest.mark.parametrize(
    ("part", "whole", "shown"), [(7, 9, "0.7778"), (5, 7, "0.7143"), (3, 2, "1.5000"), (0, 3, "0.0000"), (0, 0, None)]
)
def test_a_share_has_four_places_and_there_is_none_of_nothing(part: int, whole: int, shown: str | None) -> None:
    assert share(part, whole) == (None if shown is None else Decimal(shown))
