"""The state machine of licences: every pair of states is either an operation or refused with its reason."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.domain.licences import states
from registry.domain.licences.states import TransitionRefused, transition
from schemas import code_lists

ANY = ["01", "02", "03", "04", "05", "06", "07", "99"]
TABLE = """
from  01  02  03  04  05  06  07  99
-     01  01  .   .   .   .   .   01
01    09  03  05  05  04  05  05  07
02    06  09  05  05  04  .   05  07
03    .   .   .   .   .   .   .   .
04    .   .   .   .   .   .   .   .
05    .   .   05  05  09  .   05  07
06    10  .   05  05  04  09  05  07
07    .   .   .   .   .   .   .   .
99    07  03  05  05  04  05  05  09
"""
"""The operation that leads from the state of the row to that of the column; a dot where none does."""
CELLS = [
    (None if line.split()[0] == "-" else line.split()[0], to_state, operation)
    for line in TABLE.strip().splitlines()[1:]
    for to_state, operation in zip(ANY, line.split()[1:], strict=True)
]
ALLOWED = [cell for cell in CELLS if cell[2] != "."]
REFUSED = [(from_state, to_state) for from_state, to_state, operation in CELLS if operation == "."]


def test_the_states_are_those_of_the_code_list() -> None:
    assert list(states.STATES) == ANY == [code.code for code in code_lists.load("licence_states")]


def test_the_operations_are_those_of_the_standard() -> None:
    assert list(states.OPERATIONS) == [f"{number:02}" for number in range(1, 11)]
    assert states.OPERATIONS["06"].zh == "暂扣发还"


@pytest.mark.parametrize(("from_state", "to_state", "operation"), ALLOWED)
def test_an_allowed_change_has_its_operation(from_state: str | None, to_state: str, operation: str) -> None:
    assert transition(from_state, to_state) is states.OPERATIONS[operation]


@pytest.mark.parametrize(("from_state", "to_state"), REFUSED)
def test_a_refused_change_says_from_what_to_what_and_why_in_both_languages(
    from_state: str | None, to_state: str
) -> None:
    with pytest.raises(TransitionRefused) as caught:
        transition(from_state, to_state)

    refused = caught.value
    zh, en = states.name(from_state or to_state)
    assert zh in refused.zh
    assert en.lower() in refused.en
    if from_state not in states.FINAL:
        assert to_state in refused.zh
        assert to_state in refused.en
    assert refused.code in {
        "state_final", "ended_before_issue", "renewal_needed", "not_in_force", "suspended", "moved_out"
    }  # fmt: skip


@pytest.mark.parametrize("state", ["03", "04", "07"])
def test_who_meets_a_final_state_is_told_how_a_wrong_record_is_mended(state: str) -> None:
    assert state in states.FINAL
    with pytest.raises(TransitionRefused, match="correct it"):
        transition(state, "01", renewed=True)


@pytest.mark.parametrize(
    ("from_state", "to_state", "operation"),
    [("01", "01", "02"), ("05", "01", "02"), ("02", "02", "09"), ("02", "01", "06"), ("06", "01", "10")],
)
def test_a_renewal_is_02_and_gives_an_expired_licence_its_force_again(
    from_state: str, to_state: str, operation: str
) -> None:
    assert transition(from_state, to_state, renewed=True).code == operation


@given(st.sampled_from([None, *ANY]), st.sampled_from(ANY), st.booleans())
def test_only_from_expiry_to_validity_does_a_renewal_allow_what_else_is_refused(
    from_state: str | None,
    to_state: str,
    renewed: bool,  # noqa: FBT001  (drawn)
) -> None:
    allowed = {(start, end) for start, end, _ in ALLOWED} | ({("05", "01")} if renewed else set())
    try:
        transition(from_state, to_state, renewed=renewed)
    except TransitionRefused:
        assert (from_state, to_state) not in allowed
    else:
        assert (from_state, to_state) in allowed


@pytest.mark.parametrize(("from_state", "to_state"), [("08", "01"), ("01", ""), (None, "valid"), ("superseded", "01")])
def test_what_is_no_state_is_refused_with_the_list_of_states(from_state: str | None, to_state: str) -> None:
    with pytest.raises(TransitionRefused, match="expected one of 01, 02") as caught:
        transition(from_state, to_state)

    assert caught.value.code == "state_unknown"


def test_values_of_the_message_list_fit_four_bits_and_come_back() -> None:
    values = [states.message_value(state) for state in [*ANY, "superseded"]]

    assert values == [0, 1, 2, 3, 4, 5, 6, 7, 8]
    assert [states.state_of_message(value) for value in values] == [*ANY, "superseded"]
    for value in (9, 15, -1):
        with pytest.raises(TransitionRefused):
            states.state_of_message(value)


def test_messages_say_in_both_languages_what_each_value_means() -> None:
    assert {"status": "0x0", "message": "有效 / Valid"} in states.MESSAGES
    assert {"status": "0x8", "message": "已被新版本取代 / Superseded"} in states.MESSAGES
    assert [int(found["status"], 16) for found in states.MESSAGES] == list(range(9))
