"""Evaluation: the law's days, the card's points, and properties that hold for any records."""

from __future__ import annotations

import random
from datetime import date, timedelta
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.domain.credit.evaluation import (
    NO_MARKS,
    Evaluation,
    Evaluator,
    FactorResult,
    RecordMarks,
    RecordToScore,
    evaluate,
    from_stored,
)
from registry.domain.credit.publicity import add_months
from tests.credit.evaluation.cards import CARD, DAY, arrears, changed_card, listed, penalty, rating, registration

ONE_DAY = timedelta(days=1)


def factor(found: Evaluation, name: str) -> FactorResult:
    return next(result for result in found.factors if result.name == name)


def points(name: str, *records: RecordToScore, day: date = DAY) -> int:
    return factor(evaluate(CARD, records, day), name).points


def rules(name: str, *records: RecordToScore, day: date = DAY) -> list[str]:
    return [record.rule for record in factor(evaluate(CARD, records, day), name).records]


# -- what counts -------------------------------------------------------------------------------------------------------


def test_an_enterprise_without_blemish_has_its_points_explained() -> None:
    found = evaluate(CARD, [registration(), rating(2025, "A")], DAY)

    assert (found.score, found.grade, found.best) == (98, "A", 100)
    assert (
        factor(found, "tax_credit").sentence.zh
        == "纳税信用级别：起评9分；最近一次评价为A级1条，+6分；得15分（满分15分）。"
    )
    assert factor(found, "tax_credit").sentence.en == (
        "Tax credit rating: starts at 9; last rated A (1 record): +6; 15 of 15 points."
    )
    assert factor(found, "penalties").sentence.zh == "行政处罚：起评25分；无计分记录；得25分（满分25分）。"


@pytest.mark.parametrize(
    ("status", "grade"), [("active", "A"), ("suspended", "A"), ("revoked", "D"), ("deregistered", "D")]
)
def test_the_registration_limits_the_grade_whatever_the_score(status: str, grade: str) -> None:
    found = evaluate(CARD, [registration(status), rating(2025, "A")], DAY)
    assert found.grade == grade
    assert found.limited_by == ((f"registration.{status}",) if grade == "D" else ())
    assert found.grade_by_score in ("A", "B")


def test_a_penalty_counts_by_its_grade_and_age() -> None:
    assert rules("penalties", penalty(decided_on="2026-08-01")) == ["ordinary_recent"]
    assert rules("penalties", penalty(penalty_kinds=["licence_revocation"])) == ["serious_recent"]
    assert rules("penalties", penalty(decided_on="2026-10-01", penalty_kinds=["warning"])) == ["minor"]
    assert rules("penalties", penalty(decided_on="2025-06-01")) == ["ordinary"]  # the rules of 2023: three years


def test_a_term_that_has_ended_counts_no_longer_from_the_next_day() -> None:
    last = add_months(date(2026, 8, 1), 12)
    found = penalty(decided_on="2026-08-01")
    assert points("penalties", found, day=last - ONE_DAY) == 17
    assert rules("penalties", found, day=last) == ["ordinary"]
    assert points("penalties", found, day=last + ONE_DAY) == 25


def test_a_repaired_penalty_counts_from_that_day_for_the_repair_alone_and_is_not_named() -> None:
    on = date(2026, 11, 10)
    repaired, other = penalty(marks=RecordMarks(repaired_on=on)), penalty("o")

    assert points("penalties", repaired, other, day=on - ONE_DAY) == 25 - 16
    after = factor(evaluate(CARD, [repaired, other], on), "penalties")
    assert after.points == 25 - 8 + 3
    assert [(record.rule, record.key) for record in after.records] == [("ordinary_recent", "o"), ("repaired", None)]
    assert points("penalties", repaired, day=on) == 25  # never more than who had none


@pytest.mark.parametrize(
    "withdrawn", [penalty(status="withdrawn"), penalty(marks=RecordMarks(changed_on=date(2026, 9, 1)))]
)
def test_a_withdrawn_penalty_counts_neither_against_nor_for(withdrawn: RecordToScore) -> None:
    assert points("penalties", withdrawn) == 25
    assert rules("penalties", withdrawn) == []


def test_what_the_source_keeps_to_itself_does_not_count() -> None:
    assert rules("penalties", penalty(use_scope="internal")) == []
    assert rules("penalties", penalty(use_scope="government")) == ["ordinary_recent"]


