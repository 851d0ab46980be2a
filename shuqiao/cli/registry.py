"""How commands reach the registry: its address, and reads through the API's own read functions."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from registry.storage.reads import datasets
from registry.storage.reads.datasets import DatasetState
from registry.storage.reads.pool import Pool
from shuqiao import registry_address, settings
from shuqiao.cli.exit_codes import ExitCode
from shuqiao.cli.failures import Failure, unknown, usage

Value = TypeVar("Value")


def url() -> str:
    """The address of the registry's PostgreSQL. Raises Failure when none is known."""
    if not settings.read().database_url:
        raise Failure(
            ExitCode.REGISTRY_UNREACHABLE,
            "这里没有登记库 no registry is known here",
            "启动它 start one: `make run` or `shuqiao run`; or set SHUQIAO_DATABASE_URL to its PostgreSQL",
        )
    return registry_address.database_url()


def read(work: Callable[[Pool], Awaitable[Value]]) -> Value:
    """What some reads give. Raises ReadError."""
    address = url()

    async def reading() -> Value:
        pool = Pool(address, size=2, statement_seconds=60)
        await pool.open()
        try:
            return await work(pool)
        finally:
            await pool.close()

    return asyncio.run(reading())


async def dataset_of(pool: Pool, name: str) -> DatasetState:
    """The dataset of a name. Raises Failure that says which there are."""
    known = await datasets.all_datasets(pool)
    if name not in known:
        raise usage(*unknown("数据集", "dataset", name, known, "shuqiao datasets"))
    return known[name]
