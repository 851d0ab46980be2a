"""When a record can be repaired: minimum term, duty, commitment; at the boundaries, under each regime."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.domain.credit.case_rules import Condition
from registry.domain.credit.marks import Mark, with_mark
from registry.domain.credit.publicity import GradeInputs, default_regimes
from registry.domain.credit.repair import Evidence, unmet
from registry.domain.credit.visibility import Facts
from tests.credit.cases.town import COMMITMENT, EVIDENCE, NOW, PERFORMED, SHA

DAY = timedelta(days=1)
ALL: tuple[Condition, ...] = ("minimum_term_reached", "duty_performed", "commitment_given")
ORDINARY = GradeInputs("legal_person", frozenset({"confiscation_of_income"}))
SERIOUS = GradeInputs("legal_person", frozenset({"licence_revocation"}))
MINOR = GradeInputs("legal_person", frozenset({"warning"}))


def facts(decided_on: date, inputs: GradeInputs = ORDINARY, **fields: object) -> Facts:
    return Facts("penalty", decided_on, inputs, **fields)  # type: ignore[arg-type]


def codes(case: Facts, day: date, evidence: tuple[Evidence, ...] = EVIDENCE) -> list[str]:
    found = unmet(ALL, case, evidence, day)
    assert all(reason.zh and reason.en for reason in found)
    return [reason.code for reason in found]


@pytest.mark.parametrize(
    ("decided_on", "inputs", "first"),
    [
        (date(2026, 4, 1), ORDINARY, date(2026, 7, 2)),
        (date(2026, 4, 1), SERIOUS, date(2027, 4, 2)),
        (date(2026, 11, 30), ORDINARY, date(2027, 3, 1)),  # three months end on the last of February
        (date(2026, 3, 31), SERIOUS, date(2026, 7, 1)),  # the regime of 2023 has one minimum for them all
        (date(2022, 1, 5), SERIOUS, date(2022, 7, 6)),  # the regime of 2019: six months
    ],
)
def test_repair_begins_on_the_day_after_the_minimum_term(decided_on: date, inputs: GradeInputs, first: date) -> None:
    performed = (Evidence("performance", "凭证", SHA, decided_on), COMMITMENT)
    assert codes(facts(decided_on, inputs), first - DAY, performed) == ["minimum_term_not_reached"]
    assert codes(facts(decided_on, inputs), first, performed) == []


def test_a_minor_one_is_repaired_as_soon_as_the_duty_is_done() -> None:
    decided_on = date(2026, 11, 2)
    performed = Evidence("performance", "凭证", SHA, decided_on + 3 * DAY)
    assert codes(facts(decided_on, MINOR), decided_on + 2 * DAY, (performed, COMMITMENT)) == ["duty_not_performed"]
    assert codes(facts(decided_on, MINOR), decided_on + 3 * DAY, (performed, COMMITMENT)) == []


def test_evidence_of_performance_needs_a_day_between_the_decision_and_today() -> None:
    case, day = facts(date(2026, 8, 3)), date(2026, 11, 20)
    for dated in (None, date(2026, 8, 2), date(2026, 11, 21)):
        assert codes(case, day, (Evidence("performance", "凭证", SHA, dated), COMMITMENT)) == ["duty_not_performed"]
    assert codes(facts(date(2026, 8, 3), duty_performed_on=day), day, (COMMITMENT,)) == []


def test_all_that_is_missing_is_said_at_once() -> None:
    assert codes(facts(date(2026, 11, 2)), date(2026, 11, 20), ()) == [
        "minimum_term_not_reached",
        "duty_not_performed",
        "commitment_missing",
    ]
    assert codes(facts(date(2026, 8, 3)), date(2026, 11, 20), (PERFORMED,)) == ["commitment_missing"]


def test_what_is_no_longer_public_needs_no_repair() -> None:
    case = facts(date(2026, 8, 3))
    assert codes(with_mark(case, Mark(repaired_at=NOW)), date(2026, 11, 20)) == ["nothing_to_repair"]
    assert codes(with_mark(case, Mark(withdrawn_at=NOW)), date(2026, 11, 20)) == ["nothing_to_repair"]
    assert codes(case, date(2027, 8, 4)) == ["nothing_to_repair"]
    assert codes(case, date(2027, 8, 3)) == []


def test_some_kinds_are_never_repaired() -> None:
    permit = Facts("permit", date(2026, 8, 3), GradeInputs("legal_person"))
    assert codes(permit, date(2026, 11, 20)) == ["not_repairable"]
    unknown = Facts("honour", date(2026, 8, 3), GradeInputs("legal_person"))
    assert codes(unknown, date(2026, 11, 20)) == ["not_repairable"]
    special = GradeInputs("legal_person", frozenset({"licence_revocation"}), sectors=frozenset({"food"}))
    assert codes(facts(date(2023, 3, 1), special), date(2024, 1, 1)) == ["not_repairable"]


@given(st.dates(date(2019, 7, 1), date(2027, 1, 1)), st.integers(0, 1500), st.sampled_from([ORDINARY, SERIOUS, MINOR]))
def test_once_the_minimum_is_reached_it_stays_reached_until_nothing_is_public(
    decided_on: date, later: int, inputs: GradeInputs
) -> None:
    case = facts(decided_on, inputs, duty_performed_on=decided_on)
    term = default_regimes().term("penalty", decided_on, inputs)
    assert term.repair_from is not None
    assert term.maximum_until is not None
    day = decided_on + later * DAY
    found = codes(case, day)
    if day > term.maximum_until:
        assert found == ["nothing_to_repair"]
    elif day < term.repair_from:
        assert found == ["minimum_term_not_reached"]
    else:
        assert found == []


def test_the_mark_of_the_hub_adds_to_what_the_source_says_and_hides_nothing_of_it() -> None:
    case = facts(date(2026, 8, 3), disputed_since=date(2026, 8, 3), repaired_on=date(2026, 11, 1))
    marked = with_mark(case, Mark(disputed_since=NOW, repaired_at=NOW, withdrawn_at=NOW))
    assert (marked.disputed_since, marked.repaired_on) == (date(2026, 8, 3), date(2026, 11, 1))
    assert marked.changed_on == date(2026, 11, 20)
    assert with_mark(case, Mark()) == case
