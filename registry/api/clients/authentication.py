"""Who asks for a token: the client that proves it by a secret, an assertion that it signed, or a certificate.

A right proof is accepted at once, however many wrong ones there were: an assertion or a certificate always, a secret
wherever this process has seen it be right before. Wrong proofs cost the address that they come from; see
:mod:`registry.api.clients.attempts`. So nobody can shut a client out from elsewhere.
"""

from __future__ import annotations

import asyncio
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from fastapi import Request

from registry.api.clients import assertions, attempts, certificates, oauth, secret_hashes
from registry.api.clients.assertions import AssertionRefused
from registry.api.clients.attempts import Attempts
from registry.api.clients.credentials import Method
from registry.api.clients.oauth import Credentials
from registry.api.clients.presented import Presented
from registry.storage.reads import clients
from registry.storage.reads.clients import Client, Credential
from registry.storage.reads.pool import Pool

SECRETS = 2
"""Secrets that a client has at once: as many are tried whoever asks, so that time tells nothing of them."""
_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class Proven:
    """A client that has proven who it is."""

    client: Client
    bound_to: str | None = None
    """The thumbprint of the certificate that proved it: its tokens are worth nothing without."""


class Authentication:
    """Proves clients; remembers secrets that were right, as digests under a key that only this process has."""

    def __init__(self, pool: Pool, presented: Presented, tried: Attempts, audiences: Sequence[str]) -> None:
        """``audiences``: what an assertion may be meant for."""
        self._pool, self._presented, self._tried = pool, presented, tried
        self._audiences = tuple(audiences)
        self._hashing = asyncio.Semaphore(2)
        self._key = secrets.token_bytes(32)
        self._right: OrderedDict[int, bytes] = OrderedDict()

    async def prove(self, request: Request, given: Credentials) -> Proven:
        """The client. Raises Problem: 401 whatever is wrong, 429 where too much was wrong before; ReadError."""
        address = self._presented.neighbourhood(request.scope)
        if given.assertion_type or given.assertion:
            proven = await self._by_assertion(given, address)
        elif given.secret:
            proven = await self._by_secret(given, address)
        else:
            proven = await self._by_certificate(request, given, address)
        request.state.client_id = proven.client.id  # whatever it is answered from here on is on record
        refused = await self._tried.spend(attempts.token(proven.client.id))
        if refused is not None:
            raise oauth.too_often(refused)
        return proven

    async def _by_secret(self, given: Credentials, address: str) -> Proven:
        client, known = await self._look_up(given.client_id, Method.SECRET)
        hashes = [each for each in known if each.kind == "secret"][:SECRETS]
        digest = hmac.digest(self._key, given.secret.encode("utf-8", "surrogatepass"), "sha256")
        if client and any(hmac.compare_digest(digest, self._right.get(each.id, b"")) for each in hashes):
            return Proven(client)
        cost = attempts.wrong(given.client_id, address)
        refused = await self._tried.spend(cost)
        if refused is not None:
            raise oauth.too_often(refused)
        right = await self._matching(given.secret, hashes)
        if client is None or right is None:
            raise oauth.unproven()
        await self._tried.give_back(cost)
        self._right[right.id] = digest
        if len(self._right) > _REMEMBERED:
            self._right.popitem(last=False)
        return Proven(client)

    async def _matching(self, secret: str, hashes: Sequence[Credential]) -> Credential | None:
        """The one that the secret belongs to. A wrong one takes as long whoever is meant, known or not."""
        for each in hashes:
            if await self._matches(secret, each.content):
                return each
        for _ in range(SECRETS - len(hashes)):
            await self._matches(secret, _nobodys())
        return None

    async def _matches(self, secret: str, secret_hash: str) -> bool:
        async with self._hashing:
            return await asyncio.to_thread(secret_hashes.secret_matches, secret, secret_hash)

    async def _by_assertion(self, given: Credentials, address: str) -> Proven:
        named = assertions.claimed_client(given.assertion)
        client, known = await self._look_up(named, Method.KEY)
        jwks = [each.content for each in known if each.kind == "key"]
        is_meant = given.assertion_type == assertions.TYPE and given.client_id in {"", named}
        try:
            found = assertions.verify(given.assertion, named, jwks if is_meant else (), self._audiences)
        except AssertionRefused:
            raise await self._wrong(named, address) from None
        if client is None or not await self._tried.use(found.digest, found.ends_at):
            raise await self._wrong(named, address)
        return Proven(client)

    async def _by_certificate(self, request: Request, given: Credentials, address: str) -> Proven:
        der = self._presented.certificate(request.scope)
        if der is None or not given.client_id:
            raise oauth.unproven()
        client, known = await self._look_up(given.client_id, Method.CERTIFICATE, Method.PKI)
        if client is None or not self._shows(der, client, known):
            raise await self._wrong(given.client_id, address)
        return Proven(client, certificates.thumbprint(der))

    def _shows(self, der: bytes, client: Client, known: Sequence[Credential]) -> bool:
        """Whether a certificate is one of the client's: itself, or its subject under an authority of the hub's."""
        try:
            certificate = certificates.read(der)
        except certificates.CertificateError:
            return False
        if not certificates.is_in_force(certificate):
            return False
        own = {each.content for each in known if each.kind == "certificate"}
        if Method.CERTIFICATE in client.methods and certificates.thumbprint(der) in own:
            return True
        names = {each.content for each in known if each.kind == "subject"}
        return (
            Method.PKI in client.methods
            and certificate.subject.rfc4514_string() in names
            and certificates.is_issued_by(certificate, self._presented.authorities)
        )

    async def _look_up(self, client_id: str, *methods: Method) -> tuple[Client | None, list[Credential]]:
        """A client that may prove itself in one of these ways, and its credentials; nobody for anyone else."""
        if not client_id or not client_id.isprintable():
            return None, []
        client = await clients.one(self._pool, client_id)
        if client is None or client.revoked or not client.methods.intersection(methods):
            return None, []
        return client, await clients.credentials(self._pool, client_id)

    async def _wrong(self, client_id: str, address: str) -> Exception:
        """What a wrong proof is answered with, once it has been paid for."""
        refused = await self._tried.spend(attempts.wrong(client_id, address))
        return oauth.unproven() if refused is None else oauth.too_often(refused)


@lru_cache(maxsize=1)
def _nobodys() -> str:
    return secret_hashes.hash_secret("nobody's")
