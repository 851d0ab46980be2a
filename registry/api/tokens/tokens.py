"""Access tokens: short-lived JWTs (RFC 9068), signed with ES256 by a key of the hub's own."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import jwt

from registry.api.tokens.token_keys import TokenKey, TokenKeys, signing

AUDIENCE = "shuqiao-registry"
TYPES = ("at+jwt", "application/at+jwt")
WHOLE = "whole"
"""The claim of a token that was not narrowed; one without it is good for the scopes that it names."""
BOUND = "x5t#S256"
"""The member of ``cnf`` that binds a token to a certificate (RFC 8705)."""
_REMEMBERED = 10_000


class TokenRefused(Exception):  # noqa: N818  (named for what happened)
    """A token is no token of this hub, or not any more."""


@dataclass(frozen=True, slots=True)
class Claims:
    """What a verified token says."""

    client_id: str
    scopes: frozenset[str] | None
    """None: all that the client has."""
    expires_at: int
    bound_to: str | None = None
    """The thumbprint of the certificate without which the token is worth nothing."""
    whole: bool = False
    """Whether it was asked for without naming scopes: it stands for the client, also where a grant has ended since."""


class Tokens:
    """Issues tokens and verifies them; a token verified once is not verified again until it expires."""

    def __init__(self, keys: TokenKeys, seconds: int, issuer: str) -> None:
        """``issuer``: this hub's address, the ``iss`` of its tokens."""
        self._keys, self.seconds, self.issuer = keys, seconds, issuer
        self._verified: OrderedDict[bytes, Claims] = OrderedDict()
        self._verified_with = keys.current()

    def public_jwks(self) -> list[dict[str, str]]:
        """The public keys that tokens are verified with, also of the next one (RFC 7517)."""
        now = datetime.now(UTC)
        return [key.jwk for key in self._keys.current() if key.verifies(now)]

    def issue(self, client_id: str, scopes: Iterable[str], *, bound_to: str | None = None, whole: bool = False) -> str:
        """A new token for a client; ``bound_to``: a certificate's thumbprint. Raises TokenKeyError if no key signs.

        ``whole``: the client asked for all that it has, and named no scopes.
        """
        now = int(time.time())
        claims: dict[str, Any] = {
            "iss": self.issuer,
            "aud": AUDIENCE,
            "sub": client_id,
            "client_id": client_id,
            "iat": now,
            "exp": now + self.seconds,
            "jti": secrets.token_urlsafe(12),
            "scope": " ".join(sorted(scopes)),
        }
        if bound_to is not None:
            claims["cnf"] = {BOUND: bound_to}
        if whole:
            claims[WHOLE] = True
        key = signing(self._keys.current(), datetime.now(UTC))
        assert key.private is not None  # noqa: S101  (it signs)
        return jwt.encode(claims, key.private, algorithm="ES256", headers={"kid": key.key_id, "typ": "at+jwt"})

    def verify(self, token: str) -> Claims:
        """What a token says. Raises TokenRefused unless this hub signed it and it is still good."""
        keys = self._keys.current()
        if keys is not self._verified_with:  # a key may have been taken away, and what it signed with it
            self._verified.clear()
            self._verified_with = keys
        mark = hashlib.sha256(token.encode()).digest()
        known = self._verified.get(mark)
        if known is None:
            known = self._decode(token)
            self._verified[mark] = known
            if len(self._verified) > _REMEMBERED:
                self._verified.popitem(last=False)
        if known.expires_at <= time.time():
            self._verified.pop(mark, None)
            raise TokenRefused("the token has expired")
        return known

    def _decode(self, token: str) -> Claims:
        try:
            header = jwt.get_unverified_header(token)
            if header.get("typ") not in TYPES:
                raise TokenRefused("this is no access token")
            claims = jwt.decode(
                token,
                self._key(header.get("kid")).public,
                algorithms=["ES256"],
                audience=AUDIENCE,
                issuer=self.issuer,
                options={"require": ["exp", "iat", "sub", "scope"]},
            )
        except jwt.ExpiredSignatureError as error:
            raise TokenRefused("the token has expired") from error
        except jwt.InvalidTokenError as error:
            raise TokenRefused("this is no token of this hub") from error
        return Claims(
            claims["sub"],
            frozenset(str(claims["scope"]).split()),
            int(claims["exp"]),
            confirmed_by(claims),
            whole=claims.get(WHOLE) is True,
        )

    def _key(self, key_id: object) -> TokenKey:
        """The key of an id, if need be from the file as it is this moment. Raises TokenRefused."""
        now = datetime.now(UTC)
        for keys in (self._keys.current, self._keys.look):
            for key in keys():
                if key.key_id == key_id and key.verifies(now):
                    return key
        raise TokenRefused("this is no token of this hub")


def confirmed_by(claims: Mapping[str, Any]) -> str | None:
    """The certificate that a token is bound to; None for one that whoever bears it may use.

    Raises TokenRefused for a token that is bound to something else: it must not pass as unbound.
    """
    confirmation = claims.get("cnf")
    if confirmation is None:
        return None
    thumbprint = confirmation.get(BOUND) if isinstance(confirmation, dict) else None
    if not isinstance(thumbprint, str):
        raise TokenRefused("the token is bound to something other than a certificate")
    return thumbprint
