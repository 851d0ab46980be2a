"""Tokens of an issuer elsewhere (OpenID Connect) that the settings trust: it says who asks, we say what may be read.

Its keys come by discovery. They are kept for some minutes, read anew when a token names one that is not among them, and
stay good for a while when the issuer does not answer.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import jwt
import orjson
from jwt import PyJWK

from registry.api.clients.options import LOOPBACK, ExternalIssuer
from registry.api.problems import ISSUER_UNAVAILABLE, Problem
from registry.api.tokens.tokens import Claims, TokenRefused, confirmed_by

FRESH_SECONDS = 300.0
"""How long keys are used without looking again."""
KEPT_SECONDS = 3600.0
"""How long they are used at most while the issuer does not answer."""
PAUSE_SECONDS = 10.0
"""How soon the issuer is asked again, for a key that is not known or because it did not answer."""
TIMEOUT_SECONDS = 5.0
LONGEST_ANSWER = 1 << 20
"""Bytes."""
LEEWAY_SECONDS = 30
ALGORITHMS = ("ES256", "ES384", "PS256", "RS256", "EdDSA")
_REMEMBERED = 10_000
_log = logging.getLogger(__name__)


class IssuerSilent(Exception):  # noqa: N818  (named for what happened)
    """The issuer did not answer, or not with what discovery promises."""


class ExternalTokens:
    """Verifies the tokens of one issuer; a token verified once is not verified again until it expires."""

    def __init__(
        self, trusted: ExternalIssuer, *, fresh_seconds: float = FRESH_SECONDS, pause_seconds: float = PAUSE_SECONDS
    ) -> None:
        self._trusted = trusted
        self._fresh_seconds, self._pause_seconds = fresh_seconds, pause_seconds
        self._keys: dict[str, PyJWK] = {}
        self._read_at = self._asked_at = float("-inf")
        self._lock = asyncio.Lock()
        self._reading: asyncio.Task[None] | None = None
        self._verified: OrderedDict[bytes, Claims] = OrderedDict()

    def claims_to_be(self, token: str) -> bool:
        """Whether a token says that it is this issuer's; nothing is proven by it."""
        if hashlib.sha256(token.encode()).digest() in self._verified:
            return True
        try:
            claims = jwt.decode(token, options={"verify_signature": False})
        except jwt.InvalidTokenError:
            return False
        return claims.get("iss") == self._trusted.issuer

    async def verify(self, token: str) -> Claims:
        """What a token says: as client the name that the issuer gives it. Raises TokenRefused; Problem without keys."""
        mark = hashlib.sha256(token.encode()).digest()
        await self._usable()
        known = self._verified.get(mark)
        if known is None:
            known = self._decode(token, await self._key(token))
            self._verified[mark] = known
            if len(self._verified) > _REMEMBERED:
                self._verified.popitem(last=False)
        if known.expires_at <= time.time():
            self._verified.pop(mark, None)
            raise TokenRefused("the token has expired")
        return known

    def _decode(self, token: str, key: PyJWK) -> Claims:
        try:
            claims = jwt.decode(
                token,
                key,
                algorithms=[key.algorithm_name],
                audience=self._trusted.audience,
                issuer=self._trusted.issuer,
                leeway=LEEWAY_SECONDS,
                options={"require": ["exp", "iss", "aud"]},
            )
        except jwt.ExpiredSignatureError as error:
            raise TokenRefused("the token has expired") from error
        except jwt.InvalidTokenError as error:
            raise TokenRefused("the external issuer's token is not good here") from error
        name = claims.get(self._trusted.client_claim)
        if not isinstance(name, str) or not name.isprintable() or not name:
            raise TokenRefused(f"the external issuer's token names no client ({self._trusted.client_claim})")
        return Claims(name, None, int(claims["exp"]), confirmed_by(claims), whole=True)

    async def _key(self, token: str) -> PyJWK:
        header = jwt.get_unverified_header(token)
        found = self._keys.get(str(header.get("kid")))
        if found is None:
            await self._refresh(self._pause_seconds)
            found = self._keys.get(str(header.get("kid")))
        if found is None or header.get("alg") != found.algorithm_name:
            raise TokenRefused("the external issuer has no such key")
        return found

    async def _usable(self) -> None:
        """There are keys that may be used; old ones are read anew meanwhile. Raises Problem where there are none."""
        age = time.monotonic() - self._read_at
        if age > KEPT_SECONDS:
            await self._refresh(KEPT_SECONDS)
            if time.monotonic() - self._read_at > KEPT_SECONDS:
                raise Problem(ISSUER_UNAVAILABLE)
        elif age > self._fresh_seconds and (self._reading is None or self._reading.done()):
            self._reading = asyncio.create_task(self._refresh(self._fresh_seconds))

    async def _refresh(self, older_than: float) -> None:
        """Read the keys if they are older than so many seconds; one of those who wait does it."""
        if time.monotonic() - self._read_at < older_than:
            return
        async with self._lock:
            now = time.monotonic()
            if now - self._read_at >= older_than and now - self._asked_at >= self._pause_seconds:
                self._asked_at = now
                try:
                    self._take(await self._fetch())
                except IssuerSilent as error:
                    _log.warning("the keys of %s could not be fetched: %s", self._trusted.issuer, error)

    def _take(self, keys: dict[str, PyJWK]) -> None:
        if set(keys) != set(self._keys):  # a key may have been taken away, and what it signed with it
            self._verified.clear()
        self._keys, self._read_at = keys, time.monotonic()

    async def _fetch(self) -> dict[str, PyJWK]:
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
        async with aiohttp.ClientSession(timeout=timeout, trust_env=False) as session:
            about = await _document(session, f"{self._trusted.issuer.rstrip('/')}/.well-known/openid-configuration")
            if about.get("issuer") != self._trusted.issuer:
                raise IssuerSilent("its discovery document is another issuer's")
            where = about.get("jwks_uri")
            if not isinstance(where, str) or not _is_secure(where):
                raise IssuerSilent("its discovery document names no https address of keys")
            return _keys(await _document(session, where))


async def _document(session: aiohttp.ClientSession, address: str) -> Mapping[str, Any]:
    try:
        async with session.get(address, allow_redirects=False) as answer:
            if answer.status != 200:  # noqa: PLR2004
                raise IssuerSilent(f"{address} answered with {answer.status}")
            content = b""
            async for chunk in answer.content.iter_chunked(1 << 16):
                content += chunk
                if len(content) > LONGEST_ANSWER:
                    raise IssuerSilent(f"{address} answered with more than {LONGEST_ANSWER} bytes")
        document = orjson.loads(content)
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
        raise IssuerSilent(f"{address}: {type(error).__name__}") from error
    if not isinstance(document, dict):
        raise IssuerSilent(f"{address} answered with no object")
    return document


def _keys(document: Mapping[str, Any]) -> dict[str, PyJWK]:
    """The keys for signatures by their ids; those of other kinds, or without an id, are passed over."""
    found: dict[str, PyJWK] = {}
    given = document.get("keys")
    for jwk in given if isinstance(given, list) else []:
        if not isinstance(jwk, dict) or jwk.get("use", "sig") != "sig" or not isinstance(jwk.get("kid"), str):
            continue
        try:
            key = PyJWK(jwk)
        except (jwt.PyJWTError, ValueError, TypeError, KeyError):
            continue
        if key.algorithm_name in ALGORITHMS:
            found[jwk["kid"]] = key
    if not found:
        raise IssuerSilent("there is no key for signatures among its keys")
    return found


def _is_secure(address: str) -> bool:
    parts = urlsplit(address)
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)
