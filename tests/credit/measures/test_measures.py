"""What being on a list means in a scene, on every day of the list's life."""

from __future__ import annotations

import random
import shutil
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.domain.credit.marks import Mark
from registry.domain.credit.measures import (
    EDITIONS,
    ListRecord,
    Measures,
    NoMeasures,
    default_measures,
    load_measures,
    measures_for,
)
from registry.domain.credit.rule_files import RuleFileError
from tests.credit.enterprise_file.town import body

TODAY = date(2026, 11, 20)
EDITION = default_measures().on(TODAY)


def dishonest(key: str = "D1", mark: Mark = Mark(), **fields: Any) -> ListRecord:  # noqa: B008  (frozen)
    given = {"name": "桥州天成1餐饮有限公司", "listed_on": "2025-05-06", "listed_reason": "虚假材料", "listed_by": "局"}
    return ListRecord("serious_dishonesty", key, body(1, **given | fields), mark)


def abnormal(key: str = "A1", mark: Mark = Mark(), **fields: Any) -> ListRecord:  # noqa: B008
    given = {"listed_on": "2026-07-06", "listed_reason": "未公示年度报告", "listed_by": "局"}
    return ListRecord("abnormal_operation", key, body(1, **given | fields), mark)


def rated(year: int = 2025, grade: str = "A", mark: Mark = Mark(), **fields: Any) -> ListRecord:  # noqa: B008
    given = {"year": f"{year}", "grade": grade, "rated_on": f"{year + 1}-04-20"}
    return ListRecord("tax_credit_rating", f"R{year}", body(1, **given | fields), mark)


def commended(mark: Mark = Mark(), **fields: Any) -> ListRecord:  # noqa: B008
    given = {"list_kind": "守合同重信用企业", "listed_on": "2026-03-02", "listed_reason": "履约良好", "listed_by": "局"}
    return ListRecord("red_list", "H1", body(1, **given | fields), mark)


def codes(found: Measures) -> list[str]:
    return [each.measure.code for each in found.applying]


@pytest.mark.parametrize(
    ("scene", "records", "applies"),
    [
        ("bidding", [], []),
        ("bidding", [dishonest()], ["bidding_barred"]),
        ("bidding", [abnormal()], ["bidding_attention"]),
        ("bidding", [rated()], ["bidding_preference"]),
        ("bidding", [rated(), dishonest()], ["bidding_barred"]),
        ("bidding", [commended()], ["bidding_preference"]),
        ("bidding", [commended(), abnormal()], ["bidding_attention"]),
        ("bidding", [commended(removed_on="2026-11-20")], []),
        ("bidding", [commended(valid_to="2026-11-19")], []),
        ("bidding", [commended(valid_to="2026-11-20")], ["bidding_preference"]),
        ("lending", [commended()], []),
        ("bidding", [dishonest(), abnormal()], ["bidding_barred", "bidding_attention"]),
        ("subsidies", [dishonest()], ["subsidies_barred"]),
        ("subsidies", [abnormal()], []),
        ("subsidies", [rated()], ["subsidies_preference"]),
        ("approvals", [dishonest()], ["approvals_no_commitment", "approvals_scrutiny"]),
        ("approvals", [rated()], ["approvals_green_channel"]),
        ("lending", [abnormal()], ["lending_caution"]),
        ("lending", [rated()], ["lending_bank_tax"]),
        ("inspection", [abnormal(), dishonest()], ["inspection_more"]),
        ("inspection", [rated()], ["inspection_less"]),
        ("inspection", [rated(grade="B")], []),
    ],
)
def test_lists_have_these_consequences(scene: str, records: list[ListRecord], applies: list[str]) -> None:
    assert codes(measures_for(records, TODAY, scene)) == applies


def test_a_measure_says_what_it_rests_on() -> None:
    found = measures_for([abnormal(), dishonest()], TODAY, "inspection")

    ((because),) = [each.because for each in found.applying]
    assert [(each.list, each.record.key, each.since) for each in because] == [
        ("serious_dishonesty", "D1", date(2025, 5, 6)),
        ("abnormal_operation", "A1", date(2026, 7, 6)),
    ]
    assert found.applying[0].measure.legal_basis


