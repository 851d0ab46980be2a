"""Records: as they are, as they were, and every version of one."""

from __future__ import annotations

from datetime import datetime
from operator import itemgetter
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Request, Response

from registry.api import models
from registry.api.access.security import GrantedDataset, dataset_reader, described_dataset, granted_dataset
from registry.api.direct import NotUsual, directly
from registry.api.grants.purpose import CASE_NUMBER, LONGEST_NUMBER
from registry.api.licences.published import is_known
from registry.api.paging import digest, following, position
from registry.api.parameters import FILTERS, LONGEST_TEXT, After, AsOf, Limit, filters, moment, record_key
from registry.api.problems import NOT_FOUND, Problem
from registry.api.representations import UNCHANGED, age, answer, etag, now, record, sources
from registry.api.state import state_of
from registry.storage.reads import records
from registry.storage.reads.datasets import DatasetState

router = APIRouter(prefix="/datasets/{dataset}/records", tags=["records"])

RecordKey = Annotated[str, Depends(record_key)]


@router.get("", response_model=models.RecordPage, openapi_extra=FILTERS)
async def listed(
    request: Request,
    found: GrantedDataset,
    entity: Annotated[str | None, Query(max_length=64, description="Only records of this entity 市场主体代码")] = None,
    as_of: AsOf = None,
    after: After = None,
    limit: Limit = 100,
) -> Response:
    """Records in the order of their keys. For pages that fit together while records change, give `as_of`. 记录列表."""
    at, then = now(), moment(as_of)
    app, dataset = state_of(request), found.dataset
    view = found.view(app)
    wanted = filters(request, found.grant.schema, view)
    query = digest("records", dataset.name, entity, then and then.isoformat(), [(f.field, f.value) for f in wanted])
    start = None if after is None else position(after, query, str)[0]
    rows = await records.page(
        app.pool, dataset.id, after=start, limit=limit + 1, as_of=then, entity=entity, filters=wanted,
        rows=found.grant.rows,
    )  # fmt: skip
    content = {
        **_head(dataset, at, then),
        "records": [record(row, view) for row in rows[:limit]],
        "next": following(query, rows, limit, itemgetter("key")),
    }
    return answer(content)


async def shown(
    request: Request,
    found: GrantedDataset,
    key: RecordKey,
    as_of: AsOf = None,
    if_none_match: Annotated[str | None, Header(max_length=LONGEST_TEXT)] = None,
) -> Response:
    """One record. 单条记录."""
    at, then = now(), moment(as_of)
    app, dataset = state_of(request), found.dataset
    view = found.view(app)
    if then is None:
        row = await app.records.one(dataset.id, key, found.grant.rows)
    else:
        row = await records.one_as_of(app.pool, dataset.id, key, then, found.grant.rows)
    if row is None:
        raise _nothing(dataset, then)
    mark = etag(row, f"{found.grant.id}.{dataset.schema.rpartition('@')[2]}")
    headers = {"ETag": mark, **age(dataset)}
    if is_known(mark, if_none_match):
        return Response(status_code=304, headers=headers)
    return answer({**_head(dataset, at, then), "record": record(row, view)}, headers=headers)


async def _shown_directly(request: Request) -> Response:
    """The steps to :func:`shown` where nothing is sent but headers."""
    name, key = request.path_params["dataset"], request.path_params["key"]
    known = request.headers.get("if-none-match")
    if max(len(key), len(known or "")) > LONGEST_TEXT or len(request.headers.get(CASE_NUMBER, "")) > LONGEST_NUMBER:
        raise NotUsual
    caller = await dataset_reader(request, request.headers.get("authorization"), name)
    found = await granted_dataset(request, await described_dataset(request, caller, name))
    return await shown(request, found, await record_key(key), None, known)


router.add_api_route(
    "/{key}",
    shown,
    methods=["GET"],
    response_model=models.RecordAnswer,
    responses=UNCHANGED,
    route_class_override=directly(_shown_directly),
)


@router.get("/{key}/history", response_model=models.HistoryPage)
async def history(
    request: Request, found: GrantedDataset, key: RecordKey, after: After = None, limit: Limit = 100
) -> Response:
    """Every version of a record, the newest first; a deleted record still has its history. 历史版本."""
    at = now()
    app, dataset = state_of(request), found.dataset
    view = found.view(app)
    query = digest("history", dataset.name, key)
    before = None if after is None else position(after, query, int)[0]
    rows = await records.history(app.pool, dataset.id, key, before=before, limit=limit + 1, rows=found.grant.rows)
    if not rows and before is None:
        raise _nothing(dataset, None)
    content = {
        **_head(dataset, at, None),
        "key": key,
        "versions": [record(row, view) for row in rows[:limit]],
        "next": following(query, rows, limit, itemgetter("version")),
    }
    return answer(content)


def _head(dataset: DatasetState, at: datetime, then: datetime | None) -> dict[str, object]:
    return {"dataset": dataset.name, "as_of": then or at, "sources": sources(dataset, at)}


def _nothing(dataset: DatasetState, then: datetime | None) -> Problem:
    when_zh, when_en = (f"在 {then.isoformat()} ", f" at {then.isoformat()}") if then else ("", "")
    return Problem(
        NOT_FOUND,
        f"数据集 {dataset.name} {when_zh}没有该主键的记录。",
        f"The dataset {dataset.name} has no record of this key{when_en}.",
    )
