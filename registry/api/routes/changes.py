"""The change feed: every committed change exactly once, in a stable order."""

from __future__ import annotations

import asyncio
import time
from typing import Annotated

import orjson
from fastapi import APIRouter, Query, Request, Response

from registry.api import models, paging
from registry.api.access.purpose import AccessPurpose, CaseNumber
from registry.api.access.security import Caller, Granted, Reader, expect_purpose, granted
from registry.api.parameters import Limit
from registry.api.problems import NOT_FOUND, Problem
from registry.api.representations import answer, change, now, sources
from registry.api.state import state_of
from registry.domain.grants.grant import Grant
from registry.storage.reads import changes
from registry.storage.reads.changes import Changes, Position
from registry.storage.reads.pool import Row

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
    access_purpose: AccessPurpose = None,
    case_number: CaseNumber = None,
) -> Response:
    """Changes of the granted datasets since a cursor. The cursor moves over changes that are not granted too. 变更."""
    del access_purpose, case_number  # read where they are checked
    if after == _END:
        reached = await changes.end(state_of(request).pool)
        found = Changes((), reached, more=False)
        return _page(request, found, await _granted(request, caller, dataset))
    start = changes.START if after is None else Position(*paging.position(after, _FEED, int, int))
    deadline = time.monotonic() + wait
    while True:
        readable = await _granted(request, caller, dataset)
        found = await changes.after(state_of(request).pool, start, list(readable), limit)
        if found.rows or not await _wait(request, deadline):
            return _page(request, found, readable)
        start = found.reached


async def _granted(request: Request, caller: Caller, wanted: str | None) -> dict[int, Granted]:
    """What is read, by the dataset's number. Raises Problem unless the purpose fits all of it: nothing is skipped."""
    known = await state_of(request).datasets()
    if wanted is not None:
        granted(caller, wanted)
        if wanted not in known:
            raise Problem(NOT_FOUND, f"没有数据集 {wanted}。", f"There is no dataset {wanted}.")
    found = caller.readable(known.values() if wanted is None else [known[wanted]])
    for each in found:
        expect_purpose(request, each.grant)
    return {each.dataset.id: each for each in found}


def _is_covered(row: Row, grant: Grant) -> bool:
    """Whether a change is of a record among those granted; of one without a body nobody can tell."""
    return not grant.rows or (row["body"] is not None and grant.has_row(orjson.loads(row["body"])))


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


def _page(request: Request, found: Changes, granted: dict[int, Granted]) -> Response:
    app, at = state_of(request), now()
    names = {number: each.dataset.name for number, each in granted.items()}
    views = {number: each.view(app) for number, each in granted.items()}
    content = {
        "as_of": at,
        "sources": {each.dataset.name: sources(each.dataset, at) for each in granted.values()},
        "changes": [
            change(row, names, views[row["dataset_id"]])
            for row in found.rows
            if _is_covered(row, granted[row["dataset_id"]].grant)
        ],
        "next": paging.cursor(_FEED, [found.reached.xid, found.reached.seq]),
        "more": found.more,
    }
    return answer(content)
