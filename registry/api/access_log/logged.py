"""No answer to a client leaves before its entry stands in the access log; each carries a receipt.

Everything is logged but what :data:`UNLOGGED` names, each with the reason. Refusals of a known client are logged too;
refusals of strangers are not, for nothing was given and anyone could fill the log. Code is not asked to remember: who
the answer is about is read off the answer itself, from the members that name an enterprise.
"""

from __future__ import annotations

import asyncio
import base64
import logging
import os
import re
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import lru_cache, partial
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qsl, unquote

import orjson
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from registry.api.failures import problem_of
from registry.api.grants import purpose
from registry.api.grants.quotas import Used, granted_fields, quota_used_up
from registry.api.limits import answer_seconds, lifted
from registry.api.problems import NOT_LOGGED, Problem, respond
from registry.api.representations import now
from registry.api.state import ApiState
from registry.audit.writer import LogUnavailable, QuotaUsedUp
from registry.domain.audit.entry import Entry
from registry.storage.grant_uses import Use
from schemas.identifiers import USCC_LENGTH, is_uscc

RECEIPT = "Shuqiao-Receipt"
_TRUST = "公开的信任文件，不含任何主体的记录 Public documents of trust, about nobody's records"
_SHOWN = "任何人可核验所持证照或报告 Anyone may verify a licence or report that is shown to them"
_PUBLIC_CREDIT = "依法向社会公开的信用信息 Credit records that the law makes public"
_CATALOGUE = "资源目录，不含任何记录 The catalogue of datasets, without any record"
_HUB = "平台自身的说明与状态 What the hub says of itself"
UNLOGGED: Mapping[str, str] = {
    "/.well-known/did.json": _TRUST,
    "/.well-known/jwks.json": _TRUST,
    "/.well-known/oauth-authorization-server": _HUB,
    "/issuers/{code}/did.json": _TRUST,
    "/trust-list.json": _TRUST,
    "/root.pem": _TRUST,
    "/contexts/licence/v1.json": _TRUST,
    "/schemas/licences/{type}/{version}.json": _TRUST,
    "/status/{group}/{purpose}": _TRUST,
    "/licences/{identifier}": _SHOWN,
    "/credentials/verify": _SHOWN,
    "/presentations/verify": _SHOWN,
    "/verify": _SHOWN,
    "/verify/assets/{name}": _SHOWN,
    "/verify/copies/{copy}": _SHOWN,
    "/verify/{identifier}": _SHOWN,
    "/reports": _SHOWN,
    "/reports/{number}": _SHOWN,
    "/credit": _PUBLIC_CREDIT,
    "/credit/{enterprise}": _PUBLIC_CREDIT,
    "/credit/{enterprise}/report.pdf": _PUBLIC_CREDIT,
    "/api/v1/catalogue": _CATALOGUE,
    "/api/v1/catalogue/{dataset}": _CATALOGUE,
    "/catalogue": _CATALOGUE,
    "/catalogue/{dataset}": _CATALOGUE,
    "/catalogue.jsonld": _CATALOGUE,
    "/catalogue.ttl": _CATALOGUE,
    "/schemas/datasets/{dataset}/{version}.json": _CATALOGUE,
    "/schemas/code-lists/{name}.json": _CATALOGUE,
    "/docs": _HUB,
    "/docs/{page}": _HUB,
    "/healthz": _HUB,
    "/readyz": _HUB,
    "/problems": _HUB,
    "/problems/{name}": _HUB,
    "/api/v1/openapi.json": _HUB,
}
"""Addresses whose answers are not logged, and why; all of them anyone may ask."""
LOGGED_PUBLIC = frozenset({"/api/v1/token", "/api/v1/credit/reports/{number}"})
"""Addresses that anyone may ask, whose good answers are logged all the same."""
PROCESS = secrets.token_hex(6)
"""Tells the processes of a hub apart, from start to end."""


def _another_process() -> None:
    global PROCESS  # noqa: PLW0603  (a worker is a fork of the process that was started, and another one)
    PROCESS = secrets.token_hex(6)


