"""Verification at this hub: with its own trust list and status lists as they are now, without any network.

The verifier itself is pure and works offline too (:mod:`registry.credentials.verify`); here it runs in a thread, and
what it asks for is read through the event loop's pool.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Coroutine
from datetime import datetime
from typing import Any, TypeVar

from registry.api.licences.trust_documents import TrustDocuments
from registry.api.problems import NOT_READY, Problem
from registry.api.representations import now
from registry.api.workroom import Workroom
from registry.credentials.verify import FetchedList, Verdict, verify
from registry.storage.reads import licences, trust
from registry.storage.reads.pool import Pool

Result = TypeVar("Result")

_READ_SECONDS = 30
_LIST = re.compile(r"/status/([1-9][0-9]{0,17})/(revocation|suspension|message)")


class Verifier:
    """Verifies whatever anyone sends: two documents at once, some more may wait."""

    def __init__(self, trust_documents: TrustDocuments, pool: Pool, base: str) -> None:
        self._trust, self._pool, self._base = trust_documents, pool, base
        self._room = Workroom(2, 32)

    async def verify(
        self, document: bytes, *, challenge: str | None = None, domain: str | None = None, presented: bool = False
    ) -> Verdict:
        """What is to be said of a document in any form. Raises Problem (busy; no issuer yet), ReadError."""
        trusted = (await self._trust.current()).trust
        if trusted is None:
            raise Problem(NOT_READY, "尚未登记颁发机构。", "No issuing authority has been entered yet.")
        registry = _Registry(self._pool, self._base, asyncio.get_running_loop())
        return await self._room.do(
            lambda: verify(
                document,
                trusted,
                registry,
                now(),
                latest=registry.latest,
                challenge=challenge,
                domain=domain,
                presented=presented,
            )
        )


class _Registry:
    """This hub's status lists and versions, for the thread that verifies. Blocks it, not the event loop."""

    def __init__(self, pool: Pool, base: str, loop: asyncio.AbstractEventLoop) -> None:
        self._pool, self._base, self._loop = pool, base, loop

    def status_list(self, url: str) -> FetchedList | None:
        """A list of this hub's, as it is now; others are not fetched: who sends a document decides no address."""
        place = _LIST.fullmatch(url.removeprefix(self._base)) if url.startswith(self._base) else None
        if place is None:
            return None
        at: datetime = now()
        found = self._wait(trust.status_list(self._pool, int(place[1]), place[2]))
        return None if found is None else FetchedList(found.document, at)

    def latest(self, identifier: str) -> str | None:
        """The identifier of the version that counts now."""
        return self._wait(licences.newest(self._pool, identifier))

    def _wait(self, work: Coroutine[Any, Any, Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_READ_SECONDS)
