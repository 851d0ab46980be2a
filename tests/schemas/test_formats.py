from __future__ import annotations

from datetime import date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import code_lists
from schemas.formats import CODE_LIST_FORMATS, EXPECTED, formats, is_date, is_date_time


@given(st.dates())
def test_every_day_is_a_date(day: date) -> None:
    assert is_date(day.isoformat())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2023-02-29",
        "0000-01-01",
        "-000-01-01",
        "2024-13-01",
        "2024-1-01",
        "20240101",
        "2024-W01-1",
        "2024-01-01\n",
        "２０２４-01-01",
        "2024/01/01",
        "2024-01-01T00:00:00Z",
    ],
)
def test_what_no_calendar_has_is_no_date(text: str) -> None:
    assert not is_date(text)


@given(st.datetimes(timezones=st.timezones()))
def test_every_time_with_whole_minutes_of_offset_is_a_date_time(time: datetime) -> None:
    offset = time.utcoffset()
    if offset is not None and offset.total_seconds() % 60 == 0:
        assert is_date_time(time.isoformat())


@pytest.mark.parametrize(
    "text",
    [
        "2024-01-01T00:00:00",
        "2024-01-01 00:00:00Z",
        "2016-12-31T23:59:60Z",
        "2024-01-01T24:00:00Z",
        "2024-02-30T00:00:00Z",
        "2024-01-01T00:00:00+24:00",
        "2024-01-01T00:00Z",
    ],
)
def test_a_time_without_offset_or_out_of_range_is_no_date_time(text: str) -> None:
    assert not is_date_time(text)


def test_every_format_can_say_what_it_expects() -> None:
    assert set(formats()) == set(EXPECTED) | set(CODE_LIST_FORMATS)


def test_an_industry_that_the_list_does_not_name_is_taken_where_its_division_exists() -> None:
    is_industry = formats()["industry"]

    assert all(is_industry(code) for code in ("A", "62", "621", "6210", "6299"))
    assert not any(is_industry(code) for code in ("Z", "98", "9811", "C13", "62100", "6", ""))


def test_a_code_list_format_accepts_codes_of_the_past() -> None:
    assert "330204" in code_lists.load("divisions").codes
    assert formats()["division"]("330204")
