"""Entities: everything that is known of one enterprise, across the granted datasets."""

from __future__ import annotations

from itertools import groupby
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Path, Query, Request, Response

from registry.api import models
from registry.api.access.security import Reader, expect_purpose
from registry.api.grants.purpose import AccessPurpose, CaseNumber
from registry.api.grants.versions import announce
from registry.api.parameters import AsOf, IfNoneMatch, moment
from registry.api.problems import INVALID_ENTITY_CODE, INVALID_PARAMETER, NOT_FOUND, Problem, parameter_error
from registry.api.representations import UNCHANGED, etag, known_or, now, record, sources, tag
from registry.api.state import state_of
from registry.storage.reads import records
from schemas.identifiers import HOLDER_CODE_TYPES, is_uscc

router = APIRouter(tags=["entities"])

_PER_DATASET = 200
_USCC_TYPE = "001"


@router.get("/entities/{entity}", response_model=models.Entity, responses=UNCHANGED)
async def shown(
    request: Request,
    caller: Reader,
    entity: Annotated[str, Path(max_length=64, description="统一社会信用代码", examples=["91310000MA1FL00A0Q"])],
    code_type: Annotated[
        str, Query(pattern="^[0-9]{3}$", description="Kind of code (GB/T 36903 annex A); 001 is the USCC 代码类型")
    ] = _USCC_TYPE,
    as_of: AsOf = None,
    access_purpose: AccessPurpose = None,
    case_number: CaseNumber = None,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Everything that the granted datasets know of one entity, by dataset. 市场主体全景."""
    del access_purpose, case_number  # read where they are checked
    at, then = now(), moment(as_of)
    _check_code(entity, code_type)
    app = state_of(request)
    granted = {found.dataset.id: found for found in caller.readable((await app.datasets()).values())}
    for found in granted.values():
        expect_purpose(request, found.grant)
        announce(request, found.dataset, found.grant)
    covered = {dataset_id: found.grant.rows for dataset_id, found in granted.items()}
    rows = await records.of_entity(app.pool, entity, covered, limit=_PER_DATASET + 1, as_of=then)
    if not rows:
        raise Problem(
            NOT_FOUND, "已授权的数据集中没有该主体的记录。", "The granted datasets know nothing of this entity."
        )
    by_name = {}
    for dataset_id, group in groupby(rows, lambda row: row["dataset_id"]):
        dataset, view, known = granted[dataset_id].dataset, granted[dataset_id].view(app), list(group)
        more = f"/api/v1/datasets/{quote(dataset.name)}/records?entity={quote(entity)}"
        by_name[dataset.name] = {
            "dataset": dataset.name,
            "title": {"zh": dataset.title_zh, "en": dataset.title_en},
            "department": dataset.department,
            "sources": sources(dataset, at),
            "records": [record(row, view) for row in known[:_PER_DATASET]],
            "more": more if len(known) > _PER_DATASET else None,
        }
    shown_by = [(found.grant.id, found.dataset.schema) for found in granted.values()]
    mark = tag(shown_by, [etag(row, str(row["dataset_id"])) for row in rows])
    found_now = {"entity": entity, "as_of": then or at, "datasets": [by_name[name] for name in sorted(by_name)]}
    told = [granted[number].dataset for number in {row["dataset_id"] for row in rows}]
    return known_or(mark, if_none_match, told, lambda: found_now)


def _check_code(entity: str, code_type: str) -> None:
    if code_type not in HOLDER_CODE_TYPES:
        known = ", ".join(HOLDER_CODE_TYPES)
        zh, en = f"未知代码类型；应为 {known}。", f"Not a kind of code; expected one of {known}."
        raise Problem(INVALID_PARAMETER, zh, en, errors=[parameter_error("code_type", zh, en)])
    if code_type == _USCC_TYPE and not is_uscc(entity):
        zh = "不是有效的统一社会信用代码（18位，校验位不符）；其他类型的代码请用 code_type 说明。"
        en = "No unified social credit code (18 characters, the last one checks the others); say code_type for others."
        raise Problem(INVALID_ENTITY_CODE, zh, en, errors=[parameter_error("entity", zh, en, where="path")])
