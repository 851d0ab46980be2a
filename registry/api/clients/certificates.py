"""Clients' certificates (RFC 8705): thumbprints, names, and whether a certificate stands under a given authority."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote_to_bytes

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import ExtensionPolicy, PolicyBuilder, Store, VerificationError

_PEM = b"-----BEGIN CERTIFICATE-----"
LONGEST = 16384
"""Bytes of a certificate in a header."""


class CertificateError(ValueError):
    """What was given is no certificate, or no name of one; the text says what is expected."""


def read(content: bytes) -> x509.Certificate:
    """A certificate in PEM or DER. Raises CertificateError."""
    try:
        if _PEM in content:
            return x509.load_pem_x509_certificate(content)
        return x509.load_der_x509_certificate(content)
    except ValueError:
        raise CertificateError("this is no certificate; expected X.509 in PEM or DER") from None


def authorities(path: Path) -> list[x509.Certificate]:
    """The certificates in a PEM file of those who may issue certificates to clients. Raises CertificateError."""
    try:
        return x509.load_pem_x509_certificates(path.read_bytes())
    except OSError as error:
        raise CertificateError(f"{path} cannot be read: {error.strerror}") from None
    except ValueError:
        raise CertificateError(f"{path} holds no certificate in PEM") from None


def thumbprint(der: bytes) -> str:
    """``x5t#S256``: the base64url of the certificate's SHA-256."""
    return base64.urlsafe_b64encode(hashlib.sha256(der).digest()).rstrip(b"=").decode()


def thumbprint_of(certificate: x509.Certificate) -> str:
    """``x5t#S256`` of a certificate that has been read."""
    return thumbprint(certificate.public_bytes(Encoding.DER))


def subject_name(text: str) -> str:
    """A subject's distinguished name (RFC 4514) as it is kept, for example ``CN=loan desk,O=Bank``.

    Raises CertificateError.
    """
    try:
        name = x509.Name.from_rfc4514_string(text)
    except ValueError:
        raise CertificateError(f"{text!r} is no distinguished name; expected RFC 4514: CN=loan desk,O=Bank") from None
    if not list(name):
        raise CertificateError("the distinguished name is empty; expected RFC 4514: CN=loan desk,O=Bank")
    return name.rfc4514_string()


def from_header(value: str) -> bytes:
    """The certificate (DER) that a proxy passes on: as RFC 9440 has it, or PEM with percent-encoding, as nginx does it.

    Raises CertificateError.
    """
    if len(value) > LONGEST:
        raise CertificateError(f"the certificate in the header is longer than {LONGEST} bytes")
    if value.startswith(":") and value.endswith(":") and len(value) > 1:
        try:
            return base64.b64decode(value[1:-1], validate=True)
        except binascii.Error:
            raise CertificateError("the certificate in the header is not base64 between colons") from None
    return read(unquote_to_bytes(value)).public_bytes(Encoding.DER)


def is_in_force(certificate: x509.Certificate, at: datetime | None = None) -> bool:
    """Whether a certificate's time has come and not passed."""
    moment = at or datetime.now(UTC)
    return certificate.not_valid_before_utc <= moment <= certificate.not_valid_after_utc


def is_issued_by(certificate: x509.Certificate, trusted: Sequence[x509.Certificate]) -> bool:
    """Whether one of these authorities issued the certificate, directly, and both are in force now.

    Revocation is not looked up: a client whose key was lost is revoked here.
    """
    if not trusted or not _is_for_clients(certificate):
        return False
    verifier = (
        PolicyBuilder()
        .store(Store(list(trusted)))
        .time(datetime.now(UTC))
        .extension_policies(ca_policy=ExtensionPolicy.webpki_defaults_ca(), ee_policy=ExtensionPolicy.permit_all())
        .build_client_verifier()
    )
    try:
        verifier.verify(certificate, [])
    except VerificationError:
        return False
    return True


def _is_for_clients(certificate: x509.Certificate) -> bool:
    """Whether it may be shown by clients: a server's certificate of the same authority may not."""
    try:
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except (x509.ExtensionNotFound, ValueError):
        return True
    return ExtendedKeyUsageOID.CLIENT_AUTH in usage
