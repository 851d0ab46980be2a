"""The writer of the access log: many answers wait, one transaction takes them all, then they leave.

One thread with one connection of its own. While it commits, the next answers gather; the more there is to do, the more
entries share a commit, and nothing waits for a timer.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import psycopg

from registry.audit import log
from registry.domain.audit.entry import Entry
from registry.storage.database import connect

MOST_AT_ONCE = 1000
MOST_WAITING = 5000
"""Answers that may wait; more are refused at once, so that memory stays flat."""
STATEMENT_SECONDS = 5
_log = logging.getLogger(__name__)


class LogUnavailable(Exception):  # noqa: N818  (named for the state met)
    """An entry could not be written, or not in time."""


class AccessLog:
    """Writes entries; connects when there is the first one, and again after a failure."""

    def __init__(self, url: str, *, wait_seconds: float) -> None:
        self._url, self._wait_seconds = url, wait_seconds
        self._waiting: list[tuple[Entry, asyncio.Future[int]]] = []
        self._writer: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, "access-log")
        self._connection: psycopg.Connection | None = None

    async def write(self, entry: Entry) -> int:
        """The entry's index, once it is committed. Raises LogUnavailable; the entry may be there all the same."""
        if len(self._waiting) >= MOST_WAITING:
            raise LogUnavailable(f"{MOST_WAITING} answers wait already")
        written: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._waiting.append((entry, written))
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
                first = await loop.run_in_executor(self._thread, self._append, [entry for entry, _ in taken])
            except (psycopg.Error, LookupError, ValueError) as error:
                _log.error("%d entries of the access log could not be written: %s", len(taken), type(error).__name__)
                _fail(taken, error)
            else:
                for index, (_, written) in enumerate(taken, first):
                    if not written.done():
                        written.set_result(index)

    def _append(self, entries: Sequence[Entry]) -> int:
        """In the thread. A connection that was idle may be dead: then once more on a new one.

        Should the first try have been committed after all, its entries stand there twice: better than not at all.
        """
        fresh = self._connection is None
        try:
            return self._append_once(entries)
        except psycopg.OperationalError:
            if fresh:
                raise
            return self._append_once(entries)

    def _append_once(self, entries: Sequence[Entry]) -> int:
        try:
            if self._connection is None:
                self._connection = connect(self._url, application="shuqiao-access-log")
                self._connection.execute(f"SET statement_timeout = '{STATEMENT_SECONDS}s'".encode())
            return log.append(self._connection, entries)
        except psycopg.Error:
            self._disconnect()
            raise

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _fail(taken: Sequence[tuple[Entry, asyncio.Future[int]]], error: Exception) -> None:
    for _, written in taken:
        if not written.done():
            failure = LogUnavailable(type(error).__name__)
            failure.__cause__ = error
            written.set_exception(failure)
