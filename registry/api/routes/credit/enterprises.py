"""Enterprises: one file each, the credit record as the caller may see it, measures; where departments disagree."""

from __future__ import annotations

from datetime import date
from operator import itemgetter
from typing import Annotated, Any, Literal
from urllib.parse import unquote

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from registry.api.access.security import Caller, CreditOffice, Operator, is_read_whole
from registry.api.access.security import CreditReader as CreditCaller
from registry.api.credit import answers as credit_answers
from registry.api.credit import models
from registry.api.credit.answers import AmbiguousIdentifier, CreditReader, Found, UnknownEnterprise, sources_of
from registry.api.credit.lenders import answered_by_consent
from registry.api.grants.purpose import AccessPurpose, CaseNumber, stated
from registry.api.paging import digest, following, position
from registry.api.parameters import After, Limit
from registry.api.problems import (
    AMBIGUOUS_IDENTIFIER,
    INVALID_ENTITY_CODE,
    INVALID_PARAMETER,
    NOT_FOUND,
    NOT_GRANTED,
    Problem,
    parameter_error,
)
from registry.api.representations import answer, now, plain
from registry.api.routes.credit import reports
from registry.api.routes.credit.reports import FORMS
from registry.api.state import state_of
from registry.credit.discrepancies import whole
from registry.domain.credit.lending import default_lending_rules
from registry.domain.credit.marks import china_day
from registry.domain.credit.measures import default_measures
from registry.domain.credit.sources import default_sources
from registry.storage.reads import credit

router = APIRouter(tags=["credit"])

_USCC_LENGTH = 18
_FIRST_DAY = date(1949, 10, 1)
_STATES = {"open": True, "closed": False, "all": None}

Name = Annotated[str | None, Query(max_length=200)]
State = Annotated[Literal["open", "closed", "all"], Query(description="Those open, closed, or all 状态")]


async def enterprise_code(
    enterprise: Annotated[
        str,
        Path(
            max_length=64,
            description="统一社会信用代码，或注册号、组织机构代码、纳税人识别号、主体身份代码",
            examples=["91310000MA1FL00A0Q", "310000000000123"],
        ),
    ],
) -> str:
    """The code or old identifier in the path."""
    return unquote(enterprise)


Enterprise = Annotated[str, Depends(enterprise_code)]


@router.get("/enterprises/{enterprise}", response_model=models.EnterpriseFile)
async def file(request: Request, caller: CreditOffice, enterprise: Enterprise) -> Response:
    """One file: each field from its one source, the lists, and where departments disagree. 企业档案（一数一源）."""
    app = state_of(request)
    known = await app.datasets()
    granted = [each.dataset.name for each in caller.readable(known.values()) if is_read_whole(request, each.grant)]
    try:
        found = await _found(request, enterprise)
        return answer(await credit_answers.file(app.pool, known, found, granted, now()))
    except UnknownEnterprise as error:
        raise _nothing() from error


@router.get("/enterprises/{enterprise}/credit", response_model=models.CreditRecord)
async def record(
    request: Request,
    caller: CreditCaller,
    enterprise: Enterprise,
    day: Annotated[
        date | None,
        Query(description="Only what was, or will be, to be seen on that day too; without: today 日期"),
    ] = None,
    reader: Annotated[
        CreditReader | None,
        Query(description="As this reader sees it; without: as far as the token's scopes allow 查询主体"),
    ] = None,
    access_purpose: AccessPurpose = None,
    case_number: CaseNumber = None,
) -> Response:
    """The records that may be seen, with the reason and the last day of each; banks by consent. 公共信用记录."""
    app, at = state_of(request), now()
    wanted = _reader(caller, reader)
    if day is not None and day < _FIRST_DAY:
        zh, en = f"日期早于 {_FIRST_DAY}。", f"Expected a day from {_FIRST_DAY} on."
        raise Problem(INVALID_PARAMETER, zh, en, errors=[parameter_error("day", zh, en)])
    known, seen_on = await app.datasets(), day or china_day(at)
    try:
        if wanted == "bank":
            purpose, items = stated(access_purpose, case_number), default_lending_rules()
            said = await answered_by_consent(
                request, caller, enterprise, purpose, None, "credit_record",
                lambda pool, found, permitted: credit_answers.record(
                    pool, known, found, "bank", seen_on, at, items.datasets_of(permitted)
                ),
                at,
            )  # fmt: skip
            return answer(said)
        found = await _found(request, enterprise)
        said = await credit_answers.record(app.pool, known, found, wanted, seen_on, at)
    except UnknownEnterprise as error:
        raise _nothing() from error
    return answer(said)


@router.get("/enterprises/{enterprise}/report", response_model=models.CreditReport, responses=FORMS)
async def report(
    request: Request,
    caller: CreditCaller,
    enterprise: Enterprise,
    reader: Annotated[
        CreditReader | None,
        Query(description="The edition for this reader; without: as far as the token's scopes allow 报告版本"),
    ] = None,
    access_purpose: AccessPurpose = None,
    case_number: CaseNumber = None,
) -> Response:
    """The credit report of today, with the data's age and what to check it by; a PDF has a number. 公共信用信息报告."""
    app, at = state_of(request), now()
    wanted, form = _reader(caller, reader), await reports.form(request)
    known = await app.datasets()
    try:
        if wanted == "bank":
            purpose, items = stated(access_purpose, case_number), default_lending_rules()
            said = await answered_by_consent(
                request, caller, enterprise, purpose, None, "credit_report",
                lambda pool, found, permitted: credit_answers.report(
                    pool, known, found, "bank", at, items.datasets_of(permitted)
                ),
                at,
            )  # fmt: skip
            only = items.datasets_of(items.items.keys() - said["not_consented"])
            return await reports.answered(request, said, known, form=form, asked_by=caller.client_id, only=only)
        found = await _found(request, enterprise)
        said = await credit_answers.report(app.pool, known, found, wanted, at)
        return await reports.answered(request, said, known, form=form, asked_by=caller.client_id)
    except UnknownEnterprise as error:
        raise _nothing() from error


