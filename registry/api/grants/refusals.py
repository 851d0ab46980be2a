"""What the services of grants refuse, as problem details with their own stable code."""

from __future__ import annotations

from registry.api.problems import GRANT_REFUSED, INVALID_BODY, NOT_FOUND, NOT_GRANTED, Problem, ProblemType
from registry.domain.grants.terms import GrantError

_KINDS: dict[str, ProblemType] = {
    "request_unknown": NOT_FOUND,
    "grant_unknown": NOT_FOUND,
    "not_for_this_role": NOT_GRANTED,
    "request_state": GRANT_REFUSED,
    "grant_ended": GRANT_REFUSED,
    "too_many_open": GRANT_REFUSED,
}
"""By the caller's next move; what is not here is wrong in what was sent."""


def refusal(error: GrantError) -> Problem:
    """The problem; ``reason`` is the refusal's code."""
    kind = _KINDS.get(error.code, INVALID_BODY)
    if kind is NOT_FOUND:
        return nothing_there()
    words = error.en.partition(" ")[0].isalpha()  # a name, such as legal_entity@1, is no word
    en = f"{error.en[:1].upper()}{error.en[1:]}" if words else error.en
    return Problem(kind, f"{error.zh}。", f"{en}.", members={"reason": error.code})


def nothing_there() -> Problem:
    """Of what is not there, and of what is another's: nobody learns which numbers there are."""
    return Problem(NOT_FOUND, "没有该编号的申请或授权。", "There is no request or grant of this number.")
