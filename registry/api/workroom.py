"""Work that takes a processor for a while: in threads, a few at a time, so that the event loop stays free."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from registry.api.problems import BUSY, Problem

Result = TypeVar("Result")


class Workroom:
    """Some places to work at and some to wait for one; who finds neither is told to come back."""

    def __init__(self, places: int, waiting: int) -> None:
        self._places = asyncio.Semaphore(places)
        self._most = places + waiting
        self._inside = 0

    async def do(self, work: Callable[[], Result]) -> Result:
        """What the work gives back. Raises Problem (busy) if too many wait already, and what the work raises."""
        if self._inside >= self._most:
            raise Problem(BUSY)
        self._inside += 1
        try:
            async with self._places:
                return await asyncio.to_thread(work)
        finally:
            self._inside -= 1
