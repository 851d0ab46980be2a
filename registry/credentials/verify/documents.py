"""Documents as they come: which form they have, and the verification of each."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from registry.credentials.jcs import DocumentRefused, parse_object
from registry.credentials.trust_list import TrustList
from registry.credentials.verify.credential import Inquiry, Latest, verify_credential
from registry.credentials.verify.findings import Findings
from registry.credentials.verify.sources import StatusSource
from registry.credentials.verify.verdict import Form, Outcome, Verdict


def verify(
    document: bytes,
    trust: TrustList,
    statuses: StatusSource,
    at: datetime,
    *,
    latest: Latest | None = None,
    challenge: str | None = None,
    domain: str | None = None,
) -> Verdict:
    """Verify a document in any form: credential or presentation as JSON, ``vc+jwt``, SD-JWT, PDF.

    ``latest`` tells of newer versions, where somebody knows; ``challenge`` and ``domain`` are what a presentation must
    answer to.
    """
    inquiry = Inquiry(trust, statuses, at, latest, challenge, domain)
    findings = Findings()
    try:
        said = parse_object(document)
    except DocumentRefused as refusal:
        findings.fail("document", refusal.code, refusal.zh, refusal.en)
        return Verdict(Outcome.NOT_GENUINE, Form.UNKNOWN, tuple(findings.checks), at, trust_as_of=trust.issued_at)
    findings.passed("document")
    return _verify_object(said, inquiry, findings)


def _verify_object(document: Mapping[str, Any], inquiry: Inquiry, findings: Findings) -> Verdict:
    return verify_credential(document, inquiry, findings)
