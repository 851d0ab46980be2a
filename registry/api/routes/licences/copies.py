"""Annotated copies 加注件 of licences: each for one use, on record, with an end of its own."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import unquote

from fastapi import APIRouter, Depends, Path, Request, Response

from registry.api.access.security import LicenceReader
from registry.api.licences import models
from registry.api.licences.representations import copy
from registry.api.negotiation import not_acceptable, preferred
from registry.api.problems import INVALID_BODY, NOT_FOUND, Problem, parameter_error
from registry.api.representations import AGE, answer, now
from registry.api.routes.licences.reading import GrantedLicence, spoken_of
from registry.api.state import state_of
from registry.licences import copies as annotated
from registry.licences.storing import COPY, copy_identity, signed_document
from registry.storage.reads import licences
from registry.storage.reads.pool import Row

router = APIRouter(tags=["licences"])

_MOST_COPIES = 1000
_FORMS = {"application/json": None, "application/pdf": "pdf", "application/vc": "credential"}
"""By media type the column that has it."""
_COPY_FORMS: dict[int | str, dict[str, Any]] = {
    200: {"content": {media_type: {"schema": {}} for media_type, column in _FORMS.items() if column}, "headers": AGE}
}
_AGE: dict[int | str, dict[str, Any]] = {200: {"headers": AGE}}
_MADE: dict[int | str, dict[str, Any]] = {201: {"headers": AGE}}


@router.get("/licences/{identifier}/copies", response_model=models.LicenceCopies, responses=_AGE)  # noqa: FAST003
async def copies(request: Request, caller: LicenceReader, row: GrantedLicence) -> Response:
    """The annotated copies that this client had made, the newest first; an operator sees all. 加注件列表."""
    app, at = state_of(request), now()
    owner = None if caller.operates else caller.client_id
    found = await licences.copies(app.pool, row["id"], owner, limit=_MOST_COPIES)
    content = {"identifier": row["identifier"], "copies": [copy(each, app.licensing.base) for each in found]}
    return answer(content, headers=await spoken_of(request, [row], at))


@router.post(
    "/licences/{identifier}/copies",  # noqa: FAST003
    response_model=models.LicenceCopy,
    status_code=201,
    responses=_MADE,
)
async def make_copy(
    request: Request, caller: LicenceReader, row: GrantedLicence, wanted: models.CopyWanted
) -> Response:
    """Have an annotated copy made: for whom, why, until when stands on it, and on record here. 制作加注件."""
    app = state_of(request)
    if wanted.valid_until <= now():
        raise _invalid("valid_until", "应为将来的时刻。", "Expected a time that is yet to come.")
    made = await app.licensing.sign(
        lambda connection, keys: annotated.make(
            connection,
            row["identifier"],
            caller.client_id,
            wanted.requested_by,
            wanted.cause,
            wanted.valid_until,
            keys=keys,
            types=app.licensing.types,
            base=app.licensing.base,
            now=now(),
        ),
        drawing=True,
    )
    found = await licences.copy(app.pool, made.id)
    content = copy(found, app.licensing.base)
    headers = {"Location": content["links"]["self"], **await spoken_of(request, [row], now())}
    return answer(content, status=201, headers=headers)


async def granted_copy(
    request: Request, caller: LicenceReader, copy_id: Annotated[str, Path(alias="copy", max_length=100)]
) -> Row:
    """The copy in the path; another client's looks like one that is not there."""
    row = await licences.copy(state_of(request).pool, unquote(copy_id))
    if row is None or not (caller.operates or (row["client_id"] == caller.client_id and caller.may_see(row["type"]))):
        raise Problem(NOT_FOUND, "没有该加注件。", "There is no such copy.")
    return row


GrantedCopy = Annotated[Row, Depends(granted_copy)]


@router.get("/copies/{copy}", response_model=models.LicenceCopy, responses=_COPY_FORMS)  # noqa: FAST003
async def copy_shown(request: Request, row: GrantedCopy) -> Response:
    """One annotated copy: what is on record of it, its credential, or its PDF, as Accept asks. 加注件."""
    wanted = preferred(request.headers.get("accept"), list(_FORMS))
    if wanted is None:
        raise not_acceptable(_FORMS)
    headers = {"Vary": "Accept", **await spoken_of(request, [row], now())}
    column = _FORMS[wanted]
    if column is None:
        return answer(copy(row, state_of(request).licensing.base), headers=headers)
    signed = signed_document(COPY, copy_identity(row["id"], column), row[column])
    return Response(signed, headers=headers, media_type=wanted)


@router.post("/copies/{copy}/revoke", response_model=models.LicenceCopy, responses=_AGE)  # noqa: FAST003
async def revoke_copy(request: Request, caller: LicenceReader, row: GrantedCopy) -> Response:
    """End a copy before its time; doing it again changes nothing. 撤销加注件."""
    app = state_of(request)
    if row["revoked_at"] is None:
        await app.licensing.sign(
            lambda connection, keys: annotated.revoke(
                connection, row["id"], caller.client_id, keys=keys, base=app.licensing.base, now=now()
            )
        )
        row = await licences.copy(app.pool, row["id"])
    return answer(copy(row, app.licensing.base), headers=await spoken_of(request, [row], now()))


def _invalid(name: str, zh: str, en: str) -> Problem:
    return Problem(INVALID_BODY, zh, en, errors=[parameter_error(name, zh, en, where="body")])
