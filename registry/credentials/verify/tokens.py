"""Credentials as tokens, ``vc+jwt`` and SD-JWT: the checks of their signature."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NoReturn

from registry.credentials import jose, sd_jwt
from registry.credentials.jcs import DocumentRefused, parse_object
from registry.credentials.jose import Token
from registry.credentials.sd_jwt import SdJwt
from registry.credentials.trust_list import CLOCKS, TrustedKey
from registry.credentials.verify import model
from registry.credentials.verify.credential import Inquiry, Signer, check_key, check_model, conclude
from registry.credentials.verify.findings import Findings
from registry.credentials.verify.verdict import CheckFailed, Form, Verdict

_LATEST = 253_402_300_799
"""Seconds: the end of the year 9999."""


def verify_token(text: bytes, inquiry: Inquiry, findings: Findings) -> Verdict | None:
    """A ``vc+jwt``; None when it cannot even be read."""
    token = findings.ask("document", jose.read, text)
    document = None if token is None else findings.ask("token", payload_of, token)
    if token is None or document is None:
        return None
    check_model(document, findings)
    signer = _check_signer(token, document, (jose.VC,), inquiry, findings)
    if signer.key is not None:
        findings.ask("signature", _check_signature, token, signer.key)
    return conclude(document, signer, inquiry, findings, Form.TOKEN)


def verify_sd_jwt(text: bytes, inquiry: Inquiry, findings: Findings) -> Verdict | None:
    """An SD-JWT, as far as it is disclosed; None when it cannot even be read."""
    found = findings.ask("document", sd_jwt.read, text)
    shown = None if found is None else findings.ask("disclosures", sd_jwt.disclose, found)
    if found is None or shown is None:
        return None
    check_model(shown.payload, findings)
    signer = _check_signer(found.token, shown.payload, (sd_jwt.TYPE,), inquiry, findings)
    if signer.key is not None:
        findings.ask("signature", _check_sd_signature, found, signer.key)
    return conclude(shown.payload, signer, inquiry, findings, Form.SELECTIVE, undisclosed=shown.undisclosed)


def _check_signer(
    token: Token, document: Mapping[str, Any], types: tuple[str, ...], inquiry: Inquiry, findings: Findings
) -> Signer:
    created = findings.ask("token", check_header, token, document, types, inquiry.at)
    return check_key(document.get("issuer"), token.key_id, created, inquiry, findings)


def payload_of(token: Token) -> Mapping[str, Any]:
    """The credential or presentation within. Raises CheckFailed: vc_claim, and what a document is refused for."""
    try:
        document = parse_object(token.payload)
    except DocumentRefused as error:
        _fail(error.code, f"JWS 内容：{error.zh}", f"the payload of the token: {error.en}")
    if "vc" in document or "vp" in document:
        _fail("vc_claim", "内容采用旧版 vc 声明，不是 VC 2.0", "the payload has a vc or vp claim, which VC 2.0 forbids")
    return document


def check_header(token: Token, document: Mapping[str, Any], types: tuple[str, ...], at: datetime) -> datetime:
    """Type, issuer and dates of a token; when it was signed.

    Raises TokenRefused (token_type), and CheckFailed: token_issuer, token_date, proof_created, proof_from_future,
    proof_not_yet, proof_expired.
    """
    jose.check_type(token, types)
    header = token.header
    signs = model.id_of(document.get("issuer", document.get("holder")))
    if header.get("iss", signs) != signs:
        _fail("token_issuer", "JWS 头部的 iss 不是凭证的签发者", "iss in the header is not the credential's issuer")
    created = _moment(header.get("iat", document.get("iat")), "iat")
    if created is None:
        _fail("proof_created", "签名没有时间（iat）", "the token does not say when it was signed (iat)")
    if created > at + CLOCKS:
        _fail("proof_from_future", "签名时间晚于现在", f"signed at {created.isoformat()}, in the future")
    begins = _moment(header.get("nbf", document.get("nbf")), "nbf")
    if begins is not None and begins > at + CLOCKS:
        _fail("proof_not_yet", "签名尚未生效（nbf）", f"the signature holds only from {begins.isoformat()} (nbf)")
    expires = _moment(header.get("exp", document.get("exp")), "exp")
    if expires is not None and expires < at:
        _fail("proof_expired", "签名已过期（exp）", f"the signature expired at {expires.isoformat()} (exp)")
    return created


def _moment(seconds: object, name: str) -> datetime | None:
    if seconds is None:
        return None
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds <= _LATEST:
        _fail("token_date", f"{name} 应为秒数", f"{name} is not a number of seconds")
    return datetime.fromtimestamp(seconds, UTC)


def _check_signature(token: Token, key: TrustedKey) -> None:
    jose.check(token, key.public_key, types=(jose.VC,), certificate=key.certificate)


def _check_sd_signature(found: SdJwt, key: TrustedKey) -> None:
    jose.check(found.token, key.public_key, types=(sd_jwt.TYPE,), certificate=key.certificate)


def _fail(code: str, zh: str, en: str) -> NoReturn:
    raise CheckFailed(code, zh, en)
