"""Records by key, as they are now: whoever asks within one turn of the event loop shares one statement.

Under load requests come in bursts, and most of what a read by key costs is its way to the database and back. Nothing
waits for a timer: a single request is read for at once, by a statement of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from registry.storage.reads.pool import Pool, ReadError, Row
from registry.storage.reads.records import CURRENT, with_source

MOST_AT_ONCE = 100
"""Records of one statement."""
_WANTED = "(r.dataset_id, r.key) IN (SELECT * FROM unnest($1::smallint[], $2::text[]))"
_SHARED = with_source(CURRENT.format(where=_WANTED), "v.key", None)
_SINGLE = with_source(CURRENT.format(where="r.dataset_id = $1 AND r.key = $2"), "v.key", None)


@dataclass(frozen=True, slots=True)
class _Wanted:
    dataset_id: int
    key: str
    found: asyncio.Future[Row | None]


class RecordsByKey:
    """The reads of one process."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._wanted: list[_Wanted] = []
        self._reading: set[asyncio.Task[None]] = set()

    async def one(self, dataset_id: int, key: str) -> Row | None:
        """The version of a record that is valid now. Raises ReadError."""
        loop = asyncio.get_running_loop()
        if not self._wanted:
            loop.call_soon(self._begin)
        wanted = _Wanted(dataset_id, key, loop.create_future())
        self._wanted.append(wanted)
        return await wanted.found

    def _begin(self) -> None:
        wanted, self._wanted = self._wanted, []
        for start in range(0, len(wanted), MOST_AT_ONCE):
            task = asyncio.create_task(self._read(wanted[start : start + MOST_AT_ONCE]))
            self._reading.add(task)
            task.add_done_callback(self._reading.discard)

    async def _read(self, wanted: Sequence[_Wanted]) -> None:
        if len(wanted) == 1:
            await self._read_alone(wanted[0])
            return
        try:
            rows = await self._pool.rows(_SHARED, [each.dataset_id for each in wanted], [each.key for each in wanted])
        except ReadError as error:
            for each in wanted:
                _fail(each, type(error)(), error)
        except Exception:  # noqa: BLE001  (what is wrong with one of them is that one's alone)
            for each in wanted:
                await self._read_alone(each)
        else:
            by_key = {(row["dataset_id"], row["key"]): row for row in rows}
            for each in wanted:
                if not each.found.done():  # else whoever asked has given up
                    each.found.set_result(by_key.get((each.dataset_id, each.key)))

    async def _read_alone(self, wanted: _Wanted) -> None:
        try:
            row = await self._pool.row(_SINGLE, wanted.dataset_id, wanted.key)
        except Exception as error:  # noqa: BLE001  (handed to whoever asked)
            _fail(wanted, error, error.__cause__)
        else:
            if not wanted.found.done():
                wanted.found.set_result(row)


def _fail(wanted: _Wanted, error: Exception, cause: BaseException | None) -> None:
    if not wanted.found.done():
        error.__cause__ = cause
        wanted.found.set_exception(error)
