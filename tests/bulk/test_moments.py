"""A moment of a dataset stays what it was, whatever is published after it: against a model of dictionaries."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import hypothesis.strategies as st
import orjson
import pytest
from hypothesis import HealthCheck, given, settings

from registry.intake.batches import DatasetEntry
from registry.storage.reads import bulk
from registry.storage.reads.bulk import Moment
from registry.storage.reads.pool import Pool
from tests.api.feeding import Feed

KEYS = {"first": range(4), "second": range(4, 8)}
"""Two connectors feed the dataset, each with keys of its own."""
_numbers = itertools.count()

batch = st.tuples(
    st.sampled_from(sorted(KEYS)), st.dictionaries(st.integers(0, 3), st.none() | st.sampled_from("甲乙丙"), max_size=4)
)
"""By key what a batch brings: a name, or that the record is gone."""


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    made = asyncio.new_event_loop()
    yield made
    made.close()


@given(batches=st.lists(batch, min_size=1, max_size=7), size=st.integers(1, 9))
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_moment_is_read_as_it_was(
    registry_url: str, loop: asyncio.AbstractEventLoop, batches: list[tuple[str, dict[int, str | None]]], size: int
) -> None:
    dataset = f"thing_{next(_numbers)}"
    entry = DatasetEntry(dataset, "permit@1", "物", "Things", "licensing", ("document_number",), "uscc")
    feeds = {name: Feed(registry_url, f"{dataset}.{name}", entry) for name in KEYS}
    there: dict[str, str] = {}
    seen: list[tuple[Moment, Mapping[str, str]]] = []

    async def run() -> None:
        pool = Pool(registry_url)
        await pool.open()
        try:
            for name, brought in batches:
                found = {f"{KEYS[name][n]}": value for n, value in brought.items()}
                rows = [_row(key, value) for key, value in found.items() if value is not None]
                await asyncio.to_thread(
                    feeds[name].publish, rows, deleted=[_row(key, "") for key, value in found.items() if value is None]
                )
                there.update({key: value for key, value in found.items() if value is not None})
                for key in [key for key, value in found.items() if value is None]:
                    there.pop(key, None)
                (known,) = await pool.rows("SELECT id FROM registry.dataset WHERE name = $1", dataset)
                seen.append((await bulk.moment(pool, known["id"]), dict(there)))
            for moment, expected in seen:
                assert await _read(pool, known["id"], moment, size) == expected
        finally:
            await pool.close()

    loop.run_until_complete(run())


async def _read(pool: Pool, dataset_id: int, moment: Moment, size: int) -> Mapping[str, str]:
    """In pieces of some size, each from where the last one ended."""
    found: dict[str, str] = {}
    after = None
    while True:
        rows = await bulk.then(pool, dataset_id, moment.batches, after=after, limit=size, rows={})
        assert not found.keys() & {row["key"] for row in rows}
        found |= {row["key"]: orjson.loads(row["body"])["name"] for row in rows}
        if len(rows) < size:
            return found
        after = rows[-1]["key"]


def _row(key: str, name: str) -> dict[str, Any]:
    return {"uscc": None, "document_number": key, "name": name}
