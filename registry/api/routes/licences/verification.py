"""The verification page: is this licence genuine, and in force now? For people, with or without scripts."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated
from urllib.parse import unquote, urlsplit

from fastapi import APIRouter, Path, Query, Request, Response
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.types import Message

from registry.api.access.security import Public
from registry.api.pages import rendering
from registry.api.pages.concluding import Recorded, finding
from registry.api.pages.finding import Finding, Refusal, Text
from registry.api.pages.refusing import FILE_BYTES, Given, document_in, identifier_in, refusal
from registry.api.problems import NOT_FOUND, Problem
from registry.api.representations import now, source
from registry.api.state import state_of
from registry.domain.licences import states
from registry.domain.licences.identifiers import IdentifierMalformed, parse
from registry.licences.storing import COPY, FORM, copy_identity, form_identity, signed_document
from registry.storage.reads import licences
from registry.storage.reads.pool import ReadError, Row

router = APIRouter(prefix="/verify", tags=["verification"], dependencies=[Public], include_in_schema=False)

DRAINED_BYTES = 64 << 20
"""So much of a file that is too large is still taken, and forgotten: a browser that is cut off shows no words."""
_LONGEST = 2000
_FORM_OVERHEAD = 64 << 10
_WHATEVER = {"parameters": [{"in": "query", "name": "whatever", "schema": {"type": "string"}}]}
"""Apps through which people scan and share add parameters of their own to an address: the page lets them be."""
_SEAL_LOST = Text(
    "本平台出具过这份加注件，但其签章密钥后来泄露，已作废：请持证人另行办理一份。",
    "This hub did make such a copy, but its seal's key was compromised since: ask the holder for another one.",
)
_Identifier = Annotated[str, Path(max_length=_LONGEST)]


@router.get("", openapi_extra=_WHATEVER)
async def asked(request: Request, identifier: Annotated[str | None, Query(max_length=_LONGEST)] = None) -> Response:
    """The page; with an identifier from its form the result too. 核验页."""
    if identifier is None:
        return _page(request)
    return await _of_identifier(request, identifier)


@router.post("")
async def submitted(request: Request) -> Response:
    """What a file says, or a pasted text. It is not kept. 核验文件."""
    try:
        name, body = await _given(request)
    except _TooLarge:
        return _refuse(request, Given.TOO_LARGE)
    if body is None:
        return _refuse(request, Given.NOTHING)
    document = document_in(body)
    if isinstance(document, Text):
        return _refuse(request, Given.WRONG_KIND, name, document)
    return await _result(request, document, name)


@router.get("/assets/{name}")
async def loaded(name: str) -> Response:
    """What the page loads; its name changes with its content. 页面资源."""
    found = rendering.asset(name)
    if found is None:
        raise Problem(NOT_FOUND)
    return found


@router.get("/copies/{copy}", openapi_extra=_WHATEVER)
async def copied(request: Request, copy: _Identifier) -> Response:
    """An annotated copy, from its QR code. 加注件核验."""
    copy_id = unquote(copy)
    try:
        row = await licences.copy(state_of(request).pool, copy_id)
        licence = None if row is None else await licences.one(state_of(request).pool, row["identifier"])
    except ReadError:
        return _refuse(request, Given.UNAVAILABLE, copy_id)
    if row is None or licence is None:
        words = Text("本平台没有出具过这份加注件。", "This annotated copy was never made here.")
        return _refuse(request, Given.UNKNOWN, copy_id, words)
    credential = signed_document(COPY, copy_identity(row["id"], "credential"), row["credential"])
    remark = None if row["seal_revoked_at"] is None else _SEAL_LOST
    return await _result(request, credential, copy_id, licence, remark)


@router.get("/{identifier}", openapi_extra=_WHATEVER)
async def shown(request: Request, identifier: _Identifier) -> Response:
    """One licence, from its QR code. 证照核验."""
    return await _of_identifier(request, unquote(identifier))


async def _of_identifier(request: Request, given: str) -> Response:
    identifier = identifier_in(given)
    if not identifier:
        return _refuse(request, Given.NOTHING)
    try:
        parsed = parse(identifier)
    except IdentifierMalformed as error:
        return _refuse(request, Given.MALFORMED, given, Text(f"{error.zh}。", f"{error}."))
    pool = state_of(request).pool
    try:
        row = await licences.one(pool, identifier)
        form = None if row is None else await licences.form(pool, row["id"], "vc")
    except ReadError:
        return _refuse(request, Given.UNAVAILABLE, identifier)
    if row is None or form is None:
        why = Given.UNKNOWN if parsed.check_is_right else Given.WRONG_CHECK_CHARACTER
        return _refuse(request, why, identifier)
    signed = signed_document(FORM, form_identity(row["id"], "vc"), form.body)
    return await _result(request, signed, identifier, row)


async def _result(
    request: Request, document: bytes, subject: str, row: Row | None = None, remark: Text | None = None
) -> Response:
    """Verify a document and say what came out. ``row``: the licence it is known to be, or to be a copy of."""
    state = state_of(request)
    try:
        verdict = await state.verifier.verify(document)
        if row is None and verdict.is_genuine and verdict.identifier is not None:
            row = await licences.one(state.pool, verdict.identifier)
        recorded = Recorded() if row is None else await _recorded(request, row)
    except ReadError:
        return _refuse(request, Given.UNAVAILABLE, subject)
    except Problem as problem:  # too many at once: the page says so in words
        return _refuse(request, Given.UNAVAILABLE, subject, Text(problem.zh, problem.en))
    found = finding(verdict, subject, state.licensing.types, recorded)
    if remark is not None:
        found = replace(found, reasons=[*found.reasons, remark])
    return _page(request, found, outcome=verdict.outcome.value)


async def _recorded(request: Request, row: Row) -> Recorded:
    state = state_of(request)
    dataset = (await state.datasets()).get(row["dataset"])
    read_at = [source(each, now())["read_at"] for each in dataset.sources] if dataset else []
    known = [at for at in read_at if at is not None]
    return Recorded(
        versions=await licences.versions(state.pool, row["id"]),
        read_at=min(known, default=None),
        stale_since=min((at for at in (row["stale_since"], row["refused_since"]) if at is not None), default=None),
        state_since=row["superseded_at"] or (None if row["state"] == states.VALID else row["state_since"]),
        licence=row["identifier"],
    )


def _page(
    request: Request, result: Finding | Refusal | None = None, *, outcome: str = "", status: int = 200
) -> Response:
    public = urlsplit(state_of(request).licensing.base)
    content = {
        "root": public.path,
        "host": public.netloc,
        "limit": FILE_BYTES,
        "identifier": result.subject if isinstance(result, Refusal) and request.method == "GET" else "",
        "result": result,
        "refused": isinstance(result, Refusal),
        "outcome": outcome,
    }
    return rendering.page("verify.html.jinja", content, status=status)


def _refuse(request: Request, given: Given, subject: str = "", reason: Text | None = None) -> Response:
    found, status = refusal(given, subject, reason)
    return _page(request, found, outcome=given.value, status=status)


class _TooLarge(Exception):  # noqa: N818
    pass


async def _given(request: Request) -> tuple[str, bytes | None]:
    """The name and the content of what the form brings; None if it brings nothing. Raises _TooLarge."""
    body = await _body(request)

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    try:
        async with Request(request.scope, receive).form(max_files=1, max_fields=4, max_part_size=FILE_BYTES) as form:
            return await _chosen(form)
    except (HTTPException, MultiPartException):
        return "", None


async def _chosen(form: FormData) -> tuple[str, bytes | None]:
    file, text = form.get("file"), form.get("text")
    if isinstance(file, UploadFile) and (file.filename or file.size):
        content = await file.read(FILE_BYTES + 1)
        if len(content) > FILE_BYTES:
            raise _TooLarge
        return file.filename or "", content
    if isinstance(text, str) and text.strip():
        return "", text.encode()
    return "", None


async def _body(request: Request) -> bytes:
    """The whole body; what is longer than a file may be is let run by. Raises _TooLarge."""
    kept, size = bytearray(), 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > DRAINED_BYTES:
            break
        if size <= FILE_BYTES + _FORM_OVERHEAD:
            kept += chunk
    if size > FILE_BYTES + _FORM_OVERHEAD:
        raise _TooLarge
    return bytes(kept)