os.register_at_fork(after_in_child=_another_process)
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
"""Of a dataset; what begins with a digit is none, and may be a number of a person."""
_SUBJECTS = (
    re.compile(rb'"entity":"([0-9A-Z]{18})"'),
    re.compile(rb'"uscc":"([0-9A-Z]{18})"'),
    re.compile(rb'"enterprise":"([0-9A-Z]{18})"'),
    re.compile(rb'"code":"([0-9A-Z]{18})","code_type":"001"'),
)
"""As this API's own members are written; within the bodies of records PostgreSQL writes a space after the colon."""
_log = logging.getLogger(__name__)


class Logged:
    """Between the envelope, which knows the trace id, and the routes, whose answers are held until they are logged."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request; anything but HTTP passes through."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            asked = _Asked(scope, receive)
        except Problem as problem:
            await respond(Request(scope), problem)(scope, receive, send)
            return
        app: ApiState = scope["app"].state.api
        seconds = answer_seconds(scope, app.settings.answer_seconds)
        limit = asyncio.timeout(seconds)
        answer = _Answer(asked, send, partial(lifted, limit, seconds))
        try:
            async with limit:
                await self._app(scope, asked.receive, answer.send)
        except Exception as error:
            if answer.decided:
                raise
            # What it did before is on record, whatever becomes of the request; the log has a limit of its own.
            failure = problem_of(error, scope["state"]["trace_id"])
            await respond(Request(scope), failure)(scope, asked.receive, _Answer(asked, send).send)


class _Asked:
    """What was asked, as far as the application has read it. Raises Problem of a purpose that no record can hold."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self.scope, self._receive = scope, receive
        self._purpose, self._case_number = purpose.given(Headers(scope=scope))
        target = scope["raw_path"].partition(b"?")[0]
        if scope["query_string"]:
            target += b"?" + scope["query_string"]
        self._digest = sha256(scope["method"].encode() + b" " + target + b"\n")

    async def receive(self) -> Message:
        message = await self._receive()
        self._digest.update(message.get("body", b""))
        return message

    @property
    def digest(self) -> bytes:
        """SHA-256 of ``<method> <path and query as sent>``, a line end, and the body."""
        return self._digest.digest()

    def is_logged(self, status: int) -> bool:
        route = self.scope.get("route")
        if route is None or route.path in UNLOGGED:
            return False
        return status < 400 or self.client is not None  # noqa: PLR2004  (refusals begin there)

    @property
    def client(self) -> str | None:
        found: str | None = self.scope["state"].get("client_id")
        return found

    @property
    def uses(self) -> Sequence[Use]:
        """What the answer uses of the client's grants."""
        found: Mapping[int, Used] = self.scope["state"].get("uses", {})
        return [used.use for used in found.values()]

    def entry(self, status: int, body: bytes) -> Entry:
        scope = self.scope
        said = scope["state"].get("about")  # bulk reads say it themselves: a table has no members to read it off
        entities = sorted({*_asked_about(scope), *(_answered_about(body) if said is None else said)})
        return Entry(
            at=now(),
            action=f"{scope['method']} {scope['route'].path}",
            status=status,
            request_digest=self.digest,
            trace_id=scope["state"]["trace_id"],
            process=PROCESS,
            client=self.client,
            dataset=_dataset(scope),
            entity=entities[0] if len(entities) == 1 else None,
            entities=tuple(entities) if len(entities) > 1 else None,
            fields=granted_fields(scope["state"].get("uses", {})),
            purpose=self._purpose,
            case_number=self._case_number,
        )


EACH_PART = "each_part_is_logged"
"""Set in a request's state by a route whose answer goes on and on, in lines that are JSON objects: each part that says
something is held until its own entry stands in the log, and its last line carries the receipt. A part that cannot be
logged breaks the answer off."""


