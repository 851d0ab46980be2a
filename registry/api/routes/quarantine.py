"""The quarantine: refused records, why, since when. For operators."""

from __future__ import annotations

from operator import itemgetter
from typing import Annotated

import orjson
from fastapi import APIRouter, Path, Query, Request, Response

from registry.api import models
from registry.api.access.security import Operator
from registry.api.paging import digest, following, position
from registry.api.parameters import After, Limit
from registry.api.problems import NOT_FOUND, Problem
from registry.api.representations import answer, plain
from registry.api.state import state_of
from registry.sealing.records import opened_row
from registry.storage.reads import refusals

router = APIRouter(prefix="/quarantine", tags=["operation"])

Name = Annotated[str | None, Query(max_length=200)]
_STATES = {"open": True, "closed": False, "all": None}


@router.get("", response_model=models.RefusalPage)
async def listed(
    request: Request,
    caller: Operator,
    department: Name = None,
    connector: Name = None,
    dataset: Name = None,
    state: Annotated[str, Query(pattern="^(open|closed|all)$")] = "open",
    after: After = None,
    limit: Limit = 100,
) -> Response:
    """Refused records, the newest first, without what the department sent. 退回数据列表."""
    del caller
    query = digest("quarantine", department, connector, dataset, state)
    rows = await refusals.page(
        state_of(request).pool,
        before=None if after is None else position(after, query, int)[0],
        limit=limit + 1,
        department=department,
        connector=connector,
        dataset=dataset,
        is_open=_STATES[state],
    )
    content = {
        "refusals": [plain(row, json_columns=("reasons",)) for row in rows[:limit]],
        "next": following(query, rows, limit, itemgetter("id")),
    }
    return answer(content)


@router.get("/{refusal}", response_model=models.RefusalDetail)
async def shown(request: Request, caller: Operator, refusal: Annotated[int, Path(ge=1, lt=1 << 63)]) -> Response:
    """One refused record with the row as the department sent it. 单条退回数据."""
    del caller
    row = await refusals.one(state_of(request).pool, refusal)
    if row is None:
        raise Problem(NOT_FOUND, f"没有退回数据 {refusal}。", f"There is no refusal {refusal}.")
    whole = opened_row(orjson.loads(row["raw"]), row["personal"], row["dataset_id"], row["row_id"], row["key"])
    shown = {name: value for name, value in row.items() if name not in ("personal", "dataset_id")}
    return answer(plain(shown, json_columns=("reasons",)) | {"raw": whole})
