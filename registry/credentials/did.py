"""Issuers' names on the web (did:web), their documents, and public keys as texts (Multikey)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlsplit

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from registry.credentials.moments import text_of
from registry.credentials.multibase import base58, from_base58

_CODECS: Mapping[str, bytes] = {"secp256r1": b"\x80\x24", "secp384r1": b"\x81\x24"}
_CURVES: Mapping[bytes, tuple[ec.EllipticCurve, int]] = {
    b"\x80\x24": (ec.SECP256R1(), 33),
    b"\x81\x24": (ec.SECP384R1(), 49),
}


class KeyRefused(ValueError):  # noqa: N818
    """A text is not a public key of a curve that is used here."""


@dataclass(frozen=True, slots=True)
class PublishedKey:
    """One key of an issuer as its DID document shows it."""

    id: str
    """The verification method, ``did:web:...#key-id``."""
    public_key: ec.EllipticCurvePublicKey
    expires: datetime | None = None
    """When the key stops signing; what it signed before stays good."""
    revoked: datetime | None = None


def did_web(base: str, code: str | None = None) -> str:
    """The did:web of the hub at ``base``, or of the issuer with this code."""
    parts = urlsplit(base)
    names = [quote(parts.netloc, safe=""), *[quote(name, safe="") for name in parts.path.split("/") if name]]
    if code is not None:
        names += ["issuers", quote(code, safe="")]
    return "did:web:" + ":".join(names)


def document(did: str, keys: Sequence[PublishedKey]) -> dict[str, Any]:
    """The DID document: every key ever used and not revoked may assert; a revoked one is shown as such."""
    return {
        "@context": ["https://www.w3.org/ns/did/v1", "https://w3id.org/security/multikey/v1"],
        "id": did,
        "verificationMethod": [_method(did, key) for key in keys],
        "assertionMethod": [key.id for key in keys if key.revoked is None],
    }


def _method(did: str, key: PublishedKey) -> dict[str, str]:
    method = {"id": key.id, "type": "Multikey", "controller": did, "publicKeyMultibase": multikey(key.public_key)}
    if key.expires is not None:
        method["expires"] = text_of(key.expires)
    if key.revoked is not None:
        method["revoked"] = text_of(key.revoked)
    return method


def multikey(public_key: ec.EllipticCurvePublicKey) -> str:
    """The key as Multikey text, ``zDn...`` for P-256 and ``z82...`` for P-384."""
    try:
        codec = _CODECS[public_key.curve.name]
    except KeyError:
        raise KeyRefused(f"curve {public_key.curve.name} is not used here (P-256, P-384)") from None
    return "z" + base58(codec + public_key.public_bytes(Encoding.X962, PublicFormat.CompressedPoint))


def from_multikey(text: str) -> ec.EllipticCurvePublicKey:
    """The key of a Multikey text; KeyRefused when it is none of P-256 or P-384."""
    try:
        data = from_base58(text.removeprefix("z")) if text.startswith("z") else b""
        curve, length = _CURVES[data[:2]]
        point = data[2:]
        if len(point) != length:
            raise KeyRefused(f"a key of {len(point)} bytes where {length} are expected")
        return ec.EllipticCurvePublicKey.from_encoded_point(curve, point)
    except KeyError:
        raise KeyRefused("not a Multikey of P-256 or P-384") from None
    except (ValueError, UnsupportedAlgorithm) as error:
        raise KeyRefused(str(error) or "not a point of the curve") from error
