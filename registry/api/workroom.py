"""Work that takes a processor for a while: in threads, a few at a time, so that the event loop stays free."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from registry.api.access.gate import Gate

Result = TypeVar("Result")


class Workroom:
    """Some places to work at and some to wait for one; who finds neither is told to come back."""

    def __init__(self, places: int, waiting: int) -> None:
        self._gate = Gate(places, waiting)

    async def do(self, work: Callable[[], Result]) -> Result:
        """What the work gives back. Raises Problem (busy) if too many wait already, and what the work raises."""
        async with self._gate.passed():
            return await asyncio.to_thread(work)
