"""What the services of cases, matches and consents refuse, as problem details with their own stable code."""

from __future__ import annotations

from typing import Any

from registry.api.problems import CREDIT_REFUSED, INVALID_BODY, NOT_FOUND, NOT_GRANTED, Problem, ProblemType
from registry.domain.credit.cases import CreditRefused
from registry.domain.credit.visibility import Reason

_KINDS: dict[str, ProblemType] = {
    "case_unknown": NOT_FOUND,
    "match_unknown": NOT_FOUND,
    "consent_unknown": NOT_FOUND,
    "not_for_this_role": NOT_GRANTED,
    "other_department": NOT_GRANTED,
    "kind_unknown": INVALID_BODY,
    "statement_missing": INVALID_BODY,
    "evidence_unsound": INVALID_BODY,
    "reason_missing": INVALID_BODY,
    "by_missing": INVALID_BODY,
    "remedy_missing": INVALID_BODY,
    "consent_items": INVALID_BODY,
    "consent_purpose": INVALID_BODY,
    "consent_term": INVALID_BODY,
    "consent_evidence": INVALID_BODY,
}
"""By the caller's next move; what is not here cannot be done as things stand (409)."""


def refusal(error: CreditRefused) -> Problem:
    """The problem: ``reason`` is the refusal's code, ``unmet`` has every condition that is missing."""
    members: dict[str, Any] = {"reason": error.code}
    unmet: tuple[Reason, ...] = getattr(error, "reasons", ())
    if unmet:
        members["unmet"] = [{"code": each.code, "zh": each.zh, "en": each.en} for each in unmet]
    kind = _KINDS.get(error.code, CREDIT_REFUSED)
    return Problem(kind, f"{error.zh}。", f"{error.en}.", members=members)
