"""What each connection is held to before anything of the application runs: its heads, and whether there is room.

Refusing costs a twentieth of answering here, so that a process asked for many times what it can do goes on answering
as much as before. How much room there is says :class:`registry.api.limits.Places`, which the requests inside it hold;
this is where overload is shed.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from asyncio.events import TimerHandle
from typing import Any

import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from registry.api.limits import Places
from registry.api.problems import BUSY, MEDIA_TYPE, TOO_LONG, Problem, body

HEAD_BYTES = 32_768
"""Of the request line and all headers; told in docs/consumers.md."""
HEAD_SECONDS = 20.0
"""Within which a head has to arrive, and the first one after the connection."""
TRACE_ID = re.compile(rb"[A-Za-z0-9._-]{1,128}")


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's own, with bounds."""

    _head = 0
    """Bytes of a head that has begun and is not whole."""
    _arriving = 0
    """Bytes of what is being read now."""
    _in_head = False
    _refused = False
    """Whether the request under way was answered here: what comes of its body is passed over."""
    _over = False
    """Whether nothing more is taken on this connection."""
    _head_timer: TimerHandle | None = None

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._places: Places = self.config.app.state.api.places  # type: ignore[union-attr]

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Somebody connects; what is wanted has to be said soon."""
        super().connection_made(transport)
        self._head_timer = self.loop.call_later(HEAD_SECONDS, transport.close)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection ended."""
        self._forget_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Some bytes: of a head as a rule, which as a rule is whole."""
        self._arriving = len(data)
        super().data_received(data)
        if self._in_head:
            self._head += len(data)
            if self._head > HEAD_BYTES:
                self._refuse_head()
            elif self._head_timer is None:
                self._head_timer = self.loop.call_later(HEAD_SECONDS, self.transport.close)

    def on_message_begin(self) -> None:
        """A head begins."""
        super().on_message_begin()
        self._in_head, self._head, self._refused = True, 0, self._over

    def on_headers_complete(self) -> None:
        """A head is whole: let the request in if there is room."""
        self._in_head = False
        self._forget_timer()
        if self._refused:
            return
        # one that arrives in a single piece is never seen unfinished; counted only where it can be too long
        if self._head + self._arriving > HEAD_BYTES and self._length() > HEAD_BYTES:
            self._refuse_head()
            return
        under_way: RequestResponseCycle | None = self.cycle  # none before the first request
        waits_its_turn = under_way is not None and not under_way.response_complete
        state = self.scope["state"]
        if waits_its_turn or self._places.promise(self.url, state):
            try:
                super().on_headers_complete()
            finally:
                if self.cycle is under_way:  # an address that cannot be read, or no request of HTTP: nothing begins
                    self._places.take_back(state)
            return
        self._refused = True
        self._places.refused()
        self._answer(_BUSY)
        if self.parser.should_keep_alive():
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )
        else:
            self.transport.close()

    def on_body(self, body: bytes) -> None:
        """Some of a body."""
        if not self._refused:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """A request is whole."""
        if not self._refused:
            super().on_message_complete()

    def _length(self) -> int:
        """Bytes of a head that is whole: each line with its end, and the empty one."""
        first = len(self.parser.get_method()) + len(self.url) + len("  HTTP/1.1\r\n")
        return first + sum(len(name) + len(value) + len(": \r\n") for name, value in self.headers) + len("\r\n")

    def _refuse_head(self) -> None:
        self._refused = self._over = True
        self._answer(_HEAD_TOO_LONG)
        self.transport.close()

    def _answer(self, prepared: tuple[bytes, bytes]) -> None:
        given = next((value for name, value in self.headers if name == b"x-request-id"), b"")
        trace_id = given if TRACE_ID.fullmatch(given) else secrets.token_hex(16).encode()
        head, content = prepared
        whole = content.replace(b'"trace_id":""', b'"trace_id":"%b"' % trace_id)
        self.transport.write(head % (len(whole), trace_id) + whole)

    def _forget_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None


def _prepared(problem: Problem, phrase: str) -> tuple[bytes, bytes]:
    """The head, with places for the length and the request's id, and the body."""
    kind = problem.kind
    retry = [] if kind.retry_after is None else [f"retry-after: {kind.retry_after}"]
    lines = [
        f"HTTP/1.1 {kind.status} {phrase}", *retry, f"content-type: {MEDIA_TYPE}", "content-length: %d",
        "x-request-id: %b", "cache-control: no-store", "x-content-type-options: nosniff", "", "",
    ]  # fmt: skip
    this_request = ""  # as a reference: the address is not read for those who are turned away
    return "\r\n".join(lines).encode(), orjson.dumps(body(problem, this_request, ""))


_BUSY = _prepared(Problem(BUSY), "Service Unavailable")
_HEAD_TOO_LONG = _prepared(
    Problem(
        TOO_LONG,
        f"请求行和请求头超过 {HEAD_BYTES} 字节。",
        f"The request line and the headers are longer than {HEAD_BYTES} bytes.",
    ),
    "Content Too Large",
)
