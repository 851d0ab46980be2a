"""Licences: found by their holders or identifiers, in every form, with their history and their annotated copies."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from operator import itemgetter
from typing import Annotated, Any, Literal
from urllib.parse import unquote, urlsplit

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from registry.api.access.security import Caller, LicenceReader, Public
from registry.api.licences import models
from registry.api.licences.forms import body_of
from registry.api.licences.licensing import Licensing
from registry.api.licences.published import entity_tag, is_known
from registry.api.licences.representations import FORMS, FormName, etag, forms_of, history, summary, type_of_row
from registry.api.negotiation import not_acceptable, preferred
from registry.api.paging import digest, following, position
from registry.api.parameters import After, IfNoneMatch, Limit
from registry.api.problems import (
    MALFORMED_IDENTIFIER,
    NOT_FOUND,
    NOT_GRANTED,
    WRONG_CHECK_CHARACTER,
    Problem,
)
from registry.api.representations import AGE, answer, now, sources, spoken
from registry.api.state import state_of
from registry.domain.licences import identifiers
from registry.domain.licences.identifiers import IdentifierMalformed
from registry.domain.licences.types import LicenceType
from registry.licences.storing import holder_codes
from registry.storage.reads import licences
from registry.storage.reads.datasets import DatasetState
from registry.storage.reads.licences import Wanted
from registry.storage.reads.pool import Row

router = APIRouter(tags=["licences"])
addresses = APIRouter(tags=["trust"])

_FORMS: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {media_type: {"schema": {}} for name, media_type in FORMS.items() if name != "json"},
        "headers": AGE,
    },
    304: {"description": "Not changed 未变化", "headers": AGE},
}
_ALSO_SD_JWT = "application/dc+sd-jwt"
"""What wallets ask for; the token is answered under the name that its own header has."""
_ELSEWHERE: dict[int | str, dict[str, Any]] = {
    303: {"description": "The verification page, or the licence in the API 核验页面或接口地址"}
}


async def licence_identifier(
    identifier: Annotated[
        str,
        Path(
            max_length=200,
            description="证照标识 (GB/T 36904)",
            examples=["1.2.156.3005.2.11100000000013338W009.11330105002500287C.2025052201.002.0"],
        ),
    ],
) -> str:
    """An identifier whose check character fits. Raises Problem before anything is looked for."""
    try:
        parsed = identifiers.parse(unquote(identifier))
    except IdentifierMalformed as error:
        raise Problem(MALFORMED_IDENTIFIER, error.zh, error.en) from error
    if not parsed.check_is_right:
        raise Problem(WRONG_CHECK_CHARACTER)
    return str(parsed.identifier)


async def granted_licence(
    request: Request, caller: LicenceReader, identifier: Annotated[str, Depends(licence_identifier)]
) -> Row:
    """The licence in the path; one of a type that is not granted looks like one that is not there."""
    row = await licences.one(state_of(request).pool, identifier)
    if row is None or not caller.may_see(row["type"]):
        raise Problem(
            NOT_FOUND,
            "已授权的证照类型中没有该标识的证照。",
            "There is no licence of this identifier among the types that are granted.",
        )
    return row


GrantedLicence = Annotated[Row, Depends(granted_licence)]


@addresses.get(
    "/licences/{identifier}", response_class=Response, dependencies=[Public], responses=_ELSEWHERE, status_code=303
)
async def credential_address(request: Request, identifier: Annotated[str, Depends(licence_identifier)]) -> Response:
    """The address that a credential has as its id: for people the verification page, for programs the API. 证照地址."""
    wanted = preferred(request.headers.get("accept"), ["text/html", *FORMS.values()])
    place = f"/verify/{identifier}" if wanted in {"text/html", None} else f"/api/v1/licences/{identifier}"
    prefix = urlsplit(state_of(request).licensing.base).path
    return Response(status_code=303, headers={"Location": prefix + place, "Vary": "Accept"})


@router.get("/licences", response_model=models.LicencePage)
async def listed(
    request: Request,
    caller: LicenceReader,
    holder_code: Annotated[str | None, Query(max_length=64, description="持证主体代码")] = None,
    holder_code_type: Annotated[
        str | None, Query(pattern="^[0-9]{3}$", description="Kind of code (GB/T 36903 annex A) 持证主体代码类型")
    ] = None,
    type: Annotated[str | None, Query(max_length=63, description="Only this type 证照类型")] = None,  # noqa: A002
    number: Annotated[str | None, Query(max_length=200, description="证照编号")] = None,
    state: Annotated[str | None, Query(pattern="^(0[1-7]|99)$", description="State code 证照状态代码")] = None,
    versions: Annotated[
        Literal["current", "all"], Query(description="Also those that others have superseded: all 含历史版本")
    ] = "current",
    after: After = None,
    limit: Limit = 100,
) -> Response:
    """Licences of the granted types, in the order in which they were issued. 证照列表."""
    at = now()
    app = state_of(request)
    granted = _granted_types(app.licensing, caller, type)
    query = digest("licences", granted, holder_code, holder_code_type, number, state, versions)
    wanted = Wanted(granted, holder_codes(holder_code), holder_code_type, number, state, current=versions == "current")
    start = None if after is None else position(after, query, int)[0]
    rows = await licences.page(app.pool, wanted, after=start, limit=limit + 1)
    content = {
        "as_of": at,
        "sources": await _sources(request, rows[:limit], at),
        "licences": [summary(row, app.licensing.types, app.licensing.base) for row in rows[:limit]],
        "next": following(query, rows, limit, itemgetter("id")),
    }
    return answer(content)


@router.get("/licences/{identifier}", response_model=models.LicenceAnswer, responses=_FORMS)  # noqa: FAST003
async def shown(
    request: Request,
    row: GrantedLicence,
    form: Annotated[FormName | None, Query(description="Instead of the header Accept 形式")] = None,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """One licence in the form that Accept asks for; as JSON a summary with its state and where more is. 证照."""
    kind = type_of_row(row, state_of(request).licensing.types)
    name = _form_wanted(request, kind, form)
    if name == "json":
        return await _summary(request, row, if_none_match)
    at = now()
    body = await body_of(state_of(request), row, name)
    mark = entity_tag(body)
    headers = {"ETag": mark, "Vary": "Accept", **await spoken_of(request, [row], at)}
    if is_known(mark, if_none_match):
        return Response(status_code=304, headers=headers)
    if name == "pdf":
        headers["Content-Disposition"] = f'inline; filename="{row["identifier"]}.pdf"'
    return Response(body, headers=headers, media_type=FORMS[name])


@router.get("/licences/{identifier}/history", response_model=models.LicenceHistory)  # noqa: FAST003
async def version_history(request: Request, row: GrantedLicence) -> Response:
    """Every version of a licence, the newest first, each with what was done to it. 证照历史."""
    at = now()
    pool = state_of(request).pool
    found = await licences.versions(pool, row["id"])
    events = await licences.events(pool, [version["id"] for version in found])
    content = {
        "identifier": row["identifier"],
        "as_of": at,
        "sources": await _sources(request, found, at),
        "versions": history(found, events),
    }
    return answer(content)


async def _summary(request: Request, row: Row, if_none_match: str | None) -> Response:
    at, app = now(), state_of(request)
    headers = {"ETag": etag(row), "Vary": "Accept", **await spoken_of(request, [row], at)}
    if is_known(headers["ETag"], if_none_match):
        return Response(status_code=304, headers=headers)
    found = summary(row, app.licensing.types, app.licensing.base)
    by_dataset = await _sources(request, [row], at)
    return answer({"as_of": at, "sources": by_dataset, "licence": found}, headers=headers)


def _form_wanted(request: Request, kind: LicenceType, form: FormName | None) -> FormName:
    """The short name of the form asked for. Raises Problem with those that there are."""
    there = {FORMS[name]: name for name in forms_of(kind)}
    if "sd_jwt" in there.values():
        there[_ALSO_SD_JWT] = "sd_jwt"
    if form is not None:
        if form in there.values() or form == "sm2":
            return form
        raise not_acceptable(there)
    wanted = preferred(request.headers.get("accept"), list(there))
    if wanted is None:
        raise not_acceptable(there)
    return there[wanted]


def _granted_types(licensing: Licensing, caller: Caller, wanted: str | None) -> list[str]:
    known = sorted({kind.name for kind in licensing.types.all})
    if wanted is None:
        return [name for name in known if caller.may_see(name)]
    if not caller.may_see(wanted):
        raise Problem(NOT_GRANTED, f"需要授权范围 licence:{wanted}。", f"The scope licence:{wanted} is needed.")
    if wanted not in known:
        raise Problem(NOT_FOUND, f"没有证照类型 {wanted}。", f"There is no licence type {wanted}.")
    return [wanted]


async def _sources(request: Request, rows: Iterable[Row], at: datetime) -> dict[str, Any]:
    """How old the data is that the licences were made from, by dataset."""
    return {dataset.name: sources(dataset, at) for dataset in await _datasets(request, rows)}


async def spoken_of(request: Request, rows: Iterable[Row], at: datetime) -> dict[str, str]:
    """The headers that say for when an answer speaks, and how old the data is that the licences were made from."""
    return spoken(at, *await _datasets(request, rows))


async def _datasets(request: Request, rows: Iterable[Row]) -> list[DatasetState]:
    known = await state_of(request).datasets()
    return [known[name] for name in sorted({row["dataset"] for row in rows if row["dataset"] in known})]
