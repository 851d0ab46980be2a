"""The trust list 信任列表: one signed file that makes verification need no network.

It names the root certificate, the hub, every issuer with every key it ever sealed with, and carries the published
context and schemas. It is itself a Verifiable Credential signed by the hub, so stock libraries verify it too.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NoReturn

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from registry.credentials import did
from registry.credentials.data_integrity import ProofRefused, add_proof, check_proof, one_proof
from registry.credentials.jcs import DocumentRefused, canonical, parse_object
from registry.credentials.moments import moment_of, text_of
from registry.credentials.refusal import Refused
from registry.signing.certificates import CertificateRefused, check_chain, did_of
from registry.signing.signer import Signer

CLOCKS = timedelta(minutes=5)
"""By how much the clocks of issuer and verifier may differ."""
ISSUERS = ":issuers:"
"""Between the hub's DID and an issuer's code."""

_CONTEXT = "https://www.w3.org/ns/credentials/v2"


class TrustListRefused(Refused):
    """A trust list is not to be trusted."""


class KeyMistrusted(Refused):
    """A key may not have signed at that moment."""


@dataclass(frozen=True, slots=True)
class TrustedKey:
    """One key of an issuer: when it may have signed, and whether it was revoked."""

    id: str
    """The verification method."""
    public_key: ec.EllipticCurvePublicKey
    certificate: x509.Certificate
    valid_from: datetime
    valid_until: datetime
    """The end of the certificate, or when the key was retired: it signed nothing later."""
    revoked_at: datetime | None = None
    reason: str | None = None
    """Of the revocation: ``key_compromise``, ``cessation`` or ``superseded``."""


@dataclass(frozen=True, slots=True)
class TrustedIssuer:
    """An issuing authority 证照颁发机构 and its keys."""

    did: str
    code: str
    name: str
    name_en: str
    keys: tuple[TrustedKey, ...]


@dataclass(eq=False)
class TrustList:
    """A trust list whose signature held when it was loaded."""

    root: x509.Certificate
    root_was_given: bool
    """Whether the verifier brought the root, or believed the one within the list."""
    hub: str
    issuers: Mapping[str, TrustedIssuer]
    """By DID."""
    issued_at: datetime
    valid_until: datetime
    resources: Mapping[str, bytes]
    """Published documents by their address: the context, the schemas."""
    remembered: dict[Any, Any] = field(default_factory=dict, repr=False)
    """What has been checked under this list already, so that it is checked once."""
    _keys: dict[str, tuple[TrustedIssuer, TrustedKey]] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        for issuer in self.issuers.values():
            for key in issuer.keys:
                self._keys[key.id] = (issuer, key)

    def owner(self, method: str) -> tuple[TrustedIssuer, TrustedKey] | None:
        """Whose key a verification method is."""
        return self._keys.get(method)

    def check_key(self, key: TrustedKey, issuer: TrustedIssuer, signed_at: datetime) -> None:
        """Whether this key may have signed for this issuer at that moment.

        Raises :class:`KeyMistrusted`: certificate, seal_not_yet_valid, seal_expired, key_compromised, key_revoked.
        """
        if ("certificate", key.id) not in self.remembered:
            self._check_certificate(key, issuer)
            self.remembered["certificate", key.id] = True
        if key.revoked_at is not None:
            _check_revocation(key, signed_at)
        if signed_at < key.valid_from:
            since = text_of(key.valid_from)
            _mistrust(
                "seal_not_yet_valid", f"签名时间早于印章生效时间 {since}", f"signed before the seal began at {since}"
            )
        if signed_at > key.valid_until:
            until = text_of(key.valid_until)
            _mistrust("seal_expired", f"签名时印章已于 {until} 失效", f"signed after the seal ended at {until}")

    def _check_certificate(self, key: TrustedKey, issuer: TrustedIssuer) -> None:
        certificate = key.certificate
        try:
            check_chain(certificate, self.root, certificate.not_valid_before_utc)
        except CertificateRefused as error:
            _mistrust("certificate", f"印章证书不可信：{error.zh}", f"the seal certificate is refused: {error}")
        if certificate.public_key() != key.public_key or did_of(certificate) != issuer.did:
            _mistrust("certificate", "印章证书与机构或密钥不符", "the seal certificate is of another issuer or key")
        if key.valid_from < certificate.not_valid_before_utc or key.valid_until > certificate.not_valid_after_utc:
            _mistrust(
                "certificate", "密钥有效期超出印章证书", "the key is listed for longer than its certificate holds"
            )


def _check_revocation(key: TrustedKey, signed_at: datetime) -> None:
    if key.revoked_at is None:
        return
    when = text_of(key.revoked_at)
    if key.reason == "key_compromise":
        # Whoever has the key can write any date: nothing it signed is believed, whenever it says it was signed.
        _mistrust("key_compromised", f"签名密钥已泄露（{when} 撤销）", f"the key was compromised (revoked at {when})")
    if signed_at >= key.revoked_at:
        _mistrust("key_revoked", f"签名密钥已于 {when} 撤销", f"signed after the key was revoked at {when}")


def make(
    *,
    base: str,
    hub: str,
    root: x509.Certificate,
    hub_certificate: x509.Certificate,
    signer: Signer,
    issuers: Sequence[TrustedIssuer],
    resources: Mapping[str, bytes],
    issued_at: datetime,
    valid_until: datetime,
) -> bytes:
    """The signed trust list; ``signer`` is the hub's. ``resources`` are texts in UTF-8."""
    document = {
        "@context": [_CONTEXT, context_url(base)],
        "id": f"{base}/trust-list.json",
        "type": ["VerifiableCredential", "TrustList"],
        "issuer": hub,
        "validFrom": text_of(issued_at),
        "validUntil": text_of(valid_until),
        "credentialSubject": {
            "id": hub,
            "type": "TrustListContent",
            "rootCertificate": _certificate_text(root),
            "hubCertificate": _certificate_text(hub_certificate),
            "trustedIssuers": [_issuer_as_json(issuer) for issuer in issuers],
            "resources": [{"address": url, "content": resources[url].decode()} for url in sorted(resources)],
        },
    }
    return canonical(add_proof(document, signer, issued_at))


