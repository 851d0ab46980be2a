"""``Idempotency-Key``: a write that is sent again does nothing again and gets the answer of the first time.

As draft-ietf-httpapi-idempotency-key-header says: the same key with another request is refused (422), and while the
first is under way (409). It works across processes, and a process may be killed at any point
(:mod:`registry.storage.once`). Only good answers are kept; after a refusal the key is free again, for nothing was done.

The answer is kept for a day, sealed with a key made from the client's own ``Idempotency-Key``. That is kept as a digest
only, so nobody who reads the database reads answers.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import TypeVar

import orjson
import psycopg
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from starlette.requests import Request
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from registry.api.access.security import identified
from registry.api.grants.purpose import CASE_NUMBER, PURPOSE
from registry.api.limits import BodyRefused
from registry.api.problems import (
    ALREADY_DONE,
    DATABASE_UNAVAILABLE,
    IDEMPOTENCY_KEY_REUSED,
    INVALID_PARAMETER,
    INVALID_REQUEST,
    NOT_GRANTED,
    STILL_UNDER_WAY,
    Problem,
    parameter_error,
    respond,
)
from registry.api.state import ApiState
from registry.storage import once
from registry.storage.database import connect
from registry.storage.once import Claim, ClaimLost, Met
from registry.storage.reads.pool import DatabaseUnavailable, ReadError

Result = TypeVar("Result")

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
LONGEST = 255
MOST_KEPT = 1 << 20
"""Bytes of an answer that is kept; a longer one is answered once."""
NO_WRITES: Mapping[str, str] = {
    "/api/v1/token": "每次换发新令牌 A new token is harmless, and a token is kept nowhere",
    "/api/v1/datasets/{dataset}/records/lookup": "只读 A read whose question is too long for an address",
    "/credentials/verify": "只读，任何人可用 Reads what is sent, for anyone",
    "/presentations/verify": "只读，任何人可用 Reads what is sent, for anyone",
    "/verify": "只读，任何人可用 Reads what is sent, for anyone",
    "/elssp/v1/GetCertificateDataByCertificateID": "只读，按国标 A read, as the national standard has it",
    "/elssp/v1/GetCertificateFileByCertificateID": "只读，按国标 A read, as the national standard has it",
    "/elssp/v1/GetCertificateDataByHolder": "只读，按国标 A read, as the national standard has it",
    "/elssp/v1/GetCertificateFileByHolder": "只读，按国标 A read, as the national standard has it",
}
"""Addresses that are asked by POST and change nothing: the header means nothing there. With the reason."""
_KEY = re.compile(r'"[\x21\x23-\x5b\x5d-\x7e]{1,255}"|[\x21\x23-\x5b\x5d-\x7e]{1,255}')
"""A string of structured fields (RFC 9651), or, as most clients send it, without its quotation marks."""
_NONCE = 12
_READS = {"GET", "HEAD", "OPTIONS", "TRACE"}
_log = logging.getLogger(__name__)


class Idempotent:
    """Nearest to the routes: what it repeats is logged, signed and compressed as any other answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request; all but named writes pass through."""
        if scope["type"] != "http" or scope["method"] in _READS:
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        named, token = request.headers.get(HEADER), _token(request)
        if named is None or token is None or not _is_write(scope):
            await self._app(scope, receive, send)
            return
        try:
            await _Named(request, named, token).answer(self._app, receive, send)
        except Problem as problem:
            await respond(request, problem)(scope, receive, send)
        except BodyRefused as refused:
            await respond(request, refused.problem)(scope, receive, send)
        except ReadError:  # the routes answer their own themselves: it was the name that could not be claimed
            await respond(request, Problem(DATABASE_UNAVAILABLE))(scope, receive, send)


class _Named:
    """One write with a name."""

    def __init__(self, request: Request, named: str, token: str) -> None:
        self._request, self._scope, self._token = request, request.scope, token
        app: ApiState = request.app.state.api
        self._url = app.settings.database_url
        self._named = named

    async def answer(self, app: ASGIApp, receive: Receive, send: Send) -> None:
        """Carry it out, or repeat what was answered. Raises Problem."""
        self._key = _key(self._named)
        caller = await identified(self._request, self._token)
        body = await _whole(receive)
        digest = sha256(_target(self._scope) + _stated(self._request) + body).digest()
        self._client = caller.client_id
        met = await self._on_database(
            lambda it: once.claim(it, caller.client_id, sha256(self._key).digest(), digest, caller.scopes)
        )
        if isinstance(met, Met):
            await self._repeat(met, caller.scopes, send)
            return
        await self._carry_out(met, app, _again(body, receive), send)

    async def _repeat(self, met: Met, scopes: frozenset[str], send: Send) -> None:
        if met.state == "running":
            raise Problem(STILL_UNDER_WAY)
        if met.state == "other":
            raise Problem(IDEMPOTENCY_KEY_REUSED)
        if met.state == "lost":
            raise Problem(ALREADY_DONE)
        if not met.scopes <= scopes:
            missing = ", ".join(sorted(met.scopes - scopes))
            raise Problem(NOT_GRANTED, f"需要授权范围 {missing}。", f"The scope {missing} is needed.")
        try:
            start, body = self._opened(met.answer)
        except (InvalidTag, ValueError) as error:
            raise Problem(ALREADY_DONE) from error
        await send(start)
        await send({"type": "http.response.body", "body": body})

    async def _carry_out(self, held: Claim, app: ASGIApp, receive: Receive, send: Send) -> None:
        messages: list[Message] = []

        async def gather(message: Message) -> None:
            messages.append(message)

        once.current.set(held)
        good = False
        try:
            await app(self._scope, receive, gather)
            good = bool(messages) and 200 <= messages[0]["status"] < 300  # noqa: PLR2004  (what is good)
        except ClaimLost as error:
            raise Problem(STILL_UNDER_WAY) from error
        finally:
            once.current.set(None)
            await self._conclude(held, messages if good else [])
        for message in messages:
            await send(message)

    async def _conclude(self, held: Claim, messages: list[Message]) -> None:
        """Keep a good answer, or give the name back. A database that is gone by now undoes nothing."""
        try:
            if not messages:
                await self._on_database(lambda it: once.release(it, held))
                return
            body = b"".join(message.get("body", b"") for message in messages[1:])
            if len(body) <= MOST_KEPT:
                sealed = self._sealed(messages[0], body)
                await self._on_database(lambda it: once.keep(it, held, sealed))
        except ReadError as error:
            _log.warning("the answer of a named write was not kept: %s", type(error).__name__)

    def _sealed(self, start: Message, body: bytes) -> bytes:
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in start["headers"]]
        head = orjson.dumps([start["status"], headers])
        nonce = os.urandom(_NONCE)
        return nonce + AESGCM(self._sealing_key()).encrypt(nonce, head + b"\n" + body, None)

    def _opened(self, sealed: bytes) -> tuple[Message, bytes]:
        opened = AESGCM(self._sealing_key()).decrypt(sealed[:_NONCE], sealed[_NONCE:], None)
        head, _, body = opened.partition(b"\n")
        status, headers = orjson.loads(head)
        given = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        given.append((REPLAYED.lower().encode(), b"true"))
        return {"type": "http.response.start", "status": status, "headers": given}, body

    def _sealing_key(self) -> bytes:
        derived = HKDF(SHA256(), 32, salt=self._client.encode(), info=b"shuqiao: the answer of a named write")
        return derived.derive(self._key)

    async def _on_database(self, work: Callable[[psycopg.Connection], Result]) -> Result:
        def done() -> Result:
            try:
                with connect(self._url, application="shuqiao-api-writes") as connection:
                    return work(connection)
            except psycopg.OperationalError as error:
                raise DatabaseUnavailable from error

        return await asyncio.to_thread(done)


def _token(request: Request) -> str | None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token.strip() else None


def _is_write(scope: Scope) -> bool:
    """Whether the address changes something; the route is noted, for the log names it also where it is not called."""
    for route in scope["app"].routes:
        match, found = route.matches(scope)
        if match is Match.FULL:
            scope.update(found)
            return route.path not in NO_WRITES
    return False


def _key(named: str) -> bytes:
    """Raises Problem."""
    if _KEY.fullmatch(named) is None:
        zh = f"应为1至{LONGEST}个可见的 ASCII 字符，例如 UUID。"
        en = f"Expected 1 to {LONGEST} visible ASCII characters, a UUID for example."
        error = parameter_error(HEADER, zh, en, where="header")
        raise Problem(INVALID_PARAMETER, f"请求头 {HEADER} 无效。", f"{HEADER} is not valid.", errors=[error])
    return named.strip('"').encode()


def _stated(request: Request) -> bytes:
    """What the request says it is for: the same words for another purpose are another request."""
    return "".join(f"{request.headers.get(name, '')}\n" for name in (PURPOSE, CASE_NUMBER)).encode("latin-1")


def _target(scope: Scope) -> bytes:
    raw: bytes = scope["raw_path"].partition(b"?")[0]
    query: bytes = scope["query_string"]
    method: str = scope["method"]
    return method.encode() + b" " + raw + b"?" + query + b"\n"


async def _whole(receive: Receive) -> bytes:
    """The body; how long it may be is looked after further out. Raises Problem."""
    parts = []
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise Problem(INVALID_REQUEST, "请求未发送完整。", "The request did not arrive whole.")
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)


def _again(body: bytes, receive: Receive) -> Receive:
    """The body once more, for the route."""
    given = False

    async def receive_again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive_again
