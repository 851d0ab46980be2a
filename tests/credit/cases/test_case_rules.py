"""Deadlines and conditions by place and day, from the rule files; periods held against days counted one by one."""

from __future__ import annotations

import shutil
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.domain.credit.case_rules import (
    CASES,
    Days,
    Due,
    NoCaseRules,
    default_case_rules,
    due,
    extended,
    load_case_rules,
)
from registry.domain.credit.cases import CreditRefused, Role
from registry.domain.credit.rule_files import RuleFileError
from registry.domain.credit.working_days import default_calendar

DAY = timedelta(days=1)
FRIDAY = date(2026, 11, 20)
RULES = default_case_rules()
PLACES = ("henan", "national", "shandong", "shanghai", "shenzhen", "zhejiang")


def counted(day: date, days: int) -> date:
    """The last day of a period, by going from day to day."""
    calendar = default_calendar(assume_weekdays=True)
    if days == 0:
        while not calendar.is_working_day(day):
            day += DAY
        return day
    while days:
        day += DAY
        days -= calendar.is_working_day(day)
    return day


KNOWN: dict[tuple[str, str], tuple[int, str]] = {
    ("shanghai", "forward"): (2, "filed"),
    ("shanghai", "decide"): (5, "filed"),
    ("shanghai", "decide_forwarded"): (5, "forwarded"),
    ("shandong", "decide"): (3, "filed"),
    ("shandong", "decide_forwarded"): (7, "filed"),
    ("henan", "decide"): (3, "filed"),
    ("henan", "decide_forwarded"): (7, "filed"),
    ("zhejiang", "decide"): (5, "filed"),
    ("shenzhen", "forward"): (1, "filed"),
    ("shenzhen", "decide_forwarded"): (2, "forwarded"),
}
"""What the regulations themselves say: working days, and from when."""


@pytest.mark.parametrize(("place", "step"), KNOWN)
def test_what_a_regulation_says_of_objections_is_in_its_file_and_not_marked_as_assumed(place: str, step: str) -> None:
    period = RULES.of("objection", place, FRIDAY).periods[step]  # type: ignore[index]
    assert (period.days, period.since) == KNOWN[place, step]
    assert not period.assumed


@pytest.mark.parametrize("kind", ["repair", "objection"])
def test_every_number_of_the_national_rule_is_marked_as_assumed(kind: str) -> None:
    rules = RULES.of(kind, "national", FRIDAY)  # type: ignore[arg-type]
    assert all(period.assumed for period in rules.periods.values())
    assert rules.effect is not None
    assert rules.effect.assumed
    assert rules.extension is None or rules.extension.assumed


def test_effects_and_extensions_of_the_places() -> None:
    def effect(place: str, kind: str = "objection") -> tuple[int, bool] | None:
        found = RULES.of(kind, place, FRIDAY).effect  # type: ignore[arg-type]
        return None if found is None else (found.days, found.assumed)

    assert effect("shanghai") == effect("shandong") == (3, False)
    assert effect("henan") == effect("henan", "repair") == (1, False)
    extensions = {place: RULES.of("objection", place, FRIDAY).extension for place in PLACES}
    assert [place for place, extension in extensions.items() if extension is not None] == ["shenzhen", "zhejiang"]
    of_repair = RULES.of("repair", "national", FRIDAY).extension
    assert of_repair is not None
    assert (of_repair.days, of_repair.assumed) == (10, True)


def test_a_record_is_marked_from_the_filing_on_in_every_place_that_is_known() -> None:
    assert {RULES.of("objection", place, FRIDAY).mark_from for place in PLACES} == {"filed"}


def test_a_place_without_a_rule_of_its_own_takes_the_national_one() -> None:
    assert RULES.places == PLACES
    assert RULES.of("repair", "zhejiang", FRIDAY).reference == "cases/national#repair"
    assert RULES.of("repair", "henan", FRIDAY).reference == "cases/henan#repair"
    assert RULES.of("objection", "shenzhen", date(2023, 4, 30)).reference == "cases/national#objection"
    assert RULES.of("objection", "shenzhen", date(2023, 5, 1)).reference == "cases/shenzhen#objection"


def test_a_slip_in_the_name_of_a_place_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(NoCaseRules, match=r"'zhejang'.*zhejiang"):
        RULES.of("objection", "zhejang", FRIDAY)


