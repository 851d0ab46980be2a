"""Clients of the API, as the operator enters and revokes them: plain functions for the command line.

A secret is shown once and kept only as its scrypt hash.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from registry.storage.database import connect

OPERATE = "operate"
READ_ALL = "read:*"
LICENCE_ALL = "licence:*"
CREDIT_PUBLIC = "credit:public"
CREDIT_DEPARTMENT = "credit:department"
CREDIT_BANK = "credit:bank"
CREDIT_CONSENT = "credit:consent"
CREDIT_EXCHANGE = "credit:exchange"
CREDIT_CASES = "credit:cases"
CREDIT_DECIDE = "credit:decide:"
"""Before the name of the department that decides."""
_SCOPE = re.compile(
    r"operate|read:(\*|[a-z][a-z0-9_.-]{0,62})|licence:(\*|[a-z][a-z0-9_]{0,62})|issue:([0-9]{6}|[0-9A-Z]{18})"
    r"|credit:(public|department|bank|consent|exchange|cases|decide:[a-z][a-z0-9_-]{0,59})"
)
_SCOPES = (
    "read:<dataset>, read:*, licence:<type>, licence:*, issue:<issuer code>, credit:public, credit:department,"
    " credit:bank, credit:consent, credit:exchange, credit:cases, credit:decide:<department> or operate"
)
_COLUMNS = "id, name, scopes, created_at, revoked_at"
_COST, _BLOCK, _PARALLEL = 1 << 14, 8, 1


class ClientError(Exception):
    """A client cannot be entered or revoked as asked."""


@dataclass(frozen=True, slots=True)
class Client:
    """A downstream system that may ask for tokens."""

    id: str
    name: str
    scopes: tuple[str, ...]
    created_at: datetime
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class NewClient:
    """A client just entered; the only time its secret is there to be seen."""

    id: str
    name: str
    scopes: tuple[str, ...]
    secret: str


def add(database_url: str, name: str, scopes: Sequence[str]) -> NewClient:
    """Enter a client with what it may do. Raises ClientError.

    ``read:<dataset>``, ``read:*``: records; ``licence:<type>``, ``licence:*``: licences in every form, and copies of
    them; ``issue:<issuer code>``: credentials of one's own, signed for that issuer; ``credit:public``: what may be
    published of an enterprise; ``credit:department``: its file, its credit record and the measures, as departments get
    them; ``credit:bank``: what lenders get with an enterprise's consent; ``credit:consent``: enter and revoke consents
    for enterprises; ``credit:exchange``: the permits and penalties to be made public, for the upper-level platform;
    ``credit:cases``: file repairs and objections for enterprises; ``credit:decide:<department>``: decide those
    about what that department recorded; ``operate``: batches, quarantine, discrepancies, matches, and cases as the hub.
    """
    if not name.strip():
        raise ClientError("a client needs a name: the system and who is responsible for it")
    for scope in scopes:
        if not _SCOPE.fullmatch(scope):
            raise ClientError(f"there is no scope {scope!r}; expected {_SCOPES}")
    if not scopes:
        raise ClientError(f"a client needs at least one scope: {_SCOPES}")
    granted = tuple(sorted(set(scopes)))
    client = NewClient(f"client-{secrets.token_hex(8)}", name.strip(), granted, secrets.token_urlsafe(32))
    with connect(database_url) as connection:
        connection.execute(
            "INSERT INTO registry.client (id, name, secret_hash, scopes) VALUES (%s, %s, %s, %s)",
            (client.id, client.name, hash_secret(client.secret), list(granted)),
        )
    return client


def all_clients(database_url: str) -> list[Client]:
    """Every client, also revoked ones, the newest last."""
    with connect(database_url) as connection:
        rows = connection.execute(f"SELECT {_COLUMNS} FROM registry.client ORDER BY created_at, id").fetchall()
    return [_client(*row) for row in rows]


def revoke(database_url: str, client_id: str) -> Client:
    """End a client: no more tokens, and those it has stop working. Raises ClientError if there is none of that id."""
    with connect(database_url) as connection:
        row = connection.execute(
            f"UPDATE registry.client SET revoked_at = coalesce(revoked_at, now()) WHERE id = %s RETURNING {_COLUMNS}",
            (client_id,),
        ).fetchone()
    if row is None:
        raise ClientError(f"there is no client {client_id!r}; list them to see their ids")
    return _client(*row)


def _client(
    client_id: str, name: str, scopes: Sequence[str], created_at: datetime, revoked_at: datetime | None
) -> Client:
    return Client(client_id, name, tuple(scopes), created_at, revoked_at)


def unknown_datasets(database_url: str, scopes: Sequence[str]) -> list[str]:
    """Datasets that scopes name and that the registry does not hold (yet): to warn of a slip of the pen."""
    named = {scope.removeprefix("read:") for scope in scopes if scope.startswith("read:")} - {"*"}
    with connect(database_url) as connection:
        known = {row[0] for row in connection.execute("SELECT name FROM registry.dataset")}
    return sorted(named - known)


def hash_secret(secret: str) -> str:
    """``scrypt$cost$block$parallel$salt$digest``."""
    salt = secrets.token_bytes(16)
    digest = _scrypt(secret, salt, _COST, _BLOCK, _PARALLEL)
    return f"scrypt${_COST}${_BLOCK}${_PARALLEL}${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"


def secret_matches(secret: str, secret_hash: str) -> bool:
    """Whether a secret is the one that was hashed, in constant time."""
    _, cost, block, parallel, salt, digest = secret_hash.split("$")
    found = _scrypt(secret, base64.b64decode(salt), int(cost), int(block), int(parallel))
    return hmac.compare_digest(found, base64.b64decode(digest))


def _scrypt(secret: str, salt: bytes, cost: int, block: int, parallel: int) -> bytes:
    return hashlib.scrypt(secret.encode(), salt=salt, n=cost, r=block, p=parallel, maxmem=64 << 20, dklen=32)
