"""The document for people: its own signature, whose seal that is, and the credential that it carries."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NoReturn

from cryptography import x509

from registry.credentials.trust_list import TrustedIssuer, TrustedKey, TrustList
from registry.credentials.verify.credential import Inquiry
from registry.credentials.verify.findings import Findings
from registry.credentials.verify.verdict import CheckFailed, Verdict

START = b"%PDF"

VerifyAttached = Callable[[bytes], Verdict | None]


def verify_pdf(
    document: bytes, inquiry: Inquiry, findings: Findings, verify_attached: VerifyAttached
) -> Verdict | None:
    """A sealed PDF; None when there is no credential in it to say anything of."""
    # pyHanko takes a good part of a second to load, and most verifications are not of PDFs.
    from registry.documents import reading  # noqa: PLC0415

    try:
        found = reading.read(document, inquiry.trust.root, inquiry.at)
    except reading.DocumentUnreadable as error:
        findings.fail("document", error.reason.code, error.reason.zh, error.reason.en)
        return None
    signature, attached = found.signature, found.credential
    for reason in signature.reasons:
        findings.fail("pdf_signature", reason.code, reason.zh, reason.en)
    if signature.ok:
        findings.passed("pdf_signature")
    owner = None
    if signature.certificate is not None:
        owner = findings.ask("pdf_seal", _owner, inquiry.trust, signature.certificate)
    if owner is not None and signature.signed_at is not None:
        findings.ask("pdf_seal", inquiry.trust.check_key, owner[1], owner[0], signature.signed_at)
    if not found.opened:
        return None
    if attached is None:
        findings.fail("attachment", "no_attachment", "PDF 中没有电子证照数据", "the PDF carries no credential")
        return None
    verdict = verify_attached(attached)
    if verdict is not None and owner is not None and verdict.issuer != owner[0].did:
        zh, en = "PDF 由另一机构签章，与所附证照不符", "the PDF is sealed by another than the issuer of its credential"
        findings.fail("pdf_seal", "sealed_by_other", zh, en)
    return verdict


def _owner(trust: TrustList, certificate: x509.Certificate) -> tuple[TrustedIssuer, TrustedKey]:
    found = _certificates(trust).get(certificate)
    if found is None:
        _fail("seal_unknown", "签章证书不在信任列表中", "the seal certificate is not in the trust list")
    return found


def _certificates(trust: TrustList) -> Mapping[x509.Certificate, tuple[TrustedIssuer, TrustedKey]]:
    return {key.certificate: (issuer, key) for issuer in trust.issuers.values() for key in issuer.keys}


def _fail(code: str, zh: str, en: str) -> NoReturn:
    raise CheckFailed(code, zh, en)
