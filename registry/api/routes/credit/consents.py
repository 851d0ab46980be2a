"""Consents of enterprises 授权: entered and revoked at a window, seen by whom they concern, every use on record.

A window (``credit:consent``) and the hub (``operate``) enter and revoke; a window asks by enterprise. A lender
(``credit:bank``) sees the consents that were given to it. Another's consent looks like one that is not there.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from operator import attrgetter
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import unquote

import psycopg
from fastapi import APIRouter, Depends, Path, Query, Request, Response

from registry.api.access.security import Caller, ConsentParty, ConsentWindow
from registry.api.credit import consent_models as models
from registry.api.credit.lending_answers import consent as consent_content
from registry.api.credit.lending_answers import consent_use
from registry.api.paging import digest, following, position
from registry.api.parameters import After, Limit
from registry.api.problems import (
    INVALID_BODY,
    INVALID_ENTITY_CODE,
    INVALID_PARAMETER,
    NOT_FOUND,
    NOT_GRANTED,
    Problem,
    parameter_error,
)
from registry.api.representations import answer, now
from registry.api.state import state_of
from registry.credit import consents
from registry.credit.consents import ConsentUse, EnteredConsent
from registry.domain.credit.lending import default_lending_rules
from schemas.identifiers import is_uscc

router = APIRouter(tags=["consents"])

Result = TypeVar("Result")
_ENTERED: dict[int | str, dict[str, Any]] = {
    200: {"model": models.Consent, "description": "It had been entered before 重复提交，返回已有授权"}
}


@router.post("/credit/consents", response_model=models.Consent, status_code=201, responses=_ENTERED)
async def give(request: Request, caller: ConsentWindow, wanted: models.ConsentWanted) -> Response:
    """Enter a consent; the same one sent again is answered with the one that is there. 登记授权."""
    at = now()
    if not is_uscc(wanted.subject):
        zh, en = "主体代码的校验位不符。", "The subject's check character does not fit."
        raise Problem(INVALID_BODY, zh, en, errors=[parameter_error("subject", zh, en, where="body")])
    if wanted.grantee == caller.client_id:
        raise Problem(NOT_GRANTED, "不得为本机构登记授权。", "Nobody enters a consent for itself.")
    default_lending_rules().expect_known(wanted.items, wanted.purpose)
    given = await _on_database(
        request,
        partial(
            consents.give,
            entity=wanted.subject,
            grantee=wanted.grantee,
            purpose=wanted.purpose,
            items=wanted.items,
            valid_from=wanted.valid_from,
            valid_until=wanted.valid_until,
            evidence_digest=bytes.fromhex(wanted.evidence_digest),
            given_by=caller.client_id,
            now=at,
        ),
    )
    found = await _entered(request, given.id)
    headers = {"Location": f"{request.url.path}/{given.id}"}
    return answer(consent_content(found, at), status=201 if found.created_at == at else 200, headers=headers)


@router.get("/credit/consents", response_model=models.ConsentPage)
async def listed(
    request: Request,
    caller: ConsentParty,
    enterprise: Annotated[str | None, Query(max_length=64, description="统一社会信用代码")] = None,
    grantee: Annotated[str | None, Query(max_length=100, description="Given to this client 被授权机构")] = None,
    state: Annotated[Literal["holding", "all"], Query(description="Only those that hold now 状态")] = "holding",
    after: After = None,
    limit: Limit = 100,
) -> Response:
    """Consents that concern the caller: a window names the enterprise, a lender sees its own. 授权列表."""
    at = now()
    if not caller.operates and not (caller.enters_consents and enterprise is not None):
        if not caller.is_bank:
            zh, en = "须指明企业。", "The enterprise has to be named."
            raise Problem(INVALID_PARAMETER, zh, en, errors=[parameter_error("enterprise", zh, en)])
        if grantee not in {None, caller.client_id}:
            raise Problem(NOT_GRANTED, "只能查看给予本机构的授权。", "A lender sees the consents given to itself.")
        grantee = caller.client_id
    query = digest("consents", caller.client_id, enterprise, grantee, state)
    rows = await _on_database(
        request,
        partial(
            consents.listed,
            entity=enterprise,
            grantee=grantee,
            holding_at=at if state == "holding" else None,
            after=0 if after is None else position(after, query, int)[0],
            limit=limit + 1,
        ),
    )
    content = {
        "as_of": at,
        "consents": [consent_content(each, at) for each in rows[:limit]],
        "next": following(query, rows, limit, attrgetter("number")),
    }
    return answer(content)


async def concerned_consent(
    request: Request,
    caller: ConsentParty,
    consent: Annotated[str, Path(max_length=100, description="授权编号")],
) -> EnteredConsent:
    """The consent in the path, if it concerns the caller. Raises Problem."""
    found = await _on_database(request, lambda connection: consents.entered(connection, unquote(consent)))
    if found is None or not _concerns(caller, found):
        raise Problem(NOT_FOUND, "没有该授权。", "There is no such consent.")
    return found


Concerned = Annotated[EnteredConsent, Depends(concerned_consent)]


@router.get("/credit/consents/{consent}", response_model=models.Consent)  # noqa: FAST003
async def shown(caller: ConsentParty, found: Concerned) -> Response:
    """One consent as it stands. 授权."""
    del caller
    return answer(consent_content(found, now()))


@router.post("/credit/consents/{consent}/revoke", response_model=models.Consent)
async def revoke(
    request: Request, caller: ConsentWindow, consent: Annotated[str, Path(max_length=100, description="授权编号")]
) -> Response:
    """End a consent: the next request by it is refused; doing it again changes nothing. 撤销授权."""
    at = now()
    await _on_database(
        request, partial(consents.revoke, consent_id=unquote(consent), revoked_by=caller.client_id, now=at)
    )
    return answer(consent_content(await _entered(request, unquote(consent)), at))


@router.get("/credit/consents/{consent}/uses", response_model=models.ConsentUsePage)  # noqa: FAST003
async def uses(
    request: Request, caller: ConsentParty, found: Concerned, after: After = None, limit: Limit = 100
) -> Response:
    """Every use of one consent, in order. 授权使用记录."""
    del caller
    query = digest("consent uses", found.consent.id)
    start = 0 if after is None else position(after, query, int)[0]
    rows = await _on_database(
        request, partial(consents.uses, consent_id=found.consent.id, after=start, limit=limit + 1)
    )
    return _uses(rows, query, limit)


@router.get("/enterprises/{enterprise}/consent-uses", response_model=models.ConsentUsePage)
async def uses_of_enterprise(
    request: Request,
    caller: ConsentWindow,
    enterprise: Annotated[str, Path(max_length=64, description="统一社会信用代码", examples=["91310000MA1FL00A0Q"])],
    after: After = None,
    limit: Limit = 100,
) -> Response:
    """Who used any of an enterprise's consents, when, what and for which case. 企业授权使用记录."""
    del caller
    if not is_uscc(enterprise):
        raise Problem(INVALID_ENTITY_CODE)
    query = digest("uses of enterprise", enterprise)
    start = 0 if after is None else position(after, query, int)[0]
    rows = await _on_database(
        request, partial(consents.uses_of_entity, entity=enterprise, after=start, limit=limit + 1)
    )
    return _uses(rows, query, limit)


def _concerns(caller: Caller, found: EnteredConsent) -> bool:
    return caller.operates or caller.enters_consents or found.consent.grantee == caller.client_id


def _uses(rows: list[ConsentUse], query: str, limit: int) -> Response:
    content = {
        "as_of": now(),
        "uses": [consent_use(each) for each in rows[:limit]],
        "next": following(query, rows, limit, attrgetter("id")),
    }
    return answer(content)


async def _entered(request: Request, consent_id: str) -> EnteredConsent:
    found = await _on_database(request, lambda connection: consents.entered(connection, consent_id))
    assert found is not None  # noqa: S101  (it has just been written; consents are never deleted)
    return found


async def _on_database(request: Request, work: Callable[[psycopg.Connection], Result]) -> Result:
    return await state_of(request).licensing.write(work)
