"""Applications for credit repair 信用修复 and objections 异议: their states, and who may take them from one to another.

::

    filed ──accept──> accepted ──forward──> forwarded ──grant──> granted
      │                   │  └────grant, refuse────┐  └─refuse─> refused
      ├──decline──> declined                       └──> granted, refused
      └──withdraw (also from accepted and forwarded)──> withdrawn

The hub is the window: it accepts and forwards. The department that recorded the item decides (谁认定、谁修复),
whether the case was forwarded or the department accepted it itself. A case that has missed a deadline stays where it
is: that is noted beside its state.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["repair", "objection"]
State = Literal["filed", "accepted", "forwarded", "declined", "granted", "refused", "withdrawn"]
Action = Literal["file", "accept", "decline", "forward", "extend", "grant", "refuse", "withdraw"]
Role = Literal["applicant", "hub", "department"]

KINDS: dict[Kind, tuple[str, str]] = {"repair": ("信用修复", "credit repair"), "objection": ("异议", "objection")}
STATES: dict[State, tuple[str, str]] = {
    "filed": ("已提交", "filed"),
    "accepted": ("已受理", "accepted"),
    "forwarded": ("已转办", "forwarded to the department"),
    "declined": ("不予受理", "not accepted"),
    "granted": ("予以支持", "granted"),
    "refused": ("不予支持", "refused"),
    "withdrawn": ("已撤回", "withdrawn"),
}
ACTIONS: dict[Action, tuple[str, str]] = {
    "file": ("提交", "file"),
    "accept": ("受理", "accept"),
    "decline": ("不予受理", "decline"),
    "forward": ("转办", "forward"),
    "extend": ("延长期限", "extend the deadline of"),
    "grant": ("支持", "grant"),
    "refuse": ("不支持", "refuse"),
    "withdraw": ("撤回", "withdraw"),
}
ROLES: dict[Role, tuple[str, str]] = {
    "applicant": ("申请人", "the applicant"),
    "hub": ("信用平台", "the hub"),
    "department": ("认定部门", "the department that recorded the item"),
}
OPEN: frozenset[State] = frozenset({"filed", "accepted", "forwarded"})
FINAL: frozenset[State] = frozenset(STATES) - OPEN
_NEEDS_TEXT: frozenset[Action] = frozenset({"decline", "extend", "refuse"})
"""What is not done without saying why."""

_BY: dict[Action, frozenset[Role]] = {
    "file": frozenset({"applicant"}),
    "accept": frozenset({"hub", "department"}),
    "decline": frozenset({"hub", "department"}),
    "forward": frozenset({"hub"}),
    "extend": frozenset({"department"}),
    "grant": frozenset({"department"}),
    "refuse": frozenset({"department"}),
    "withdraw": frozenset({"applicant"}),
}
_TRANSITIONS: dict[State, dict[Action, State]] = {
    "filed": {"accept": "accepted", "decline": "declined", "withdraw": "withdrawn"},
    "accepted": {
        "forward": "forwarded",
        "extend": "accepted",
        "grant": "granted",
        "refuse": "refused",
        "withdraw": "withdrawn",
    },
    "forwarded": {"extend": "forwarded", "grant": "granted", "refuse": "refused", "withdraw": "withdrawn"},
}


class CreditRefused(ValueError):  # noqa: N818  (named for what the caller meets)
    """Something cannot be done with a case or a consent; ``code`` is stable, ``zh`` and ``en`` say why."""

    def __init__(self, code: str, zh: str, en: str) -> None:
        super().__init__(f"{zh} {en}")
        self.code, self.zh, self.en = code, zh, en


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something with a case."""

    role: Role
    name: str
    """As it stands in the case's events: a client, an operator, an enterprise; never a private person's identifier."""
    department: str | None = None
    """Of a department: which one, as in manifests."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What of a case decides what may happen next."""

    kind: Kind
    state: State
    department: str
    """The department that recorded the item."""


def transition(case: Standing, action: Action, actor: Actor, text: str | None = None) -> State:
    """The state that an action leads to; the same state: its deadline is extended. Raises CreditRefused."""
    _expect_known(case.state, action)
    if case.state in FINAL:
        raise _final(case)
    to_state = _TRANSITIONS[case.state].get(action)
    if to_state is None:
        raise _not_now(case, action)
    if actor.role not in _BY[action]:
        raise _not_by(action, actor)
    if actor.role == "department" and actor.department != case.department:
        raise CreditRefused(
            "other_department",
            f"该信息由 {case.department} 认定，由其办理；{actor.department} 不能{ACTIONS[action][0]}",
            f"the item was recorded by {case.department}, which handles it; {actor.department} cannot"
            f" {ACTIONS[action][1]} this case",
        )
    if action in _NEEDS_TEXT and not (text or "").strip():
        raise CreditRefused(
            "reason_missing",
            f"{ACTIONS[action][0]}须说明理由",
            f"to {ACTIONS[action][1]} a case, say why: the applicant reads it",
        )
    return to_state


def possible(state: State, roles: frozenset[Role] = frozenset(ROLES)) -> tuple[Action, ...]:
    """What can be done with a case in this state by those of some roles; without: by whomever."""
    return tuple(action for action in _TRANSITIONS.get(state, ()) if roles & _BY[action])


def may(role: Role, action: Action) -> bool:
    """Whether those of a role take this step at all."""
    return role in _BY[action]


def is_open(state: State) -> bool:
    """Whether something is still to be done."""
    return state in OPEN


def _expect_known(state: str, action: str) -> None:
    if state not in STATES or action not in ACTIONS:
        raise CreditRefused(
            "case_unknown_word",
            f"收到状态 {state!r}、操作 {action!r}；应为 {'、'.join(STATES)} 与 {'、'.join(ACTIONS)}",
            f"got state {state!r} and action {action!r}; expected one of {', '.join(STATES)} and one of"
            f" {', '.join(ACTIONS)}",
        )


def _final(case: Standing) -> CreditRefused:
    zh, en = STATES[case.state]
    return CreditRefused(
        "case_closed",
        f"该申请已办结（{zh}），不能再变更；如有新的事实，请重新提交",
        f"the case is closed ({en}); with new facts, file again",
    )


def _not_now(case: Standing, action: Action) -> CreditRefused:
    now_zh, now_en = STATES[case.state]
    can = possible(case.state)
    can_zh = "、".join(ACTIONS[each][0] for each in can)
    can_en = ", ".join(ACTIONS[each][1] for each in can)
    return CreditRefused(
        "not_in_this_state",
        f"申请当前状态为{now_zh}，不能{ACTIONS[action][0]}；可以：{can_zh}",
        f"the case is {now_en}: one cannot {ACTIONS[action][1]} it now; possible: {can_en}",
    )


def _not_by(action: Action, actor: Actor) -> CreditRefused:
    by = [ROLES[role] for role in ROLES if role in _BY[action]]
    zh, en = " 或".join(zh for zh, _ in by), " or ".join(en for _, en in by)
    return CreditRefused(
        "not_for_this_role",
        f"{ACTIONS[action][0]}只能由{zh}办理，{ROLES[actor.role][0]}不能",
        f"only {en} can {ACTIONS[action][1]} a case, not {ROLES[actor.role][1]}",
    )
