"""Which cards are kept, what becomes of a card that another one replaces, and two cards compared."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.credit import evaluation_cards, evaluations
from registry.credit.comparison import NotEvaluated, compare
from registry.credit.evaluation_cards import CardsKept
from registry.domain.credit.evaluation import Evaluator, RecordMarks, evaluate, without_names
from registry.domain.credit.scorecard import Scorecard, Scorecards
from tests.credit.enterprise_file.town import TODAY, Town, body, enterprise, penalty, uscc
from tests.credit.evaluation import cards
from tests.credit.evaluation.cards import CARD, changed_card

FINE = {"amount": "2", "unit": "万元", "currency": "CNY"}


def populate(town: Town) -> None:
    town.say("legal_entity", {str(each): enterprise(each) for each in range(8)})
    town.say("administrative_penalty", {"p1": penalty(1, decided_on="2026-08-01", fine=FINE)})
    town.say("tax_credit_rating", {f"t{n}": body(n, year="2025", grade="ABMCD"[n % 5]) for n in range(8)})


def keep_all(town: Town, *all_cards: Scorecard) -> CardsKept:
    return evaluation_cards.keep_all(town.connection, Scorecards(all_cards), now=town.now)


def second(folder: Any, **changes: Any) -> Scorecard:
    """A second version, by which a rating D takes all points away, but no grade."""

    def change(data: dict[str, Any]) -> None:
        data |= changes
        for factor in data["factors"]:
            if factor["name"] == "tax_credit":
                factor["weight"] = 20
                for rule in factor["rules"]:
                    rule.pop("grade_at_most", None)
                    if rule["name"] == "a":
                        rule["points"] = 11

    return changed_card(folder, change, version=2)


def test_the_card_in_force_is_kept_and_a_draft_once_it_was_taken_up(town: Town, tmp_path: Any) -> None:
    populate(town)
    draft = second(tmp_path, status="draft")

    assert set(keep_all(town, CARD, draft).cards) == {CARD.reference}
    evaluations.keep(town.connection, draft, now=town.now)
    town.say("legal_entity", {"3": enterprise(3, status="revoked")})
    kept = keep_all(town, CARD, draft)

    assert {name: report.counts["evaluated"] for name, report in kept.cards.items()} == {
        CARD.reference: 1,
        draft.reference: 1,
    }
    assert evaluation_cards.in_use(town.connection) == {CARD.reference: True, draft.reference: True}


def test_a_card_that_is_replaced_goes_when_all_are_evaluated_by_the_new_one(
    town: Town, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    populate(town)
    keep_all(town, CARD)
    new = second(tmp_path, valid_from="2026-11-01")
    with monkeypatch.context() as patch:
        patch.setattr(evaluations, "complete", lambda *_, **__: False)
        begun = keep_all(town, CARD, new)
    assert (begun.complete, dict(begun.dropped)) == (False, {})
    assert CARD.reference in evaluation_cards.in_use(town.connection)

    done = keep_all(town, CARD, new)
    assert (done.complete, dict(done.dropped)) == (True, {CARD.reference: 8})
    assert evaluation_cards.in_use(town.connection) == {new.reference: True}
    assert not keep_all(town, CARD, new).counts["evaluated"]


def test_a_card_without_a_file_is_named_and_left_alone(town: Town, tmp_path: Any) -> None:
    populate(town)
    draft = second(tmp_path, status="draft")
    evaluations.keep(town.connection, draft, now=town.now)

    assert keep_all(town, CARD).without_file == (draft.reference,)
    assert evaluations.read(town.connection, draft, uscc(1)) is not None


def test_progress_is_told_part_by_part_and_while_it_follows(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluations, "PARTS", 4)
    populate(town)
    told: list[evaluations.Progress] = []
    evaluations.keep(town.connection, CARD, now=town.now, told=told.append)

    assert [each.evaluated for each in told] == sorted(each.evaluated or 0 for each in told)
    last = told[-1]
    assert (last.card, last.evaluated, last.parts_done) == (CARD.reference, 8, last.parts)
    town.say("legal_entity", {"3": enterprise(3, status="revoked")})
    told.clear()
    evaluations.keep(town.connection, CARD, now=town.now, told=told.append)
    assert told


def test_two_cards_are_compared_over_all_enterprises(town: Town, tmp_path: Any) -> None:
    populate(town)
    draft = second(tmp_path, status="draft")
    with pytest.raises(NotEvaluated, match=CARD.reference):
        compare(town.connection, CARD, draft)
    for card in (CARD, draft):
        evaluations.keep(town.connection, card, now=town.now)

    found = compare(town.connection, CARD, draft)

    scores = {
        card.reference: {n: evaluations.evaluate_now(town.connection, card, uscc(n), TODAY) for n in range(8)}
        for card in (CARD, draft)
    }
    before, after = scores.values()
    pairs = [(before[n], after[n]) for n in range(8)]
    assert (found.enterprises, found.only) == (8, (0, 0))
    assert found.points == sum(b.score - a.score for a, b in pairs if a and b)
    for grade, counts in found.by_grade.items():
        assert counts == tuple(sum(each is not None and each.grade == grade for each in one.values())
                               for one in (before, after))  # fmt: skip
    assert (found.better, found.worse) == (1, 0)  # the one rated D, whose grade is no longer capped
    (tax,) = [each for each in found.factors if each.name == "tax_credit"]
    assert (tax.weights, tax.up, tax.down, tax.points) == ((15, 20), 2, 0, 10)
    assert all(not each.points for each in found.factors if each is not tax)
    assert [(each.entity, each.difference, each.why) for each in found.largest] == [
        (uscc(0), 5, (("tax_credit", 5),)),
        (uscc(5), 5, (("tax_credit", 5),)),
    ]
    assert compare(town.connection, draft, CARD).points == -found.points


def test_enterprises_of_one_card_alone_are_counted(town: Town, tmp_path: Any) -> None:
    populate(town)
    draft = second(tmp_path, status="draft")
    evaluations.keep(town.connection, CARD, now=town.now)
    town.say("legal_entity", {"9": enterprise(9)})
    town.end("legal_entity", "3")
    evaluations.keep(town.connection, draft, now=town.now)

    assert compare(town.connection, CARD, draft).only == (1, 1)


@given(
    decided=st.dates(date(2022, 1, 1), TODAY),
    repaired=st.one_of(st.none(), st.dates(date(2022, 1, 1), TODAY)),
    withdrawn=st.one_of(st.none(), st.dates(date(2022, 1, 1), TODAY)),
    back=st.integers(1, 1500),
)
def test_a_past_day_names_a_record_only_while_it_may_be_shared_today(
    decided: date, repaired: date | None, withdrawn: date | None, back: int
) -> None:
    record = cards.penalty("p", decided.isoformat(), fine=FINE)
    marked = replace(record, marks=RecordMarks(repaired_on=repaired, changed_on=withdrawn))
    then = evaluate(CARD, [cards.registration(), record], TODAY - timedelta(days=back))
    today = evaluate(CARD, [cards.registration(), marked], TODAY)

    shown = without_names(then, Evaluator(CARD).nameable([cards.registration(), marked], TODAY))

    named_today = {each.key for factor in today.factors for each in factor.records}
    assert {each.key for each in shown.factors[4].records} - {None} <= named_today
    assert [(each.points, each.rule) for each in shown.factors[4].records] == [
        (each.points, each.rule) for each in then.factors[4].records
    ]
    assert (shown.score, shown.factors[0].records) == (then.score, then.factors[0].records)


@pytest.mark.parametrize("mark", ["repaired_on", "changed_on"])
def test_what_was_repaired_or_withdrawn_counts_no_longer_whatever_its_dataset(mark: str) -> None:
    day = date(2026, 10, 1)
    rated = replace(cards.rating(2025, "D"), marks=RecordMarks(**{mark: day}))
    grades = {
        on: evaluate(CARD, [cards.registration(), rated], on).factors[5].points for on in (day - timedelta(days=1), day)
    }

    assert grades == {day - timedelta(days=1): 0, day: 9}
