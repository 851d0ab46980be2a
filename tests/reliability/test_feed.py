"""While eight publishers commit at once, a reader that follows the feed misses nothing and hears nothing twice."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from registry.storage.database import connect
from registry.storage.reads import changes
from registry.storage.reads.pool import Pool
from tests.registry.feeding import Feeder, gone, good
from tests.reliability.state import Change, change, read_feed, replay

PUBLISHERS, BATCHES = 8, 8


def follow(url: str, done: threading.Event, page: int) -> list[Change]:
    """Read on and on, until nothing has come since everything was published."""

    async def read() -> list[Change]:
        pool = Pool(url, size=1)
        await pool.open()
        found: list[Change] = []
        position = changes.START
        try:
            while True:
                last = done.is_set()
                ids = [row["id"] for row in await pool.rows("SELECT id FROM registry.dataset")]
                stretch = await changes.after(pool, position, ids, page)
                found += [change(row) for row in stretch.rows]
                position = stretch.reached
                if last and not stretch.rows:
                    return found
        finally:
            await pool.close()

    return asyncio.run(read())


def publish_batches(url: str, number: int) -> None:
    """New, changed and deleted records in each batch; every second publisher feeds the same dataset."""
    feeder = Feeder(url, name=f"office.things-{number}", dataset="thing" if number % 2 else f"thing_{number}")
    for batch in range(BATCHES):
        kept = [good(f"{number}-{row}", n=row if row % 3 else batch) for row in range(batch, batch + 30)]
        feeder.feed([*kept, *([gone(f"{number}-{batch - 1}")] if batch else [])], ordered=True)


@pytest.mark.parametrize("page", [7, 1000])
def test_followers_hear_everything_once(registry_url: str, page: int) -> None:
    for number in (1, 0, 2, 4, 6):  # the datasets are there when the followers begin
        Feeder(registry_url, name=f"office.things-{number}", dataset="thing" if number % 2 else f"thing_{number}").feed(
            []
        )
    done = threading.Event()
    with ThreadPoolExecutor(PUBLISHERS + 1) as pool:
        following = pool.submit(follow, registry_url, done, page)
        publishing = [pool.submit(publish_batches, registry_url, number) for number in range(PUBLISHERS)]
        try:
            for each in publishing:
                each.result(240)
        finally:
            done.set()
        heard = following.result(60)

    with connect(registry_url) as connection:
        versions: dict[str, int] = dict(connection.execute("SELECT key, version FROM registry.record").fetchall())
        told = connection.execute("SELECT seq FROM registry.change").fetchall()
    assert sorted(change.seq for change in heard) == sorted(seq for (seq,) in told)
    assert [(change.xid, change.seq) for change in heard] == sorted((change.xid, change.seq) for change in heard)
    assert replay(heard) == versions
    assert heard == read_feed(registry_url)
