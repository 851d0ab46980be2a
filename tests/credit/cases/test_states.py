"""The states of a case: every transition there is, and an explained refusal of every other."""

from __future__ import annotations

import itertools
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.domain.credit import cases
from registry.domain.credit.cases import (
    FINAL,
    OPEN,
    Action,
    Actor,
    CreditRefused,
    Kind,
    Role,
    Standing,
    State,
    transition,
)

OWN, OTHER = "market-supervision", "tax"
ALLOWED: dict[tuple[State, Action, Role], State] = {
    ("filed", "accept", "hub"): "accepted",
    ("filed", "accept", "department"): "accepted",
    ("filed", "decline", "hub"): "declined",
    ("filed", "decline", "department"): "declined",
    ("filed", "withdraw", "applicant"): "withdrawn",
    ("accepted", "forward", "hub"): "forwarded",
    ("accepted", "extend", "department"): "accepted",
    ("accepted", "grant", "department"): "granted",
    ("accepted", "refuse", "department"): "refused",
    ("accepted", "withdraw", "applicant"): "withdrawn",
    ("forwarded", "extend", "department"): "forwarded",
    ("forwarded", "grant", "department"): "granted",
    ("forwarded", "refuse", "department"): "refused",
    ("forwarded", "withdraw", "applicant"): "withdrawn",
}
"""Everything that can happen to a case, written down a second time."""

STATES: tuple[State, ...] = get_args(State)
ACTIONS: tuple[Action, ...] = get_args(Action)
ROLES: tuple[Role, ...] = get_args(Role)


def actor(role: Role, department: str = OWN) -> Actor:
    return Actor(role, "somebody", department if role == "department" else None)


@pytest.mark.parametrize("kind", get_args(Kind))
def test_every_transition_is_the_one_written_down_or_refused_with_a_reason(kind: Kind) -> None:
    for state, action, role in itertools.product(STATES, ACTIONS, ROLES):
        case = Standing(kind, state, OWN)
        expected = ALLOWED.get((state, action, role))
        if expected is not None:
            assert transition(case, action, actor(role), "理由") == expected
            continue
        with pytest.raises(CreditRefused) as refused:
            transition(case, action, actor(role), "理由")
        assert refused.value.code in {"case_closed", "not_in_this_state", "not_for_this_role"}
        assert refused.value.zh
        assert refused.value.en


@pytest.mark.parametrize(("state", "action", "role"), [each for each in ALLOWED if each[2] == "department"])
def test_a_department_handles_only_what_it_recorded(state: State, action: Action, role: Role) -> None:
    with pytest.raises(CreditRefused) as refused:
        transition(Standing("repair", state, OWN), action, actor(role, OTHER), "理由")
    assert refused.value.code == "other_department"
    assert OWN in refused.value.zh
    assert OTHER in refused.value.en


@pytest.mark.parametrize("action", ["decline", "extend", "refuse"])
@pytest.mark.parametrize("text", [None, "", "  "])
def test_what_goes_against_the_applicant_or_takes_longer_needs_a_reason(action: Action, text: str | None) -> None:
    state: State = "filed" if action == "decline" else "accepted"
    with pytest.raises(CreditRefused) as refused:
        transition(Standing("objection", state, OWN), action, actor("department"), text)
    assert refused.value.code == "reason_missing"


def test_a_refusal_says_what_can_be_done_instead() -> None:
    with pytest.raises(CreditRefused) as refused:
        transition(Standing("objection", "filed", OWN), "grant", actor("department"))
    assert "已提交" in refused.value.zh
    assert "受理、不予受理、撤回" in refused.value.zh
    assert "accept, decline, withdraw" in refused.value.en


def test_an_unknown_word_is_refused_with_the_known_ones() -> None:
    with pytest.raises(CreditRefused) as refused:
        transition(Standing("objection", "filed", OWN), "approve", actor("hub"))  # type: ignore[arg-type]
    assert "'approve'" in refused.value.en
    assert "accept" in refused.value.en


def test_every_state_action_and_role_has_a_name_in_both_languages() -> None:
    for names, words in ((cases.STATES, STATES), (cases.ACTIONS, ACTIONS), (cases.ROLES, ROLES)):
        assert set(names) == set(words)
        assert all(zh and en for zh, en in names.values())
    assert set(STATES) == OPEN | FINAL
    assert all(cases.possible(state) == () for state in FINAL)


@given(st.lists(st.tuples(st.sampled_from(ACTIONS), st.sampled_from(ROLES)), max_size=30))
def test_a_case_goes_forward_only_and_once_closed_stays_closed(steps: list[tuple[Action, Role]]) -> None:
    order = ["filed", "accepted", "forwarded", "closed"]
    state: State = "filed"
    for action, role in steps:
        before = state
        try:
            state = transition(Standing("repair", before, OWN), action, actor(role), "理由")
        except CreditRefused:
            continue
        assert before in OPEN
        reached = [order.index(each if each in OPEN else "closed") for each in (before, state)]
        assert reached[0] < reached[1] or (action == "extend" and before == state)
