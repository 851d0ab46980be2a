"""Around every request: its trace id, its limits, one line in the log, and an answer even when the hub fails."""

from __future__ import annotations

import logging
import random
import re
import time
from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from registry.api import cross_origin
from registry.api.failures import problem_of
from registry.api.limits import PATH_BYTES, QUERY_BYTES, Places, limited
from registry.api.problems import INVALID_REQUEST, TOO_LONG, Problem, respond
from registry.api.settings import ApiSettings

_TRACE_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
_log = logging.getLogger("registry.api.access")


class Envelope:
    """The outermost layer of the application's own."""

    def __init__(self, app: ASGIApp, settings: ApiSettings, places: Places) -> None:
        self._app, self._settings, self._places = app, settings, places

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
                headers = [*message["headers"], (b"x-request-id", trace_id.encode()), *state.get("rate_limit", ())]
                headers += state.get("notices", ())
                names = {name.lower() for name, _ in headers}
                if b"cache-control" not in names:
                    cache = b"private, no-cache" if b"etag" in names else b"no-store"
                    headers.append((b"cache-control", cache))
                headers.append((b"x-content-type-options", b"nosniff"))
                headers += cross_origin.headers_for(path)
                message["headers"] = headers
            await send(message)

        try:
            with self._places.taken(path, state):
                await self._answer(scope, path, receive, send_with_headers)
        except Exception as error:
            problem = problem_of(error, trace_id)
            if status:
                raise  # the answer has begun: the connection must break, or half an answer would look whole
            await respond(Request(scope), problem)(scope, receive, send_with_headers)
        finally:
            _write_line(scope, status, time.perf_counter() - begun)

    async def _answer(self, scope: Scope, path: str, receive: Receive, send: Send) -> None:
        at_once = _refusal(scope) or cross_origin.preflight(scope, path)
        if at_once is not None:
            await at_once(scope, receive, send)
            return
        scope["path"] = path
        await self._app(scope, limited(scope, receive, self._settings.body_seconds), send)


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
    raw = scope["raw_path"].partition(b"?")[0].decode("ascii", "replace")
    if "%" not in raw:
        return str(raw)
    segments = raw.split("/")
    return "/".join(unquote(segment).replace("%", "%25").replace("/", "%2F") for segment in segments)


def _trace_id(scope: Scope) -> str:
    given = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"").decode("latin-1")
    return given if _TRACE_ID.fullmatch(given) else f"{random.getrandbits(128):032x}"  # a name, no secret


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
