"""Single records, as the API reads them: those who ask at once share a statement, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import psycopg
import pytest

from registry.storage.database import connect
from registry.storage.reads.by_key import MOST_AT_ONCE, RecordsByKey
from registry.storage.reads.pool import DatabaseUnavailable, Pool, ReadTookTooLong, Row
from registry.storage.reads.records import Rows
from shuqiao.stack.postgres import free_port
from tests.api.feeding import enterprise, enterprises, permit, permits, uscc


class CountingPool(Pool):
    """A real pool that counts its statements."""

    statements = 0

    async def rows(self, statement: str, *arguments: object) -> list[Row]:
        self.statements += 1
        return await super().rows(statement, *arguments)


Reading = Callable[[CountingPool, RecordsByKey], Coroutine[Any, Any, None]]


def reading(url: str, work: Reading) -> None:
    """Run with a pool that is open."""

    async def run() -> None:
        pool = CountingPool(url, size=3)
        await pool.open()
        try:
            await work(pool, RecordsByKey(pool))
        finally:
            await pool.close()

    asyncio.run(run())


def numbers(url: str) -> dict[str, int]:
    """Datasets' numbers, by name."""
    with connect(url) as connection:
        return dict(connection.execute("SELECT name, id FROM registry.dataset").fetchall())


@pytest.fixture
def datasets(registry_url: str) -> dict[str, int]:
    enterprises(registry_url).publish([enterprise(n) for n in range(1, 301)])
    permits(registry_url).publish([permit(1, "a"), permit(2, "b")])
    return numbers(registry_url)


def test_who_asks_at_once_shares_a_statement_and_gets_what_he_asked_for(
    registry_url: str, datasets: dict[str, int]
) -> None:
    company, licensed = datasets["legal_entity"], datasets["permit"]
    with connect(registry_url) as connection:
        stored = connection.execute("SELECT dataset_id, key, entity, version FROM registry.record").fetchall()
    permit_key = next(key for number, key, *_ in stored if number == licensed)
    asked = [
        (company, uscc(2)), (company, uscc(1)), (licensed, permit_key), (company, permit_key),
        (company, uscc(2)), (company, "nothing"),
    ]  # fmt: skip

    async def work(pool: CountingPool, records: RecordsByKey) -> None:
        found = await asyncio.gather(*(records.one(*each) for each in asked))
        alone = [await records.one(*each) for each in asked]

        assert [row and (row["dataset_id"], row["key"]) for row in found] == [
            *asked[:3], None, asked[4], None
        ]  # fmt: skip
        assert [row and dict(row) for row in found] == [row and dict(row) for row in alone]
        assert pool.statements == 1 + len(asked)

    reading(registry_url, work)


def test_each_reader_gets_only_what_his_grant_covers(registry_url: str, datasets: dict[str, int]) -> None:
    company = datasets["legal_entity"]
    enterprises(registry_url).publish([enterprise(1), enterprise(2, status="revoked"), enterprise(3)])
    keys = [uscc(n) for n in (1, 2, 3)]
    grants: list[Rows] = [
        {},
        {"status": ["revoked"]},
        {"status": {"active", "revoked"}, "name": [enterprise(3)["name"]]},
    ]

    async def work(pool: CountingPool, records: RecordsByKey) -> None:
        asked = (records.one(company, key, rows) for key in keys for rows in grants)
        found = [row is not None for row in await asyncio.gather(*asked)]

        assert [found[n : n + 3] for n in (0, 3, 6)] == [
            [True, False, False], [True, True, False], [True, False, True]
        ]  # fmt: skip
        assert pool.statements == len(grants)

    reading(registry_url, work)


def test_more_than_fit_into_a_statement_are_read_by_several(registry_url: str, datasets: dict[str, int]) -> None:
    async def work(pool: CountingPool, records: RecordsByKey) -> None:
        keys = [uscc(n) for n in range(1, 301)]
        found = await asyncio.gather(*(records.one(datasets["legal_entity"], key) for key in keys))

        assert [row["key"] for row in found if row] == keys
        assert pool.statements == -(-300 // MOST_AT_ONCE)

    reading(registry_url, work)


def test_who_gives_up_takes_nothing_from_the_others(registry_url: str, datasets: dict[str, int]) -> None:
    async def work(_: CountingPool, records: RecordsByKey) -> None:
        tasks = [asyncio.ensure_future(records.one(datasets["legal_entity"], uscc(n))) for n in (1, 2, 3)]
        await asyncio.sleep(0)
        tasks[1].cancel()
        first, given_up, third = await asyncio.gather(*tasks, return_exceptions=True)

        assert isinstance(given_up, asyncio.CancelledError)
        assert [row["key"] for row in (first, third)] == [uscc(1), uscc(3)]  # type: ignore[index]

    reading(registry_url, work)


@pytest.mark.parametrize("key", ["a\0b", "\ud800"], ids=["nul", "surrogate"])
def test_a_key_that_cannot_be_asked_for_is_the_fault_of_its_own_request(
    registry_url: str, datasets: dict[str, int], key: str
) -> None:
    async def work(_: CountingPool, records: RecordsByKey) -> None:
        asked = (records.one(datasets["legal_entity"], each) for each in (uscc(1), key, uscc(2)))
        first, wrong, third = await asyncio.gather(*asked, return_exceptions=True)

        assert isinstance(wrong, Exception)
        assert [row["key"] for row in (first, third)] == [uscc(1), uscc(2)]  # type: ignore[index]

    reading(registry_url, work)


def test_without_a_database_everyone_who_asks_hears_so() -> None:
    async def work(_: CountingPool, records: RecordsByKey) -> None:
        told = await asyncio.gather(*(records.one(1, f"{n}") for n in range(3)), return_exceptions=True)

        assert [type(each) for each in told] == [DatabaseUnavailable] * 3
        assert len({id(each) for each in told}) == 3

    reading(f"postgresql://nobody@127.0.0.1:{free_port()}/none", work)


def test_a_database_that_is_slow_is_not_asked_again_for_each_of_those_who_shared(
    registry_url: str, datasets: dict[str, int]
) -> None:
    async def work() -> None:
        pool = CountingPool(registry_url, size=3, statement_seconds=0.3)
        await pool.open()
        records = RecordsByKey(pool)
        with psycopg.connect(registry_url) as connection:
            connection.execute("LOCK TABLE registry.record")
            asked = (records.one(datasets["legal_entity"], uscc(n)) for n in range(1, 21))
            told = await asyncio.gather(*asked, return_exceptions=True)
        await pool.close()

        assert [type(each) for each in told] == [ReadTookTooLong] * 20
        assert pool.statements == 1

    asyncio.run(work())


def test_nothing_is_read_for_those_who_have_all_given_up(registry_url: str, datasets: dict[str, int]) -> None:
    async def work(pool: CountingPool, records: RecordsByKey) -> None:
        tasks = [asyncio.create_task(records.one(datasets["legal_entity"], uscc(n))) for n in range(3)]
        await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        await asyncio.sleep(0.05)

        assert pool.statements == 0

    reading(registry_url, work)
