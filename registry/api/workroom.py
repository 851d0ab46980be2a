"""Work that takes a processor for a while: in threads, a few at a time, so that the event loop stays free."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

from registry.api.problems import BUSY, Problem

Result = TypeVar("Result")


class Workroom:
    """Some places to work at and some to wait for one; who finds neither is told to come back.

    A place is taken as long as its thread works, also where nobody waits for the result any more.
    """

    def __init__(self, places: int, waiting: int) -> None:
        self._threads = ThreadPoolExecutor(places, "workroom")
        self._most = places + waiting
        self._here = 0

    async def do(self, work: Callable[[], Result]) -> Result:
        """What the work gives back; work whose turn has not come when its caller gives up is not done.

        Raises Problem (busy) if too many wait already, and what the work raises.
        """
        if self._here >= self._most:
            raise Problem(BUSY)
        loop = asyncio.get_running_loop()

        def done(_: object) -> None:
            with suppress(RuntimeError):  # the loop is closed: nobody comes any more
                loop.call_soon_threadsafe(self._leave)

        begun = self._threads.submit(work)
        self._here += 1
        begun.add_done_callback(done)
        return await asyncio.wrap_future(begun)

    def _leave(self) -> None:
        self._here -= 1
