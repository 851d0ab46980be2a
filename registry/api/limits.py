"""What one request may take: bytes of body, depth of JSON, time to send it, and a place among those under way.

docs/consumers.md tells them to clients; whoever raises one raises it there.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from fastapi import HTTPException
from starlette.types import Message, Receive, Scope

from registry.api.problems import BUSY, INVALID_BODY, TOO_LONG, TOO_SLOW, Problem

QUERY_BYTES = 8192
PATH_BYTES = 8192
BODY_BYTES = 16384
LOOKUP_BYTES = 262_144
JSON_DOCUMENT_BYTES = 2 << 20
PDF_DOCUMENT_BYTES = 20 << 20
JSON_DEPTH = 32
"""Objects and arrays within each other."""
_DOCUMENTS = {"/credentials/verify", "/presentations/verify", "/credentials/issue"}
"""Where a whole credential or a licence's PDF may be sent."""
_PAGE = "/verify"
_PAGE_BYTES = 80 << 20
"""The page takes more than it reads, to be able to say that a file is too large."""
_LOOKUP = "/records/lookup"
WAITING = ("/api/v1/changes",)
"""Addresses whose readers wait for something to happen, and meanwhile take nothing but memory."""
_IN_CODES = "/elssp/"
"""Where a text that cannot be is answered with a code of the sharing service's own."""
_ALWAYS = {"/healthz", "/readyz"}
_TOLD_SECONDS = 1.0
_PROMISED = "promised_place"
_log = logging.getLogger(__name__)
_ESCAPE = re.compile(rb"\\.", re.DOTALL)
_STRING = re.compile(rb'"[^"]*"?')
"""Without its escapes. Also one that never ends: anyone may send one, and all of it is gone through once only."""
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
_BRACKET = re.compile(rb"[\[{\]}]")


class BodyRefused(HTTPException):
    """A body beyond the limits. What reads bodies lets only this kind of exception pass as it is."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.kind.status, problem.en)
        self.problem = problem


class Places:
    """How many requests one process has under way: those that work, and those that wait for changes."""

    def __init__(self, working: int, waiting: int) -> None:
        self._most = {False: working, True: waiting}
        self._taken = {False: 0, True: 0}
        self._promised = {False: 0, True: 0}
        """To requests whose heads were read and that have not begun."""
        self._refused, self._told_at = 0, 0.0

    def promise(self, target: bytes, state: dict[str, Any]) -> bool:
        """Whether a request will be given a place when it comes to take it; asked before anything is done for it.

        ``state``: the request's, in which the promise is noted until then.
        """
        path = target.partition(b"?")[0].decode("latin-1")
        if path in _ALWAYS:
            return True
        waits = path.startswith(WAITING)
        if self._taken[waits] + self._promised[waits] >= self._most[waits]:
            return False
        self._promised[waits] += 1
        state[_PROMISED] = waits
        return True

    def take_back(self, state: dict[str, Any]) -> None:
        """Forget a promise to a request that will not begin; nothing where none was made, or it was kept."""
        promised = state.pop(_PROMISED, None)
        if promised is not None:
            self._promised[promised] -= 1

    def refused(self) -> None:
        """Note that one was not; told in the log once a second at most."""
        self._refused += 1
        if (now := time.monotonic()) - self._told_at >= _TOLD_SECONDS:
            _log.warning("%d requests were refused: every place is taken", self._refused)
            self._refused, self._told_at = 0, now

    @contextmanager
    def taken(self, path: str, state: dict[str, Any]) -> Iterator[None]:
        """A place for a request. Raises Problem (busy) if there is none: refused at once is better than late."""
        self.take_back(state)
        if path in _ALWAYS:
            yield
            return
        waits = path.startswith(WAITING)
        if self._taken[waits] >= self._most[waits]:
            raise Problem(BUSY)
        self._taken[waits] += 1
        try:
            yield
        finally:
            self._taken[waits] -= 1


def body_bytes(scope: Scope) -> int:
    """How long the body may be."""
    path: str = scope["path"]
    if path == _PAGE:
        return _PAGE_BYTES
    if path.endswith(_LOOKUP):
        return LOOKUP_BYTES
    if path not in _DOCUMENTS:
        return BODY_BYTES
    media_type = dict(scope["headers"]).get(b"content-type", b"").partition(b";")[0].strip().lower()
    return PDF_DOCUMENT_BYTES if media_type == b"application/pdf" else JSON_DOCUMENT_BYTES


def limited(scope: Scope, receive: Receive, seconds: float) -> Receive:
    """The request's messages within the limits; what is beyond them raises BodyRefused where it is read."""
    limit = body_bytes(scope)
    media_type: bytes = next((value for name, value in scope["headers"] if name == b"content-type"), b"")
    checked = b"json" in media_type.lower()
    size, parts, whole, begun = 0, [], False, asyncio.get_running_loop().time()

    async def receive_some() -> Message:
        nonlocal size, whole
        if whole:
            return await receive()
        try:
            async with asyncio.timeout_at(begun + seconds):
                message = await receive()
        except TimeoutError:
            zh, en = f"请求体须在 {seconds:g} 秒内发送完毕。", f"The body has to arrive within {seconds:g} seconds."
            raise BodyRefused(Problem(TOO_SLOW, zh, en, headers={"Connection": "close"})) from None
        body: bytes = message.get("body", b"")
        size += len(body)
        whole = not message.get("more_body", False)
        if size > limit:
            zh, en = f"请求体超过 {limit} 字节。", f"The body is longer than {limit} bytes."
            raise BodyRefused(Problem(TOO_LONG, zh, en))
        if checked:
            parts.append(body)
            if whole and depth(text := b"".join(parts)) > JSON_DEPTH:
                zh, en = f"JSON 嵌套超过 {JSON_DEPTH} 层。", f"The JSON nests deeper than {JSON_DEPTH} levels."
                raise BodyRefused(Problem(INVALID_BODY, zh, en))
            if whole and _NUL.search(text) and not scope["path"].startswith(_IN_CODES):  # no database holds it
                zh, en = "JSON 文本含有 NUL（\\u0000）。", "The JSON has a text with NUL (\\u0000)."
                raise BodyRefused(Problem(INVALID_BODY, zh, en))
        return message

    return receive_some


def answer_seconds(scope: Scope, seconds: float) -> float | None:
    """How long an answer may take to be made, and then to be sent; what changes something is not given up halfway."""
    return seconds if scope["method"] == "GET" and not scope["path"].startswith(WAITING) else None


@contextmanager
def lifted(limit: asyncio.Timeout, seconds: float | None) -> Iterator[None]:
    """Time that does not count: a limit in force is no more, and begins anew afterwards."""
    if seconds is None or limit.expired():
        yield
        return
    limit.reschedule(None)
    yield
    limit.reschedule(asyncio.get_running_loop().time() + seconds)


def depth(text: bytes) -> int:
    """How deep a JSON text nests, at the most; what is no JSON is found out by who reads it."""
    deepest = level = 0
    for bracket in _BRACKET.findall(_STRING.sub(b"", _ESCAPE.sub(b"", text))):
        if bracket in b"[{":
            level += 1
            deepest = max(deepest, level)
        else:
            level -= 1
    return deepest