def test_an_incentive_is_withheld_from_who_is_on_another_list_and_says_by_which() -> None:
    found = measures_for([rated(), abnormal()], TODAY, "approvals")

    assert codes(found) == []
    (withheld,) = found.withheld
    assert withheld.measure.code == "approvals_green_channel"
    assert [each.list for each in withheld.because] == ["tax_credit_a"]
    assert [each.list for each in withheld.prevented_by] == ["abnormal_operation"]


@pytest.mark.parametrize(
    ("record", "first", "last"),
    [
        (dishonest(), date(2025, 5, 6), date(2028, 5, 6)),
        (dishonest(removed_on="2026-06-01"), date(2025, 5, 6), date(2026, 5, 31)),
        (abnormal(), date(2026, 7, 6), None),
        (abnormal(removed_on="2026-08-01"), date(2026, 7, 6), date(2026, 7, 31)),
        (rated(), date(2026, 4, 20), date(2027, 4, 19)),
        (rated(valid_to="2026-12-31"), date(2026, 4, 20), date(2026, 12, 31)),
        (rated(valid_from="2026-05-01", valid_to="2027-04-30"), date(2026, 5, 1), date(2027, 4, 30)),
    ],
)
def test_a_list_holds_from_its_first_to_its_last_day(record: ListRecord, first: date, last: date | None) -> None:
    assert not measures_for([record], first - timedelta(days=1)).holdings
    assert measures_for([record], first).holdings
    if last is None:
        assert measures_for([record], first + timedelta(days=40_000)).holdings
    else:
        assert measures_for([record], last).holdings
        assert not measures_for([record], last + timedelta(days=1)).holdings


def test_a_rating_of_last_year_does_not_outlive_the_one_that_followed() -> None:
    records = [rated(2024, "A", valid_to="2030-12-31"), rated(2025, "C")]

    assert codes(measures_for(records, date(2026, 4, 19), "lending")) == ["lending_bank_tax"]
    assert codes(measures_for(records, date(2026, 4, 20), "lending")) == []


def test_a_rating_without_any_day_is_no_reason_for_an_incentive() -> None:
    record = ListRecord("tax_credit_rating", "R", body(1, year="2025", grade="A"))

    assert not measures_for([record], TODAY).holdings


@pytest.mark.parametrize("make", [dishonest, abnormal, rated])
@pytest.mark.parametrize("what", ["repaired_at", "withdrawn_at"])
def test_a_repair_or_an_annulment_lifts_the_measures_from_its_day_on(make: Any, what: str) -> None:
    # Half past midnight of the 10th in China is still the 9th in UTC.
    record = make(mark=Mark(**{what: datetime(2026, 9, 9, 16, 30, tzinfo=UTC)}))

    assert measures_for([record], date(2026, 9, 9)).holdings
    assert not measures_for([record], date(2026, 9, 10)).holdings
    assert not measures_for([record], TODAY).applying


@pytest.mark.parametrize("make", [dishonest, abnormal, rated])
def test_a_disputed_record_counts_and_says_that_it_is_disputed(make: Any) -> None:
    record = make(mark=Mark(disputed_since=datetime(2026, 11, 2, 1, tzinfo=UTC)))

    (before,) = measures_for([record], date(2026, 11, 1)).holdings
    (after,) = measures_for([record], date(2026, 11, 2)).holdings
    assert (before.disputed, after.disputed) == (False, True)


def test_a_list_record_without_its_day_puts_nobody_on_a_list() -> None:
    record = ListRecord("serious_dishonesty", "D", {"name": "桥州天成1餐饮有限公司"})

    assert not measures_for([record], TODAY).holdings


def test_a_scene_that_there_is_not_is_refused() -> None:
    with pytest.raises(KeyError):
        measures_for([], TODAY, "weather")


RECORDS = st.lists(
    st.builds(
        lambda make, key, start, days, repaired: make(
            key,
            Mark(repaired_at=None if repaired is None else datetime(2026, 1, 1, 4, tzinfo=UTC) + timedelta(repaired)),
            listed_on=f"{start}",
            removed_on=None if days is None else f"{start + timedelta(days)}",
        ),
        st.sampled_from([dishonest, abnormal]),
        st.uuids().map(str),
        st.dates(date(2023, 6, 1), date(2026, 12, 31)),
        st.none() | st.integers(1, 500),
        st.none() | st.integers(0, 360),
    )
    | st.builds(rated, st.integers(2022, 2025), st.sampled_from(["A", "B", "C"])),
    max_size=6,
    unique_by=lambda record: (record.dataset, record.key),
)


