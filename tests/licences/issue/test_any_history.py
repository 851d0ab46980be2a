"""Whatever is published, and in whatever steps it is followed: licences and records agree, and every rule holds."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from registry.licences.desk import Desk
from tests.licences.issue.town import BASE, OTHER_BUREAU, OTHER_BUREAU_CODE, Town, food
from tests.registry.feeding import Row

KEYS = 4
ROWS = st.integers(1, KEYS)
CHANGES = st.fixed_dictionaries(
    {},
    optional={
        "status": st.sampled_from(["01", "01", "02", "03", "04", "05", "06", "07", "99"]),
        "status_reason": st.just("停业整顿"),
        "valid_to": st.sampled_from(["2026-11-21", "2027-01-01", "2031-01-01", None]),
        "legal_representative": st.sampled_from(["王某", "李某"]),
        "licence_number": st.just("JY?"),
        "authority": st.just(OTHER_BUREAU),
        "id": st.sampled_from(["F-a", "F-b"]),
    },
)
ACTIONS = st.one_of(
    st.tuples(st.just("publish"), ROWS, CHANGES),
    st.tuples(st.just("publish"), ROWS, CHANGES),
    st.tuples(st.just("delete"), ROWS, st.none()),
    st.tuples(st.just("follow"), st.integers(1, 3), st.none()),
    st.tuples(st.just("wait"), st.integers(1, 40), st.none()),
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(actions=st.lists(ACTIONS, min_size=4, max_size=14))
def test_licences_agree_with_their_records_after_any_history(
    actions: list[tuple[str, int, dict[str, str]]], any_town: Town
) -> None:
    town = any_town
    town.clear()
    for action, number, changes in actions:
        match action:
            case "publish":
                town.feed(food(number, **changes))
            case "delete":
                town.feed(Row({"id": None}, f"row-{number}", delete=True))
            case "follow":
                with town.steps_of(number):
                    town.follow()
                assert town.disagreements() == []
            case _:
                town.later(days=number)
    town.follow()
    assert town.disagreements() == []
    again = town.follow().total
    assert (again.issued, again.new_versions, again.state_changes, again.refused) == (0, 0, 0, 0)
    expect_agreement(town)


def expect_agreement(town: Town) -> None:
    """Each record has a licence that says what it says, or a reason why not; each licence without record has ended."""
    today = Desk(town.types, town.ring, BASE, town.now).today.isoformat()
    refused = town.refusals()
    current = {
        key: (state, number, content)
        for key, state, number, content in town.rows(
            "SELECT key, state, number, content FROM registry.licence WHERE superseded_by IS NULL"
        )
    }
    records = dict(town.rows("SELECT key, body FROM registry.record"))
    for key, body in records.items():
        state = current.get(key, (None,))[0]
        if key in refused:
            continue
        ended = body.get("valid_to") is not None and body["valid_to"] < today
        if body["status"] not in {"01", "02"}:
            assert state in {None, body["status"]}
        elif ended:
            assert state in {None, "05", "03", "04", "07"}
        else:
            assert state == body["status"]
            assert current[key][2]["items"]["legal_representative"] == body["legal_representative"]
            assert current[key][2].get("valid_to") == body.get("valid_to")
    for key, (state, _, _) in current.items():
        if key not in records and not refused:
            assert state not in {"01", "02"}


@pytest.fixture
def any_town(town: Town) -> Town:
    """Both authorities are entered."""
    town.enter(OTHER_BUREAU, OTHER_BUREAU_CODE)
    return town