class _Answer:
    """An answer that is held until its first bytes are there, logged, and let go."""

    def __init__(
        self, asked: _Asked, send: Send, off_time: Callable[[], AbstractContextManager[None]] = nullcontext
    ) -> None:
        """``off_time``: what is done within does not count as time that the answer takes."""
        self._asked, self._send, self._off_time = asked, send, off_time
        self._start: Message | None = None
        self._replaced = self._is_over = False
        self._first_receipt: str | None = None
        self.decided = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = message
            return
        if not self.decided and self._start is not None:
            self.decided = True
            with self._off_time():  # an answer that is ready is not given up while its entry is being written
                refusal = await self._refusal(self._start, message.get("body", b""))
            if refusal is not None:
                self._replaced = True
                await respond(Request(self._asked.scope), refusal)(self._asked.scope, self._asked.receive, self._send)
                return
            await self._send(self._start)
            if self._first_receipt is not None and self._is_part(message):
                message = _with_receipt(message, self._first_receipt)
        elif self._is_part(message):
            message = await self._part(message)
        if not self._replaced:
            await self._send(message)
            self._replaced = self._is_over

    async def _part(self, message: Message) -> Message:
        """A further part, on record; one that goes beyond a quota is not given: a last line says so in its place."""
        try:
            index = await self._write(200, message["body"])
        except QuotaUsedUp as error:
            used_up, self._is_over = self._used_up(error), True
            line = orjson.dumps({"end": used_up.kind.name}) + b"\n"
            return _with_receipt({"type": message["type"], "body": line}, used_up.headers[RECEIPT])
        if index is None:
            raise ConnectionAbortedError("a part of the answer could not be logged")
        return _with_receipt(message, self._receipt(index))

    def _is_part(self, message: Message) -> bool:
        state = self._asked.scope["state"]
        return bool(state.get(EACH_PART)) and bool(message.get("body", b"").strip()) and not self._replaced

    async def _refusal(self, start: Message, body: bytes) -> Problem | None:
        """Why the answer may not leave; None where it is on record, or needs none."""
        status: int = start["status"]
        if not self._asked.is_logged(status):
            return None
        try:
            index = await self._write(status, body)
        except QuotaUsedUp as error:
            return self._used_up(error)
        if index is None:  # the hub's own failure tells nothing of anybody
            return None if status >= 500 else Problem(NOT_LOGGED)  # noqa: PLR2004
        self._first_receipt = self._receipt(index)
        start["headers"] = [*start["headers"], (RECEIPT.lower().encode(), self._first_receipt.encode())]
        return None

    def _used_up(self, error: QuotaUsedUp) -> Problem:
        answers = max(use.count for use in self._asked.uses)
        used_up = quota_used_up(self._asked.scope["app"].state.api, error.grant_id, now(), answers=answers)
        used_up.headers[RECEIPT] = self._receipt(error.index)
        return used_up

    def _receipt(self, index: int) -> str:
        return f'index={index}, request=:{_base64(self._asked.digest)}:, process="{PROCESS}"'

    async def _write(self, status: int, body: bytes) -> int | None:
        app: ApiState = self._asked.scope["app"].state.api
        try:
            uses = self._asked.uses if status < 400 else ()  # noqa: PLR2004  (what was refused uses nothing)
            return await app.access_log.write(self._asked.entry(status, body), uses)
        except LogUnavailable as error:
            _log.warning("an answer was not given, for it could not be logged: %s", error)
            return None


def _with_receipt(part: Message, receipt: str) -> Message:
    """A part of lines, the last of which says where the part stands in the log."""
    lines: bytes = part["body"]
    return {**part, "body": b'%b,"receipt":%b}\n' % (lines.removesuffix(b"}\n"), orjson.dumps(receipt))}


def _asked_about(scope: Scope) -> Iterable[str]:
    """The enterprises that the address names."""
    given: Mapping[str, Any] = scope.get("path_params", {})
    named = [unquote(str(given[name])) for name in ("entity", "enterprise") if name in given]
    if scope["query_string"]:
        query = parse_qsl(scope["query_string"].decode("latin-1"))
        named += [value for name, value in query if name in {"entity", "enterprise"}]
    return (code for code in named if _is_enterprise(code))


def _answered_about(body: bytes) -> Iterable[str]:
    """The enterprises that the answer's own members name."""
    found = {code for pattern in _SUBJECTS for code in pattern.findall(body)}
    return (code for code in map(bytes.decode, found) if _is_enterprise(code))


def _is_enterprise(code: str) -> bool:
    """A unified social credit code; codes of people do not go into the log."""
    return len(code) == USCC_LENGTH and _is_code(code)


@lru_cache(maxsize=1 << 16)
def _is_code(code: str) -> bool:
    """Remembered, for the same enterprises are asked for again; never whatever long text somebody sends."""
    return is_uscc(code)


def _dataset(scope: Scope) -> str | None:
    return _matching(_NAME, scope.get("path_params", {}).get("dataset"))


def _matching(pattern: re.Pattern[str], text: str | None) -> str | None:
    return text if text is not None and pattern.fullmatch(text) else None


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()
