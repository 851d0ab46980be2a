"""Grants 授权 and requests for them 共享申请.

A client sees its own; a department (``grants:decide:<department>``) those of its datasets; the hub (``operate``) all.
What is none of the caller's looks like what is not there.
"""

from __future__ import annotations

from datetime import datetime
from operator import attrgetter
from typing import Annotated, Any, Literal

import psycopg
from fastapi import APIRouter, Path, Query, Request, Response

from registry.api.access.security import Caller, GrantDecider, KnownClient, Operator
from registry.api.grants import models
from registry.api.grants.refusals import nothing_there
from registry.api.models import NO_NUL
from registry.api.paging import digest, following, position
from registry.api.parameters import After, Limit
from registry.api.representations import answer, now
from registry.api.state import state_of
from registry.domain.grants.requests import TITLES, Action, Party, State
from registry.domain.grants.terms import Terms
from registry.grants import giving, reporting, requests
from registry.grants.giving import HeldGrant
from registry.grants.reporting import Usage
from registry.grants.requests import GrantRequest
from registry.storage.grant_uses import day_of

router = APIRouter(prefix="/grants", tags=["grants"])

Asked = Annotated[int, Path(alias="asked", ge=1, lt=1 << 63, description="Number of the request 申请编号")]
Given = Annotated[int, Path(alias="grant", ge=1, lt=1 << 63, description="Number of the grant 授权编号")]
Days = Annotated[int | None, Query(ge=1, le=3660, description="Days; left out: as the rules have it 天数")]


@router.get("", response_model=models.AccessGrants)
async def listed(
    request: Request,
    caller: KnownClient,
    dataset: Annotated[
        str | None, Query(max_length=63, pattern=NO_NUL, description="Only of this dataset 数据集")
    ] = None,
    client: Annotated[
        str | None, Query(max_length=64, pattern=NO_NUL, description="Only of this client 客户端")
    ] = None,
    ended: Annotated[bool, Query(description="Also those that were changed or revoked 含历史版本")] = False,  # noqa: FBT002
) -> Response:
    """Grants with how they are used: a client's own, those of a department's datasets, or all. 授权列表."""
    at = now()

    def work(connection: psycopg.Connection) -> list[dict[str, Any]]:
        found = giving.held(
            connection,
            client_id=client,
            dataset=dataset,
            departments=_departments(caller),
            own=caller.client_id,
            ended=ended,
        )
        return _grants(connection, found, at)

    return answer({"as_of": at, "grants": await state_of(request).licensing.write(work)})


@router.get("/report", response_model=models.GrantReport)
async def report(
    request: Request, caller: GrantDecider, expiring_days: Days = None, unused_days: Days = None
) -> Response:
    """Grants about to end or not used, requests that are overdue: a department's, or all. 到期与逾期提示."""
    at, departments = now(), _departments(caller)

    def work(connection: psycopg.Connection) -> dict[str, Any]:
        found = reporting.report(
            connection, at, departments=departments, expiring_days=expiring_days, unused_days=unused_days
        )
        return {
            "as_of": at,
            "expiring_days": found.expiring_days,
            "unused_days": found.unused_days,
            "expired": _grants(connection, found.expired, at),
            "expiring": _grants(connection, found.expiring, at),
            "unused": _grants(connection, found.unused, at),
            "overdue": [_request(each, at) for each in found.overdue],
        }

    return answer(await state_of(request).licensing.write(work))


@router.post("/requests", response_model=models.GrantRequest, status_code=201)
async def file(request: Request, caller: KnownClient, wanted: models.GrantFiling) -> Response:
    """Ask to read a dataset: which fields and records, what for, by which right. 提交共享申请."""
    at, terms = now(), _terms(wanted, wanted.legal_basis)
    made = await state_of(request).licensing.write(
        lambda connection: requests.file(
            connection, caller.client_id, wanted.dataset, terms, wanted.statement, by=caller.client_id, now=at
        )
    )
    return answer(_request(made, at), status=201, headers={"Location": f"{request.url.path}/{made.id}"})


