"""Around every request: its trace id, its limits, one line in the log, and an answer even when the hub fails."""

from __future__ import annotations

import logging
import re
import time
import uuid
from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from registry.api import cross_origin
from registry.api.problems import INTERNAL, INVALID_REQUEST, TOO_LONG, Problem, respond

QUERY_BYTES = 8192
PATH_BYTES = 8192
BODY_BYTES = 16384
JSON_DOCUMENT_BYTES = 2 << 20
PDF_DOCUMENT_BYTES = 20 << 20
_DOCUMENTS = {"/credentials/verify", "/presentations/verify", "/credentials/issue"}
"""Where a whole credential or a licence's PDF may be sent."""
_PAGE = "/verify"
_PAGE_BYTES = 80 << 20
"""The page takes more than it reads, to be able to say that a file is too large."""
_TRACE_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
_log = logging.getLogger("registry.api.access")


class Envelope:
    """The outermost layer of the application's own."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request; anything but HTTP passes through."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = time.perf_counter()
        state = scope.setdefault("state", {})
        trace_id = state["trace_id"] = _trace_id(scope)
        status = 0
        path = _path(scope)

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = [*message["headers"], (b"x-request-id", trace_id.encode())]
                names = {name.lower() for name, _ in headers}
                if b"cache-control" not in names:
                    cache = b"private, no-cache" if b"etag" in names else b"no-store"
                    headers.append((b"cache-control", cache))
                headers.append((b"x-content-type-options", b"nosniff"))
                headers += cross_origin.headers_for(path)
                message["headers"] = headers
            await send(message)

        try:
            await self._answer(scope, path, receive, send_with_headers)
        except Exception:
            logging.getLogger(__name__).exception("a request failed, trace id %s", trace_id)
            if status:
                raise  # the answer has begun: the connection must break, or half an answer would look whole
            await respond(Request(scope), Problem(INTERNAL))(scope, receive, send_with_headers)
        finally:
            _write_line(scope, status, time.perf_counter() - begun)

    async def _answer(self, scope: Scope, path: str, receive: Receive, send: Send) -> None:
        at_once = _refusal(scope) or cross_origin.preflight(scope, path)
        if at_once is not None:
            await at_once(scope, receive, send)
            return
        scope["path"] = path
        await self._app(scope, _limited(receive, _body_bytes(scope)), send)


def _body_bytes(scope: Scope) -> int:
    """How long the body may be."""
    if scope["path"] == _PAGE:
        return _PAGE_BYTES
    if scope["path"] not in _DOCUMENTS:
        return BODY_BYTES
    media_type = dict(scope["headers"]).get(b"content-type", b"").partition(b";")[0].strip().lower()
    return PDF_DOCUMENT_BYTES if media_type == b"application/pdf" else JSON_DOCUMENT_BYTES


def _limited(receive: Receive, limit: int) -> Receive:
    size = 0

    async def receive_some() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > limit:
            raise Problem(TOO_LONG, f"请求体超过 {limit} 字节。", f"The body is longer than {limit} bytes.")
        return message

    return receive_some


def _refusal(scope: Scope) -> Response | None:
    raw = scope["raw_path"].partition(b"?")[0]
    if len(scope["query_string"]) > QUERY_BYTES or len(raw) > PATH_BYTES:
        zh, en = f"路径和查询各不超过 {QUERY_BYTES} 字节。", f"Path and query may have {QUERY_BYTES} bytes each."
        return respond(Request(scope), Problem(TOO_LONG, zh, en))
    if b"%00" in raw or b"%00" in scope["query_string"]:
        return respond(
            Request(scope), Problem(INVALID_REQUEST, "请求含有 NUL 字符。", "The request holds a NUL character.")
        )
    return None


def _path(scope: Scope) -> str:
    """The path by which the request is routed: an encoded ``/`` within a segment stays encoded, for keys hold them."""
    segments = scope["raw_path"].partition(b"?")[0].decode("ascii", "replace").split("/")
    return "/".join(unquote(segment).replace("%", "%25").replace("/", "%2F") for segment in segments)


def _trace_id(scope: Scope) -> str:
    given = dict(scope["headers"]).get(b"x-request-id", b"").decode("latin-1")
    return given if _TRACE_ID.fullmatch(given) else uuid.uuid4().hex


def _write_line(scope: Scope, status: int, seconds: float) -> None:
    """The route, never the path or the query: they may hold personal data."""
    route = scope.get("route")
    _log.info(
        "%s %s %s %.1f ms client=%s trace=%s",
        scope["method"],
        getattr(route, "path", "-"),
        status or "-",
        seconds * 1000,
        scope["state"].get("client_id", "-"),
        scope["state"]["trace_id"],
    )
