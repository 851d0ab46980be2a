"""The query interface of a licence sharing service 共享服务接口 (GB/T 36906), for systems that speak it.

Four operations, each a POST of JSON. The answer is always HTTP 200 with ``head.status``: 0, 10-13, 21-23. The codes and
the names of members are those of living systems (Shandong, Jinan), which encrypt ``data``; here TLS protects it.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from fastapi import APIRouter, Request, Response

from registry.api.access.security import Caller, SharingClient, identified
from registry.api.licences import models
from registry.api.licences.forms import body_of
from registry.api.licences.representations import metadata_of
from registry.api.problems import UNAUTHENTICATED, Problem
from registry.api.representations import AGE, answer, now
from registry.api.routes.licences.reading import spoken_of
from registry.api.state import ApiState, state_of
from registry.credentials import jcs
from registry.domain.licences import identifiers, states
from registry.domain.licences.identifiers import IdentifierMalformed
from registry.domain.licences.loading import UnknownLicenceType
from registry.licences import uses
from registry.licences.desk import CHINA
from registry.licences.storing import holder_codes
from registry.storage.reads import licences
from registry.storage.reads.licences import Wanted
from registry.storage.reads.pool import Row

router = APIRouter(prefix="/elssp/v1", tags=["sharing service"], dependencies=[SharingClient])

FOUND, NOTHING, NOT_PROVEN, MISSING, NO_SUCH_TYPE = 0, 10, 11, 12, 13
ENDED, EXPIRED, RESTRICTED = 21, 22, 23
MESSAGES: Mapping[int, str] = {
    FOUND: "成功",
    NOTHING: "未找到匹配的证照信息",
    NOT_PROVEN: "身份验证不通过",
    MISSING: "要求必填的输入参数值不为空",
    NO_SUCH_TYPE: "证照类型不存在或未发布",
    ENDED: "已废止或已注销",
    EXPIRED: "已过期",
    RESTRICTED: "受限使用",
}
CAUSE_LENGTH = 200
MOST = 100
"""How many licences of one holder one answer has."""
_CODES = {
    states.VALID: FOUND,
    states.SUSPENDED: RESTRICTED,
    states.WITHDRAWN: ENDED,
    states.CANCELLED: ENDED,
    states.EXPIRED: EXPIRED,
    states.MOVED_OUT: ENDED,
    states.REVOKED: ENDED,
    states.OTHER: RESTRICTED,
}
_REQUEST: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["accessId", "accessToken", "data"],
                    "properties": {
                        "accessId": {"type": "string", "description": "client_id"},
                        "accessToken": {"type": "string", "description": "The access token of /api/v1/token"},
                        "data": {
                            "type": "object",
                            "required": ["useCause"],
                            "properties": {
                                "certIdentifier": {"type": "string", "description": "证照标识"},
                                "holderCode": {"type": "string", "description": "持证主体代码"},
                                "holderTypeCode": {"type": "string", "description": "持证主体代码类型代码"},
                                "certTypeCode": {"type": "string", "description": "证照类型代码"},
                                "certNo": {"type": "string", "description": "证照编号"},
                                "useCause": {"type": "string", "maxLength": CAUSE_LENGTH, "description": "用证事由"},
                                "fileType": {"enum": ["pdf"]},
                            },
                        },
                    },
                }
            }
        },
    }
}
_AGE: dict[int | str, dict[str, Any]] = {200: {"headers": AGE}}


@dataclass(eq=False)
class Reply(Exception):  # noqa: N818  (ends a request, with success or not)
    """What a request comes to."""

    status: int
    data: Any = None
    message: str = ""
    rows: Sequence[Row] = ()
    """The licences that it is about."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request of a client that has proven who it is."""

    caller: Caller
    cause: str
    data: Mapping[str, Any]

    def text(self, name: str) -> str:
        """A member that must be there. Raises Reply."""
        value = self.data.get(name)
        if not isinstance(value, str) or not value.strip() or "\0" in value:
            raise Reply(MISSING, message=f"{MESSAGES[MISSING]}：{name}")
        return value.strip()


Show = Callable[[ApiState, Row], Any]


@router.post(
    "/GetCertificateDataByCertificateID", response_model=models.SharingAnswer, responses=_AGE, openapi_extra=_REQUEST
)
async def data_by_identifier(request: Request) -> Response:
    """The metadata of the licence of an identifier (`certIdentifier`). 按证照标识取证照数据."""
    return await _answer(request, partial(_by_identifier, show=_data))


@router.post(
    "/GetCertificateFileByCertificateID", response_model=models.SharingAnswer, responses=_AGE, openapi_extra=_REQUEST
)
async def file_by_identifier(request: Request) -> Response:
    """The licence's PDF, in base64. 按证照标识取证照文件."""
    return await _answer(request, partial(_by_identifier, show=_file))


@router.post("/GetCertificateDataByHolder", response_model=models.SharingAnswer, responses=_AGE, openapi_extra=_REQUEST)
async def data_by_holder(request: Request) -> Response:
    """The metadata of a holder's licences of a type, or of the one with a number (`certNo`). 按持证主体取证照数据."""
    return await _answer(request, partial(_by_holder, show=_data))


@router.post("/GetCertificateFileByHolder", response_model=models.SharingAnswer, responses=_AGE, openapi_extra=_REQUEST)
async def file_by_holder(request: Request) -> Response:
    """The PDF of a holder's licence of a type; if there are several, `certNo` must say which. 按持证主体取证照文件."""
    return await _answer(request, partial(_by_holder, show=_file, one=True))


