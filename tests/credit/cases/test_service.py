"""Repairs and objections on a real registry: steps, marks, the feed, requests sent twice, refusals."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta

import pytest

from registry.credit import case_reads, cases
from registry.credit.cases import CaseUnknown, ConditionsUnmet, Handling
from registry.domain.credit.cases import CreditRefused
from registry.domain.credit.repair import Evidence
from registry.storage.database import connect
from registry.storage.reads import credit_cases
from registry.storage.reads.credit_cases import Wanted
from registry.storage.reads.within import Within, answered
from tests.credit.cases.town import (
    COMMITMENT,
    DATASET,
    EVIDENCE,
    HUB,
    NOW,
    OFFICER,
    OTHER_OFFICER,
    PERFORMED,
    SHA,
    Town,
    applicant,
    filing,
    offence,
)
from tests.credit.enterprise_file.town import uscc


def refusal(error: pytest.ExceptionInfo[CreditRefused]) -> str:
    assert error.value.zh
    assert error.value.en
    return error.value.code


def test_an_objection_marks_the_record_from_its_filing_until_it_is_decided(town: Town) -> None:
    case = town.file()
    assert (case.state, case.rules, case.department) == ("filed", "cases/zhejiang#objection", "credit")
    assert (case.due_on, case.due_step) == (date(2026, 11, 23), "accept")
    assert town.mark() == (True, False, False)

    town.later(days=1)
    case = town.act("accept", case, HUB)
    case = town.act("forward", case, HUB)
    assert (case.due_on, case.due_step) == (date(2026, 11, 27), "decide_forwarded")
    assert town.mark() == (True, False, False)
    case = town.decide(case, "维持原记录", granted=False)

    assert (case.state, case.due_on, case.decided_by) == ("refused", None, OFFICER.name)
    assert town.mark() is None
    assert town.events(case) == ["file", "accept", "forward", "refuse"]
    assert [change for change in town.told() if change[1] == "P1"] == [("n", "P1"), ("m", "P1"), ("m", "P1")]


def test_a_follower_of_the_feed_sees_the_mark_with_the_record_that_it_stands_beside(town: Town) -> None:
    town.file()

    *_, marked = town.feed()

    assert (marked["operation"], marked["key"], marked["entity"]) == ("m", "P1", uscc(1))
    assert marked["body"] == {"id": "P1", **offence(1)}
    assert marked["disputed_since"] == NOW
    assert marked["connector"] == f"credit.{DATASET}"
    assert [change["disputed_since"] for change in town.feed() if change["key"] == "P2"] == [None]


def test_a_mark_read_late_does_not_run_ahead_of_the_versions_that_follow_it(town: Town) -> None:
    town.file()
    town.say("P1", offence(1, authority="改名后的机关"))
    town.say("P1", offence(1, authority="再改名后的机关"))

    bodies = [(change["operation"], change["body"]["authority"]) for change in town.feed() if change["key"] == "P1"]

    first = offence(1)["authority"]
    assert bodies == [("n", first), ("m", first), ("c", "改名后的机关"), ("c", "再改名后的机关")]


def test_a_mark_beside_a_record_that_is_gone_brings_nothing_back(town: Town) -> None:
    case = town.file()
    town.end("P1")
    town.decide(town.act("accept", case, OFFICER), granted=False)

    assert [change["body"] for change in town.feed() if change["operation"] == "m"] == [None, None]


def test_a_granted_repair_stops_sharing_with_the_decision_itself(town: Town) -> None:
    case = town.act("accept", town.file(filing("repair")), HUB)
    assert town.mark() is None  # a repair asks for nothing to be doubted
    case = town.decide(town.act("forward", case, HUB))

    assert case.state == "granted"
    assert town.mark() == (False, True, False)
    *_, marked = town.feed()
    assert (marked["operation"], marked["body"], marked["repaired_at"]) == ("m", None, NOW)
    assert [change["body"] for change in town.feed() if change["key"] == "P1"] == [None, None]
    assert [change["body"] is None for change in town.feed() if change["key"] == "P2"] == [False]


def test_a_repaired_record_that_its_department_sends_again_is_still_not_shared(town: Town) -> None:
    town.decide(town.act("accept", town.file(filing("repair")), OFFICER))
    town.say("P1", offence(1, authority="改名后的机关"))

    assert {change["body"] is None for change in town.feed() if change["key"] == "P1"} == {True}


def test_an_objection_is_granted_with_what_is_done_about_it(town: Town) -> None:
    case = town.act("accept", town.file(), OFFICER)
    with pytest.raises(CreditRefused) as refused:
        town.decide(case)
    assert refusal(refused) == "remedy_missing"
    assert town.mark() == (True, False, False)

    assert town.decide(case, remedy="correct").remedy == "correct"
    assert town.mark() is None
    again = town.act("accept", town.file(filing(reference="2")), OFFICER)
    town.decide(again, remedy="withdraw")
    assert town.mark() == (False, False, True)
    assert town.feed()[-1]["body"] is None


def test_an_objection_and_a_repair_of_one_record_do_not_disturb_each_other(town: Town) -> None:
    objection = town.act("accept", town.file(), OFFICER)
    repair = town.act("accept", town.file(filing("repair")), OFFICER)
    town.decide(repair)
    assert town.mark() == (True, True, False)
    town.decide(objection, granted=False)
    assert town.mark() == (False, True, False)


def test_withdrawing_or_declining_an_objection_ends_the_mark(town: Town) -> None:
    case = town.act("withdraw", town.file(), applicant(1))
    assert (case.state, town.mark()) == ("withdrawn", None)
    case = town.act("decline", town.file(filing(reference="2")), HUB, "与本记录无关")
    assert (case.state, case.decision, town.mark()) == ("declined", "与本记录无关", None)


def test_the_same_request_is_one_case_however_often_it_is_sent(town: Town) -> None:
    first = town.file()
    town.later(hours=1)
    assert town.file() == first
    closed = town.act("withdraw", first, applicant(1))
    assert town.file() == closed
    assert town.file(filing(reference="2")).id != first.id
    assert town.file(filing(key="P2", number=2)).id != first.id


def test_the_same_request_sent_at_once_from_many_places_is_one_case(town: Town) -> None:
    def send(_: int) -> int:
        with connect(town.url) as connection:
            return cases.file(connection, filing(), filed_by="portal", now=town.now, handling=town.handling).id

    with ThreadPoolExecutor(6) as pool:
        assert len(set(pool.map(send, range(12)))) == 1


def test_of_two_who_decide_at_once_one_is_told_that_it_is_closed(town: Town) -> None:
    case = town.act("accept", town.file(), OFFICER)

    def send(outcome: str) -> str:
        with connect(town.url) as connection:
            try:
                granted, remedy = outcome == "granted", "withdraw"
                return cases.decide(
                    connection, case.id, OFFICER, "经核实", granted=granted, remedy=remedy, now=town.now
                ).state
            except CreditRefused as refused:
                return refused.code

    with ThreadPoolExecutor(2) as pool:
        outcome = sorted(pool.map(send, ("granted", "refused")))
    assert outcome in (["case_closed", "granted"], ["case_closed", "refused"])


def test_a_step_whose_answer_was_lost_can_be_sent_again(town: Town) -> None:
    case = town.file()
    accepted = town.act("accept", case, HUB)
    assert town.act("accept", case, HUB) == accepted
    forwarded = town.act("forward", case, HUB)
    assert town.act("forward", case, HUB) == forwarded
    decided = town.decide(case, granted=False)
    assert town.decide(case, granted=False) == decided
    assert town.events(case) == ["file", "accept", "forward", "refuse"]


def test_there_is_one_open_case_of_a_kind_for_a_record(town: Town) -> None:
    first = town.file()
    with pytest.raises(CreditRefused) as refused:
        town.file(filing(statement="另一条理由"))
    assert refusal(refused) == "case_open"
    assert str(first.id) in refused.value.zh


def test_only_the_subject_of_a_record_can_file(town: Town) -> None:
    with pytest.raises(CreditRefused) as refused:
        town.file(filing(number=2))
    assert refusal(refused) == "not_the_subject"
    assert town.rows("SELECT FROM registry.credit_case") == []


def test_a_record_without_code_belongs_to_the_enterprise_of_its_accepted_match(town: Town) -> None:
    town.say("P9", offence(9, uscc=None))
    with pytest.raises(CreditRefused):
        town.file(filing(key="P9", number=9))
    town.rows(
        "INSERT INTO registry.entity_match (dataset_id, key, entity, score, features, subject, state, found_at,"
        " accepted_at) SELECT dataset_id, key, %s, 1, '{}', gen_random_uuid(), 'accepted', now(), now()"
        " FROM registry.record WHERE key = 'P9' RETURNING id",
        uscc(9),
    )
    assert town.file(filing(key="P9", number=9)).entity == uscc(9)


@pytest.mark.parametrize(
    ("made", "code"),
    [
        (filing(key="P99"), "record_unknown"),
        (filing(dataset="nothing"), "dataset_unknown"),
        (filing(statement=" "), "statement_missing"),
        (filing(applicant=""), "statement_missing"),
        (filing(evidence=(Evidence("other", "附件", "AB" * 32),)), "evidence_unsound"),
        (filing(evidence=(Evidence("photo", "附件", SHA),)), "evidence_unsound"),
        (filing(kind="appeal"), "kind_unknown"),  # type: ignore[arg-type]
    ],
)
def test_a_request_that_is_not_sound_is_refused(town: Town, made: cases.Filing, code: str) -> None:
    with pytest.raises(CreditRefused) as refused:
        town.file(made)
    assert refusal(refused) == code


def test_all_that_a_repair_lacks_is_said_at_once(town: Town) -> None:
    town.say("P1", offence(1, decided_on="2026-09-01"))
    with pytest.raises(ConditionsUnmet) as refused:
        town.file(filing("repair", evidence=()))
    assert [reason.code for reason in refused.value.reasons] == [
        "minimum_term_not_reached",
        "duty_not_performed",
        "commitment_missing",
    ]
    assert "2026-12-02" in refused.value.zh


def test_a_repair_is_not_granted_when_the_corrected_record_has_another_term(town: Town) -> None:
    case = town.act("accept", town.file(filing("repair")), OFFICER)
    town.say("P1", offence(1, decided_on="2026-10-08"))
    with pytest.raises(ConditionsUnmet):
        town.decide(case)
    assert town.mark() is None
    assert town.decide(case, "最短公示期未满", granted=False).state == "refused"


def test_what_is_repaired_is_not_repaired_again(town: Town) -> None:
    town.decide(town.act("accept", town.file(filing("repair")), OFFICER))
    with pytest.raises(ConditionsUnmet) as refused:
        town.file(filing("repair", reference="2"))
    assert [reason.code for reason in refused.value.reasons] == ["nothing_to_repair"]


def test_only_the_department_that_recorded_the_item_decides(town: Town) -> None:
    case = town.act("forward", town.act("accept", town.file(), HUB), HUB)
    for actor, code in ((OTHER_OFFICER, "other_department"), (HUB, "not_for_this_role")):
        with pytest.raises(CreditRefused) as refused:
            town.act("decide", case, actor, "经核实", granted=False)
        assert refusal(refused) == code
    assert case_reads.one(town.connection, case.id) == case


def test_a_case_that_is_not_there_is_said_to_be_unknown(town: Town) -> None:
    with pytest.raises(CaseUnknown):
        cases.accept(town.connection, 99, HUB, now=town.now)


def test_each_missed_deadline_is_noted_once(town: Town) -> None:
    case = town.file()
    town.now = datetime(2026, 11, 23, 15, 59, tzinfo=UTC)  # the last minute of the last day in China
    assert cases.note_overdue(town.connection, now=town.now) == []
    town.later(minutes=1)
    assert [noted.id for noted in cases.note_overdue(town.connection, now=town.now)] == [case.id]
    assert cases.note_overdue(town.connection, now=town.now) == []
    town.act("forward", town.act("accept", case, HUB), HUB)
    town.later(days=30)
    assert [noted.id for noted in cases.note_overdue(town.connection, now=town.now)] == [case.id]
    assert cases.note_overdue(town.connection, now=town.now + timedelta(days=30)) == []
    assert town.events(case) == ["file", "overdue", "accept", "forward", "overdue"]
    town.decide(case, granted=False)
    assert cases.note_overdue(town.connection, now=town.now + timedelta(days=90)) == []


def test_two_runs_of_deadlines_at_once_note_each_case_once(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cases, "STEP", 1)
    for number in (1, 2, 3):
        town.file(filing(key=f"P{number}", number=number))

    def run(_: int) -> int:
        with connect(town.url) as connection:
            return len(cases.note_overdue(connection, now=town.now + timedelta(days=10)))

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(run, range(4))) == 3


def test_a_deadline_is_extended_once_with_a_reason_where_the_place_allows_it(town: Town) -> None:
    case = town.act("accept", town.file(), OFFICER)
    with pytest.raises(CreditRefused) as refused:
        town.act("extend", case, OFFICER, "")
    assert refusal(refused) == "reason_missing"
    extended = town.act("extend", case, OFFICER, "需向第三方核实")
    assert (extended.state, extended.due_on) == ("accepted", date(2026, 12, 18))  # 20 working days in all
    with pytest.raises(CreditRefused) as refused:
        town.act("extend", case, OFFICER, "仍需时间")
    assert refusal(refused) == "extended_already"

    town.handling = Handling("shanghai")
    other = town.act("accept", town.file(filing(key="P2", number=2)), OFFICER)
    with pytest.raises(CreditRefused) as refused:
        town.act("extend", other, OFFICER, "需核实")
    assert refusal(refused) == "no_extension"


def test_a_case_keeps_the_rule_of_its_filing(town: Town) -> None:
    case = town.file()
    town.handling = Handling("shanghai")
    assert town.act("accept", case, OFFICER).due_on == date(2026, 11, 27)


def test_cases_are_listed_for_their_department_and_their_enterprise(town: Town) -> None:
    first, second = town.file(), town.file(filing(key="P2", number=2))
    closed = town.act("withdraw", first, applicant(1))

    def listed(wanted: Wanted) -> list[int]:
        rows = answered(credit_cases.page(Within(town.connection), wanted, None, after=0, limit=100))
        return [row["id"] for row in rows]

    assert listed(Wanted(department="credit", is_open=True)) == [second.id]
    assert listed(Wanted(department="credit")) == [closed.id, second.id]
    assert listed(Wanted(department="tax")) == []
    assert listed(Wanted(entity=uscc(1))) == [closed.id]


def test_evidence_comes_back_as_it_was_handed_in(town: Town) -> None:
    case = town.file(filing("repair"))
    assert case.evidence == EVIDENCE == (PERFORMED, COMMITMENT)
    assert case_reads.one(town.connection, case.id) == case


def test_a_deadline_that_reaches_into_a_year_without_calendar_says_that_it_is_assumed(town: Town) -> None:
    town.now = datetime(2026, 12, 31, 1, 0, tzinfo=UTC)
    case = town.act("accept", town.file(), OFFICER)
    assert case.due_on is not None
    assert case.due_on.year == 2027
    assert case.due_assumed
