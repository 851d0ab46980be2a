"""A door for those who are not known: some at once, some more may wait, the rest are told to come back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from registry.api.problems import BUSY, Problem


class Gate:
    """So many inside at once, whoever they are: public look-ups never take what clients with a token need."""

    def __init__(self, places: int, waiting: int) -> None:
        self._places = asyncio.Semaphore(places)
        self._most = places + waiting
        self._here = 0

    @asynccontextmanager
    async def passed(self) -> AsyncIterator[None]:
        """Inside. Raises Problem (busy) if too many wait already."""
        if self._here >= self._most:
            raise Problem(BUSY)
        self._here += 1
        try:
            async with self._places:
                yield
        finally:
            self._here -= 1
