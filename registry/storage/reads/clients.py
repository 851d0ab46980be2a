"""Downstream systems that may ask for tokens."""

from __future__ import annotations

from dataclasses import dataclass

from registry.storage.reads.pool import Pool, Row

_CLIENT = """
SELECT id, scopes, revoked_at IS NOT NULL AS revoked, methods, requests_per_second
FROM registry.client WHERE {column} = $1
"""
_BY_ID = _CLIENT.format(column="id")
_BY_EXTERNAL_NAME = _CLIENT.format(column="external_name")
_CREDENTIALS = """
SELECT id, kind, content FROM registry.client_credential
WHERE client_id = $1 AND (ends_at IS NULL OR ends_at > now()) ORDER BY id DESC
"""


@dataclass(frozen=True, slots=True)
class Client:
    """A client as it stands now."""

    id: str
    scopes: frozenset[str]
    revoked: bool
    methods: frozenset[str]
    """How it may prove who it is."""
    requests_per_second: int | None
    """Its own limit; None: the hub's."""


@dataclass(frozen=True, slots=True)
class Credential:
    """What a client proves with who it is: ``kind`` says what ``content`` holds, see docs/registry-schema.md."""

    id: int
    kind: str
    content: str


async def one(pool: Pool, client_id: str) -> Client | None:
    """The client of an id, revoked or not."""
    return _client(await pool.row(_BY_ID, client_id))


async def by_external_name(pool: Pool, name: str) -> Client | None:
    """The client that an external issuer of tokens knows by this name, revoked or not."""
    return _client(await pool.row(_BY_EXTERNAL_NAME, name))


async def credentials(pool: Pool, client_id: str) -> list[Credential]:
    """A client's credentials that have not ended, the newest first."""
    return [Credential(row["id"], row["kind"], row["content"]) for row in await pool.rows(_CREDENTIALS, client_id)]


def _client(row: Row | None) -> Client | None:
    return row and Client(
        row["id"], frozenset(row["scopes"]), row["revoked"], frozenset(row["methods"]), row["requests_per_second"]
    )