async def _answer(request: Request, find: Callable[[ApiState, Asked], Any]) -> Response:
    state, at = state_of(request), now()
    try:
        asked = await _asked(request)
    except Reply as refusal:
        return _said(refusal)
    try:
        reply: Reply = await find(state, asked)
    except Reply as refusal:
        reply = refusal
    entry = partial(
        uses.enter,
        client_id=asked.caller.client_id,
        operation=request.url.path.rpartition("/")[2],
        licence_ids=tuple(row["id"] for row in reply.rows),
        reply=reply.status,
        cause=asked.cause,
        trace_id=request.state.trace_id,
    )
    await state.licensing.write(entry)
    return _said(reply, await spoken_of(request, reply.rows, at))


def _said(reply: Reply, headers: Mapping[str, str] | None = None) -> Response:
    message = reply.message or MESSAGES[reply.status]
    return answer({"head": {"status": reply.status, "message": message}, "data": reply.data}, headers=headers)


async def _asked(request: Request) -> Asked:
    """Who asks, what for. Raises Reply."""
    try:
        body = jcs.parse_object(await request.body())
    except jcs.DocumentRefused as error:
        raise Reply(MISSING, message=f"{MESSAGES[MISSING]}：{error.zh}") from error
    caller = await _proven(request, body.get("accessId"), body.get("accessToken"))
    data = body.get("data")
    asked = Asked(caller, "", data if isinstance(data, dict) else {})
    cause = asked.text("useCause")
    if len(cause) > CAUSE_LENGTH:
        raise Reply(MISSING, message=f"useCause 超过 {CAUSE_LENGTH} 字")
    return Asked(caller, cause, asked.data)


async def _proven(request: Request, access_id: Any, token: Any) -> Caller:
    if not isinstance(access_id, str) or not isinstance(token, str):
        raise Reply(NOT_PROVEN)
    try:
        caller = await identified(request, token)
    except Problem as problem:
        if problem.kind is not UNAUTHENTICATED:
            raise
        raise Reply(NOT_PROVEN, message=f"{MESSAGES[NOT_PROVEN]}：{problem.zh}") from problem
    if caller.client_id != access_id:
        raise Reply(NOT_PROVEN, message=f"{MESSAGES[NOT_PROVEN]}：accessId 与令牌不符。")
    return caller


async def _by_identifier(state: ApiState, asked: Asked, *, show: Callable[..., Any]) -> Reply:
    _check_file_type(asked)
    try:
        parsed = identifiers.parse(asked.text("certIdentifier"))
    except IdentifierMalformed as error:
        raise Reply(NOTHING, message=f"{MESSAGES[NOTHING]}：{error.zh}") from error
    if not parsed.check_is_right:
        raise Reply(NOTHING, message=f"{MESSAGES[NOTHING]}：证照标识校验位不符")
    row = await licences.one(state.pool, str(parsed.identifier))
    if row is None or not asked.caller.may_see(row["type"]):
        raise Reply(NOTHING)
    code = _code(row)
    if code != FOUND:
        raise _not_usable(row, code)
    return Reply(FOUND, await show(state, row), rows=[row])


async def _by_holder(state: ApiState, asked: Asked, *, show: Callable[..., Any], one: bool = False) -> Reply:
    _check_file_type(asked)
    names = ("holderCode", "holderTypeCode", "certTypeCode")
    holder_code, holder_type, type_code = (asked.text(name) for name in names)
    number = asked.text("certNo") if asked.data.get("certNo") else None
    try:
        name = state.licensing.types.by_code(type_code).name
    except UnknownLicenceType as error:
        raise Reply(NO_SUCH_TYPE) from error
    if not asked.caller.may_see(name):
        raise Reply(NO_SUCH_TYPE)
    wanted = Wanted([name], holder_codes(holder_code), holder_type, number)
    rows = await licences.page(state.pool, wanted, after=None, limit=MOST)
    if not rows:
        raise Reply(NOTHING)
    usable = [row for row in rows if _code(row) == FOUND]
    if not usable:
        raise _not_usable(rows[-1], _code(rows[-1]))
    if one and len(usable) > 1:
        raise Reply(MISSING, message=f"{MESSAGES[MISSING]}：该持证主体有 {len(usable)} 个此类证照，请给出 certNo")
    shown = [await show(state, row) for row in usable]
    return Reply(FOUND, shown[0] if one else shown, rows=usable)


def _check_file_type(asked: Asked) -> None:
    wanted = asked.data.get("fileType")
    if wanted is not None and wanted != "pdf":
        raise Reply(NOTHING, message="没有该格式的证照文件；可用：pdf")


async def _data(state: ApiState, row: Row) -> dict[str, Any]:
    return metadata_of(row, state.licensing.types)


async def _file(state: ApiState, row: Row) -> dict[str, Any]:
    content = await body_of(state, row, "pdf")
    return {
        "certIdentifier": row["identifier"],
        "fileType": "pdf",
        "fileName": f"{row['identifier']}.pdf",
        "fileData": base64.b64encode(content).decode(),
    }


def _code(row: Row) -> int:
    """What a licence's state, or its end, is among the codes."""
    if row["superseded_by"] is not None:
        return ENDED
    today = now().astimezone(CHINA).date()
    if row["state"] in {states.VALID, states.SUSPENDED} and row["valid_to"] is not None and row["valid_to"] < today:
        return EXPIRED
    return _CODES[row["state"]]


def _not_usable(row: Row, code: int) -> Reply:
    """No data of a licence that may not be used; the message says its state, and which version has taken its place."""
    state = states.SUPERSEDED if row["superseded_by"] is not None else row["state"]
    successor = f"，现行版本 {row['superseded_by']}" if row["superseded_by"] is not None else ""
    message = f"{MESSAGES[code]}：{states.name(state)[0]}{successor}"
    return Reply(code, message=message, rows=[row])
