"""``private_key_jwt``: a client signs who it is (RFC 7523, OpenID Connect Core 9), and says it once.

The assertion's ``iss`` and ``sub`` are the client's id, its ``aud`` this hub's token endpoint or issuer, it ends within
minutes and carries a ``jti`` of its own.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import jwt
import orjson

from registry.api.clients import public_keys
from registry.api.clients.public_keys import ALGORITHMS

TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
LONGEST_SECONDS = 300
"""How far ahead an assertion may end."""
LEEWAY_SECONDS = 30
"""How far a client's clock may be off."""
LONGEST_ID = 200
"""Characters of ``jti``."""


class AssertionRefused(Exception):  # noqa: N818  (named for what happened)
    """The assertion proves nothing."""


@dataclass(frozen=True, slots=True)
class Assertion:
    """An assertion whose signature is right, still to be marked as used."""

    digest: bytes
    """Of the client and the assertion's id."""
    ends_at: datetime


def claimed_client(assertion: str) -> str:
    """The client that an assertion claims to be from, nobody where it claims none; nothing is proven by it."""
    try:
        claims = jwt.decode(assertion, options={"verify_signature": False})
    except jwt.InvalidTokenError:
        return ""
    name = claims.get("sub")
    return name if isinstance(name, str) else ""


def verify(assertion: str, client_id: str, jwks: Sequence[str], audiences: Collection[str]) -> Assertion:
    """The assertion of a client that has these keys (JWKs). Raises AssertionRefused."""
    header = _header(assertion)
    for text in jwks:
        jwk = orjson.loads(text)
        if jwk["alg"] == header["alg"] and header.get("kid", jwk["kid"]) == jwk["kid"]:
            claims = _decoded(assertion, jwk, client_id, audiences)
            if claims is not None:
                return _bounded(claims, client_id)
    raise AssertionRefused


def _header(assertion: str) -> dict[str, Any]:
    try:
        header = jwt.get_unverified_header(assertion)
    except jwt.InvalidTokenError:
        raise AssertionRefused from None
    if header.get("alg") not in ALGORITHMS:
        raise AssertionRefused
    return header


def _decoded(assertion: str, jwk: dict[str, str], client_id: str, audiences: Collection[str]) -> dict[str, Any] | None:
    """The claims, if this key signed them and they are right; None otherwise: another key may have signed."""
    try:
        claims: dict[str, Any] = jwt.decode(
            assertion,
            public_keys.load(jwk),
            algorithms=[jwk["alg"]],
            audience=list(audiences),
            issuer=client_id,
            leeway=LEEWAY_SECONDS,
            options={"require": ["iss", "sub", "aud", "exp", "jti"]},
        )
    except (jwt.InvalidTokenError, public_keys.PublicKeyError):
        return None
    return claims


def _bounded(claims: dict[str, Any], client_id: str) -> Assertion:
    identifier, ends = claims["jti"], int(claims["exp"])
    if claims["sub"] != client_id or not isinstance(identifier, str) or not 0 < len(identifier) <= LONGEST_ID:
        raise AssertionRefused
    if ends > time.time() + LONGEST_SECONDS + LEEWAY_SECONDS:
        raise AssertionRefused
    digest = hashlib.sha256(f"{client_id}\0{identifier}".encode("utf-8", "surrogatepass")).digest()
    return Assertion(digest, datetime.fromtimestamp(ends + LEEWAY_SECONDS, UTC))
