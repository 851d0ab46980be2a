"""Many records at once by their keys or entities, in the order in which they are asked for."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter, Request, Response

from registry.api.access.security import GrantedDataset
from registry.api.bulk import models
from registry.api.bulk.about import name_entities
from registry.api.grants.quotas import use
from registry.api.parameters import moment
from registry.api.problems import INVALID_BODY, TOO_LONG, Problem, parameter_error
from registry.api.representations import answer, now, record, sources
from registry.api.state import state_of
from registry.storage.reads import bulk

router = APIRouter(prefix="/datasets/{dataset}/records", tags=["bulk"])


@router.post("/lookup", response_model=models.Lookup)
async def look_up(request: Request, found: GrantedDataset, wanted: models.LookupWanted) -> Response:
    """Records of up to 1,000 keys or entities; what is not there is said of each. 批量查询."""
    at, then = now(), moment(wanted.as_of)
    app, dataset, rows = state_of(request), found.dataset, found.grant.rows
    view = found.view(app)
    by: dict[str, list[Any]] = {}
    use(request, found.grant, max(1, len(wanted.keys or wanted.entities or ())))  # each key is an answer of the quota
    async with app.bulk.passed():
        if wanted.keys is not None and wanted.entities is None:
            asked = wanted.keys
            there = await bulk.by_keys(app.pool, dataset.id, list(dict.fromkeys(asked)), rows=rows, as_of=then)
            by = {key: [row] for key, row in there.items()}
        elif wanted.entities is not None and wanted.keys is None:
            asked = wanted.entities
            distinct, most = list(dict.fromkeys(asked)), models.MOST_RECORDS
            some = await bulk.by_entities(app.pool, dataset.id, distinct, rows=rows, as_of=then, most=most + 1)
            if len(some) > most:
                zh = f"这些主体共有超过 {most} 条记录，请减少主体数量。"
                en = f"These entities have more than {most} records; ask for fewer of them."
                raise Problem(TOO_LONG, zh, en)
            for row in some:
                by.setdefault(row["entity"], []).append(row)
        else:
            zh, en = "keys 与 entities 须且只能给出一项。", "Give keys or entities, one of the two."
            raise Problem(INVALID_BODY, zh, en, errors=[parameter_error("keys", zh, en, where="body")])
    results = [
        {"asked": each, "found": each in by, "records": [record(row, view) for row in by.get(each, ())]}
        for each in asked
    ]
    entities = [row["entity"] for some in by.values() for row in some]
    await asyncio.to_thread(name_entities, request, [*entities, *(wanted.entities or ())])
    count = sum(each in by for each in asked)
    content = {
        "dataset": dataset.name,
        "as_of": then or at,
        "sources": sources(dataset, at),
        "results": results,
        "found": count,
        "missing": len(results) - count,
    }
    return answer(content)
