"""The writer of the access log: many answers wait, one transaction takes them all, then they leave.

One thread with one connection of its own. While it commits, the next answers gather; the more there is to do, the more
entries share a commit, and nothing waits for a timer.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import psycopg

from registry.audit import log
from registry.domain.audit.entry import Entry
from registry.storage import grant_uses
from registry.storage.database import connect
from registry.storage.grant_uses import Use

MOST_AT_ONCE = 1000
MOST_WAITING = 5000
"""Answers that may wait; more are refused at once, so that memory stays flat."""
STATEMENT_SECONDS = 5
REFUSED = 429
"""The status in the log of an answer that was not given because a quota is used up."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """An entry, and what its answer uses of grants."""

    entry: Entry
    uses: Sequence[Use]


_Appended = tuple[int, list[int | None]]
"""The first entry's index; and for each the grant whose quota it would go beyond."""


class LogUnavailable(Exception):  # noqa: N818  (named for the state met)
    """An entry could not be written, or not in time."""


class QuotaUsedUp(Exception):  # noqa: N818
    """The answer would go beyond a grant's daily quota: it stands in the log as refused, and is not to be given."""

    def __init__(self, index: int, grant_id: int) -> None:
        self.index, self.grant_id = index, grant_id
        super().__init__(f"the quota of grant {grant_id} is used up")


class AccessLog:
    """Writes entries; connects when there is the first one, and again after a failure."""

    def __init__(self, url: str, *, wait_seconds: float) -> None:
        self._url, self._wait_seconds = url, wait_seconds
        self._waiting: list[tuple[_Wanted, asyncio.Future[int]]] = []
        self._writer: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, "access-log")
        self._connection: psycopg.Connection | None = None

    async def write(self, entry: Entry, uses: Sequence[Use] = ()) -> int:
        """The entry's index, once it is committed, and what it uses of grants with it.

        Raises LogUnavailable; the entry may be there all the same. Raises QuotaUsedUp.
        """
        if len(self._waiting) >= MOST_WAITING:
            raise LogUnavailable(f"{MOST_WAITING} answers wait already")
        written: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._waiting.append((_Wanted(entry, uses), written))
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write_all())
        try:
            async with asyncio.timeout(self._wait_seconds):
                return await written
        except TimeoutError as error:
            raise LogUnavailable(f"not written within {self._wait_seconds} s") from error

    async def close(self) -> None:
        """Write what waits, and give the connection back."""
        if self._writer is not None:
            await asyncio.wait([self._writer], timeout=self._wait_seconds)
        await asyncio.to_thread(self._thread.shutdown)
        self._disconnect()

    async def _write_all(self) -> None:
        """Until nobody waits any more."""
        loop = asyncio.get_running_loop()
        while self._waiting:
            taken = [each for each in self._waiting[:MOST_AT_ONCE] if not each[1].done()]
            del self._waiting[:MOST_AT_ONCE]
            try:
                first, beyond = await loop.run_in_executor(self._thread, self._append, [each for each, _ in taken])
            except (psycopg.Error, LookupError, ValueError) as error:
                _log.error("%d entries of the access log could not be written: %s", len(taken), type(error).__name__)
                _fail(taken, error)
            else:
                for index, (grant_id, (_, written)) in enumerate(zip(beyond, taken, strict=True), first):
                    if written.done():
                        continue
                    if grant_id is None:
                        written.set_result(index)
                    else:
                        written.set_exception(QuotaUsedUp(index, grant_id))

    def _append(self, wanted: Sequence[_Wanted]) -> _Appended:
        """In the thread. A connection that was idle may be dead: then once more on a new one.

        Should the first try have been committed after all, its entries stand there twice: better than not at all.
        """
        fresh = self._connection is None
        try:
            return self._append_once(wanted)
        except psycopg.OperationalError:
            if fresh:
                raise
            return self._append_once(wanted)

    def _append_once(self, wanted: Sequence[_Wanted]) -> _Appended:
        try:
            if self._connection is None:
                self._connection = connect(self._url, application="shuqiao-access-log")
                self._connection.execute(f"SET statement_timeout = '{STATEMENT_SECONDS}s'".encode())
            return _append(self._connection, wanted)
        except psycopg.Error:
            self._disconnect()
            raise

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _append(connection: psycopg.Connection, wanted: Sequence[_Wanted]) -> _Appended:
    """Entries and uses of grants in one transaction; an entry of an answer beyond a quota says that it was refused."""
    if not any(each.uses for each in wanted):
        return log.append(connection, [each.entry for each in wanted]), [None] * len(wanted)
    with connection.transaction():
        beyond = grant_uses.count(connection, [(each.entry.at, each.uses) for each in wanted])
        entries = [
            each.entry if grant_id is None else replace(each.entry, status=REFUSED)
            for each, grant_id in zip(wanted, beyond, strict=True)
        ]
        return log.append(connection, entries), beyond


def _fail(taken: Sequence[tuple[_Wanted, asyncio.Future[int]]], error: Exception) -> None:
    for _, written in taken:
        if not written.done():
            failure = LogUnavailable(type(error).__name__)
            failure.__cause__ = error
            written.set_exception(failure)
