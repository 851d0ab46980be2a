"""Work that takes a processor: some at once, some waiting, the others are told to come back."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from registry.api.problems import BUSY, Problem
from registry.api.workroom import Workroom
from tests.api.conftest import Api
from tests.api.licensing import food, open_office


def test_only_so_many_work_at_once_and_who_finds_no_place_is_told() -> None:
    inside, most, gate, counting = 0, 0, threading.Event(), threading.Lock()

    def work() -> int:
        nonlocal inside, most
        with counting:
            inside += 1
            most = max(most, inside)
        gate.wait(10)
        with counting:
            inside -= 1
        return 7

    async def crowd() -> list[int | BaseException]:
        room = Workroom(2, 3)
        coming = [asyncio.create_task(room.do(work)) for _ in range(8)]
        await asyncio.sleep(0.2)
        gate.set()
        return list(await asyncio.gather(*coming, return_exceptions=True))

    found = asyncio.run(crowd())

    refused = [each for each in found if isinstance(each, Problem)]
    assert [each for each in found if each == 7] == [7] * 5
    assert [each.kind for each in refused] == [BUSY] * 3
    assert most == 2


def test_a_failure_leaves_its_place_to_the_next() -> None:
    def fail() -> None:
        raise ZeroDivisionError

    async def one_after_another() -> str:
        room = Workroom(1, 0)
        for _ in range(3):
            with pytest.raises(ZeroDivisionError):
                await room.do(fail)
        return await room.do(lambda: "done")

    assert asyncio.run(one_after_another()) == "done"


def test_whoever_gives_up_leaves_no_more_at_work_than_there_are_places() -> None:
    begun: list[str] = []
    working, gate = threading.Event(), threading.Event()

    def work(name: str) -> None:
        begun.append(name)
        working.set()
        gate.wait(10)

    async def crowd() -> None:
        room = Workroom(1, 1)
        first = asyncio.create_task(room.do(lambda: work("first")))
        await asyncio.to_thread(working.wait, 10)
        second = asyncio.create_task(room.do(lambda: work("second")))
        await asyncio.sleep(0)
        for task in (first, second):
            task.cancel()
        await asyncio.gather(first, second, return_exceptions=True)
        third = asyncio.create_task(room.do(lambda: work("third")))
        await asyncio.sleep(0)
        with pytest.raises(Problem):
            await room.do(lambda: work("fourth"))
        assert begun == ["first"], "its thread works on, and its place is not given away"
        gate.set()
        await third

    asyncio.run(crowd())

    assert begun == ["first", "third"]


def test_many_who_ask_at_once_get_the_same_form(start: Callable[..., Api], registry_url: str) -> None:
    office = open_office(start, registry_url)
    office.town.publish(food(1))
    reader, path = office.reader(), f"/api/v1/licences/{office.identifier(1)}"

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: reader.ask(path, form="pdf"), range(8)))

    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert office.town.rows("SELECT count(*) FROM registry.licence_form WHERE form = 'pdf'") == [(1,)]
