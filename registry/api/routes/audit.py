"""The access log: what it says, and the proof that nothing was left out of it. 访问日志."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from operator import attrgetter
from typing import Annotated, Any

import psycopg
from fastapi import APIRouter, Path, Query, Request, Response

from registry.api.access.security import ConsentWindow, KnownClient, Operator
from registry.api.access_log import models
from registry.api.grants.purpose import CaseNumber, stated_number
from registry.api.paging import digest, following, position
from registry.api.parameters import After, Limit
from registry.api.problems import NOT_FOUND, SIGNING_UNAVAILABLE, Problem
from registry.api.representations import answer
from registry.api.state import state_of
from registry.audit import archive, notes, proofs, reading
from registry.audit.checkpoints import LogAltered
from registry.audit.notes import LogKey
from registry.audit.proofs import NotInLog
from registry.audit.reading import Logged
from registry.domain.audit.entry import moment
from registry.licences.trust import hub_keys

router = APIRouter(prefix="/audit", tags=["audit"])

_ENTERPRISE = "^[0-9A-Z]{18}$"
_TEXT: dict[int | str, dict[str, Any]] = {200: {"content": {"text/plain": {"schema": {"type": "string"}}}}}


@router.get("/checkpoint", response_class=Response, responses=_TEXT)
async def checkpoint(
    request: Request,
    caller: KnownClient,
    covers: Annotated[
        int | None, Query(ge=0, lt=1 << 53, description="Signed now, if the newest does not cover this entry yet 序号")
    ] = None,
) -> Response:
    """The newest checkpoint, a signed note (c2sp.org/tlog-checkpoint). Keep it: later ones must agree. 检查点."""
    del caller
    try:
        found = await state_of(request).checkpoints.covering(covers)
    except LogAltered as error:
        zh, en = "访问日志与已签名的检查点不符，运营方须核查。", "The access log contradicts what was signed before."
        raise Problem(SIGNING_UNAVAILABLE, zh, en) from error
    if found is None:
        raise Problem(SIGNING_UNAVAILABLE)
    return Response(found.note, media_type="text/plain; charset=utf-8")


@router.get("/keys", response_class=Response, responses=_TEXT)
async def keys(request: Request, caller: KnownClient) -> Response:
    """The keys by which checkpoints are verified, one a line: name, key id, key (a vkey). 检查点公钥."""
    del caller

    def read(connection: psycopg.Connection) -> list[str]:
        return [LogKey(notes.origin(did), key).text for did, key in hub_keys(connection)]

    found = await state_of(request).licensing.write(read)
    return Response("".join(f"{line}\n" for line in found), media_type="text/plain; charset=utf-8")


@router.get("/proof/inclusion", response_model=models.InclusionProof)
async def inclusion(
    request: Request,
    caller: KnownClient,
    index: Annotated[
        int | None, Query(ge=0, lt=1 << 53, description="As the receipt says; left out: the newest entry 序号")
    ] = None,
    size: Annotated[
        int | None, Query(ge=1, lt=1 << 53, description="Of the checkpoint to prove it by 检查点大小")
    ] = None,
) -> Response:
    """The proof that an entry stands in the log that a checkpoint signs. 包含证明."""

    def read(connection: psycopg.Connection) -> tuple[proofs.Inclusion, list[Logged], str | None]:
        found = proofs.inclusion(connection, index, size)
        holder = archive.holding(connection, found.index)
        return found, reading.between(connection, found.index, found.index + 1), holder.file if holder else None

    try:
        found, rows, file = await state_of(request).licensing.write(read)
    except NotInLog as error:
        raise _nothing() from error
    shown = [row.data.decode() for row in rows if caller.operates or row.entry.client == caller.client_id]
    content = {
        "index": found.index,
        "size": found.size,
        "leaf_hash": _base64(found.leaf),
        "path": [_base64(each) for each in found.path],
        "root": _base64(found.root),
        "entry": shown[0] if shown else None,
        "archive": file,
    }
    return answer(content)


@router.get("/proof/consistency", response_model=models.ConsistencyProof)
async def consistency(
    request: Request,
    caller: KnownClient,
    old: Annotated[int, Query(ge=0, lt=1 << 53, description="Size of the earlier checkpoint 较早检查点的大小")] = 0,
    new: Annotated[
        int | None, Query(ge=0, lt=1 << 53, description="Of the later one; left out: the log as it is 较晚检查点的大小")
    ] = None,
) -> Response:
    """The proof that a later log begins with an earlier one: nothing was changed or removed. 一致性证明."""
    del caller
    try:
        found = await state_of(request).licensing.write(lambda connection: proofs.consistency(connection, old, new))
    except NotInLog as error:
        raise _nothing() from error
    content = {
        "old": found.old,
        "new": found.new,
        "old_root": _base64(found.old_root),
        "new_root": _base64(found.new_root),
        "path": [_base64(each) for each in found.path],
    }
    return answer(content)


@router.get("/entries", response_model=models.AccessEntries)
async def entries(
    request: Request,
    caller: Operator,
    entity: Annotated[str | None, Query(max_length=64, description="Who read this enterprise's data 主体")] = None,
    client: Annotated[str | None, Query(max_length=64, description="What this client did 客户端")] = None,
    after: After = None,
    limit: Limit = 100,
) -> Response:
    """Entries, the newest first: of everybody, about one enterprise, or of one client. 访问记录."""
    del caller
    query = digest("audit", entity, client)
    before = None if after is None else position(after, query, int)[0]

    def read(connection: psycopg.Connection) -> tuple[list[Logged], int]:
        archived = archive.boundary(connection)
        if entity is not None:
            return reading.about(connection, entity, client=client, before=before, limit=limit + 1), archived
        return reading.newest(connection, client=client, before=before, limit=limit + 1), archived

    rows, archived = await state_of(request).licensing.write(read)
    content = {
        "entries": [_entry(row) for row in rows[:limit]],
        "archived": archived,
        "next": following(query, rows, limit, attrgetter("index")),
    }
    return answer(content)


@router.get("/accesses/{entity}", response_model=models.Accesses)
async def accesses(
    request: Request,
    caller: ConsentWindow,
    entity: Annotated[str, Path(pattern=_ENTERPRISE, description="统一社会信用代码")],
    after: After = None,
    limit: Limit = 100,
    case_number: CaseNumber = None,
) -> Response:
    """Who was given something about an enterprise, for a window where it asks under ``Case-Number``. 查阅记录."""
    del caller
    stated_number(case_number)
    query = digest("accesses", entity)
    before = None if after is None else position(after, query, int)[0]

    def read(connection: psycopg.Connection) -> tuple[list[Logged], dict[str, str], int]:
        rows = reading.about(connection, entity, given=True, before=before, limit=limit + 1)
        ids = sorted({row.entry.client for row in rows if row.entry.client})
        names = connection.execute("SELECT id, name FROM registry.client WHERE id = ANY(%s)", (ids,)).fetchall()
        return rows, dict(names), archive.boundary(connection)

    rows, names, archived = await state_of(request).licensing.write(read)
    content = {
        "entity": entity,
        "accesses": [_access(row, names) for row in rows[:limit]],
        "archived": archived,
        "next": following(query, rows, limit, attrgetter("index")),
    }
    return answer(content)


def _access(row: Logged, names: Mapping[str, str]) -> dict[str, Any]:
    """What the enterprise is told: not the client's own case, nor which staff of the hub it was."""
    entry = row.entry
    at_terminal = entry.client is not None and entry.client.startswith("terminal:")
    return {
        "index": row.index,
        "at": moment(entry.at),
        "action": entry.action,
        "client": "terminal" if at_terminal else entry.client,
        "name": None if entry.client is None else names.get(entry.client),
        "dataset": entry.dataset,
        "fields": entry.fields,
        "purpose": entry.purpose,
    }


def _entry(row: Logged) -> dict[str, Any]:
    entry = row.entry
    return {
        "index": row.index,
        "at": moment(entry.at),
        "action": entry.action,
        "status": entry.status,
        "client": entry.client,
        "dataset": entry.dataset,
        "entity": entry.entity,
        "entities": entry.entities,
        "fields": entry.fields,
        "purpose": entry.purpose,
        "case_number": entry.case_number,
        "request_digest": entry.request_digest.hex(),
        "trace_id": entry.trace_id,
        "process": entry.process,
    }


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _nothing() -> Problem:
    zh, en = "访问日志没有该条目，或没有那么长。", "The access log has no such entry, or is not that long."
    return Problem(NOT_FOUND, zh, en)
