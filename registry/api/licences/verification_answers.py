"""What a verification found, in the members of the W3C VC API, with the hub's own verdict beside them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from registry.credentials.verify import Check, Verdict

_TYPES = "https://www.w3.org/TR/vc-data-model#"
_PARSING, _MALFORMED = f"{_TYPES}PARSING_ERROR", f"{_TYPES}MALFORMED_VALUE_ERROR"
_RANGE, _CRYPTOGRAPHIC = f"{_TYPES}RANGE_ERROR", f"{_TYPES}CRYPTOGRAPHIC_SECURITY_ERROR"
_STATUS = "https://www.w3.org/ns/credentials/status-list#STATUS_VERIFICATION_ERROR"
_KINDS: Mapping[str, str] = {
    "document": _PARSING,
    "term": _RANGE,
    **dict.fromkeys(("revocation", "suspension", "message", "status", "latest"), _STATUS),
    **dict.fromkeys(
        ("proof", "token", "disclosures", "signed_at", "key", "seal", "signature", "resources", "holder", "challenge",
         "pdf_signature", "pdf_seal", "attachment"),
        _CRYPTOGRAPHIC,
    ),
}  # fmt: skip
"""The type of problem (VC Data Model 2.0, 7.1) by the name of the check; what is not here is malformed."""


def said(verdict: Verdict, *, with_document: bool = False) -> dict[str, Any]:
    """The answer; ``with_document``: with the credential itself, if it is genuine."""
    checks = list(_checks(verdict))
    failed = [check for check in checks if check.passed is False]
    found: dict[str, Any] = {
        "verified": verdict.is_valid,
        "checks": list(dict.fromkeys(check.name for check in checks if check.passed is not None)),
        "warnings": [f"{check.code}: {check.en}" for check in checks if check.passed is None],
        "errors": [f"{check.code}: {check.en}" for check in failed],
        "problemDetails": [
            {
                "type": _KINDS.get(check.name, _MALFORMED),
                "title": check.zh,
                "detail": check.en,
                "code": check.code,
            }
            for check in failed
        ],
        "verdict": verdict.as_dict(),
    }
    if with_document and verdict.is_genuine and verdict.document is not None:
        found["credential"] = verdict.document
    return found


def _checks(verdict: Verdict) -> Iterator[Check]:
    """Of the document, and of every credential in a presentation."""
    yield from verdict.checks
    for each in verdict.credentials:
        yield from _checks(each)