def test_a_rule_that_is_gone_is_named() -> None:
    assert RULES.by_reference("cases/henan#repair") == RULES.of("repair", "henan", FRIDAY)
    with pytest.raises(NoCaseRules, match="cases/henan-1999#repair"):
        RULES.by_reference("cases/henan-1999#repair")


@given(
    st.sampled_from(PLACES),
    st.sampled_from(["repair", "objection"]),
    st.dates(date(2018, 1, 1), date(2028, 12, 31)),
    st.integers(0, 15),
    st.integers(0, 15),
    st.sampled_from(["hub", "department"]),
)
def test_a_deadline_is_the_last_of_its_working_days(
    place: str, kind: str, filed: date, to_accept: int, to_forward: int, by: Role
) -> None:
    rules = RULES.of(kind, place, filed)  # type: ignore[arg-type]
    accepted, forwarded = filed + to_accept * DAY, filed + (to_accept + to_forward) * DAY
    stages = [
        ("accept", Days(filed)),
        ("forward" if by == "hub" else "decide", Days(filed, accepted)),
        ("decide_forwarded", Days(filed, accepted, forwarded)),
    ]
    for step, days in stages:
        period = rules.periods[step]  # type: ignore[index]
        since = {"filed": filed, "accepted": accepted, "forwarded": forwarded}[period.since]
        found = due(rules, days, accepted_by=by)
        assert (found.step, found.day) == (step, counted(since, period.days))
        assert found.assumed or not period.assumed


@given(st.dates(date(2023, 5, 1), date(2028, 12, 1)), st.integers(0, 10))
def test_an_extension_never_makes_a_deadline_earlier_and_keeps_to_its_total(filed: date, later: int) -> None:
    days = Days(filed, filed + later * DAY)
    zhejiang = RULES.of("objection", "zhejiang", filed)
    current = due(zhejiang, days, accepted_by="department")
    assert extended(zhejiang, days, current).day == max(current.day, counted(filed, 20))
    shenzhen = RULES.of("objection", "shenzhen", filed)
    current = due(shenzhen, Days(filed, filed, filed + later * DAY))
    assert extended(shenzhen, days, current).day == counted(current.day, 3)


def test_where_the_rule_knows_no_extension_none_is_given() -> None:
    rules = RULES.of("objection", "henan", FRIDAY)
    with pytest.raises(CreditRefused) as refused:
        extended(rules, Days(FRIDAY), Due(FRIDAY, "decide", assumed=False))
    assert "cases/henan#objection" in refused.value.zh


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(CASES, tmp_path / "cases"))


def faults(folder: Path) -> str:
    with pytest.raises(RuleFileError) as error:
        load_case_rules(folder)
    return str(error.value)


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")


def test_every_fault_of_a_rule_file_is_said_with_its_line(folder: Path) -> None:
    change(folder / "henan.yaml", "place: henan", "place: hunan")
    change(folder / "zhejiang.yaml", "accept: {days: 1, from: filed,", "accept: {days: 1, from: forwarded,")
    change(folder / "shanghai.yaml", "days: 5, from: filed", "days: five, from: filed")
    said = faults(folder)
    assert "henan.yaml:1: place: got 'hunan' in henan.yaml" in said
    assert "objection.periods.accept.from: got forwarded; expected one of filed" in said
    assert "objection.periods.decide.days" in said


def test_two_editions_of_a_place_do_not_cover_the_same_day(folder: Path) -> None:
    shutil.copy(folder / "henan.yaml", folder / "henan-2027.yaml")
    assert "valid_from: begins on 2020-05-01; expected a day after the last one" in faults(folder)
    change(folder / "henan.yaml", "valid_to: null", "valid_to: 2026-12-31")
    change(folder / "henan-2027.yaml", "valid_from: 2020-05-01", "valid_from: 2027-01-01")
    rules = load_case_rules(folder)
    assert rules.of("repair", "henan", date(2026, 12, 31)).reference == "cases/henan#repair"
    assert rules.of("repair", "henan", date(2027, 1, 1)).reference == "cases/henan-2027#repair"


def test_rules_without_a_national_one_are_refused(folder: Path) -> None:
    (folder / "national.yaml").unlink()
    assert "repair: expected the rule that holds where a place has none" in faults(folder)


def test_a_rule_that_ends_before_it_begins_is_refused(folder: Path) -> None:
    change(folder / "henan.yaml", "valid_to: null", "valid_to: 2019-12-31")
    assert "valid_to: got 2019-12-31" in faults(folder)
