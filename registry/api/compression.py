"""Answers in fewer bytes, as ``Accept-Encoding`` allows (RFC 9110, 12.5.3): zstd (RFC 8878) or gzip.

Only answers to reads are compressed, and only from :data:`SMALLEST` bytes on: a single record goes out as it is. What
carries a secret (tokens, clients' and webhooks' secrets, signed copies) is an answer to a write and never compressed,
so that its length tells nothing of it (BREACH). Streams pass as they are.
"""

from __future__ import annotations

import asyncio
import gzip
from functools import partial

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SMALLEST = 2048
IN_A_THREAD = 65_536
"""Answers from so many bytes on are compressed beside the event loop."""
_ZSTD_LEVEL, _GZIP_LEVEL = 3, 4
_KINDS = (b"application/json", b"application/problem+json", b"application/x-ndjson", b"application/ld+json", b"text/")
_AS_IT_IS = {b"content-encoding", b"content-range", b"content-digest", b"signature"}
"""Headers that speak of the bytes as they are."""
_READ_BY_POST = "/records/lookup"


class Compressed:
    """Between the envelope and the log, which has to read answers."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request; what nobody wants compressed passes through."""
        coding = None
        if scope["type"] == "http" and (scope["method"] == "GET" or scope["path"].endswith(_READ_BY_POST)):
            coding = chosen(next((value for name, value in scope["headers"] if name == b"accept-encoding"), b""))
        if coding is None:
            await self._app(scope, receive, send)
        else:
            await self._app(scope, receive, _Answer(coding, send).send)


class _Answer:
    """An answer whose first bytes are held until it is clear whether they are all."""

    def __init__(self, coding: str, send: Send) -> None:
        self._coding, self._send = coding, send
        self._start: Message | None = None

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = message
            return
        start, self._start = self._start, None
        if start is None:
            await self._send(message)
            return
        body: bytes = message.get("body", b"")
        if len(body) >= SMALLEST and not message.get("more_body", False) and _fits(start):
            squeeze = partial(compress, body, self._coding)
            body = await asyncio.to_thread(squeeze) if len(body) >= IN_A_THREAD else squeeze()
            headers = MutableHeaders(raw=list(start["headers"]))
            headers["Content-Encoding"] = self._coding
            headers["Content-Length"] = str(len(body))
            headers.add_vary_header("Accept-Encoding")
            mark = headers.get("ETag")
            if mark is not None and not mark.startswith("W/"):
                headers["ETag"] = f"W/{mark}"  # the same thing in other bytes
            start = {**start, "headers": headers.raw}
            message = {**message, "body": body}
        await self._send(start)
        await self._send(message)


def chosen(accepted: bytes) -> str | None:
    """The coding for a header's value; None: as it is."""
    if not accepted:
        return None
    liked = {"zstd": 0.0, "gzip": 0.0}
    for part in accepted.decode("latin-1").lower().split(","):
        name, _, parameters = part.partition(";")
        name = name.strip()
        if name in liked:
            liked[name] = _quality(parameters)
    best = max(liked, key=liked.__getitem__)  # zstd, the first, if both are liked as well
    return best if liked[best] > 0 else None


def compress(body: bytes, coding: str) -> bytes:
    """A body in a coding."""
    if coding == "gzip":
        return gzip.compress(body, _GZIP_LEVEL, mtime=0)
    import pyarrow as pa  # noqa: PLC0415  (heavy, and few processes ever need it)

    found: bytes = pa.Codec("zstd", compression_level=_ZSTD_LEVEL).compress(body, asbytes=True)
    return found


def _fits(start: Message) -> bool:
    headers = dict(start["headers"])
    kind: bytes = headers.get(b"content-type", b"")
    return kind.startswith(_KINDS) and not _AS_IT_IS & headers.keys()


def _quality(parameters: str) -> float:
    name, _, value = parameters.strip().partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        return min(1.0, max(0.0, float(value)))
    except ValueError:
        return 0.0
