"""Downstream systems that may ask for tokens."""

from __future__ import annotations

from dataclasses import dataclass

from registry.storage.reads.pool import Pool

_CLIENT = "SELECT id, secret_hash, scopes, revoked_at IS NOT NULL AS revoked FROM registry.client WHERE id = $1"


@dataclass(frozen=True, slots=True)
class Client:
    """A client as it stands now."""

    id: str
    secret_hash: str
    scopes: frozenset[str]
    revoked: bool


async def one(pool: Pool, client_id: str) -> Client | None:
    """The client of an id, revoked or not."""
    row = await pool.row(_CLIENT, client_id)
    return row and Client(row["id"], row["secret_hash"], frozenset(row["scopes"]), row["revoked"])
