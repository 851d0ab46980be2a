"""What anyone needs to trust this hub's signatures, read anew whenever an issuer or a key has changed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import orjson
import psycopg
from cryptography.hazmat.primitives.serialization import Encoding

from registry.api.licences.licensing import Licensing
from registry.api.representations import now
from registry.credentials import build
from registry.credentials.trust_list import TrustList
from registry.licences import key_rows, trust
from registry.storage.reads import trust as reads
from registry.storage.reads.pool import Pool

_KEPT = timedelta(hours=1)
"""How long the same documents are handed out while nothing changes: a trust list says when it was signed."""


@dataclass(slots=True)
class Documents:
    """The documents as one moment knows them."""

    mark: str
    read_at: datetime
    dids: Mapping[str, bytes]
    """DID documents by issuer code; the hub's by the empty text."""
    jwks: bytes
    root_pem: bytes | None
    trust: TrustList | None
    """What verification here relies on; None before the first issuer is entered."""
    signed: bytes | None = field(default=None)
    """The trust list as a file, once somebody has asked for it."""


class TrustDocuments:
    """Made in a thread when they are first asked for."""

    def __init__(self, licensing: Licensing, pool: Pool, token_jwks: Callable[[], list[dict[str, str]]]) -> None:
        self._licensing, self._pool, self._token_jwks = licensing, pool, token_jwks
        self._published = build.published(licensing.types.all, licensing.base)
        self._found: Documents | None = None
        self._lock = asyncio.Lock()

    def published(self, path: str) -> bytes | None:
        """The context or a schema, by its path at this hub."""
        return self._published.get(f"{self._licensing.base}{path}")

    async def current(self) -> Documents:
        """The documents as they are now. Raises ReadError."""
        mark = " ".join([await reads.mark(self._pool), *(jwk["kid"] for jwk in self._token_jwks())])
        async with self._lock:
            if self._found is None or self._found.mark != mark or now() - self._found.read_at > _KEPT:
                self._found = await self._licensing.write(lambda connection: self._read(connection, mark))
            return self._found

    async def trust_list(self) -> bytes | None:
        """The signed trust list; None before the first issuer. Raises Problem without the master key."""
        found = await self.current()
        if found.trust is not None and found.signed is None:
            base, resources = self._licensing.base, self._published
            found.signed = await self._licensing.sign(
                lambda connection, keys: trust.trust_list_document(
                    connection, keys, base=base, resources=resources, now=found.read_at
                )
            )
        return found.signed

    def _read(self, connection: psycopg.Connection, mark: str) -> Documents:
        at = now()
        issuers = trust.trusted_issuers(connection)
        dids = {code: trust.did_document(connection, code or None) for code in ["", *(one.code for one in issuers)]}
        root = key_rows.active(connection, "root", None)
        certificate = root and root.certificate
        found = dids.get("")
        return Documents(
            mark=mark,
            read_at=at,
            dids={code: orjson.dumps(document) for code, document in dids.items() if document is not None},
            jwks=orjson.dumps(trust.jwks(connection, self._token_jwks())),
            root_pem=certificate.public_bytes(Encoding.PEM) if certificate else None,
            trust=TrustList(
                root=certificate,
                root_was_given=True,
                hub=found["id"],
                issuers={issuer.did: issuer for issuer in issuers},
                issued_at=at,
                valid_until=at + trust.VALID,
                resources=self._published,
            )
            if certificate and found
            else None,
        )
