"""Exports: one moment of a granted dataset, fetched in parts, each of which can be fetched again."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import Annotated, Any, cast

import orjson
from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import PlainTextResponse

from registry.api.access.security import Granted, GrantedDataset
from registry.api.bulk import forms, models
from registry.api.bulk.about import name_entities
from registry.api.bulk.forms import CannotStand, Form
from registry.api.problems import EXPORT_ENDED, NOT_ACCEPTABLE, NOT_FOUND, TOO_MANY_EXPORTS, Problem
from registry.api.representations import AGE, READ_AT, age, answer, now, sources, spoken
from registry.api.routes.changes import cursor as feed_cursor
from registry.api.state import ApiState, state_of
from registry.storage import exports as kept
from registry.storage.reads import bulk, exports
from registry.storage.reads.changes import Position
from registry.storage.reads.exports import Export, Part
from registry.storage.reads.pool import Row

router = APIRouter(prefix="/datasets/{dataset}/exports", tags=["bulk"])

LIFETIME = timedelta(hours=24)
MOST_EXPORTS = 20
"""Exports of one dataset that a client may have at once."""
_SLICE = 1000
"""Records that one statement reads: the event loop is never held for long."""
_CONTENT: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The part, in the export's format 分片",
        "content": {media_type.partition(";")[0]: {"schema": {}} for media_type in forms.MEDIA_TYPES.values()},
        "headers": {
            "Shuqiao-Part-Records": {"description": "How many records 记录数", "schema": {"type": "integer"}},
            "Shuqiao-Part-SHA256": {"description": "Digest of the part 摘要", "schema": {"type": "string"}},
            "Link": {"description": 'The next part, with rel="next"', "schema": {"type": "string"}},
            **AGE,
        },
    }
}
_SUMS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "One line a part, for `sha256sum --check`",
        "content": {"text/plain": {"schema": {}}},
        "headers": AGE,
    }
}

ExportId = Annotated[str, Path(alias="export", max_length=100, description="The export's id 导出编号")]
Number = Annotated[int, Path(alias="part", ge=0, lt=1 << 31, description="From 0 on 分片序号")]


@router.post("", response_model=models.Export, status_code=201)
async def begin(request: Request, found: GrantedDataset, wanted: models.ExportWanted | None = None) -> Response:
    """Begin an export: its moment is now, whatever is published while it is fetched. 开始导出."""
    app, asked = state_of(request), wanted or models.ExportWanted()
    moment = await bulk.moment(app.pool, found.dataset.id)
    made = Export(
        id=secrets.token_urlsafe(12),
        format=asked.format,
        byte_order_mark=asked.byte_order_mark and asked.format == "csv",
        part_records=asked.part_records,
        as_of=moment.at,
        batches=moment.batches,
        feed_xid=moment.xid,
        terms=_terms(found),
        expires_at=moment.at + LIFETIME,
    )
    work = partial(kept.begin, export=made, client=found.grant.client, dataset_id=found.dataset.id, most=MOST_EXPORTS)
    if not await app.licensing.write(work):
        zh = f"该数据集已有 {MOST_EXPORTS} 个未到期的导出任务。"
        en = f"There are {MOST_EXPORTS} exports of this dataset already that are not over."
        raise Problem(TOO_MANY_EXPORTS, zh, en)
    return answer(_content(found, made, []), status=201, headers={"Location": _href(found, made)})


@router.get("", response_model=models.ExportList, responses={200: {"headers": {READ_AT: AGE[READ_AT]}}})
async def listed(request: Request, found: GrantedDataset) -> Response:
    """The client's own exports of the dataset that are not over, the newest first. 导出列表."""
    at = now()
    there = await exports.of_client(state_of(request).pool, found.grant.client, found.dataset.id, at, MOST_EXPORTS)
    brief = [
        {"id": each.id, "format": each.format, "as_of": each.as_of, "expires_at": each.expires_at,
         "href": _href(found, each)}
        for each in there
    ]  # fmt: skip
    return answer({"as_of": at, "exports": brief}, headers=age(found.dataset))


@router.get("/{export}", response_model=models.Export)
async def shown(request: Request, found: GrantedDataset, export: ExportId) -> Response:
    """How far an export has come: the parts given, their digests, where it goes on. 导出进度."""
    app = state_of(request)
    there = await _own(app, found, export)
    return answer(_content(found, there, await exports.parts(app.pool, there.id)))


@router.get("/{export}/sha256sums", response_class=PlainTextResponse, responses=_SUMS)
async def sums(request: Request, found: GrantedDataset, export: ExportId) -> Response:
    """The digests of the parts given so far, as `sha256sum --check` reads them. 各分片摘要."""
    app = state_of(request)
    there = await _own(app, found, export)
    headers = spoken(there.as_of, found.dataset)
    return PlainTextResponse(_sums(there, await exports.parts(app.pool, there.id)), headers=headers)


