"""What the routes remember for a moment: read once for all who ask, and never older than it may be."""

from __future__ import annotations

import asyncio
import time

import pytest

from registry.api.state import Remembered


class Reading:
    """Gives a number that grows with each time; fails as long as it is told to."""

    def __init__(self) -> None:
        self.times = 0
        self.fails = False

    async def __call__(self) -> int:
        self.times += 1
        number = self.times
        await asyncio.sleep(0.05)
        if self.fails:
            raise LookupError
        return number


def test_many_who_wait_for_one_reading_that_fails_are_told_at_once() -> None:
    async def asked() -> list[int | BaseException]:
        return await asyncio.gather(*(remembered.get() for _ in range(50)), return_exceptions=True)

    reading = Reading()
    reading.fails = True
    remembered = Remembered(reading, 10)
    begun = time.monotonic()
    found = asyncio.run(asked())

    assert [type(each) for each in found] == [LookupError] * 50
    assert reading.times == 1
    assert time.monotonic() - begun < 1


def test_who_gives_up_takes_the_reading_from_nobody() -> None:
    async def asked() -> int:
        impatient = asyncio.create_task(remembered.get())
        await asyncio.sleep(0)
        patient = asyncio.create_task(remembered.get())
        await asyncio.sleep(0.01)
        impatient.cancel()
        with pytest.raises(asyncio.CancelledError):
            await impatient
        return await patient

    reading = Reading()
    remembered = Remembered(reading, 10)
    assert asyncio.run(asked()) == reading.times == 1


def test_nobody_is_given_what_was_read_before_he_asked_and_is_too_old() -> None:
    async def asked() -> list[int]:
        early = asyncio.create_task(remembered.get())
        await asyncio.sleep(0.01)
        late = [asyncio.create_task(remembered.get()) for _ in range(20)]
        return [await early, *[await each for each in late]]

    reading = Reading()
    remembered = Remembered(reading, 0)
    assert asyncio.run(asked()) == [1, *[2] * 20]
    assert reading.times == 2


def test_a_failure_is_not_remembered() -> None:
    async def asked() -> int:
        with pytest.raises(LookupError):
            await remembered.get()
        reading.fails = False
        return await remembered.get() + await remembered.get()

    reading = Reading()
    reading.fails = True
    remembered = Remembered(reading, 10)
    assert asyncio.run(asked()) == 4


def test_who_asks_between_the_end_of_a_reading_and_its_being_told_is_answered_too() -> None:
    later: list[asyncio.Task[int]] = []

    async def read() -> int:
        if not later:
            later.append(asyncio.create_task(remembered.get()))  # its turn comes before anyone is told
        return len(later)

    async def asked() -> int:
        return await remembered.get() + await later[0]

    remembered = Remembered(read, 0)
    assert asyncio.run(asked()) == 2