@router.get("/requests", response_model=models.GrantRequests)
async def asked(
    request: Request,
    caller: KnownClient,
    state: Annotated[
        Literal["open", "all"] | State, Query(description="In one state, those open, or all 状态")
    ] = "all",
    overdue: Annotated[bool, Query(description="Only those whose last day has passed 仅逾期")] = False,  # noqa: FBT002
    after: After = None,
    limit: Limit = 100,
) -> Response:
    """Requests in the order of their filing: a client's own and those a department is to answer, or all. 申请列表."""
    at, query = now(), digest("grant requests", state, overdue)
    begin = 0 if after is None else position(after, query, int)[0]
    found = await state_of(request).licensing.write(
        lambda connection: requests.listed(
            connection,
            client_id=None if caller.operates else caller.client_id,
            departments=None if caller.operates else sorted(caller.decides_grants_of),
            state=state,
            overdue_on=day_of(at) if overdue else None,
            after=begin,
            limit=limit + 1,
        )
    )
    more = following(query, found, limit, attrgetter("id"))
    return answer({"as_of": at, "requests": [_request(each, at) for each in found[:limit]], "next": more})


@router.get("/requests/{asked}", response_model=models.GrantRequestDetail)  # noqa: FAST003
async def shown_request(request: Request, caller: KnownClient, number: Asked) -> Response:
    """One request with all that happened to it. 申请详情."""
    at = now()

    def work(connection: psycopg.Connection) -> dict[str, Any]:
        found = _visible(connection, caller, number)
        events = [
            {"at": each.at, "action": each.action, "state": each.state, "by": each.by, "reason": each.reason}
            for each in requests.events(connection, number)
        ]
        return {**_request(found, at), "events": events}

    return answer(await state_of(request).licensing.write(work))


@router.post("/requests/{asked}/check", response_model=models.GrantRequest)  # noqa: FAST003
async def check(request: Request, caller: Operator, number: Asked, step: models.GrantStep | None = None) -> Response:
    """Find a request complete and as it should be; the clock of the answer begins. 规范性审核通过."""
    return await _step(request, caller, number, "check", _hub(caller), "" if step is None else step.reason or "")


@router.post("/requests/{asked}/return", response_model=models.GrantRequest)  # noqa: FAST003
async def give_back(request: Request, caller: Operator, number: Asked, step: models.GrantStepWithReason) -> Response:
    """Give a request back that is not complete or not as it should be, and say why. 退回补正."""
    return await _step(request, caller, number, "return", _hub(caller), step.reason)


@router.post("/requests/{asked}/approve", response_model=models.GrantRequest)  # noqa: FAST003
async def approve(
    request: Request, caller: GrantDecider, number: Asked, step: models.GrantApproval | None = None
) -> Response:
    """Agree, to all that was asked for or to less; the grant is in force at once. 同意共享."""
    said = step or models.GrantApproval()
    less = None if said.terms is None else said.terms
    return await _step(request, caller, number, "approve", _decider(caller), said.reason or "", less)


@router.post("/requests/{asked}/refuse", response_model=models.GrantRequest)  # noqa: FAST003
async def refuse(request: Request, caller: GrantDecider, number: Asked, step: models.GrantStepWithReason) -> Response:
    """Not agree, and say why. 不予同意."""
    return await _step(request, caller, number, "refuse", _decider(caller), step.reason)


@router.post("/requests/{asked}/withdraw", response_model=models.GrantRequest)  # noqa: FAST003
async def withdraw(
    request: Request, caller: KnownClient, number: Asked, step: models.GrantStep | None = None
) -> Response:
    """Take back what one asked for. 撤回申请."""
    party = Party("client", caller.client_id)
    return await _step(request, caller, number, "withdraw", party, "" if step is None else step.reason or "")


@router.get("/{grant}", response_model=models.AccessGrant)  # noqa: FAST003
async def shown(request: Request, caller: KnownClient, number: Given) -> Response:
    """One grant. 授权详情."""
    at = now()

    def work(connection: psycopg.Connection) -> dict[str, Any]:
        return _grants(connection, [_visible_grant(connection, caller, number)], at)[0]

    return answer(await state_of(request).licensing.write(work))


@router.post("/{grant}/revoke", response_model=models.AccessGrant)  # noqa: FAST003
async def revoke(request: Request, caller: GrantDecider, number: Given, step: models.GrantStepWithReason) -> Response:
    """End a grant, and say why; it stops to hold within a moment. 撤销授权."""
    at = now()

    def work(connection: psycopg.Connection) -> dict[str, Any]:
        held = _visible_grant(connection, caller, number)
        if not caller.operates and giving.owner(connection, held.dataset) not in caller.decides_grants_of:
            raise nothing_there()
        ended = giving.revoke(connection, number, by=caller.client_id, reason=step.reason)
        return _grants(connection, [ended], at)[0]

    return answer(await state_of(request).licensing.write(work))


