"""The change feed: every committed change exactly once, in a stable order; in pages, or as a stream that goes on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Header, Query, Request, Response
from starlette.responses import StreamingResponse

from registry.api import models, paging
from registry.api.access.security import Caller, Granted, Reader, expect_purpose, granted, identified, reader
from registry.api.access_log.logged import EACH_PART
from registry.api.grants.purpose import AccessPurpose, CaseNumber
from registry.api.grants.versions import announce
from registry.api.negotiation import not_acceptable, preferred
from registry.api.parameters import Limit
from registry.api.problems import CURSOR_TOO_OLD, NOT_FOUND, Problem
from registry.api.representations import answer, now, sources
from registry.api.state import state_of
from registry.delivery import feed
from registry.storage.reads import changes
from registry.storage.reads.changes import Changes, Position, PositionLost
from registry.storage.reads.pool import ReadError

router = APIRouter(tags=["changes"])

NDJSON = "application/x-ndjson"
HEARTBEAT_SECONDS = 15.0
"""A stream sends at least an empty line so often."""
_JSON = "application/json"
FEED = "feed"
"""What cursors of the feed are bound to."""
_END = "end"
_STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {
            NDJSON: {
                "schema": {"type": "string"},
                "example": (
                    '{"change":{"id":"812-1024","operation":"deleted"},"next":"WyJmZWVkIiw4MTIsMTAyNF0"}\n'
                    '{"next":"WyJmZWVkIiw4MTMsMF0","as_of":"2026-11-23T05:36:52Z","sources":{"legal_entity":[]}}\n'
                ),
            }
        }
    }
}


def cursor(reached: Position) -> str:
    """A place in the feed as clients have it."""
    return paging.cursor(FEED, [reached.xid, reached.seq])


def position(after: str | None) -> Position | None:
    """The place that a client names; None for the end. Raises Problem."""
    if after == _END:
        return None
    return changes.START if after is None else Position(*paging.position(after, FEED, int, int))


@router.get("/changes", response_model=models.ChangePage, responses=_STREAM)
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
    accept: Annotated[str | None, Header(max_length=500, description="`application/x-ndjson`: a stream")] = None,
) -> Response:
    """Changes of the granted datasets since a cursor. The cursor moves over changes that are not granted too. 变更.

    With `Accept: application/x-ndjson` the answer goes on: a change a line with the cursor after it, after each stretch
    of changes a line with `as_of` and `sources`, and an empty line where nothing happens for 15 seconds. The last line
    says with `end` why it ends. 以 NDJSON 持续推送.
    """
    del access_purpose, case_number  # read where they are checked
    form = preferred(accept, (_JSON, NDJSON))
    if form is None:
        raise not_acceptable((_JSON, NDJSON))
    start = position(after)
    if start is None:
        start = await changes.end(state_of(request).pool)
        if form == _JSON:
            return _page(request, Changes((), start, more=False), await _granted(request, caller, dataset))
    if form == NDJSON:
        readable = await _granted(request, caller, dataset)
        first = await _after(request, start, readable, limit)
        setattr(request.state, EACH_PART, True)
        return StreamingResponse(_stream(request, first, readable, dataset, limit), media_type=NDJSON)
    deadline = time.monotonic() + wait
    while True:
        readable = await _granted(request, caller, dataset)
        found = await _after(request, start, readable, limit)
        if _entries(request, found, readable) or found.more or not await _wait(request, deadline):
            return _page(request, found, readable)
        start = found.reached
        # Who asks and what is granted is looked at anew, as if it were a request of its own: a grant may have ended.
        request.scope["state"]["uses"] = {}
        caller = await reader(request, request.headers.get("authorization"))


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
        announce(request, each.dataset, each.grant)
    return {each.dataset.id: each for each in found}


async def _after(request: Request, start: Position, readable: dict[int, Granted], limit: int) -> Changes:
    partly = [number for number, each in readable.items() if each.grant.rows]
    try:
        return await changes.after(state_of(request).pool, start, list(readable), limit, partly=partly)
    except PositionLost as error:
        raise Problem(CURSOR_TOO_OLD) from error


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


def _entries(request: Request, found: Changes, readable: dict[int, Granted]) -> list[tuple[Position, dict[str, Any]]]:
    """The changes as their reader gets them, each with its place."""
    app = state_of(request)
    views = {number: each.view(app) for number, each in readable.items()}
    told = (
        (
            Position(int(row["xid"]), row["seq"]),
            feed.entry(row, each.dataset.name, each.grant, views[row["dataset_id"]]),
        )
        for row in found.rows
        for each in [readable[row["dataset_id"]]]
    )
    return [(place, entry) for place, entry in told if entry is not None]


def _age(readable: dict[int, Granted]) -> dict[str, Any]:
    """For when the feed speaks, and how old the data of each dataset in it is."""
    at = now()
    return {"as_of": at, "sources": {each.dataset.name: sources(each.dataset, at) for each in readable.values()}}


def _page(request: Request, found: Changes, readable: dict[int, Granted]) -> Response:
    content = {
        **_age(readable),
        "changes": [entry for _, entry in _entries(request, found, readable)],
        "next": cursor(found.reached),
        "more": found.more,
    }
    return answer(content)


async def _stream(
    request: Request, found: Changes, readable: dict[int, Granted], dataset: str | None, limit: int
) -> AsyncIterator[bytes]:
    """Stretch after stretch, each one part of the answer, until somebody ends it.

    Who asks and what is granted is looked at anew before each, as if it were a request of its own.
    """
    token = request.headers["authorization"].partition(" ")[2].strip()
    said_at = time.monotonic()
    end = None
    first = True
    while end is None:
        told = _entries(request, found, readable)
        if told or first:
            yield _lines(told, found, readable)
            said_at, first = time.monotonic(), False
        elif time.monotonic() - said_at > HEARTBEAT_SECONDS:
            yield b"\n"
            said_at = time.monotonic()
        if not found.more and not await _wait(request, time.monotonic() + HEARTBEAT_SECONDS):
            end = "closing"
            break
        start = found.reached
        request.scope["state"]["uses"] = {}  # what the next part uses is noted with it
        try:
            readable = await _granted(request, await identified(request, token), dataset)
            found = await _after(request, start, readable, limit)
        except Problem as problem:
            end = problem.kind.name
        except ReadError:
            end = "database-unavailable"
    request.scope["state"]["uses"] = {}
    yield orjson.dumps({"end": end, "next": cursor(found.reached)}) + b"\n"


def _lines(told: list[tuple[Position, dict[str, Any]]], found: Changes, readable: dict[int, Granted]) -> bytes:
    """A stretch: a line for each change, and one that closes it with the age of what was told."""
    closing = {"next": cursor(found.reached), **_age(readable)}
    lines = [*({"change": entry, "next": cursor(place)} for place, entry in told), closing]
    return b"".join(orjson.dumps(line, option=orjson.OPT_UTC_Z) + b"\n" for line in lines)
