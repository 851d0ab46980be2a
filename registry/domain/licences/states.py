"""States of a licence and the operations between them: codes of the ministry of housing's standard (C 0293-2024).

The names of the states are those of the code list ``licence_states``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from schemas import code_lists

VALID = "01"
SUSPENDED = "02"
WITHDRAWN = "03"
CANCELLED = "04"
EXPIRED = "05"
MOVED_OUT = "06"
REVOKED = "07"
OTHER = "99"

SUPERSEDED: Literal["superseded"] = "superseded"
"""No state of a licence, but of one version of it: a newer version has taken its place."""

STATES = (VALID, SUSPENDED, WITHDRAWN, CANCELLED, EXPIRED, MOVED_OUT, REVOKED, OTHER)
FINAL = frozenset({WITHDRAWN, CANCELLED, REVOKED})
"""States that a licence never leaves; a record that was wrong is corrected, which makes another version."""


@dataclass(frozen=True, slots=True)
class Operation:
    """What was done to a licence."""

    code: str
    zh: str
    en: str


ISSUE = Operation("01", "新发", "Issue")
RENEW = Operation("02", "延续", "Renewal")
SUSPEND = Operation("03", "暂扣", "Suspension")
EXPIRE = Operation("04", "过期失效", "Expiry")
END = Operation("05", "注销（撤销、吊销、转出）", "Cancellation (withdrawal, revocation, moving out)")
RETURN = Operation("06", "暂扣发还", "Suspension lifted")
OTHER_OPERATION = Operation("07", "其他", "Other")
MOVE_IN = Operation("08", "转入", "Moved in")
CHANGE = Operation("09", "变更", "Change")
TAKE_BACK = Operation("10", "取消转出", "Moving out taken back")

OPERATIONS = {
    operation.code: operation
    for operation in (
        ISSUE,
        RENEW,
        SUSPEND,
        EXPIRE,
        END,
        RETURN,
        OTHER_OPERATION,
        MOVE_IN,
        CHANGE,
        TAKE_BACK,
    )
}


class TransitionRefused(ValueError):  # noqa: N818  (named for what the caller meets)
    """A licence cannot go from one state to another; ``zh`` and ``en`` say why, ``code`` names the reason."""

    def __init__(self, code: str, zh: str, en: str) -> None:
        super().__init__(en)
        self.code, self.zh, self.en = code, zh, en


_ENDS = dict.fromkeys((WITHDRAWN, CANCELLED, REVOKED), END)
_TRANSITIONS: dict[str | None, dict[str, Operation]] = {
    None: {VALID: ISSUE, SUSPENDED: ISSUE, OTHER: ISSUE},
    VALID: {VALID: CHANGE, SUSPENDED: SUSPEND, EXPIRED: EXPIRE, MOVED_OUT: END, OTHER: OTHER_OPERATION, **_ENDS},
    SUSPENDED: {VALID: RETURN, SUSPENDED: CHANGE, EXPIRED: EXPIRE, OTHER: OTHER_OPERATION, **_ENDS},
    EXPIRED: {EXPIRED: CHANGE, OTHER: OTHER_OPERATION, **_ENDS},
    MOVED_OUT: {VALID: TAKE_BACK, EXPIRED: EXPIRE, MOVED_OUT: CHANGE, OTHER: OTHER_OPERATION, **_ENDS},
    OTHER: {
        VALID: OTHER_OPERATION,
        SUSPENDED: SUSPEND,
        EXPIRED: EXPIRE,
        MOVED_OUT: END,
        OTHER: CHANGE,
        **_ENDS,
    },
}
_RENEWALS = {(VALID, VALID), (EXPIRED, VALID)}
"""What a renewal makes of a licence; a suspended one that is renewed stays suspended."""


def transition(from_state: str | None, to_state: str, *, renewed: bool = False) -> Operation:
    """What takes a licence from one state to another; the same state twice is a change of its content.

    ``from_state`` None: there is no licence yet. ``renewed``: with a new, later end of its term. Raises
    TransitionRefused.
    """
    for state in (from_state, to_state):
        if state is not None and state not in STATES:
            raise _unknown(state)
    if from_state in FINAL:
        raise _final(from_state)
    if renewed and (from_state, to_state) in _RENEWALS:
        return RENEW
    operation = _TRANSITIONS[from_state].get(to_state)
    if operation is None:
        raise _refused(from_state, to_state)
    return operation


def name(state: str) -> tuple[str, str]:
    """What a state is called, in Chinese and English; ``superseded`` too. Raises TransitionRefused for other texts."""
    if state == SUPERSEDED:
        return "已被新版本取代", "Superseded"
    found = code_lists.load("licence_states").title(state)
    if found is None:
        raise _unknown(state)
    return found


_MESSAGE_VALUES = {**{state: value for value, state in enumerate(STATES)}, SUPERSEDED: len(STATES)}


def message_value(state: str) -> int:
    """The value 0-15 that stands for a state, or for ``superseded``, in a status list of messages (four bits)."""
    value = _MESSAGE_VALUES.get(state)
    if value is None:
        raise _unknown(state)
    return value


def state_of_message(value: int) -> str:
    """The state, or ``superseded``, that a value of a status list of messages stands for. Raises TransitionRefused."""
    for state, known in _MESSAGE_VALUES.items():
        if known == value:
            return state
    raise _unknown(f"{value:#x}")


MESSAGES = [{"status": f"{value:#x}", "message": " / ".join(name(state))} for state, value in _MESSAGE_VALUES.items()]
"""What the values of a status list of messages mean, as a credential says it."""


def _unknown(state: str) -> TransitionRefused:
    listed = ", ".join(STATES)
    return TransitionRefused(
        "state_unknown",
        f"证照状态：收到 {state!r}，应为 {listed}",
        f"state of a licence: got {state!r}, expected one of {listed}",
    )


def _final(state: str | None) -> TransitionRefused:
    zh, en = name(str(state))
    return TransitionRefused(
        "state_final",
        f"证照已{zh}（{state}），不能再变更；如记录有误，请办理更正",
        f"the licence is {en.lower()} ({state}) for good; if the record was wrong, correct it",
    )


def _refused(from_state: str | None, to_state: str) -> TransitionRefused:
    to_zh, to_en = name(to_state)
    if from_state is None:
        return TransitionRefused(
            "ended_before_issue",
            f"记录首次出现时证照状态已为{to_zh}（{to_state}），不再签发电子证照",
            f"the licence had already ended ({to_en.lower()}, {to_state}) when its record was first seen: none issued",
        )
    zh, en = name(from_state)
    code, why_zh, why_en = _REASONS[from_state, to_state]
    return TransitionRefused(
        code,
        f"证照状态不能由{zh}（{from_state}）变为{to_zh}（{to_state}）：{why_zh}",
        f"a licence cannot go from {en.lower()} ({from_state}) to {to_en.lower()} ({to_state}): {why_en}",
    )


_NOT_IN_FORCE = "not_in_force"
_REASONS = {
    (SUSPENDED, MOVED_OUT): (
        "suspended",
        "暂扣期间不得转出，请先发还",
        "a suspended licence is not moved out; lift the suspension first",
    ),
    (EXPIRED, VALID): (
        "renewal_needed",
        "失效的证照只有延续（新的截止日期）后才重新有效",
        "an expired licence is valid again only by renewal, with a new end of its term",
    ),
    (EXPIRED, SUSPENDED): (
        _NOT_IN_FORCE,
        "失效的证照没有可暂扣的效力",
        "an expired licence has no force that could be suspended",
    ),
    (EXPIRED, MOVED_OUT): (
        _NOT_IN_FORCE,
        "失效的证照不得转出，请先延续",
        "an expired licence is not moved out; renew it first",
    ),
    (MOVED_OUT, SUSPENDED): (
        "moved_out",
        "证照已转出，由转入地管理；请先取消转出",
        "the licence is under the authority it moved to; take the move back first",
    ),
}