async def _step(
    request: Request,
    caller: Caller,
    number: int,
    action: Action,
    party: Party,
    reason: str,
    less: models.GrantTerms | None = None,
) -> Response:
    at = now()

    def work(connection: psycopg.Connection) -> GrantRequest:
        held = _visible(connection, caller, number)
        terms = None if less is None else _terms(less, held.legal_basis)
        return requests.step(connection, number, action, party, now=at, reason=reason, less=terms)

    return answer(_request(await state_of(request).licensing.write(work), at))


def _hub(caller: Caller) -> Party:
    return Party("hub", caller.client_id)


def _decider(caller: Caller) -> Party:
    """As the hub where it is the hub's client; as the departments that it decides for besides."""
    return Party("hub" if caller.operates else "department", caller.client_id, caller.decides_grants_of)


def _departments(caller: Caller) -> list[str] | None:
    return None if caller.operates else sorted(caller.decides_grants_of)


def _visible(connection: psycopg.Connection, caller: Caller, number: int) -> GrantRequest:
    """Raises GrantError, Problem."""
    found = requests.one(connection, number)
    concerned = found.client_id == caller.client_id or found.department in caller.decides_grants_of
    if not concerned and not caller.operates:
        raise nothing_there()
    return found


def _visible_grant(connection: psycopg.Connection, caller: Caller, number: int) -> HeldGrant:
    found = giving.one(connection, number)
    if not _may_see(connection, caller, found):
        raise nothing_there()
    return found


def _may_see(connection: psycopg.Connection, caller: Caller, grant: HeldGrant) -> bool:
    if caller.operates or grant.client_id == caller.client_id:
        return True
    departments = caller.decides_grants_of
    return bool(departments) and giving.owner(connection, grant.dataset) in departments


def _terms(given: models.GrantTerms, legal_basis: str) -> Terms:
    return Terms(
        None if given.fields is None else frozenset(given.fields),
        frozenset(given.purposes),
        given.case_number,
        {name: frozenset(values) for name, values in given.rows.items()},
        given.valid_until,
        given.daily_quota,
        legal_basis,
    )


def _request(found: GrantRequest, at: datetime) -> dict[str, Any]:
    zh, en = TITLES[found.state]
    due = None
    if found.due_on is not None:
        due = {"on": found.due_on, "assumed": found.due_assumed, "overdue": found.due_on < day_of(at)}
    return {
        "id": found.id,
        "client": found.client_id,
        "client_name": found.client_name,
        "dataset": found.dataset,
        "fields": found.fields,
        "purposes": found.purposes,
        "case_number": found.case_number,
        "rows": found.rows,
        "valid_until": found.valid_until,
        "daily_quota": found.daily_quota,
        "legal_basis": found.legal_basis,
        "statement": found.statement,
        "sharing": found.sharing,
        "department": found.department,
        "rules": found.rules,
        "filed_at": found.filed_at,
        "state": found.state,
        "state_title": {"zh": zh, "en": en},
        "due": due,
        "grant": found.grant_id,
    }


def _grants(
    connection: psycopg.Connection, grants: list[HeldGrant] | tuple[HeldGrant, ...], at: datetime
) -> list[dict[str, Any]]:
    used = reporting.usage(connection, grants, at)
    return [_grant(grant, used[grant.id], at) for grant in grants]


def _grant(grant: HeldGrant, used: Usage, at: datetime) -> dict[str, Any]:
    return {
        "id": grant.id,
        "client": grant.client_id,
        "client_name": grant.client_name,
        "dataset": grant.dataset,
        "version": grant.version,
        "schema_reference": grant.schema,
        "fields": grant.fields,
        "purposes": grant.purposes,
        "case_number": grant.case_number,
        "rows": grant.rows,
        "valid_from": grant.valid_from,
        "valid_until": grant.valid_until,
        "daily_quota": grant.daily_quota,
        "legal_basis": grant.legal_basis,
        "approval": grant.approval,
        "in_force": grant.ended_at is None and at < grant.valid_until,
        "ended_at": grant.ended_at,
        "ended_because": grant.ended_because,
        "ended_reason": grant.ended_reason,
        "uses_today": used.today,
        "uses_thirty_days": used.last_thirty_days,
        "last_used_at": used.last_used_at,
    }
