"""How often tokens are asked for, and which assertions were used: counted in PostgreSQL, so that every process knows.

Each subject has an allowance that comes back with time (the generic cell rate algorithm): one row with one moment is
all there is to keep, and a row whose moment has passed says nothing and may go.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

import psycopg

from registry.api.problems import BUSY, Problem
from registry.storage.database import connect
from registry.storage.reads.pool import DatabaseUnavailable

MOST_WAITING = 200
"""Who may wait to be counted; more are told to come back."""
_SWEPT = 20
"""Rows without meaning that one who adds a row takes away."""
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Pace:
    """So many at once, then one each so many seconds; named as ``RateLimit`` names it."""

    name: str
    at_once: int
    seconds: float

    @property
    def whole(self) -> float:
        """Seconds after which everything is as at first."""
        return self.at_once * self.seconds


WRONG_BY_CLIENT = Pace("proofs-for-client", 5, 30)
"""Wrong proofs for one client from one address."""
WRONG_BY_ADDRESS = Pace("proofs-from-address", 30, 2)
"""Wrong proofs from one address, for whichever client."""
TOKENS = Pace("tokens", 60, 1)
"""Tokens given to one client."""


@dataclass(frozen=True, slots=True)
class Spending:
    """One of what a subject is allowed."""

    subject: bytes
    pace: Pace


@dataclass(frozen=True, slots=True)
class Refused:
    """Nothing is left of one; the seconds after which it is worth trying."""

    pace: Pace
    seconds: float


def wrong(client_id: str, address: str) -> tuple[Spending, Spending]:
    """What one wrong proof costs. A stranger spends what is his address's, never what is the client's elsewhere."""
    return (
        Spending(_subject("client at address", client_id, address), WRONG_BY_CLIENT),
        Spending(_subject("address", address), WRONG_BY_ADDRESS),
    )


def token(client_id: str) -> tuple[Spending]:
    """What one token costs."""
    return (Spending(_subject("client", client_id), TOKENS),)


def _subject(*parts: str) -> bytes:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).digest()


class Attempts:
    """One thread with one connection of its own; it connects when it is first needed, and again after a failure."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._thread = ThreadPoolExecutor(1, "token-attempts")
        self._connection: psycopg.Connection | None = None
        self._waiting = 0

    async def spend(self, spendings: Sequence[Spending]) -> Refused | None:
        """Spend all of them, or none: then the one that stands in the way. Raises Problem, ReadError."""
        return await self._do(lambda connection: _spend(connection, spendings))

    async def give_back(self, spendings: Sequence[Spending]) -> None:
        """What was spent on a proof that turned out right. Raises Problem, ReadError."""
        await self._do(lambda connection: _give_back(connection, spendings))

    async def use(self, digest: bytes, ends_at: datetime) -> bool:
        """Whether an assertion is used for the first time; it is then kept until it ends. Raises Problem, ReadError."""
        return await self._do(lambda connection: _use(connection, digest, ends_at))

    async def close(self) -> None:
        """Let end what has begun, and give the connection back."""
        await asyncio.to_thread(self._thread.shutdown)
        self._disconnect()

    async def _do(self, work: Callable[[psycopg.Connection], Result]) -> Result:
        if self._waiting >= MOST_WAITING:
            raise Problem(BUSY)
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, self._in_thread, work)
        finally:
            self._waiting -= 1

    def _in_thread(self, work: Callable[[psycopg.Connection], Result]) -> Result:
        """A connection that was idle may be dead: then once more on a new one; a transaction that was cut left nothing.

        Raises DatabaseUnavailable.
        """
        for last in (self._connection is None, True):
            try:
                return work(self._connected())
            except psycopg.Error as error:
                self._disconnect()
                if last or not isinstance(error, psycopg.OperationalError):
                    raise DatabaseUnavailable from error
        raise AssertionError

    def _connected(self) -> psycopg.Connection:
        if self._connection is None:
            self._connection = connect(self._url, application="shuqiao-token-attempts")
            self._connection.execute("SET statement_timeout = '5s'")
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _spend(connection: psycopg.Connection, spendings: Sequence[Spending]) -> Refused | None:
    """In one order, so that two who spend the same wait for each other one way round."""
    refused: Refused | None = None
    with connection.transaction() as transaction:
        connection.execute("SET LOCAL synchronous_commit = off")
        for each in sorted(spendings, key=lambda spending: spending.subject):
            wait = _spend_one(connection, each)
            if wait is not None:
                refused = Refused(each.pace, wait)
                raise psycopg.Rollback(transaction)
        connection.execute(
            "DELETE FROM registry.token_pace WHERE subject IN (SELECT subject FROM registry.token_pace"
            " WHERE spent_until < now() ORDER BY spent_until LIMIT %s FOR UPDATE SKIP LOCKED)",
            (_SWEPT,),
        )
    return refused


def _spend_one(connection: psycopg.Connection, spending: Spending) -> float | None:
    given = {"subject": spending.subject, "step": spending.pace.seconds, "whole": spending.pace.whole}
    done = connection.execute(
        "INSERT INTO registry.token_pace AS pace (subject, spent_until)"
        " VALUES (%(subject)s, clock_timestamp() + make_interval(secs => %(step)s))"
        " ON CONFLICT (subject) DO UPDATE SET spent_until ="
        " greatest(pace.spent_until, clock_timestamp()) + make_interval(secs => %(step)s)"
        " WHERE pace.spent_until <= clock_timestamp() + make_interval(secs => %(whole)s - %(step)s)",
        given,
    )
    if done.rowcount:
        return None
    row = connection.execute(
        "SELECT extract(epoch FROM spent_until - clock_timestamp())::float8 - (%(whole)s - %(step)s)"
        " FROM registry.token_pace WHERE subject = %(subject)s",
        given,
    ).fetchone()
    return max(0.0, row[0]) if row else 0.0


def _give_back(connection: psycopg.Connection, spendings: Sequence[Spending]) -> None:
    with connection.transaction():
        connection.execute("SET LOCAL synchronous_commit = off")
        for each in sorted(spendings, key=lambda spending: spending.subject):
            connection.execute(
                "UPDATE registry.token_pace SET spent_until = spent_until - make_interval(secs => %s)"
                " WHERE subject = %s",
                (each.pace.seconds, each.subject),
            )


def _use(connection: psycopg.Connection, digest: bytes, ends_at: datetime) -> bool:
    with connection.transaction():
        done = connection.execute(
            "INSERT INTO registry.client_assertion (digest, ends_at) VALUES (%s, %s) ON CONFLICT DO NOTHING",
            (digest, ends_at),
        )
        connection.execute(
            "DELETE FROM registry.client_assertion WHERE digest IN (SELECT digest FROM registry.client_assertion"
            " WHERE ends_at < now() ORDER BY ends_at LIMIT %s FOR UPDATE SKIP LOCKED)",
            (_SWEPT,),
        )
    return done.rowcount == 1
