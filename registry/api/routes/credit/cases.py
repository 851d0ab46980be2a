"""Repairs 信用修复 and objections 异议: filed at a window, decided by the department that recorded the item.

A window sees and takes back what it filed; a department sees and decides what is about its own records; the hub
(``operate``) sees all, accepts, declines and forwards. A case that is none of the caller's looks like one that is not
there.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from operator import itemgetter
from typing import Annotated, Literal, get_args

import psycopg
from fastapi import APIRouter, Path, Query, Request, Response

from registry.api.access.security import Caller, CaseDecider, CaseOffice, CaseParty, CaseWindow, Operator
from registry.api.credit import case_answers as credit_case_answers
from registry.api.credit import case_models as models
from registry.api.paging import digest, following, position
from registry.api.parameters import After, Limit
from registry.api.problems import NOT_FOUND, Problem
from registry.api.representations import answer, now
from registry.api.state import ApiState, state_of
from registry.credit import cases
from registry.credit.case_reads import Case
from registry.credit.cases import Filing, Handling
from registry.domain.credit.cases import Action, Actor, Kind, Role, State, may
from registry.domain.credit.marks import china_day
from registry.domain.credit.repair import Evidence
from registry.storage.reads import credit_cases
from registry.storage.reads.credit_cases import Seen, Wanted
from registry.storage.reads.pool import Row

router = APIRouter(prefix="/credit/cases", tags=["credit cases"])

Number = Annotated[int, Path(alias="case", ge=1, lt=1 << 63, description="Number of the case 申请编号")]
CaseState = Literal["open", "closed", "all"] | State
_OPEN = {"open": True, "closed": False, "all": None}
_FILED: dict[int | str, dict[str, object]] = {
    200: {"model": models.CreditCase, "description": "The same request had made this case 重复提交，返回已有申请"}
}


@router.post("", response_model=models.CreditCase, status_code=201, responses=_FILED)
async def file(request: Request, caller: CaseWindow, wanted: models.CaseFiling) -> Response:
    """File a repair or an objection; the same request sent again is answered with its case. 提交信用修复或异议申请."""
    app, at = state_of(request), now()
    evidence = tuple(Evidence(each.kind, each.title, each.sha256, each.dated) for each in wanted.evidence)
    filing = Filing(
        wanted.kind, wanted.dataset, wanted.key, wanted.entity, wanted.applicant, wanted.statement, evidence,
        wanted.reference,
    )  # fmt: skip
    work = partial(cases.file, filing=filing, filed_by=caller.client_id, now=at, handling=_handling(app))
    made = await app.licensing.write(work)
    row = await credit_cases.one(app.pool, made.id)
    content = await credit_case_answers.whole(app.pool, row, _roles(caller, row), at)
    headers = {"Location": f"{request.url.path}/{made.id}"}
    return answer(content, status=201 if made.filed_at == at else 200, headers=headers)


@router.get("", response_model=models.CasePage)
async def listed(
    request: Request,
    caller: CaseParty,
    department: Annotated[str | None, Query(max_length=200, description="Of this department 认定部门")] = None,
    kind: Annotated[Kind | None, Query(description="Only these 申请类型")] = None,
    enterprise: Annotated[str | None, Query(max_length=64, description="统一社会信用代码")] = None,
    state: Annotated[CaseState, Query(description="In one state, those open, closed, or all 状态")] = "open",
    overdue: Annotated[  # noqa: FBT002
        bool, Query(description="Only those whose deadline has passed 仅逾期")
    ] = False,
    after: After = None,
    limit: Limit = 100,
) -> Response:
    """Cases in the order of their filing: a window's own, a department's own, for operators all. 申请列表."""
    app, at = state_of(request), now()
    query = digest("credit cases", department, kind, enterprise, state, overdue)
    wanted = Wanted(
        department=department,
        kind=kind,
        entity=enterprise,
        state=state if state in get_args(State) else None,
        is_open=_OPEN.get(state),
        overdue_on=china_day(at) if overdue else None,
    )
    begin = 0 if after is None else position(after, query, int)[0]
    found = await credit_case_answers.page(app.pool, wanted, _seen(caller), after=begin, limit=limit + 1, at=at)
    more = following(query, found, limit, itemgetter("id"))
    return answer({"as_of": at, "cases": found[:limit], "next": more})


@router.get("/{case}", response_model=models.CreditCase)  # noqa: FAST003
async def shown(request: Request, caller: CaseParty, number: Number) -> Response:
    """One case with all that happened to it, and what the caller may do next. 申请详情."""
    app = state_of(request)
    row = await _visible(app, caller, number)
    return answer(await credit_case_answers.whole(app.pool, row, _roles(caller, row), now()))


@router.post("/{case}/accept", response_model=models.CreditCase)  # noqa: FAST003
async def accept(request: Request, caller: CaseOffice, number: Number, step: models.CaseStep | None = None) -> Response:
    """Take the case on: the department, which decides it next, or the hub, which forwards it next. 受理."""
    return await _do(request, caller, number, "accept", step, cases.accept)


@router.post("/{case}/decline", response_model=models.CreditCase)  # noqa: FAST003
async def decline(request: Request, caller: CaseOffice, number: Number, step: models.CaseStepWithReason) -> Response:
    """Not take the case on, and say why. 不予受理."""
    return await _do(request, caller, number, "decline", step, cases.decline, step.reason)


@router.post("/{case}/forward", response_model=models.CreditCase)  # noqa: FAST003
async def forward(request: Request, caller: Operator, number: Number, step: models.CaseStep | None = None) -> Response:
    """Pass an accepted case on to the department that recorded the item. 转办."""
    reason = None if step is None else step.reason
    return await _do(request, caller, number, "forward", step, cases.forward, reason)


@router.post("/{case}/extend", response_model=models.CreditCase)  # noqa: FAST003
async def extend(request: Request, caller: CaseDecider, number: Number, step: models.CaseStepWithReason) -> Response:
    """Put the deadline of the decision off, once, where the place's rule allows it. 延长办理期限."""
    return await _do(request, caller, number, "extend", step, cases.extend, step.reason)