def test_a_disputed_penalty_counts_with_its_mark_or_waits_as_the_card_says(tmp_path: Any) -> None:
    since, until = date(2026, 11, 1), date(2026, 11, 18)
    found = penalty(marks=RecordMarks(disputed_since=since, disputed_until=until))
    leave_out = changed_card(tmp_path, lambda data: data.update(disputed="leave_out"))

    for day, disputed in ((since - ONE_DAY, False), (since, True), (until - ONE_DAY, True), (until, False)):
        counted = factor(evaluate(CARD, [found], day), "penalties")
        assert [record.disputed for record in counted.records] == [disputed]
        assert ("异议处理中" in counted.sentence.zh) is disputed
        assert len(factor(evaluate(leave_out, [found], day), "penalties").records) == (not disputed)
    assert evaluate(CARD, [found], since - ONE_DAY).changes_on == since


def test_of_several_ratings_the_newest_that_is_valid_counts() -> None:
    old, new = rating(2024, "A"), rating(2025, "D", valid_from="2026-04-20")
    assert rules("tax_credit", old, new, day=date(2026, 4, 19)) == ["a"]
    assert rules("tax_credit", old, new, day=date(2026, 4, 20)) == ["d"]
    assert evaluate(CARD, [registration(), old, new], date(2026, 4, 20)).grade == "C"


def test_arrears_count_by_their_amount_until_they_are_paid() -> None:
    assert rules("tax_arrears", arrears("9999.99")) == ["small"]
    assert rules("tax_arrears", arrears("10000")) == ["middle"]
    assert rules("tax_arrears", arrears("100000")) == ["large"]
    paid = arrears("100000", cleared_on="2026-11-20")
    assert rules("tax_arrears", paid, day=date(2026, 11, 19)) == ["large"]
    assert rules("tax_arrears", paid, day=date(2026, 11, 20)) == []


def test_rules_and_factors_have_their_limits_and_say_so() -> None:
    found = factor(evaluate(CARD, [penalty(str(number)) for number in range(5)], DAY), "penalties")
    assert (found.points, found.limited) == (25 - 16, 24)
    assert "限额调整+24分" in found.sentence.zh
    grave = [penalty(str(number), penalty_kinds=["licence_revocation"]) for number in range(3)]
    assert points("penalties", *grave) == 0


def test_a_record_without_its_day_does_not_count_where_publicity_decides() -> None:
    record = penalty()
    body = {name: value for name, value in record.body.items() if name != "decided_on"}
    assert rules("penalties", RecordToScore("administrative_penalty", "p", 1, body)) == []


def test_who_is_listed_as_seriously_dishonest_has_the_last_grade() -> None:
    found = evaluate(CARD, [registration(), rating(2025, "A"), listed("serious_dishonesty", "2026-05-01")], DAY)
    assert (found.grade, found.grade_by_score, found.limited_by) == ("D", "B", ("serious_dishonesty.listed",))
    removed = listed("serious_dishonesty", "2026-05-01", removed_on="2026-11-20")
    assert evaluate(CARD, [registration(), rating(2025, "A"), removed], DAY).grade == "A"


# -- properties --------------------------------------------------------------------------------------------------------

days = st.dates(date(2023, 1, 1), date(2029, 12, 31))
texts = days.map(date.isoformat)
marks = st.one_of(
    st.just(NO_MARKS),
    st.builds(RecordMarks, st.none() | days, st.none() | days, st.none() | days, st.none()),
    st.builds(
        lambda since, length: RecordMarks(None, None, since, since + timedelta(length)), days, st.integers(0, 60)
    ),
)


def numbered(records: list[RecordToScore]) -> list[RecordToScore]:
    """Each with a key of its own."""
    return [
        RecordToScore(record.dataset, str(number), number + 1, record.body, record.marks)
        for number, record in enumerate(records)
    ]


