"""The change feed: every committed change exactly once, in a stable order."""

from __future__ import annotations

import asyncio
import time
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from registry.api import models, paging
from registry.api.access.security import Caller, Reader
from registry.api.parameters import Limit
from registry.api.problems import NOT_FOUND, NOT_GRANTED, Problem
from registry.api.representations import answer, change, now, sources
from registry.api.state import state_of
from registry.storage.reads import changes
from registry.storage.reads.changes import Changes, Position
from registry.storage.reads.datasets import DatasetState

router = APIRouter(tags=["changes"])

_FEED = "feed"
_END = "end"


@router.get("/changes", response_model=models.ChangePage)
async def listed(
    request: Request,
    caller: Reader,
    after: Annotated[
        str | None,
        Query(
            max_length=200, description="`next` of the answer before; left out: from the beginning; `end`: from now on"
        ),
    ] = None,
    limit: Limit = 100,
    dataset: Annotated[str | None, Query(max_length=63, description="Only changes of this dataset 数据集")] = None,
    wait: Annotated[int, Query(ge=0, le=30, description="Seconds to wait for something new 等待秒数")] = 0,
) -> Response:
    """Changes of the granted datasets since a cursor. The cursor moves over changes that are not granted too. 变更."""
    if after == _END:
        reached = await changes.end(state_of(request).pool)
        found = Changes((), reached, more=False)
        granted = await _granted(request, caller, dataset)
        return _page(found, granted)
    start = changes.START if after is None else Position(*paging.position(after, _FEED, int, int))
    deadline = time.monotonic() + wait
    while True:
        granted = await _granted(request, caller, dataset)
        found = await changes.after(state_of(request).pool, start, list(granted), limit)
        if found.rows or not await _wait(request, deadline):
            return _page(found, granted)
        start = found.reached


async def _granted(request: Request, caller: Caller, wanted: str | None) -> dict[int, DatasetState]:
    known = await state_of(request).datasets()
    if wanted is None:
        return {dataset.id: dataset for dataset in caller.readable(known.values())}
    if not caller.may_read(wanted):
        raise Problem(NOT_GRANTED, f"需要授权范围 read:{wanted}。", f"The scope read:{wanted} is needed.")
    if wanted not in known:
        raise Problem(NOT_FOUND, f"没有数据集 {wanted}。", f"There is no dataset {wanted}.")
    return {known[wanted].id: known[wanted]}


async def _wait(request: Request, deadline: float) -> bool:
    """Wait a moment for changes; False when there is no time left, the reader has gone or the server ends."""
    state = state_of(request)
    left = deadline - time.monotonic()
    if left <= 0 or state.closing.is_set() or await request.is_disconnected():
        return False
    try:
        await asyncio.wait_for(state.closing.wait(), min(left, state.settings.feed_poll_seconds))
    except TimeoutError:
        return True
    return False


def _page(found: Changes, granted: dict[int, DatasetState]) -> Response:
    at = now()
    names = {dataset.id: dataset.name for dataset in granted.values()}
    content = {
        "as_of": at,
        "sources": {dataset.name: sources(dataset, at) for dataset in granted.values()},
        "changes": [change(row, names) for row in found.rows],
        "next": paging.cursor(_FEED, [found.reached.xid, found.reached.seq]),
        "more": found.more,
    }
    return answer(content)
