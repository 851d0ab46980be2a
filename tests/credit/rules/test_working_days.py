"""Working days know the State Council's holidays and the weekend days worked in exchange; a year unknown is said."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.domain.credit.rule_files import RuleFileError
from registry.domain.credit.working_days import (
    CALENDARS,
    SCHEMA,
    CalendarYearMissing,
    default_calendar,
    is_working_day,
    load_calendar,
)

CALENDAR = default_calendar()
DAY = timedelta(days=1)
KNOWN = st.dates(date(2014, 1, 1), date(2026, 12, 31))


@pytest.mark.parametrize(
    ("day", "worked"),
    [
        ("2026-02-13", True),
        ("2026-02-14", True),  # a Saturday worked in exchange for the Spring Festival
        ("2026-02-15", False),
        ("2026-02-17", False),
        ("2026-02-24", True),
        ("2026-10-01", False),
        ("2026-10-08", True),
        ("2026-10-10", True),  # a Saturday worked
        ("2026-10-11", False),
        ("2020-01-31", False),  # the Spring Festival that was made longer
        ("2024-02-09", True),  # the eve was worked that year
        ("2025-01-28", False),  # the eve became a holiday
    ],
)
def test_holidays_and_days_worked_in_exchange_are_known(day: str, worked: bool) -> None:  # noqa: FBT001
    assert is_working_day(date.fromisoformat(day)) is worked


@pytest.mark.parametrize(
    ("day", "count", "last"),
    [
        ("2026-09-30", 7, "2026-10-15"),
        ("2026-09-30", 1, "2026-10-08"),
        ("2026-02-13", 7, "2026-03-02"),
        ("2025-12-31", 3, "2026-01-06"),
        ("2026-10-03", 0, "2026-10-08"),
        ("2026-10-08", 0, "2026-10-08"),
    ],
)
def test_a_period_ends_with_the_last_of_its_working_days(day: str, count: int, last: str) -> None:
    assert CALENDAR.add(date.fromisoformat(day), count) == date.fromisoformat(last)


@given(st.dates(date(2014, 1, 1), date(2026, 6, 30)), st.integers(1, 60))
def test_adding_is_walking_day_by_day(day: date, count: int) -> None:
    walked, left = day, count
    while left:
        walked += DAY
        left -= is_working_day(walked)

    assert CALENDAR.add(day, count) == walked
    assert CALENDAR.between(day, walked) == count


@given(KNOWN, KNOWN)
def test_days_between_are_counted_one_by_one(first: date, last: date) -> None:
    earlier, later = sorted((first, last))
    counted, day = 0, earlier
    while day < later:
        day += DAY
        counted += is_working_day(day)

    assert CALENDAR.between(first, last) == (counted if first <= last else -counted)


@given(KNOWN, KNOWN, KNOWN)
def test_periods_add_up(first: date, second: date, third: date) -> None:
    assert CALENDAR.between(first, second) + CALENDAR.between(second, third) == CALENDAR.between(first, third)


@pytest.mark.parametrize("year", default_calendar().years)
def test_every_year_has_as_many_working_days_as_its_weekdays_without_the_statutory_holidays(year: int) -> None:
    days = CALENDAR.between(date(year - 1, 12, 31), date(year, 12, 31)) if year > 2014 else 250

    assert 246 <= days <= 252


def test_a_year_without_data_is_refused_and_the_file_to_add_is_named() -> None:
    with pytest.raises(CalendarYearMissing, match=r"calendar/2027\.yaml") as missing:
        CALENDAR.add(date(2026, 12, 30), 5)

    assert missing.value.path == CALENDARS / "2027.yaml"


def test_a_period_that_stays_within_the_known_years_needs_no_further_one() -> None:
    assert CALENDAR.add(date(2026, 12, 30), 1) == date(2026, 12, 31)


def test_unknown_years_can_be_taken_as_plain_weekdays_and_the_deadline_says_so() -> None:
    calendar = load_calendar(assume_weekdays=True)

    assert calendar.deadline(date(2026, 12, 30), 3) == (
        type(calendar.deadline(date(2026, 12, 30), 3))(date(2027, 1, 4), assumed=True)
    )
    assert not calendar.deadline(date(2026, 12, 1), 3).assumed


def test_a_negative_period_is_refused() -> None:
    with pytest.raises(ValueError, match="expected none or more"):
        CALENDAR.add(date(2026, 1, 5), -1)


def test_a_city_enters_a_year_as_a_file(tmp_path: Path) -> None:
    (tmp_path / "2031.yaml").write_text(
        "year: 2031\nsource: 示例\ndays_off:\n  2031-01-01: {zh: 元旦, en: New Year}\ndays_worked: {}\n",
        encoding="utf-8",
    )

    calendar = load_calendar(tmp_path)

    assert calendar.years == (2031,)
    assert not calendar.is_working_day(date(2031, 1, 1))
    assert calendar.is_working_day(date(2031, 1, 2))


def test_every_fault_of_every_file_is_said_at_once(tmp_path: Path) -> None:
    (tmp_path / "2031.yaml").write_text(
        "year: 2030\nsource: 示例\ndays_off:\n  2031-02-30: {zh: 元旦, en: New Year}\n"
        "  2030-01-05: {zh: 元旦, en: New Year}\ndays_worked:\n  2030-01-07: {zh: 上班, en: Worked}\n",
        encoding="utf-8",
    )
    (tmp_path / "2032.yaml").write_text("year: 2032\ndays_off: {}\ndays_worked: {}\n", encoding="utf-8")

    with pytest.raises(RuleFileError) as wrong:
        load_calendar(tmp_path)

    assert [(problem.path.name, problem.line, problem.key, problem.message) for problem in wrong.value.problems] == [
        ("2031.yaml", 1, "year", "got 2030 in 2031.yaml; expected the year of the name"),
        ("2031.yaml", 4, "days_off.2031-02-30", "got '2031-02-30'; expected a day of 2030"),
        ("2031.yaml", 5, "days_off.2030-01-05", "got 2030-01-05 (Saturday); expected a day from Monday to Friday"),
        ("2031.yaml", 7, "days_worked.2030-01-07", "got 2030-01-07 (Monday); expected a day from Saturday or Sunday"),
        ("2032.yaml", 1, "source", "is missing"),
    ]


def test_a_folder_without_years_is_no_calendar(tmp_path: Path) -> None:
    with pytest.raises(RuleFileError, match="no rule files"):
        load_calendar(tmp_path)


def test_the_schema_is_beside_the_years() -> None:
    assert SCHEMA.is_file()
