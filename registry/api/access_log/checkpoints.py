"""When the API signs the access log: every minute if something was added, and when somebody asks for it."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta

import psycopg

from registry.api.licences.licensing import Licensing
from registry.api.problems import Problem
from registry.api.representations import now
from registry.audit import checkpoints
from registry.audit.checkpoints import Kept, LogAltered
from registry.licences.keys import KeyRing, KeysError
from registry.storage.reads.pool import ReadError

SOON = timedelta(seconds=1)
"""More often than that nobody has the log signed."""
_log = logging.getLogger(__name__)


class Checkpoints:
    """Signs the log with the hub's key, where the API has the master key."""

    def __init__(self, licensing: Licensing, seconds: float) -> None:
        self._licensing, self._seconds = licensing, seconds
        self._lock = asyncio.Lock()

    async def keep_signing(self) -> None:
        """Until cancelled. What goes wrong is tried again; a log that was altered is told each time."""
        while True:
            await asyncio.sleep(self._seconds)
            try:
                await self.sign()
            except (Problem, ReadError, KeysError, psycopg.Error):
                _log.debug("the access log was not signed", exc_info=True)
            except LogAltered as error:
                _log.error("the access log is not signed any more: %s", error)

    async def covering(self, index: int | None) -> Kept | None:
        """The newest checkpoint, signed now where there is none that has this entry; None if nobody signs here.

        Raises Problem, ReadError, LogAltered.
        """
        async with self._lock:
            last = await self.latest()
            if last is not None and (index is None or last.size > index or now() - last.made_at < SOON):
                return last
            return await self.sign()

    async def latest(self) -> Kept | None:
        """The newest checkpoint. Raises ReadError."""
        return await self._licensing.write(checkpoints.latest)

    async def sign(self) -> Kept:
        """Sign the log as it is now. Raises Problem where nobody signs, LogAltered, ReadError."""

        def work(connection: psycopg.Connection, keys: KeyRing) -> Kept:
            return checkpoints.make(connection, keys.hub, now())

        return await self._licensing.sign(work)