@router.get("/{export}/parts/{part}", response_class=Response, responses=_CONTENT)  # noqa: FAST003
async def part(request: Request, found: GrantedDataset, export: ExportId, number: Number) -> Response:
    """One part; fetched again it has the same records, with what stands beside them now. 取分片."""
    app = state_of(request)
    there = await _own(app, found, export)
    if there.expires_at <= now():
        raise Problem(EXPORT_ENDED, "导出任务已过期。", "The export has expired.")
    if there.terms != _terms(found):
        raise Problem(EXPORT_ENDED, "授权或数据规范已变更。", "The grant or the schema has changed since.")
    after = await _begins_after(app, there, number)
    async with app.bulk.passed():
        rows = await _rows(app, found, there, after)
        some = rows[: there.part_records]
        view = found.view(app)
        shape = forms.table(app.catalogue.schema(found.grant.schema), view)
        write = partial(
            forms.written, some, shape, cast("Form", there.format),
            first=number == 0, byte_order_mark=there.byte_order_mark,
        )  # fmt: skip
        try:
            body = await asyncio.to_thread(write)
        except CannotStand as error:
            zh = f"字段 {error} 的值超出 Parquet 列的范围，请改用 NDJSON。"
            en = f"A value of {error} does not fit its column in Parquet; use NDJSON."
            raise Problem(NOT_ACCEPTABLE, zh, en, members={"forms": ["ndjson", "csv"]}) from error
        await asyncio.to_thread(name_entities, request, [row["entity"] for row in some])
    given = Part(
        number=number,
        after_key=after,
        last_key=some[-1]["key"] if some else None,
        is_last=len(rows) <= there.part_records,
        records=len(some),
        length=len(body),
        sha256=hashlib.sha256(body).digest(),
        given_at=now(),
    )
    await app.licensing.write(lambda connection: kept.give(connection, there.id, given))
    headers = {
        "Shuqiao-Part-Records": str(given.records),
        "Shuqiao-Part-SHA256": given.sha256.hex(),
        **spoken(there.as_of, found.dataset),
        "Content-Disposition": f'attachment; filename="{_file(there, number)}"',
    }
    if not given.is_last:
        headers["Link"] = f'<{_href(found, there)}/parts/{number + 1}>; rel="next"'
    return Response(body, headers=headers, media_type=forms.MEDIA_TYPES[cast("Form", there.format)])


async def _rows(app: ApiState, found: Granted, there: Export, after: str | None) -> list[Row]:
    """The records of a part, and one more if there is one."""
    rows: list[Row] = []
    while len(rows) <= there.part_records:
        wanted = min(_SLICE, there.part_records + 1 - len(rows))
        some = await bulk.then(
            app.pool, found.dataset.id, there.batches, after=after, limit=wanted, rows=found.grant.rows
        )
        rows += some
        if len(some) < wanted:
            break
        after = some[-1]["key"]
    return rows


async def _begins_after(app: ApiState, there: Export, number: int) -> str | None:
    """The key after which a part begins. Raises Problem unless the part before it was given."""
    if number == 0:
        return None
    before = await exports.part(app.pool, there.id, number - 1)
    if before is None or before.is_last:
        zh = "没有该分片。" if before else f"请先获取第 {number - 1} 个分片。"
        en = "There is no such part." if before else f"Parts follow each other: get part {number - 1} first."
        raise Problem(NOT_FOUND, zh, en)
    return before.last_key


async def _own(app: ApiState, found: Granted, export_id: str) -> Export:
    """The client's own export. Raises Problem."""
    there = await exports.one(app.pool, export_id, found.grant.client, found.dataset.id)
    if there is None:
        raise Problem(NOT_FOUND, "没有该导出任务。", "There is no such export.")
    return there


def _terms(found: Granted) -> bytes:
    """Digest of what decides which records and fields an export has."""
    grant = found.grant
    rows = {name: sorted(values) for name, values in sorted(grant.rows.items())}
    fields = None if grant.fields is None else sorted(grant.fields)
    return hashlib.sha256(orjson.dumps([fields, rows, found.dataset.schema, grant.schema])).digest()


def _content(found: Granted, there: Export, parts: Sequence[Part]) -> dict[str, Any]:
    complete = bool(parts) and parts[-1].is_last
    href = _href(found, there)
    return {
        "id": there.id,
        "dataset": found.dataset.name,
        "format": there.format,
        "schema_reference": found.grant.schema,
        "as_of": there.as_of,
        "sources": sources(found.dataset, now()),
        "changes": feed_cursor(Position(there.feed_xid, 0)),
        "expires_at": there.expires_at,
        "part_records": there.part_records,
        "parts": [
            {
                "number": each.number,
                "href": f"{href}/parts/{each.number}",
                "records": each.records,
                "bytes": each.length,
                "sha256": bytes(each.sha256).hex(),
                "given_at": each.given_at,
            }
            for each in parts
        ],
        "next": None if complete else f"{href}/parts/{len(parts)}",
        "complete": complete,
        "records": sum(each.records for each in parts),
        "bytes": sum(each.length for each in parts),
        "sha256": hashlib.sha256(_sums(there, parts).encode()).hexdigest() if complete else None,
    }


def _sums(there: Export, parts: Sequence[Part]) -> str:
    return "".join(f"{bytes(each.sha256).hex()}  {_file(there, each.number)}\n" for each in parts)


def _file(there: Export, number: int) -> str:
    return f"part-{number:05d}.{there.format}"


def _href(found: Granted, there: Export) -> str:
    return f"/api/v1/datasets/{found.dataset.name}/exports/{there.id}"
