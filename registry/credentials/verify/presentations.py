"""Presentations: a holder shows credentials to a verifier who asked. Each credential is verified by itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

from cryptography.hazmat.primitives.asymmetric import ec

from registry.credentials import data_integrity, jose
from registry.credentials.did import KeyRefused, from_multikey
from registry.credentials.jcs import canonical
from registry.credentials.refusal import Refused
from registry.credentials.verify import model, signing
from registry.credentials.verify.credential import SEVERITY, Inquiry
from registry.credentials.verify.findings import Findings
from registry.credentials.verify.signing import Signature
from registry.credentials.verify.tokens import check_header, payload_of
from registry.credentials.verify.verdict import CheckFailed, Form, Outcome, Verdict

MOST = 100
"""Credentials in one presentation."""

_DID_KEY = "did:key:"
_ENVELOPES: Mapping[str, Sequence[str]] = {
    "EnvelopedVerifiableCredential": ("application/vc+jwt", "application/vc+sd-jwt"),
    "EnvelopedVerifiablePresentation": ("application/vp+jwt",),
}
_OF_AN_ENVELOPE = frozenset({"@context", "id", "type"})

VerifyOne = Callable[[bytes], Verdict]


def verify_presentation(
    document: Mapping[str, Any], inquiry: Inquiry, findings: Findings, verify_one: VerifyOne
) -> Verdict:
    """A presentation with a Data Integrity proof of its holder.

    Its outcome is the gravest of its credentials', and ``not_genuine`` when the presentation itself does not hold.
    """
    enclosed = _check_model(document, findings)
    _check_holder(document, inquiry, findings)
    return _conclude(document, inquiry, findings, [verify_one(one) for one in enclosed])


def verify_presentation_token(
    text: bytes, inquiry: Inquiry, findings: Findings, verify_one: VerifyOne
) -> Verdict | None:
    """A presentation as ``vp+jwt``, ``nonce`` and ``aud`` for challenge and domain; None when it cannot be read."""
    token = findings.ask("document", jose.read, text)
    document = None if token is None else findings.ask("token", payload_of, token)
    if token is None or document is None:
        return None
    enclosed = _check_model(document, findings)
    created = findings.ask("token", check_header, token, document, (jose.VP,), inquiry.at)
    claims = {**document, **token.header}
    signature = Signature(token.key_id, created, {"challenge": claims.get("nonce"), "domain": claims.get("aud")})
    _ask_challenge(signature, inquiry, findings)
    key = findings.ask("key", _key, document, signature, inquiry)
    if key is not None:
        findings.ask("holder", jose.check, token, key, types=(jose.VP,))
    return _conclude(document, inquiry, findings, [verify_one(one) for one in enclosed])


def _check_model(document: Mapping[str, Any], findings: Findings) -> list[bytes]:
    """The data model; the credentials presented."""
    findings.ask("context", model.check_context, document)
    findings.ask("type", model.check_types, document, model.PRESENTATION)
    findings.ask("id", model.check_id, document)
    return findings.ask("presentation", _enclosed, document) or []


def _conclude(
    document: Mapping[str, Any], inquiry: Inquiry, findings: Findings, verdicts: Sequence[Verdict]
) -> Verdict:
    invalid = [one for one in verdicts if not one.is_valid]
    outcomes = {one.outcome for one in verdicts} | ({Outcome.NOT_GENUINE} if findings.failed else set())
    if invalid:
        zh, en = f"{len(invalid)} 份凭证未通过核验", f"{len(invalid)} of {len(verdicts)} credentials did not pass"
        findings.fail("credentials", invalid[0].outcome.value, zh, en)
    elif verdicts:
        findings.passed("credentials")
    return Verdict(
        outcome=next(one for one in SEVERITY if one in outcomes or one is Outcome.VALID),
        form=Form.PRESENTATION,
        checks=tuple(findings.checks),
        at=inquiry.at,
        document=document,
        issuer=model.id_of(document.get("holder")),
        trust_as_of=inquiry.trust.issued_at,
        credentials=tuple(verdicts),
    )


def unwrap(document: Mapping[str, Any]) -> bytes | None:
    """The token within an enveloped credential or presentation, else None.

    An envelope says nothing itself: claims beside a genuine token would pass for verified with whoever reads them
    there. Raises CheckFailed: envelope, envelope_members.
    """
    kind = next((one for one in _ENVELOPES if one in model.types_of(document)), None)
    if kind is None:
        return None
    beside = next((name for name in document if name not in _OF_AN_ENVELOPE), None)
    if beside is not None:
        _fail(
            "envelope_members",
            f"封装对象带有不在签名之内的内容：{beside[:40]}",
            f"the envelope has a member that nobody signed: {beside[:40]}",
        )
    address = document.get("id")
    scheme, _, content = address.partition(":") if isinstance(address, str) else ("", "", "")
    media_type, _, data = content.partition(",")
    if scheme != "data" or media_type not in _ENVELOPES[kind] or not (data and data.isascii()):
        _fail("envelope", "封装的 id 应为 data: 地址", f"the envelope's id is no data: URL of {_ENVELOPES[kind][0]}")
    return data.encode()


def _enclosed(document: Mapping[str, Any]) -> list[bytes]:
    """The credentials presented, as documents of their own."""
    enclosed = model.many(document.get("verifiableCredential"))
    if not enclosed:
        _fail("presentation_empty", "没有出示任何凭证", "no credential is presented")
    if len(enclosed) > MOST:
        _fail("presentation_full", f"出示的凭证超过 {MOST} 份", f"more than {MOST} credentials are presented")
    if not all(isinstance(one, dict) for one in enclosed):
        _fail("presentation_malformed", "verifiableCredential 应为对象", "a verifiableCredential is not an object")
    if "holder" in document and not model.is_url(model.id_of(document["holder"])):
        _fail("holder_malformed", "持有者（holder）应为网址", "holder is not a URL nor an object with one")
    return [canonical(one) for one in enclosed]


def _check_holder(document: Mapping[str, Any], inquiry: Inquiry, findings: Findings) -> None:
    try:
        proofs = signing.proofs_of(document)
    except Refused as failure:
        findings.fail("proof", failure.code, failure.zh, failure.en)
        return
    for proof in proofs:
        signature = findings.ask("proof", signing.read_proof, proof, data_integrity.AUTHENTICATION)
        if signature is None:
            continue
        findings.ask("signed_at", signing.check_time, signature, inquiry.at)
        _ask_challenge(signature, inquiry, findings)
        key = findings.ask("key", _key, document, signature, inquiry)
        if key is not None:
            findings.ask("holder", data_integrity.check_proof, document, key, signature.proof)


def _ask_challenge(signature: Signature, inquiry: Inquiry, findings: Findings) -> None:
    if inquiry.challenge is None and inquiry.domain is None:
        findings.skip("challenge", "no_challenge", "未要求应答随机数", "no challenge was asked for")
    else:
        findings.ask("challenge", _check_challenge, signature, inquiry)


def _check_challenge(signature: Signature, inquiry: Inquiry) -> None:
    for name, expected in (("challenge", inquiry.challenge), ("domain", inquiry.domain)):
        said = signature.proof.get(name)
        if expected is not None and said not in (expected, [expected]):
            zh = f"出示内容的 {name} 与本次核验不符"
            _fail(f"{name}_wrong", zh, f"the presentation's {name} is not the one asked for")


def _key(document: Mapping[str, Any], signature: Signature, inquiry: Inquiry) -> ec.EllipticCurvePublicKey:
    """The holder's key: within a did:key itself, or an issuer's in the trust list."""
    controller, _, fragment = signature.method.partition("#")
    holder = model.id_of(document.get("holder"))
    if holder is not None and holder != controller:
        _fail("holder_key", "签名密钥不属于持有者", "the signing key is not the holder's")
    if controller.startswith(_DID_KEY):
        try:
            key = from_multikey(controller.removeprefix(_DID_KEY))
        except KeyRefused as error:
            _fail("holder_key", "持有者的密钥无法使用", f"the holder's key cannot be used: {error}")
        if fragment != controller.removeprefix(_DID_KEY):
            _fail("holder_key", "验证方法与 did:key 不符", "the verification method is not the did:key's own")
        return key
    owner = inquiry.trust.owner(signature.method)
    if owner is None:
        _fail("holder_unknown", "持有者的密钥无从得知", "the holder's key is neither a did:key nor in the trust list")
    issuer, trusted = owner
    if signature.created is not None:
        inquiry.trust.check_key(trusted, issuer, signature.created)
    return trusted.public_key


def _fail(code: str, zh: str, en: str) -> NoReturn:
    raise CheckFailed(code, zh, en)