records_of_one = st.lists(
    st.one_of(
        st.builds(registration, st.sampled_from(["active", "suspended", "revoked", "moved_out"]), texts),
        st.builds(
            lambda day, kinds, fine, mark, scope: penalty(
                decided_on=day, penalty_kinds=kinds, marks=mark, use_scope=scope,
                fine={"amount": str(fine), "unit": "元", "currency": "CNY"},
            ),
            texts,
            st.lists(st.sampled_from(["warning", "fine", "licence_revocation", "detention"]), min_size=1, max_size=2),
            st.sampled_from([500, 5000, 50_000, 5_000_000]),
            marks,
            st.sampled_from(["public", "government", "internal"]),
        ),
        st.builds(
            lambda year, grade, start: rating(year, grade, valid_from=start), st.integers(2022, 2026),
            st.sampled_from("ABMCD"), texts,
        ),
        st.builds(
            lambda amount, start, end: arrears(str(amount), announced_on=start, cleared_on=end),
            st.sampled_from([10, 20_000, 300_000]), texts, st.none() | texts,
        ),
        st.builds(
            lambda name, start, end: listed(name, start, removed_on=end),
            st.sampled_from(["abnormal_operation", "serious_dishonesty"]), texts, st.none() | texts,
        ),
    ),
    max_size=9,
).map(numbered)  # fmt: skip


def content(found: Evaluation) -> dict[str, Any]:
    """An evaluation without its day and the next."""
    return {name: value for name, value in found.as_dict().items() if name not in ("day", "changes_on")}


@given(records_of_one, days, st.randoms())
def test_the_order_of_records_does_not_matter(records: list[RecordToScore], day: date, draws: random.Random) -> None:
    shuffled = list(records)
    draws.shuffle(shuffled)
    assert evaluate(CARD, records, day) == evaluate(CARD, shuffled, day)


@given(records_of_one, days)
def test_every_point_is_accounted_for(records: list[RecordToScore], day: date) -> None:
    found = evaluate(CARD, records, day)
    assert found.score == sum(result.points for result in found.factors)
    assert 0 <= found.score <= found.best
    for result in found.factors:
        assert result.points == result.starts_at + sum(each.points for each in result.records) + result.limited
        assert 0 <= result.points <= result.weight
    known = {(record.dataset, record.key, record.version) for record in records}
    for result in found.factors:
        for each in result.records:
            assert each.key is None or (each.dataset, each.key, each.version) in known


@settings(max_examples=60)
@given(records_of_one, days)
def test_the_same_records_give_the_same_until_the_day_that_is_said(records: list[RecordToScore], day: date) -> None:
    evaluator = Evaluator(CARD)
    found = evaluator.evaluate(records, day)
    until = found.changes_on or day + timedelta(days=400)
    assert until > day
    length = (until - day).days
    for ahead in {1, length // 2, length - 1, *range(2, min(length, 40))}:
        if 0 < ahead < length:
            assert content(evaluator.evaluate(records, day + timedelta(days=ahead))) == content(found)
    if found.changes_on is not None:
        assert content(evaluator.evaluate(records, found.changes_on)) != content(found)


@given(records_of_one, days)
def test_what_the_table_keeps_tells_the_whole_evaluation(records: list[RecordToScore], day: date) -> None:
    evaluator = Evaluator(CARD)
    found, score = evaluator.evaluate(records, day), evaluator.score(records, day)
    kept = orjson.loads(score.stored(CARD))
    assert from_stored(CARD, day, kept, found.input_digest, found.changes_on) == found
    assert (score.score, score.grade) == (found.score, found.grade)


@given(records_of_one, days)
def test_fields_that_the_card_does_not_look_at_change_nothing(records: list[RecordToScore], day: date) -> None:
    only = [
        RecordToScore(
            record.dataset,
            record.key,
            record.version,
            {name: value for name, value in record.body.items() if name in CARD.fields(record.dataset)},
            record.marks,
        )
        for record in records
    ]
    assert evaluate(CARD, only, day) == evaluate(CARD, records, day)


@given(records_of_one, days, st.integers(0, 8))
def test_another_input_has_another_digest(records: list[RecordToScore], day: date, which: int) -> None:
    if which >= len(records):
        return
    changed = list(records)
    record = changed[which]
    changed[which] = RecordToScore(record.dataset, record.key, record.version + 100, record.body, record.marks)
    assert evaluate(CARD, changed, day).input_digest != evaluate(CARD, records, day).input_digest
    assert evaluate(CARD, records, day + ONE_DAY).input_digest == evaluate(CARD, records, day).input_digest


@given(records_of_one, days)
def test_one_penalty_more_never_makes_the_score_better(records: list[RecordToScore], day: date) -> None:
    with_one = [*records, penalty("one more", decided_on="2026-05-01")]
    assert evaluate(CARD, with_one, day).score <= evaluate(CARD, records, day).score