@router.get("/enterprises/{enterprise}/measures", response_model=models.Measures)
async def measures(
    request: Request,
    caller: CreditOffice,
    enterprise: Enterprise,
    scene: Annotated[
        str | None, Query(max_length=64, description="Only in this scene 场景", examples=["bidding"])
    ] = None,
) -> Response:
    """What applies to the enterprise today, with the legal basis and the records it rests on. 守信激励与失信惩戒."""
    del caller
    app, at = state_of(request), now()
    scenes = default_measures().on(china_day(at)).scenes
    if scene is not None and scene not in scenes:
        names = ", ".join(scenes)
        zh, en = f"未知场景；应为 {names}。", f"Not a scene; expected one of {names}."
        raise Problem(INVALID_PARAMETER, zh, en, errors=[parameter_error("scene", zh, en)])
    try:
        found = await _found(request, enterprise)
    except UnknownEnterprise as error:
        raise _nothing() from error
    return answer(await credit_answers.measures(app.pool, await app.datasets(), found, scene, at))


@router.get("/credit/discrepancies", response_model=models.DiscrepancyPage)
async def discrepancies(
    request: Request,
    caller: Operator,
    department: Name = None,
    enterprise: Annotated[str | None, Query(max_length=64, description="统一社会信用代码")] = None,
    state: State = "open",
    after: After = None,
    limit: Limit = 100,
) -> Response:
    """Where a department says something else than the authoritative one, in the order found. 部门间数据差异."""
    del caller
    app, at = state_of(request), now()
    query = digest("discrepancies", department, enterprise, state)
    rows = await credit.discrepancies(
        app.pool,
        after=0 if after is None else position(after, query, int)[0],
        limit=limit + 1,
        department=department,
        entity=enterprise,
        is_open=_STATES[state],
    )
    content = {
        "as_of": at,
        "sources": sources_of(await app.datasets(), default_sources().on(china_day(at)).compared, at),
        "discrepancies": [whole(row) for row in rows[:limit]],
        "next": following(query, rows, limit, itemgetter("id")),
    }
    return answer(content)


@router.get("/credit/findings", response_model=models.FindingPage)
async def findings(
    request: Request,
    caller: Operator,
    department: Name = None,
    kind: Annotated[
        Literal["late", "amount", "missing_source_code", "not_withdrawn"] | None,
        Query(description="Only these 问题类型"),
    ] = None,
    state: State = "open",
    after: After = None,
    limit: Limit = 100,
) -> Response:
    """Permits and penalties that came late, contradict their text, lack a code, or should be withdrawn. 双公示问题."""
    del caller
    app, at = state_of(request), now()
    query = digest("findings", department, kind, state)
    rows = await credit.findings(
        app.pool,
        after=0 if after is None else position(after, query, int)[0],
        limit=limit + 1,
        department=department,
        kind=kind,
        is_open=_STATES[state],
    )
    content = {
        "as_of": at,
        "sources": sources_of(await app.datasets(), default_sources().on(china_day(at)).examined, at),
        "findings": [plain(row, json_columns=("detail",)) for row in rows[:limit]],
        "next": following(query, rows, limit, itemgetter("id")),
    }
    return answer(content)


async def _found(request: Request, enterprise: str) -> Found:
    """The enterprise in the path. Raises Problem, UnknownEnterprise."""
    try:
        return await credit_answers.find(state_of(request).pool, enterprise)
    except AmbiguousIdentifier as error:
        members: dict[str, Any] = {"candidates": error.candidates}
        raise Problem(AMBIGUOUS_IDENTIFIER, members=members) from error
    except UnknownEnterprise:
        if len(enterprise) == _USCC_LENGTH:
            zh, en = (
                "校验位不符，也不是已知的旧标识。",
                "Its check character does not fit, nor is it an old identifier.",
            )
            errors = [parameter_error("enterprise", zh, en, where="path")]
            raise Problem(INVALID_ENTITY_CODE, zh, en, errors=errors) from None
        raise


def _reader(caller: Caller, wanted: CreditReader | None) -> CreditReader:
    """As whom the caller reads: departments and banks may also ask what the public sees. Raises Problem."""
    if wanted == "department" and not caller.is_department:
        raise Problem(NOT_GRANTED, "需要授权范围 credit:department。", "The scope credit:department is needed.")
    if wanted == "bank" and not caller.is_bank:
        raise Problem(NOT_GRANTED, "需要授权范围 credit:bank。", "The scope credit:bank is needed.")
    if wanted is None and caller.is_bank and not (caller.is_department or caller.sees_public_credit):
        return "bank"
    return wanted or ("department" if caller.is_department else "public")


def _nothing() -> Problem:
    return Problem(NOT_FOUND, "没有可提供的该企业信息。", "There is nothing of this enterprise that may be told.")
