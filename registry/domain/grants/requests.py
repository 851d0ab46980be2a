"""The life of a request for a grant 共享申请: who may do what next, and by when.

::

    filed ──check──> checked ──approve──> approved (a grant)
      │                 └─────refuse───> refused (with reasons)
      └──return──> returned (with reasons; file anew)
    filed, checked ──withdraw──> withdrawn

The hub checks whether a request is complete and as it should be 规范性审核. Who answers it depends on how the dataset
is shared: 有条件 its department, with reasons; 无条件 the hub, for there is nothing to weigh; 不予共享 the hub, and
only with the law named that allows it all the same.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from registry.domain.grants.terms import GrantError, Terms

State = Literal["filed", "checked", "approved", "refused", "returned", "withdrawn"]
Action = Literal["check", "return", "approve", "refuse", "withdraw"]
Role = Literal["client", "department", "hub"]
STATES: tuple[State, ...] = get_args(State)
OPEN: frozenset[State] = frozenset({"filed", "checked"})
REASONED: frozenset[Action] = frozenset({"return", "refuse"})
TITLES: Mapping[State, tuple[str, str]] = {
    "filed": ("待规范性审核", "to be checked"),
    "checked": ("待答复", "to be answered"),
    "approved": ("同意共享", "approved"),
    "refused": ("不予同意", "refused"),
    "returned": ("退回补正", "returned"),
    "withdrawn": ("已撤回", "withdrawn"),
}
_NEXT: Mapping[tuple[State, Action], State] = {
    ("filed", "check"): "checked",
    ("filed", "return"): "returned",
    ("checked", "approve"): "approved",
    ("checked", "refuse"): "refused",
    ("filed", "withdraw"): "withdrawn",
    ("checked", "withdraw"): "withdrawn",
}


@dataclass(frozen=True, slots=True)
class Party:
    """Who does something with a request."""

    role: Role
    name: str
    """As it stands on record: a client's id, an office; no private person's identifier."""
    departments: frozenset[str] = frozenset()
    """For which it decides."""


def decider(sharing: str) -> Role:
    """Who answers requests for a dataset that is shared in this way."""
    return "department" if sharing == "conditional" else "hub"


def after(state: State, action: Action) -> State:
    """The state that an action leads to. Raises GrantError."""
    if (found := _NEXT.get((state, action))) is not None:
        return found
    possible = ", ".join(name for (held, name) in _NEXT if held == state)
    zh, en = TITLES[state]
    raise GrantError(
        f"the request is {en}: {action} cannot be done with it now, {possible or 'nothing'} can",
        f"申请当前状态为“{zh}”，不能执行 {action}，" + (f"可执行 {possible}" if possible else "已办结"),
        "request_state",
    )


def expect_may(party: Party, action: Action, sharing: str, department: str, client: str) -> None:
    """Raise GrantError unless this is who does it."""
    if action == "withdraw":
        allowed, wanted = party.role == "client" and party.name == client, "the client that filed it"
    elif action in {"check", "return"}:
        allowed, wanted = party.role == "hub", "the hub's operator"
    elif decider(sharing) == "department":
        allowed = department in party.departments
        wanted = f"the department {department} (grants:decide:{department})"
    else:
        allowed, wanted = party.role == "hub", "the hub's operator"
    if not allowed:
        raise GrantError(f"this is for {wanted} to do", f"该操作应由 {wanted} 办理", "not_for_this_role")


def expect_no_more(asked: Terms, given: Terms, personal: Collection[str]) -> None:
    """Raise GrantError if more would be given than was asked for.

    ``personal``: the paths of personal values, which who asked for all fields asked for masked.
    """
    wider = []
    if asked.fields is None:
        if given.fields is not None and given.fields.intersection(personal):
            wider.append("fields")
    elif given.fields is None or not given.fields <= asked.fields:
        wider.append("fields")
    if asked.purposes and (not given.purposes or not given.purposes <= asked.purposes):
        wider.append("purposes")
    if any(name not in given.rows or not given.rows[name] <= values for name, values in asked.rows.items()):
        wider.append("rows")
    if asked.valid_until is not None and (given.valid_until is None or given.valid_until > asked.valid_until):
        wider.append("valid_until")
    if asked.daily_quota is not None and (given.daily_quota is None or given.daily_quota > asked.daily_quota):
        wider.append("daily_quota")
    if asked.case_number and not given.case_number:
        wider.append("case_number")
    if wider:
        names = ", ".join(wider)
        raise GrantError(f"more than was asked for: {names}", f"超出申请范围：{names}", "wider_than_asked")
