"""Batches: what runs of connectors pulled and published. For operators."""

from __future__ import annotations

from operator import itemgetter
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from registry.api import models
from registry.api.access.security import Operator
from registry.api.paging import digest, following, position
from registry.api.parameters import After, Limit
from registry.api.problems import NOT_FOUND, Problem
from registry.api.representations import answer, plain
from registry.api.state import state_of
from registry.storage.reads import batches

router = APIRouter(prefix="/batches", tags=["operation"])

Name = Annotated[str | None, Query(max_length=200)]
State = Annotated[str | None, Query(pattern="^(pulling|held|published|superseded|discarded|dry_run)$")]


@router.get("", response_model=models.BatchPage)
async def listed(
    request: Request,
    caller: Operator,
    connector: Name = None,
    dataset: Name = None,
    department: Name = None,
    state: State = None,
    after: After = None,
    limit: Limit = 100,
) -> Response:
    """Batches, the newest first. 批次列表."""
    del caller
    query = digest("batches", connector, dataset, department, state)
    rows = await batches.page(
        state_of(request).pool,
        before=None if after is None else position(after, query, int)[0],
        limit=limit + 1,
        connector=connector,
        dataset=dataset,
        department=department,
        state=state,
    )
    content = {
        "batches": [plain(row, json_columns=("held_reasons",)) for row in rows[:limit]],
        "next": following(query, rows, limit, itemgetter("id")),
    }
    return answer(content)


@router.get("/{batch}", response_model=models.BatchDetail)
async def shown(request: Request, caller: Operator, batch: Annotated[int, Path(ge=1, lt=1 << 63)]) -> Response:
    """One batch with its parts. 单个批次."""
    del caller
    pool = state_of(request).pool
    row = await batches.one(pool, batch)
    if row is None:
        raise Problem(NOT_FOUND, f"没有批次 {batch}。", f"There is no batch {batch}.")
    parts = [plain(part) for part in await batches.parts(pool, batch)]
    return answer({**plain(row, json_columns=("held_reasons",)), "parts": parts})
