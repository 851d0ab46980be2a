"""X.509: the hub's root, the hub's own certificate, and a seal certificate for every issuing authority.

Profile (RFC 5280): the root signs leaves only (path length 0); a leaf signs documents (digitalSignature and
contentCommitment, also called nonRepudiation) and names its DID and the DID's host as subject alternative names, which
today's verifiers ask for.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import unquote

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

ROOT_YEARS = 20
HUB_YEARS = 5
SEAL_YEARS = 3
_BACKDATED = timedelta(minutes=10)
"""Certificates begin a little before they are made: clocks of verifiers differ."""
_COMMON_NAME = 64  # bytes
_HOST_NAME = 253  # characters
_DAYS_A_YEAR = 365


class CertificateRefused(Exception):  # noqa: N818
    """A certificate does not stand under the root at that time; ``reason`` is a stable word."""

    def __init__(self, reason: str, zh: str, en: str) -> None:
        super().__init__(en)
        self.reason, self.zh, self.en = reason, zh, en


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom a certificate is made out to."""

    name: str
    """``桥州市市场监督管理局``."""
    did: str
    """``did:web:...``; it stands in the certificate as a URI."""
    code: str | None = None
    """Unified social credit code, or six digits of a division."""


@dataclass(frozen=True, slots=True)
class Root:
    """The root's certificate and the key that signs under it."""

    certificate: x509.Certificate
    private_key: ec.EllipticCurvePrivateKey

    def __repr__(self) -> str:
        return f"Root(serial={self.certificate.serial_number:x})"


def make_root(subject: Subject, private_key: ec.EllipticCurvePrivateKey, now: datetime) -> x509.Certificate:
    """A root certificate that signs itself; 20 years."""
    name = _name(subject)
    return (
        _builder(name, name, private_key.public_key(), _begin(now), _end(now, ROOT_YEARS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .sign(private_key, SHA256())
    )


def make_hub(subject: Subject, public_key: ec.EllipticCurvePublicKey, root: Root, now: datetime) -> x509.Certificate:
    """The certificate of the key that signs the trust list; 5 years, or as long as the root."""
    return _make_leaf(subject, public_key, root, now, HUB_YEARS)


def make_seal(subject: Subject, public_key: ec.EllipticCurvePublicKey, root: Root, now: datetime) -> x509.Certificate:
    """The certificate of an issuing authority's seal; 3 years, or as long as the root."""
    return _make_leaf(subject, public_key, root, now, SEAL_YEARS)


def check_chain(leaf: x509.Certificate, root: x509.Certificate, at: datetime) -> None:
    """Whether ``leaf`` is of this root and both held ``at`` that time. Raises CertificateRefused.

    Nothing is fetched, and revocation is not looked at: the trust list says which keys are revoked.
    """
    _check_issued(leaf, root)
    _check_time(root, at, "root_not_yet_valid", "root_expired", "根证书", "the root certificate")
    _check_time(leaf, at, "not_yet_valid", "expired", "印章证书", "the seal certificate")
    _check_usage(leaf)


def did_of(certificate: x509.Certificate) -> str | None:
    """The DID that a certificate is made out to."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return None
    uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    return next((uri for uri in uris if uri.startswith("did:")), None)


def pem(certificate: x509.Certificate) -> str:
    """As tools read it."""
    return certificate.public_bytes(Encoding.PEM).decode()


def _make_leaf(
    subject: Subject, public_key: ec.EllipticCurvePublicKey, root: Root, now: datetime, years: int
) -> x509.Certificate:
    end = min(_end(now, years), root.certificate.not_valid_after_utc)
    begin = max(_begin(now), root.certificate.not_valid_before_utc)
    names = [x509.UniformResourceIdentifier(subject.did), *_host_names(subject.did)]
    return (
        _builder(_name(subject), root.certificate.subject, public_key, begin, end)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(root.private_key.public_key()), critical=False
        )
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(root.private_key, SHA256())
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, public_key: ec.EllipticCurvePublicKey, begin: datetime, end: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder(subject_name=subject, issuer_name=issuer, public_key=public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    )


def _name(subject: Subject) -> x509.Name:
    attributes = [
        x509.NameAttribute(NameOID.COUNTRY_NAME, "CN"),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, subject.name),
        x509.NameAttribute(NameOID.COMMON_NAME, _cut(subject.name, _COMMON_NAME)),
    ]
    if subject.code is not None:
        attributes.insert(2, x509.NameAttribute(NameOID.ORGANIZATION_IDENTIFIER, subject.code))
    return x509.Name(attributes)


def _cut(text: str, size: int) -> str:
    """At most ``size`` bytes of UTF-8, no character in halves."""
    return text.encode()[:size].decode(errors="ignore")


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=not signs_certificates,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _begin(now: datetime) -> datetime:
    return now.astimezone(UTC).replace(microsecond=0) - _BACKDATED


def _end(now: datetime, years: int) -> datetime:
    return now.astimezone(UTC).replace(microsecond=0) + timedelta(days=years * _DAYS_A_YEAR)


def _host_names(did: str) -> list[x509.GeneralName]:
    """The host of a ``did:web``, without its port, as a name in a certificate."""
    if not did.startswith("did:web:"):
        return []
    host = unquote(did.removeprefix("did:web:").partition(":")[0]).partition(":")[0]
    try:
        return [x509.IPAddress(ipaddress.ip_address(host))]
    except ValueError:
        return [x509.DNSName(host)] if host.isascii() and 0 < len(host) <= _HOST_NAME else []


def _check_issued(leaf: x509.Certificate, root: x509.Certificate) -> None:
    try:
        leaf.verify_directly_issued_by(root)
        constraints = root.extensions.get_extension_for_class(x509.BasicConstraints).value
    except (ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
        constraints = None
    if constraints is None or not constraints.ca:
        raise CertificateRefused(
            "other_root", "证书不是由本平台根证书签发的", "the certificate was not issued under this root"
        )


def _check_time(certificate: x509.Certificate, at: datetime, too_early: str, too_late: str, zh: str, en: str) -> None:
    if at < certificate.not_valid_before_utc:
        since = certificate.not_valid_before_utc.isoformat()
        raise CertificateRefused(too_early, f"{zh}自 {since} 起才有效", f"{en} holds only from {since}")
    if at > certificate.not_valid_after_utc:
        until = certificate.not_valid_after_utc.isoformat()
        raise CertificateRefused(too_late, f"{zh}已于 {until} 到期", f"{en} expired at {until}")


def _check_usage(leaf: x509.Certificate) -> None:
    try:
        usage = leaf.extensions.get_extension_for_class(x509.KeyUsage).value
        constraints = leaf.extensions.get_extension_for_class(x509.BasicConstraints).value
        may = usage.digital_signature and usage.content_commitment and not constraints.ca
    except (x509.ExtensionNotFound, ValueError):
        may = False
    if not may:
        raise CertificateRefused(
            "wrong_usage", "该证书不得用于签章", "the certificate is not one that may seal documents"
        )
