"""Public keys that clients sign assertions with: read from what they hand over, kept as JWKs (RFC 7517).

The kind of key decides the algorithm, so that an assertion cannot choose a weaker one: P-256 signs ES256, RSA of at
least 2048 bits PS256, Ed25519 EdDSA.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from typing import Any

import jwt
import orjson
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

ALGORITHMS = ("ES256", "PS256", "EdDSA")
RSA_BITS = 2048
"""The fewest that are taken."""
_MEMBERS = {"EC": ("crv", "kty", "x", "y"), "RSA": ("e", "kty", "n"), "OKP": ("crv", "kty", "x")}
_PRIVATE = {"d", "k", "p", "q", "dp", "dq", "qi"}

PublicKey = EllipticCurvePublicKey | RSAPublicKey | Ed25519PublicKey
Jwk = dict[str, str]


class PublicKeyError(ValueError):
    """What was handed over is no public key that is taken; the text says why and what is expected."""


def read(content: bytes) -> list[Jwk]:
    """The public keys in a PEM file (key or certificate), a JWK or a JWK Set. Raises PublicKeyError."""
    if b"-----BEGIN" in content:
        return [_of_key(_from_pem(content))]
    try:
        document = orjson.loads(content)
    except orjson.JSONDecodeError:
        raise PublicKeyError("this is neither PEM nor JSON; expected a public key in PEM, a JWK or a JWK Set") from None
    keys = document.get("keys", [document]) if isinstance(document, dict) else None
    if not isinstance(keys, list) or not keys or not all(isinstance(each, dict) for each in keys):
        raise PublicKeyError("this is no JWK and no JWK Set with at least one key")
    return [_of_jwk(each) for each in keys]


def algorithm_of(key: PublicKey) -> str:
    """The one algorithm that a key is used with. Raises PublicKeyError for a kind that is not taken."""
    if isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1):
        return "ES256"
    if isinstance(key, RSAPublicKey):
        if key.key_size < RSA_BITS:
            raise PublicKeyError(f"the RSA key has {key.key_size} bits; expected at least {RSA_BITS}")
        return "PS256"
    if isinstance(key, Ed25519PublicKey):
        return "EdDSA"
    raise PublicKeyError("this kind of key is not taken; expected EC P-256, RSA or Ed25519")


def load(jwk: Mapping[str, Any]) -> PublicKey:
    """The key of a JWK, of the kinds that are taken. Raises PublicKeyError."""
    loaders = {"EC": ECAlgorithm.from_jwk, "RSA": RSAAlgorithm.from_jwk, "OKP": OKPAlgorithm.from_jwk}
    try:
        key = loaders[jwk["kty"]](dict(jwk))
    except (KeyError, TypeError, ValueError, jwt.PyJWTError, UnsupportedAlgorithm):
        raise PublicKeyError("a key cannot be read; expected a JWK of EC P-256, RSA or Ed25519") from None
    if not isinstance(key, PublicKey):
        raise PublicKeyError("this kind of key is not taken; expected EC P-256, RSA or Ed25519")
    return key


def thumbprint(jwk: Mapping[str, str]) -> str:
    """RFC 7638 with SHA-256: 43 characters."""
    members = {name: jwk[name] for name in _MEMBERS[jwk["kty"]]}
    digest = hashlib.sha256(orjson.dumps(members, option=orjson.OPT_SORT_KEYS)).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _from_pem(content: bytes) -> Any:
    if b"PRIVATE KEY-----" in content:
        raise PublicKeyError(
            "this is a private key, which must stay with the client; hand over the public one:"
            " openssl pkey -in key.pem -pubout"
        )
    try:
        if b"-----BEGIN CERTIFICATE-----" in content:
            return x509.load_pem_x509_certificate(content).public_key()
        return load_pem_public_key(content)
    except (ValueError, UnsupportedAlgorithm):
        raise PublicKeyError("the PEM cannot be read; expected a public key or a certificate") from None


def _of_jwk(jwk: Mapping[str, Any]) -> Jwk:
    if _PRIVATE & set(jwk):
        raise PublicKeyError("this JWK holds a private or symmetric key, which must stay with the client")
    kept = _of_key(load(jwk))
    named = jwk.get("alg")
    if named not in {None, kept["alg"]}:
        raise PublicKeyError(f"the JWK is meant for {named}; such a key is used with {kept['alg']} here")
    kid = jwk.get("kid")
    return kept | ({"kid": kid} if isinstance(kid, str) and 0 < len(kid) <= 200 else {})  # noqa: PLR2004


def _of_key(key: Any) -> Jwk:
    """The public members alone, with ``alg`` and ``kid``."""
    if not isinstance(key, PublicKey):
        raise PublicKeyError("this kind of key is not taken; expected EC P-256, RSA or Ed25519")
    algorithm = algorithm_of(key)
    writers: dict[str, Any] = {"ES256": ECAlgorithm, "PS256": RSAAlgorithm, "EdDSA": OKPAlgorithm}
    found = writers[algorithm].to_jwk(key, as_dict=True)
    jwk = {name: str(found[name]) for name in _MEMBERS[found["kty"]]}
    return {**jwk, "alg": algorithm, "kid": thumbprint(jwk)}