@given(RECORDS, st.dates(date(2023, 1, 1), date(2028, 12, 31)), st.randoms())
def test_what_applies_follows_from_the_lists_that_hold_and_from_nothing_else(
    records: list[ListRecord], day: date, chance: random.Random
) -> None:
    found = measures_for(records, day)
    held = {each.list for each in found.holdings}

    for measure in EDITION.measures:
        due = bool(held & set(measure.lists))
        prevented = bool(held & set(measure.unless))
        assert (measure in [each.measure for each in found.applying]) == (due and not prevented)
        assert (measure in [each.measure for each in found.withheld]) == (due and prevented)
    for each in found.applying:
        assert {holding.list for holding in each.because} <= set(each.measure.lists)
    by_scene = [each for scene in EDITION.scenes for each in measures_for(records, day, scene).applying]
    assert sorted(by_scene, key=str) == sorted(found.applying, key=str)
    shuffled = list(records)
    chance.shuffle(shuffled)
    assert measures_for(shuffled, day) == found


@given(RECORDS, st.dates(date(2025, 12, 1), date(2027, 12, 31)))
def test_no_restriction_rests_on_a_record_that_is_removed_or_repaired(records: list[ListRecord], day: date) -> None:
    for holding in measures_for(records, day).holdings:
        removed, repaired = holding.record.body.get("removed_on"), holding.record.mark.repaired_at
        assert removed is None or day < date.fromisoformat(removed)
        assert repaired is None or day < repaired.date()


def edited(tmp_path: Path, old: str, new: str) -> Path:
    folder = tmp_path / "measures"
    shutil.copytree(EDITIONS, folder)
    text = (folder / "1.yaml").read_text("utf-8")
    assert old in text
    (folder / "1.yaml").write_text(text.replace(old, new, 1), "utf-8")
    return folder


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("scene: bidding", "scene: biddings", "got 'biddings'; expected one of bidding"),
        ("lists: [serious_dishonesty]", "lists: [blacklist]", "got 'blacklist'; expected one of the lists"),
        ("code: bidding_attention", "code: bidding_barred", "is also measures[0]"),
        ("dataset: abnormal_operation", "dataset: utility_payment", "no publicity rules for utility_payment"),
        ("dataset: abnormal_operation", "dataset: nothing", "there is no schema nothing@1"),
        ("newest_by: year", "newest_by: years", "has no field 'years'"),
        ("where: {grade: [A]}", "where: {grades: [A]}", "has no field 'grades'"),
        ("    months: 12\n", "", "months"),
        ('edition: "1"', 'edition: "2"', "expected the file's name"),
        ("kind: restriction", "kind: ban", "measures[0].kind"),
    ],
)
def test_a_wrong_edition_is_refused_with_its_place(tmp_path: Path, old: str, new: str, said: str) -> None:
    with pytest.raises(RuleFileError) as caught:
        load_measures(edited(tmp_path, old, new))

    assert said in str(caught.value)


def test_editions_follow_each_other_without_gap(tmp_path: Path) -> None:
    folder = edited(tmp_path, "valid_to: null", "valid_to: 2026-12-31")
    later = (EDITIONS / "1.yaml").read_text("utf-8").replace('edition: "1"', 'edition: "2"', 1)
    (folder / "2.yaml").write_text(later.replace("valid_from: null", "valid_from: 2027-01-01", 1), "utf-8")

    found = load_measures(folder)
    assert (found.on(date(2026, 12, 31)).name, found.on(date(2027, 1, 1)).name) == ("1", "2")

    (folder / "2.yaml").write_text(later.replace("valid_from: null", "valid_from: 2027-01-03", 1), "utf-8")
    with pytest.raises(RuleFileError, match="expected the day after"):
        load_measures(folder)


def test_on_a_day_without_an_edition_nothing_applies_in_silence(tmp_path: Path) -> None:
    editions = load_measures(edited(tmp_path, "valid_from: null", "valid_from: 2026-01-01"))

    with pytest.raises(NoMeasures):
        editions.on(date(2025, 12, 31))