@router.post("/{case}/grant", response_model=models.CreditCase)  # noqa: FAST003
async def grant(
    request: Request, caller: CaseDecider, number: Number, step: models.CaseGrant | None = None
) -> Response:
    """Decide for the applicant: a repaired record is no longer published nor shared, from this moment on. 支持."""
    given = step or models.CaseGrant()
    work = partial(cases.decide, granted=True, remedy=given.remedy)
    return await _do(request, caller, number, "grant", given, work, given.reason)


@router.post("/{case}/refuse", response_model=models.CreditCase)  # noqa: FAST003
async def refuse(request: Request, caller: CaseDecider, number: Number, step: models.CaseStepWithReason) -> Response:
    """Decide against the applicant, and say why; an objection's mark ends. 不予支持."""
    return await _do(request, caller, number, "refuse", step, partial(cases.decide, granted=False), step.reason)


@router.post("/{case}/withdraw", response_model=models.CreditCase)  # noqa: FAST003
async def withdraw(
    request: Request, caller: CaseWindow, number: Number, step: models.CaseStep | None = None
) -> Response:
    """Take the case back, for the applicant, at the window that filed it. 撤回."""
    reason = None if step is None else step.reason
    return await _do(request, caller, number, "withdraw", step, cases.withdraw, reason)


async def _do(
    request: Request,
    caller: Caller,
    number: int,
    action: Action,
    step: models.CaseStep | models.CaseStepWithReason | models.CaseGrant | None,
    work: Callable[..., Case],
    *arguments: object,
) -> Response:
    """Take a step and answer with the case as it stands then. Raises Problem, CreditRefused."""
    app, at = state_of(request), now()
    row = await _visible(app, caller, number)
    actor = _actor(caller, row, action, None if step is None else step.by)

    def done(connection: psycopg.Connection) -> Case:
        return work(connection, number, actor, *arguments, now=at, handling=_handling(app))

    await app.licensing.write(done)
    row = await credit_cases.one(app.pool, number)
    return answer(await credit_case_answers.whole(app.pool, row, _roles(caller, row), at))


async def _visible(app: ApiState, caller: Caller, number: int) -> Row:
    """The case, if it is the caller's to see. Raises Problem."""
    row = await credit_cases.one(app.pool, number)
    if row is None or not _roles(caller, row):
        raise Problem(NOT_FOUND, f"没有申请 {number}。", f"There is no case {number}.")
    return row


def _roles(caller: Caller, row: Row) -> tuple[Role, ...]:
    """As what the caller has to do with a case; the one that is nearest to it first."""
    found: list[Role] = []
    if row["department"] in caller.decides_for:
        found.append("department")
    if caller.operates:
        found.append("hub")
    if caller.files_cases and row["filed_by"] == caller.client_id:
        found.append("applicant")
    return tuple(found)


def _actor(caller: Caller, row: Row, action: Action, by: str | None) -> Actor:
    """Who takes the step: in the role that may, else in one that will be told that it may not."""
    roles = _roles(caller, row)
    role = next((each for each in roles if may(each, action)), roles[0])
    if role == "applicant":
        return Actor(role, row["applicant"])
    name = caller.client_id if by is None else f"{by} ({caller.client_id})"
    return Actor(role, name, row["department"] if role == "department" else None)


def _seen(caller: Caller) -> Seen | None:
    """What a list shows to the caller; None: everything."""
    if caller.operates:
        return None
    return Seen(caller.client_id if caller.files_cases else None, sorted(caller.decides_for))


def _handling(app: ApiState) -> Handling:
    return Handling(app.settings.credit_place)
