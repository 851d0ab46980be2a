"""Writes that a client named, so that sending one again does nothing again, whatever was killed in between.

Who would carry a write out claims its name first. The write's own transaction holds the claim's row and says in it that
the write was done: both commit, or neither. The answer is kept afterwards. So a claim tells by itself where its process
died: not done, then somebody else may take it over after :data:`LEASE`; done without an answer, then nobody does it
again, and the answer is lost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal, TypeVar
from uuid import UUID, uuid4

import psycopg

Result = TypeVar("Result")

KEPT = timedelta(hours=24)
"""So long a name stands for what was done under it."""
LEASE = timedelta(seconds=60)
"""A claim that is older and not done was left by a process that died: no write takes so long."""
_WAIT = "2s"


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to carry out a named write, of one request of one process."""

    client: str
    key_hash: bytes
    token: UUID


@dataclass(frozen=True, slots=True)
class Met:
    """What was met in the place of a claim."""

    state: Literal["running", "other", "answered", "lost"]
    """Under way; the name of another request; done and answered; done, but its answer was lost."""
    scopes: frozenset[str] = frozenset()
    answer: bytes = b""


class ClaimLost(Exception):  # noqa: N818  (named for the state met)
    """Somebody else took the claim over meanwhile; nothing was done under this one."""


current: ContextVar[Claim | None] = ContextVar("claim", default=None)
"""The claim of the request that is being answered; threads that it starts work get it along."""


def claim(
    connection: psycopg.Connection, client: str, key_hash: bytes, request_digest: bytes, scopes: Iterable[str]
) -> Claim | Met:
    """Take a name for a request, or say what stands there already."""
    fresh = Claim(client, key_hash, uuid4())
    values = {
        "client": client, "key": key_hash, "digest": request_digest, "token": fresh.token, "scopes": sorted(scopes),
    }  # fmt: skip
    made = connection.execute(
        """
        INSERT INTO registry.idempotency_key (client_id, key_hash, request_digest, claim, claimed_at, scopes)
        VALUES (%(client)s, %(key)s, %(digest)s, %(token)s, clock_timestamp(), %(scopes)s) ON CONFLICT DO NOTHING
        """,
        values,
    ).rowcount
    if made:
        return fresh
    row = connection.execute(
        """
        SELECT claim, request_digest, done_at IS NOT NULL, scopes, answer, clock_timestamp() - claimed_at
        FROM registry.idempotency_key WHERE client_id = %(client)s AND key_hash = %(key)s
        """,
        values,
    ).fetchone()
    if row is None:  # released this very moment
        return claim(connection, client, key_hash, request_digest, scopes)
    token, digest, done, had, answer, age = row
    met = Met("running")
    if digest != request_digest:
        met = Met("other")
    elif answer is not None:
        met = Met("answered", frozenset(had), bytes(answer))
    elif done and age >= LEASE:  # before, its answer may still be on the way
        met = Met("lost")
    left_behind = age >= KEPT or (met.state == "running" and age >= LEASE)
    return fresh if left_behind and _taken_over(connection, values, token) else met


def _taken_over(connection: psycopg.Connection, values: dict[str, object], token: UUID) -> bool:
    """Take over what was left behind; not if its owner is alive after all and holds the row, or was quicker."""
    try:
        with connection.transaction():
            connection.execute(f"SET LOCAL lock_timeout = '{_WAIT}'".encode())
            return bool(
                connection.execute(
                    """
                    UPDATE registry.idempotency_key SET request_digest = %(digest)s, claim = %(token)s,
                        claimed_at = clock_timestamp(), scopes = %(scopes)s, done_at = NULL, answer = NULL
                    WHERE client_id = %(client)s AND key_hash = %(key)s AND claim = %(left)s
                      AND (done_at IS NULL OR claimed_at < clock_timestamp() - %(kept)s)
                    """,
                    {**values, "left": token, "kept": KEPT},
                ).rowcount
            )
    except psycopg.errors.LockNotAvailable:
        return False


def carried_out(connection: psycopg.Connection, work: Callable[[psycopg.Connection], Result]) -> Result:
    """What the work gives back: under a claim in one transaction with the word that it was done. Raises ClaimLost.

    Work that refuses keeps what it committed before it refused, as it does without a claim.
    """
    held = current.get()
    if held is None:
        return work(connection)
    refused: Exception | None = None
    with connection.transaction():
        if not connection.execute(
            "SELECT FROM registry.idempotency_key WHERE client_id = %s AND key_hash = %s AND claim = %s FOR UPDATE",
            (held.client, held.key_hash, held.token),
        ).rowcount:
            raise ClaimLost
        try:
            result = work(connection)
        except psycopg.Error:
            raise
        except Exception as error:  # noqa: BLE001  (raised again below, after what it committed)
            refused = error
        else:
            connection.execute(
                "UPDATE registry.idempotency_key SET done_at = clock_timestamp()"
                " WHERE client_id = %s AND key_hash = %s",
                (held.client, held.key_hash),
            )
    if refused is not None:
        raise refused
    return result


def keep(connection: psycopg.Connection, held: Claim, answer: bytes) -> None:
    """Keep the answer of what was done under a claim."""
    connection.execute(
        """
        UPDATE registry.idempotency_key SET answer = %s, done_at = coalesce(done_at, clock_timestamp())
        WHERE client_id = %s AND key_hash = %s AND claim = %s
        """,
        (answer, held.client, held.key_hash, held.token),
    )


def release(connection: psycopg.Connection, held: Claim) -> None:
    """Give a name back under which nothing was done."""
    connection.execute(
        "DELETE FROM registry.idempotency_key WHERE client_id = %s AND key_hash = %s AND claim = %s"
        " AND done_at IS NULL",
        (held.client, held.key_hash, held.token),
    )


def forget(connection: psycopg.Connection) -> int:
    """Take away the names whose time is over; how many."""
    return connection.execute(
        "DELETE FROM registry.idempotency_key WHERE claimed_at < clock_timestamp() - %s", (KEPT,)
    ).rowcount
