"""Records without a code in the registry: candidates, what rules accept, what persons decide, and the way back."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from registry.credit import matching
from registry.credit.matching import MatchDecided, UnknownMatch
from registry.domain.credit.cases import CreditRefused
from tests.credit.enterprise_file import asked
from tests.credit.enterprise_file.town import Town, enterprise, penalty, uscc

NAME = "桥州天成1餐饮有限公司"


def listed(number: int, **fields: Any) -> dict[str, Any]:
    """An entry of the list of the seriously dishonest, without a code."""
    given: dict[str, Any] = {
        "name": f"桥州天成{number}餐饮有限公司",
        "holder_code": "无",
        "holder_code_type": "099",
        "legal_representative": "王某",
        "division": "330203",
        "listed_on": "2025-06-01",
        "listed_reason": "拒不履行",
        "listed_by": "桥州市海曙区市场监督管理局",
    }
    return {name: value for name, value in (given | fields).items() if value is not None}


def states(town: Town, key: str = "s") -> list[tuple[str, str]]:
    return [(found.entity, found.state) for found in asked.matches(town.connection, "serious_dishonesty", key)]


def the_candidate(town: Town) -> SimpleNamespace:
    (found,) = asked.candidates(town.connection)
    return found


def test_the_rule_puts_the_record_into_the_enterprises_file(town: Town) -> None:
    town.say("legal_entity", {"1": enterprise(1), "2": enterprise(2)})
    town.say("serious_dishonesty", {"s": listed(1)})
    town.follow()

    (found,) = asked.matches(town.connection, "serious_dishonesty", "s")
    assert (found.entity, found.state) == (uscc(1), "accepted")
    assert found.decided_by == "rule:same_name_division_and_representative"
    (entry,) = town.file(1).lists["serious_dishonesty"]
    assert entry.provenance.matched
    assert town.file(2).lists["serious_dishonesty"] == ()


@pytest.mark.parametrize("first", ["legal_entity", "serious_dishonesty"])
def test_it_does_not_matter_which_of_the_two_comes_first(town: Town, first: str) -> None:
    records = {"legal_entity": {"1": enterprise(1)}, "serious_dishonesty": {"s": listed(1)}}
    for dataset in sorted(records, key=lambda name: name != first):
        town.say(dataset, records[dataset])
        town.follow()

    assert states(town) == [(uscc(1), "accepted")]


def test_a_variant_is_a_candidate_until_a_person_accepts_it_and_can_be_undone(town: Town) -> None:
    town.say("legal_entity", {"1": enterprise(1)})
    town.say("serious_dishonesty", {"s": listed(1, name="桥州天成1餐饮有限责任公司")})
    town.follow()
    found = the_candidate(town)
    assert found.features["name"] == "ending"
    assert town.file(1).lists["serious_dishonesty"] == ()

    matching.accept(town.connection, found.id, by="clerk", reason="档案一致", now=town.now)
    town.follow()
    assert len(town.file(1).lists["serious_dishonesty"]) == 1
    ((accepted_at,),) = town.rows("SELECT clock_timestamp()")

    town.later(days=1)
    matching.undo(town.connection, found.id, by="clerk", reason="另一企业", now=town.now)
    town.follow()

    assert town.file(1).lists["serious_dishonesty"] == ()
    assert states(town) == [(uscc(1), "undone")], "what a person took back is not proposed again"
    assert accepted_at is not None
    with pytest.raises(MatchDecided, match="undone"):
        matching.accept(town.connection, found.id, by="clerk", reason="无", now=town.now)
    with pytest.raises(UnknownMatch):
        matching.undo(town.connection, 999, by="clerk", reason="无", now=town.now)


def test_the_file_of_a_past_day_has_what_was_matched_then(town: Town) -> None:
    town.say("legal_entity", {"1": enterprise(1)})
    town.say("serious_dishonesty", {"s": listed(1)})
    ((town.now,),) = town.rows("SELECT clock_timestamp()")
    town.follow()
    ((between,),) = town.rows("SELECT clock_timestamp()")
    (found,) = asked.matches(town.connection, "serious_dishonesty", "s")
    ((town.now,),) = town.rows("SELECT clock_timestamp()")
    matching.undo(town.connection, found.id, by="clerk", reason="另一企业", now=town.now)

    assert town.file(1).lists["serious_dishonesty"] == ()
    assert len(town.file(1, at=between).lists["serious_dishonesty"]) == 1


def test_what_was_undone_is_not_accepted_again_by_the_rule(town: Town) -> None:
    town.say("legal_entity", {"1": enterprise(1)})
    town.say("serious_dishonesty", {"s": listed(1)})
    town.follow()
    (found,) = asked.matches(town.connection, "serious_dishonesty", "s")
    matching.undo(town.connection, found.id, by="clerk", reason="另一企业", now=town.now)
    town.say("legal_entity", {"1": enterprise(1, business_scope="餐饮服务")})
    town.follow()

    assert states(town) == [(uscc(1), "undone")]


def test_a_decision_lapses_when_the_record_says_something_else_and_it_is_matched_anew(town: Town) -> None:
    town.say("legal_entity", {"1": enterprise(1), "2": enterprise(2)})
    town.say("serious_dishonesty", {"s": listed(1)})
    town.follow()
    town.say("serious_dishonesty", {"s": listed(2)})
    town.follow()

    assert states(town) == [(uscc(1), "lapsed"), (uscc(2), "accepted")]


def test_a_record_that_gets_its_code_or_ends_needs_no_match(town: Town) -> None:
    other = "鸿达物流有限公司"
    town.say("legal_entity", {"1": enterprise(1), "2": enterprise(2, name=other)})
    town.say("serious_dishonesty", {"s": listed(1), "t": listed(2, name=other, legal_representative=None)})
    town.follow()
    assert the_candidate(town).entity == uscc(2)
    town.say("serious_dishonesty", {"s": listed(1, uscc=uscc(1))})
    town.end("serious_dishonesty", "t")
    town.follow()

    assert states(town) == [(uscc(1), "lapsed")]
    assert asked.candidates(town.connection) == []
    (entry,) = town.file(1).lists["serious_dishonesty"]
    assert not entry.provenance.matched
    assert town.rows("SELECT FROM registry.record_without_code") == []


def test_another_enterprise_of_the_same_name_takes_the_rules_acceptance_back(town: Town) -> None:
    town.say("legal_entity", {"1": enterprise(1)})
    town.say("serious_dishonesty", {"s": listed(1)})
    town.follow()
    assert states(town) == [(uscc(1), "accepted")]
    town.say("legal_entity", {"7": enterprise(7, name=NAME, division="330212", legal_representative="李某")})
    town.follow()

    assert [found.state for found in asked.matches(town.connection, "serious_dishonesty", "s")] == [
        "lapsed",
        "candidate",
        "candidate",
    ]
    assert town.file(1).lists["serious_dishonesty"] == ()


def test_a_name_that_another_enterprise_once_bore_is_for_a_person(town: Town) -> None:
    town.say("legal_entity", {"7": enterprise(7, name=NAME)})
    town.say("legal_entity", {"7": enterprise(7, name="桥州别的7餐饮有限公司")})
    town.say("legal_entity", {"1": enterprise(1)})
    town.say("serious_dishonesty", {"s": listed(1)})
    town.follow()

    found = {each.entity: each for each in asked.candidates(town.connection)}
    assert found[uscc(1)].features["name"] == "same"
    assert found[uscc(7)].features["name"] == "former"


def test_an_old_registration_number_with_the_very_name_is_accepted(town: Town) -> None:
    town.say("legal_entity", {"1": enterprise(1)})
    record = penalty(1, uscc=None, holder_code="x", holder_code_type="099", registration_number="330203000000001")
    town.say("administrative_penalty", {"p": record})
    town.follow()

    (found,) = asked.matches(town.connection, "administrative_penalty", "p")
    assert (found.entity, found.decided_by) == (uscc(1), "rule:same_identifier_and_name")
    assert [entry.provenance.matched for entry in town.file(1).lists["penalties"]] == [True]


def test_an_old_number_alone_makes_a_candidate_whichever_comes_first(town: Town) -> None:
    record = penalty(
        1, uscc=None, holder_name="完全不同的名字", holder_code="x", holder_code_type="099",
        registration_number="330203000000001",
    )  # fmt: skip
    town.say("administrative_penalty", {"p": record})
    town.follow()
    assert asked.candidates(town.connection) == []
    town.say("legal_entity", {"1": enterprise(1)})
    town.follow()

    assert (the_candidate(town).entity, the_candidate(town).features["identifier"]) == (uscc(1), "registration_number")


def test_a_natural_persons_record_is_left_alone(town: Town) -> None:
    town.say("legal_entity", {"1": enterprise(1, name="王某")})
    town.say("serious_dishonesty", {"s": listed(1, name="王某", holder_code_type="111")})
    town.follow()

    assert states(town) == []
    assert town.rows("SELECT FROM registry.record_without_code") == []


def test_only_one_enterprise_can_be_accepted(town: Town) -> None:
    town.say("legal_entity", {"1": enterprise(1), "7": enterprise(7, name=NAME)})
    town.say("serious_dishonesty", {"s": listed(1)})
    town.follow()
    first, second = asked.candidates(town.connection)
    matching.accept(town.connection, first.id, by="clerk", reason="档案", now=town.now)

    with pytest.raises(MatchDecided, match="lapsed"):
        matching.accept(town.connection, second.id, by="clerk", reason="档案", now=town.now)
    town.follow()
    assert sorted(state for _, state in states(town)) == ["accepted", "lapsed"]


def test_nothing_personal_stands_in_the_features(town: Town) -> None:
    town.say("legal_entity", {"1": enterprise(1)})
    town.say("serious_dishonesty", {"s": listed(1)})
    town.follow()
    ((features,),) = town.rows("SELECT features::text FROM registry.entity_match")

    assert "王某" not in features
    assert "中山东路" not in features


def test_every_decision_stays_on_record_and_a_mistake_can_be_taken_back(town: Town) -> None:
    town.say("legal_entity", {"1": enterprise(1)})
    town.say("serious_dishonesty", {"s": listed(1, name="桥州天成1餐饮有限责任公司")})
    town.follow()
    first = the_candidate(town)
    matching.reject(town.connection, first.id, by="clerk", reason="看错了", now=town.now)
    town.follow()
    assert asked.candidates(town.connection) == []

    reopened = matching.reopen(town.connection, first.id, by="chief", reason="应为同一企业", now=town.now)
    assert reopened.state == "lapsed"
    town.follow()

    again = the_candidate(town)
    assert (again.entity, again.id != first.id) == (uscc(1), True)
    matching.accept(town.connection, again.id, by="clerk", reason="档案一致", now=town.now)
    matching.undo(town.connection, again.id, by="chief", reason="另一企业", now=town.now)
    matching.reopen(town.connection, again.id, by="chief", reason="档案补正", now=town.now)
    assert [
        (each.decision, each.decided_by, each.reason) for each in matching.decisions(town.connection, again.id)
    ] == [
        ("accepted", "clerk", "档案一致"),
        ("undone", "chief", "另一企业"),
        ("reopened", "chief", "档案补正"),
    ]
    town.follow()
    assert the_candidate(town).entity == uscc(1)
    with pytest.raises(MatchDecided, match="lapsed"):
        matching.reopen(town.connection, again.id, by="chief", reason="再次", now=town.now)


def test_what_a_rule_undone_by_a_person_and_reopened_said_is_said_by_the_rule_again(town: Town) -> None:
    town.say("legal_entity", {"1": enterprise(1)})
    town.say("serious_dishonesty", {"s": listed(1)})
    town.follow()
    (found,) = asked.matches(town.connection, "serious_dishonesty", "s")
    matching.undo(town.connection, found.id, by="clerk", reason="另一企业", now=town.now)
    matching.reopen(town.connection, found.id, by="clerk", reason="看错了", now=town.now)
    town.follow()

    assert states(town) == [(uscc(1), "lapsed"), (uscc(1), "accepted")]
    assert [each.decided_by for each in matching.decisions(town.connection, found.id)] == [
        "rule:same_name_division_and_representative", "clerk", "clerk",
    ]  # fmt: skip
    assert len(town.file(1).lists["serious_dishonesty"]) == 1


@pytest.mark.parametrize(("by", "reason", "code"), [
    ("", "一致", "by_missing"), ("rule:mine", "一致", "by_missing"), ("clerk", " ", "reason_missing"),
])  # fmt: skip
@pytest.mark.parametrize("decide", [matching.accept, matching.reject, matching.undo, matching.reopen])
def test_nobody_decides_without_a_name_and_a_reason_nor_in_the_name_of_a_rule(
    town: Town, decide: Callable[..., Any], by: str, reason: str, code: str
) -> None:
    with pytest.raises(CreditRefused) as refused:
        decide(town.connection, 1, by=by, reason=reason, now=town.now)
    assert refused.value.code == code