def context_url(base: str) -> str:
    """Where the JSON-LD context of licences is published."""
    return f"{base}/contexts/licence/v1.json"


def load(data: bytes, *, root: x509.Certificate | None, at: datetime, newest_seen: datetime | None = None) -> TrustList:
    """Read a trust list and check it.

    ``root``: the root that the verifier already has; None believes the one within. ``newest_seen``: when the newest
    list that the verifier ever had was issued: an older one may hide a revocation. Raises :class:`TrustListRefused`:
    unreadable, malformed, other_root, hub_certificate, not_the_hub, signature, not_yet_valid, expired, replayed.
    """
    try:
        document = parse_object(data)
    except DocumentRefused as error:
        _refuse("unreadable", f"信任列表无法读取：{error.zh}", f"the trust list cannot be read: {error.en}")
    try:
        trust, certificate = _read(document, root)
        created = moment_of(one_proof(document)["created"])
    except (KeyError, TypeError, ValueError, AttributeError, binascii.Error) as error:
        if isinstance(error, TrustListRefused):
            raise
        _refuse("malformed", "信任列表的内容不合格式", f"the trust list is not of its form: {error!r}")
    _check_hub(document, trust, certificate, created)
    if newest_seen is not None and trust.issued_at < newest_seen:
        _refuse("replayed", f"信任列表早于此前见过的 {newest_seen} 版本", f"a newer list was seen: of {newest_seen}")
    if at < trust.issued_at - CLOCKS:
        _refuse("not_yet_valid", f"信任列表自 {trust.issued_at} 起有效", f"the trust list holds from {trust.issued_at}")
    if at > trust.valid_until:
        _refuse("expired", f"信任列表已于 {trust.valid_until} 到期", f"the trust list expired at {trust.valid_until}")
    return trust


