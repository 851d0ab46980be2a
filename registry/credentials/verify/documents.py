"""Documents as they come: which form they have, and the verification of each."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from registry.credentials import jose
from registry.credentials.jcs import DocumentRefused, parse_object
from registry.credentials.jose import TokenRefused
from registry.credentials.refusal import Refused
from registry.credentials.trust_list import TrustList
from registry.credentials.verify import model
from registry.credentials.verify.credential import Inquiry, Latest, verify_credential
from registry.credentials.verify.findings import Findings
from registry.credentials.verify.pdf import START, verify_pdf
from registry.credentials.verify.presentations import unwrap, verify_presentation, verify_presentation_token
from registry.credentials.verify.sources import StatusSource
from registry.credentials.verify.tokens import verify_sd_jwt, verify_token
from registry.credentials.verify.verdict import Form, Outcome, Verdict

_TOKEN = re.compile(rb"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*")
_LARGEST_TOKEN = 2 * 1024 * 1024


def verify(
    document: bytes,
    trust: TrustList,
    statuses: StatusSource,
    at: datetime,
    *,
    latest: Latest | None = None,
    challenge: str | None = None,
    domain: str | None = None,
    presented: bool = False,
) -> Verdict:
    """Verify a document in any form: credential or presentation as JSON, ``vc+jwt``, SD-JWT, PDF.

    ``latest`` tells of newer versions, where somebody knows; ``challenge`` and ``domain`` are what a presentation must
    answer to. With one of these, or ``presented``, only a presentation will do: a credential by itself, which anybody
    may have copied, answers to nobody. Never raises for what a document says.
    """
    verdict = _verify(document, Inquiry(trust, statuses, at, latest, challenge, domain))
    wanted = presented or challenge is not None or domain is not None
    return verdict if not wanted or verdict.form is Form.PRESENTATION else _not_presented(verdict)


def _not_presented(verdict: Verdict) -> Verdict:
    findings = Findings()
    findings.fail("presentation", "not_a_presentation", "这不是持有者的出示", "this is no presentation by a holder")
    return replace(verdict, outcome=Outcome.NOT_GENUINE, checks=(*findings.checks, *verdict.checks))


def _verify(document: bytes, inquiry: Inquiry) -> Verdict:
    findings = Findings()
    if document.startswith(START):
        return _verify_pdf(document, inquiry, findings)
    text = document.strip()
    form = _form_of(text)
    if form is Form.TOKEN or form is Form.SELECTIVE:
        return _verify_text(text, form, inquiry, findings, presentations=True)
    return _verify_json(document, inquiry, findings, presentations=True)


def _form_of(text: bytes) -> Form:
    """As far as the first look tells."""
    if len(text) > _LARGEST_TOKEN:
        return Form.UNKNOWN
    first, tilde, _ = text.partition(b"~")
    if not _TOKEN.fullmatch(first):
        return Form.UNKNOWN
    return Form.SELECTIVE if tilde else Form.TOKEN


def _is_presentation(text: bytes) -> bool:
    """Whether a token calls itself one; whether it is, its checks tell."""
    try:
        jose.check_type(jose.read(text), (jose.VP,))
    except TokenRefused:
        return False
    return True


def _verify_text(text: bytes, form: Form, inquiry: Inquiry, findings: Findings, *, presentations: bool) -> Verdict:
    if presentations and form is Form.TOKEN and _is_presentation(text):
        shown = verify_presentation_token(text, inquiry, findings, lambda one: _verify_presented(one, inquiry))
        return shown or _nothing(Form.PRESENTATION, inquiry, findings)
    verify_one = verify_token if form is Form.TOKEN else verify_sd_jwt
    return verify_one(text, inquiry, findings) or _nothing(form, inquiry, findings)


def _verify_json(data: bytes, inquiry: Inquiry, findings: Findings, *, presentations: bool) -> Verdict:
    try:
        document = parse_object(data)
        token = unwrap(document)
    except Refused as refusal:
        findings.fail("document", refusal.code, refusal.zh, refusal.en)
        return _nothing(Form.UNKNOWN, inquiry, findings)
    if token is not None:
        return _verify_enveloped(document, token, inquiry, findings, presentations=presentations)
    findings.passed("document")
    if presentations and model.PRESENTATION in model.types_of(document):
        return verify_presentation(document, inquiry, findings, lambda one: _verify_presented(one, inquiry))
    return verify_credential(document, inquiry, findings)


def _verify_enveloped(
    document: Mapping[str, Any], content: bytes, inquiry: Inquiry, findings: Findings, *, presentations: bool
) -> Verdict:
    findings.ask("context", model.check_context_of_envelope, document)
    text = content.strip()
    form = _form_of(text)
    if form is Form.UNKNOWN:
        findings.fail(
            "document", "envelope", "封装的不是 JWS 或 SD-JWT", "the envelope holds neither a JWS nor an SD-JWT"
        )
        return _nothing(form, inquiry, findings)
    return _verify_text(text, form, inquiry, findings, presentations=presentations)


def _verify_presented(data: bytes, inquiry: Inquiry) -> Verdict:
    """One credential of a presentation, which cannot be a presentation again."""
    return _verify_json(data, inquiry, Findings(), presentations=False)


def _verify_pdf(document: bytes, inquiry: Inquiry, findings: Findings) -> Verdict:
    attached = verify_pdf(document, inquiry, findings, lambda data: _attached(data, inquiry, findings))
    if attached is None:
        return _nothing(Form.PDF, inquiry, findings)
    outcome = Outcome.NOT_GENUINE if "pdf_signature" in findings.failed or "pdf_seal" in findings.failed else None
    return replace(attached, form=Form.PDF, checks=tuple(findings.checks), outcome=outcome or attached.outcome)


def _attached(data: bytes, inquiry: Inquiry, findings: Findings) -> Verdict | None:
    try:
        document = parse_object(data)
    except DocumentRefused as refusal:
        findings.fail("attachment", refusal.code, refusal.zh, refusal.en)
        return None
    findings.passed("attachment")
    return verify_credential(document, inquiry, findings)


def _nothing(form: Form, inquiry: Inquiry, findings: Findings) -> Verdict:
    """Nothing can be said of what could not be read."""
    return Verdict(Outcome.NOT_GENUINE, form, tuple(findings.checks), inquiry.at, trust_as_of=inquiry.trust.issued_at)
