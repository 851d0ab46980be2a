"""Signatures with ECDSA on P-256 and SHA-256 (ES256): what every form of a licence carries."""

from __future__ import annotations

import base64
import hashlib

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
)

ALGORITHM = "ES256"
_COORDINATE = 32  # bytes
_DETERMINISTIC = ec.ECDSA(SHA256(), deterministic_signing=True)
_BY_CHANCE = ec.ECDSA(SHA256())


class P256Signer:
    """Signs with one P-256 key; ``sign`` deterministically (RFC 6979): the same bytes, the same signature."""

    algorithm = ALGORITHM

    def __init__(
        self,
        private_key: ec.EllipticCurvePrivateKey,
        verification_method: str,
        certificate: x509.Certificate | None = None,
    ) -> None:
        """``verification_method`` is ``<did>#<key id>``. Raises ValueError for a key on another curve."""
        if not isinstance(private_key.curve, ec.SECP256R1):
            raise ValueError(f"expected a key on P-256, got one on {private_key.curve.name}")  # noqa: TRY004
        self.private_key = private_key
        self.verification_method = verification_method
        self.certificate = certificate
        self.key_id = key_id(private_key.public_key())

    def __repr__(self) -> str:
        return f"P256Signer({self.verification_method!r})"

    def sign(self, data: bytes) -> bytes:
        """64 bytes, r || s, over SHA-256 of ``data``."""
        return self._sign(data, _DETERMINISTIC)

    def sign_once(self, data: bytes) -> bytes:
        """As ``sign``, with chance in it: a third cheaper, for what nobody signs again and compares."""
        return self._sign(data, _BY_CHANCE)

    def _sign(self, data: bytes, how: ec.ECDSA) -> bytes:
        r, s = decode_dss_signature(self.private_key.sign(data, how))
        return r.to_bytes(_COORDINATE) + s.to_bytes(_COORDINATE)


def new_key() -> ec.EllipticCurvePrivateKey:
    """A new private key; its id does not begin like an option of a command, so that it can be typed."""
    while True:
        key = ec.generate_private_key(ec.SECP256R1())
        if not key_id(key.public_key()).startswith("-"):
            return key


def private_bytes(key: ec.EllipticCurvePrivateKey) -> bytes:
    """The private key as PKCS 8 (DER), to be sealed at once."""
    return key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def from_private_bytes(plain: bytes) -> ec.EllipticCurvePrivateKey:
    """The private key of :func:`private_bytes`. Raises ValueError."""
    key = load_der_private_key(plain, password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError("expected a key on P-256")  # noqa: TRY004
    return key


def public_bytes(key: ec.EllipticCurvePublicKey) -> bytes:
    """SubjectPublicKeyInfo (DER)."""
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def public_jwk(key: ec.EllipticCurvePublicKey) -> dict[str, str]:
    """The members of the public JWK that its thumbprint is made of, in their order (RFC 7638)."""
    numbers = key.public_numbers()
    return {"crv": "P-256", "kty": "EC", "x": _base64url(numbers.x), "y": _base64url(numbers.y)}


def key_id(key: ec.EllipticCurvePublicKey) -> str:
    """The key's id: the JWK thumbprint with SHA-256 (RFC 7638), 43 characters."""
    return thumbprint(public_jwk(key))


def thumbprint(jwk: dict[str, str]) -> str:
    """RFC 7638, for the required members of an EC key."""
    members = ",".join(f'"{name}":"{jwk[name]}"' for name in ("crv", "kty", "x", "y"))
    digest = hashlib.sha256(b"{" + members.encode() + b"}").digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _base64url(coordinate: int) -> str:
    return base64.urlsafe_b64encode(coordinate.to_bytes(_COORDINATE)).rstrip(b"=").decode()
