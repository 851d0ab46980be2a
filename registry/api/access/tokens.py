"""Access tokens: short-lived JWTs, signed with ES256 by a key of the hub's own."""

from __future__ import annotations

import hashlib
import os
import secrets
import stat
import time
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from registry.signing.p256 import public_jwk

AUDIENCE = "shuqiao-registry"
ISSUER = "shuqiao"
_REMEMBERED = 10_000


class TokenKeyError(Exception):
    """The file with the signing key cannot be used."""


class TokenRefused(Exception):  # noqa: N818  (named for what happened)
    """A token is no token of this hub, or not any more."""


@dataclass(frozen=True, slots=True)
class Claims:
    """What a verified token says."""

    client_id: str
    scopes: frozenset[str]
    expires_at: int


def load_key(path: Path) -> ec.EllipticCurvePrivateKey:
    """The signing key in a file; made there, readable by its owner only, if there is none. Raises TokenKeyError."""
    if not path.exists():
        _make_key(path)
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        raise TokenKeyError(f"{path} can be read by others (mode {mode:04o}); expected 0600: chmod 600 {path}")
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except ValueError as error:
        raise TokenKeyError(f"{path} holds no private key in PEM") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise TokenKeyError(f"{path} holds a key of another kind; expected EC P-256")
    return key


def _make_key(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(pem)
    try:
        os.link(fresh, path)  # two processes that start at once end with one key
    except FileExistsError:
        pass
    finally:
        fresh.unlink()


class Tokens:
    """Issues tokens and verifies them; a token verified once is not verified again until it expires."""

    def __init__(self, key: ec.EllipticCurvePrivateKey, seconds: int) -> None:
        self._key, self.seconds = key, seconds
        self._public = key.public_key()
        public = self._public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        self.key_id = hashlib.sha256(public).hexdigest()[:16]
        self._verified: OrderedDict[bytes, Claims] = OrderedDict()

    @property
    def public_jwk(self) -> dict[str, str]:
        """The public key that tokens are verified with (RFC 7517)."""
        return {**public_jwk(self._public), "kid": self.key_id, "use": "sig", "alg": "ES256"}

    def issue(self, client_id: str, scopes: Iterable[str]) -> str:
        """A new token for a client."""
        now = int(time.time())
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": client_id,
            "client_id": client_id,
            "iat": now,
            "exp": now + self.seconds,
            "jti": secrets.token_urlsafe(12),
            "scope": " ".join(sorted(scopes)),
        }
        return jwt.encode(claims, self._key, algorithm="ES256", headers={"kid": self.key_id, "typ": "at+jwt"})

    def verify(self, token: str) -> Claims:
        """What a token says. Raises TokenRefused unless this hub signed it and it is still good."""
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
            claims = jwt.decode(
                token,
                self._public,
                algorithms=["ES256"],
                audience=AUDIENCE,
                issuer=ISSUER,
                options={"require": ["exp", "iat", "sub", "scope"]},
            )
        except jwt.ExpiredSignatureError as error:
            raise TokenRefused("the token has expired") from error
        except jwt.InvalidTokenError as error:
            raise TokenRefused("this is no token of this hub") from error
        return Claims(claims["sub"], frozenset(str(claims["scope"]).split()), int(claims["exp"]))
