"""Records by key, as they are now: whoever asks within one turn of the event loop shares one statement.

Under load requests come in bursts, and most of what a read by key costs is its way to the database and back. Nothing
waits for a timer: a single request is read for at once, by a statement of its own. Readers whose grants cover other
records have other statements.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from registry.storage.reads.arguments import Arguments
from registry.storage.reads.pool import Pool, ReadError, Row
from registry.storage.reads.records import CURRENT, Rows, with_source, within

MOST_AT_ONCE = 100
"""Records of one statement."""
_Covered = tuple[tuple[str, tuple[str, ...]], ...]
"""The records that a grant covers, as something to tell alike ones by."""


@dataclass(frozen=True, slots=True)
class _Wanted:
    dataset_id: int
    key: str
    found: asyncio.Future[Row | None]

    def fail(self, error: Exception, cause: BaseException | None) -> None:
        """Tell whoever asked, unless he has given up."""
        if not self.found.done():
            error.__cause__ = cause
            self.found.set_exception(error)


class RecordsByKey:
    """The reads of one process."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._wanted: dict[_Covered, list[_Wanted]] = {}
        self._reading: set[asyncio.Task[None]] = set()

    async def one(self, dataset_id: int, key: str, rows: Rows = MappingProxyType({})) -> Row | None:
        """The version of a record that is valid now; None too where ``rows`` does not cover it. Raises ReadError."""
        loop = asyncio.get_running_loop()
        if not self._wanted:
            loop.call_soon(self._begin)
        wanted = _Wanted(dataset_id, key, loop.create_future())
        covered = tuple((name, tuple(sorted(values))) for name, values in sorted(rows.items()))
        self._wanted.setdefault(covered, []).append(wanted)
        return await wanted.found

    def _begin(self) -> None:
        wanted, self._wanted = self._wanted, {}
        for covered, alike in wanted.items():
            for start in range(0, len(alike), MOST_AT_ONCE):
                task = asyncio.create_task(self._read(alike[start : start + MOST_AT_ONCE], dict(covered)))
                self._reading.add(task)
                task.add_done_callback(self._reading.discard)

    async def _read(self, asked: Sequence[_Wanted], rows: Rows) -> None:
        wanted = [each for each in asked if not each.found.done()]  # who has given up costs the database nothing more
        if not wanted:
            return
        try:
            found = await self._pool.rows(*_statement(wanted, rows))
        except ReadError as error:  # the database's: to ask it once for each of them would only add to what ails it
            for each in wanted:
                each.fail(type(error)(), error)
        except Exception as error:  # noqa: BLE001  (handed to whoever asked, where it is clear who did)
            if len(wanted) == 1:
                wanted[0].fail(error, error.__cause__)
            else:  # what is wrong with one of them is that one's alone
                await asyncio.gather(*(self._read([each], rows) for each in wanted))
        else:
            by_key = {(row["dataset_id"], row["key"]): row for row in found}
            for each in wanted:
                if not each.found.done():  # else whoever asked has given up meanwhile
                    each.found.set_result(by_key.get((each.dataset_id, each.key)))


def _statement(wanted: Sequence[_Wanted], rows: Rows) -> tuple[Any, ...]:
    """With its values."""
    arguments = Arguments()
    if len(wanted) == 1:
        where = [f"r.dataset_id = {arguments.add(wanted[0].dataset_id)} AND r.key = {arguments.add(wanted[0].key)}"]
    else:
        datasets = arguments.add([each.dataset_id for each in wanted])
        keys = arguments.add([each.key for each in wanted])
        where = [f"(r.dataset_id, r.key) IN (SELECT * FROM unnest({datasets}::smallint[], {keys}::text[]))"]
    where += within(rows, arguments)
    return with_source(CURRENT.format(where=" AND ".join(where)), "v.key", None), *arguments