def _check_hub(document: Mapping[str, Any], trust: TrustList, certificate: x509.Certificate, created: datetime) -> None:
    try:
        check_chain(certificate, trust.root, created)
    except CertificateRefused as error:
        _refuse("hub_certificate", f"平台证书不可信：{error.zh}", f"the hub's certificate is refused: {error}")
    key = certificate.public_key()
    if did_of(certificate) != trust.hub or not isinstance(key, ec.EllipticCurvePublicKey):
        _refuse("hub_certificate", "平台证书不属于信任列表的签发者", "the hub's certificate is of another")
    # An issuer's seal stands under the same root: what sets the hub apart is that issuers' names are below its own.
    if not all(one.startswith(f"{trust.hub}{ISSUERS}") for one in trust.issuers):
        _refuse("not_the_hub", "信任列表不是由平台签发的", "the list names issuers that are not its signer's")
    if trust.valid_until > certificate.not_valid_after_utc:
        _refuse("hub_certificate", "信任列表有效期超出平台证书", "the list holds longer than the hub's certificate")
    try:
        check_proof(document, key)
    except (ProofRefused, DocumentRefused) as error:
        _refuse("signature", f"信任列表签名无效：{error.zh}", f"the trust list's signature does not hold: {error.en}")


def _read(document: Mapping[str, Any], root: x509.Certificate | None) -> tuple[TrustList, x509.Certificate]:
    if "TrustList" not in document["type"]:
        _refuse("malformed", "不是信任列表", "not a trust list")
    subject = document["credentialSubject"]
    within = _certificate(subject["rootCertificate"])
    if root is not None and root != within:
        _refuse("other_root", "信任列表的根证书不是您指定的根证书", "the list stands under another root than yours")
    issuers = [_issuer_of(one) for one in subject["trustedIssuers"]]
    keys = [key.id for issuer in issuers for key in issuer.keys]
    if len({issuer.did for issuer in issuers}) != len(issuers) or len(set(keys)) != len(keys):
        _refuse("malformed", "信任列表中机构或密钥重复", "the list names an issuer or a key twice")
    trust = TrustList(
        root=within,
        root_was_given=root is not None,
        hub=document["issuer"],
        issuers={issuer.did: issuer for issuer in issuers},
        issued_at=moment_of(document["validFrom"]),
        valid_until=moment_of(document["validUntil"]),
        resources={one["address"]: one["content"].encode() for one in subject["resources"]},
    )
    return trust, _certificate(subject["hubCertificate"])


def _issuer_of(said: Mapping[str, Any]) -> TrustedIssuer:
    keys = tuple(_key_of(one) for one in said["keys"])
    for key in keys:
        if not key.id.startswith(said["did"] + "#"):
            _refuse("malformed", "密钥不属于所列机构", f"the key {key.id} is not of {said['did']}")
    return TrustedIssuer(said["did"], said["code"], said["name"], said["nameEn"], keys)


def _key_of(said: Mapping[str, Any]) -> TrustedKey:
    revoked = said.get("revokedAt")
    return TrustedKey(
        id=said["id"],
        public_key=did.from_multikey(said["publicKeyMultibase"]),
        certificate=_certificate(said["certificate"]),
        valid_from=moment_of(said["from"]),
        valid_until=moment_of(said["until"]),
        revoked_at=moment_of(revoked) if revoked is not None else None,
        reason=said.get("reason"),
    )


def _issuer_as_json(issuer: TrustedIssuer) -> dict[str, Any]:
    return {
        "did": issuer.did,
        "code": issuer.code,
        "name": issuer.name,
        "nameEn": issuer.name_en,
        "keys": [_key_as_json(key) for key in issuer.keys],
    }


def _key_as_json(key: TrustedKey) -> dict[str, Any]:
    said = {
        "id": key.id,
        "publicKeyMultibase": did.multikey(key.public_key),
        "certificate": _certificate_text(key.certificate),
        "from": text_of(key.valid_from),
        "until": text_of(key.valid_until),
    }
    if key.revoked_at is not None:
        said["revokedAt"] = text_of(key.revoked_at)
    if key.reason is not None:
        said["reason"] = key.reason
    return said


def _certificate_text(certificate: x509.Certificate) -> str:
    return base64.b64encode(certificate.public_bytes(Encoding.DER)).decode()


def _certificate(text: str) -> x509.Certificate:
    return x509.load_der_x509_certificate(base64.b64decode(text, validate=True))


def _mistrust(code: str, zh: str, en: str) -> NoReturn:
    raise KeyMistrusted(code, zh, en)


def _refuse(code: str, zh: str, en: str) -> NoReturn:
    raise TrustListRefused(code, zh, en)
