"""Requests to receivers: one message, one answer, within a time, to the one address that was looked at.

A name is resolved once; every address that it leads to is checked (:func:`addresses.expect_reachable`), and the
connection goes to the first of them: what the name leads to a moment later plays no part (DNS rebinding). Redirects are
not followed, proxies not asked. Of an answer the status and ``Retry-After`` are read, its body is thrown away.
A connection that the receiver keeps open is used again for a while.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache, partial
from ipaddress import ip_address
from typing import Any, cast

import httptools

from registry.domain.delivery import addresses
from registry.domain.delivery.addresses import AddressRefused, AddressRules, Target

CONNECT_SECONDS = 5.0
"""Name, connection and TLS."""
ANSWER_SECONDS = 10.0
"""From the first byte sent to the last byte of the answer."""
ANSWER_BYTES = 65_536
"""Head and body of an answer together; one that is longer counts as given, and the connection is closed."""
IDLE_SECONDS = 30.0
"""A connection that nobody used for so long is closed."""
MOST_IDLE = 4_000
RESOLVERS = 32
"""Names are looked up by so many threads: a dead name server holds only those who ask it."""
AGENT = "Shuqiao-Delivery/1"


class NoAnswer(Exception):  # noqa: N818  (named for what was met)
    """There was no answer; the message says why, without anything that was sent."""


class _Closed(NoAnswer):
    """The connection ended before any byte of an answer: one that was kept open had been closed by the receiver."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a receiver answered."""

    status: int
    headers: Mapping[str, str]
    """By name in small letters."""

    @property
    def asked_to_wait(self) -> float:
        """``Retry-After`` in seconds; 0 if there is none, or it is a date."""
        text = self.headers.get("retry-after", "")
        return float(text) if text.isdecimal() and len(text) < 7 else 0.0  # noqa: PLR2004


class Poster:
    """Sends; keeps connections between messages."""

    def __init__(self, rules: AddressRules, tls: ssl.SSLContext | None = None) -> None:
        self._rules = rules
        self._parsed = lru_cache(maxsize=1 << 16)(partial(addresses.parse, rules=rules))
        self._tls = tls or ssl.create_default_context()
        self._idle: dict[tuple[str, int, bool], list[_Connection]] = {}
        self._idle_count = 0
        self._resolvers = ThreadPoolExecutor(RESOLVERS, "resolver")

    async def send(self, url: str, method: str, headers: Mapping[str, str], body: bytes = b"") -> Answer:
        """The answer to one request. Raises NoAnswer."""
        try:
            target = self._parsed(url)
        except AddressRefused as error:
            raise NoAnswer(str(error)) from None
        request = _request(target, method, headers, body)
        kept = self._take(target)
        if kept is not None:
            with contextlib.suppress(_Closed):
                return await self._exchange(kept, target, request)
        connection = await self._connect(target)
        return await self._exchange(connection, target, request)

    def close(self) -> None:
        """Close every connection that is kept."""
        for connections in self._idle.values():
            for connection in connections:
                connection.close()
        self._idle.clear()
        self._resolvers.shutdown(wait=False, cancel_futures=True)

    async def _exchange(self, connection: _Connection, target: Target, request: bytes) -> Answer:
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                answer = await connection.exchange(request)
        except TimeoutError:
            connection.close()
            raise NoAnswer(f"no answer within {ANSWER_SECONDS:.0f} s") from None
        except BaseException:
            connection.close()
            raise
        self._keep(target, connection)
        return answer

    async def _connect(self, target: Target) -> _Connection:
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                return await self._connected(target)
        except TimeoutError:
            raise NoAnswer(f"no connection within {CONNECT_SECONDS:.0f} s") from None
        except AddressRefused as error:
            raise NoAnswer(str(error)) from None
        except ssl.SSLError as error:
            raise NoAnswer(f"TLS failed: {error.reason or 'error'}") from None
        except (OSError, UnicodeError) as error:
            raise NoAnswer(f"no connection: {_kind(error)}") from None

    async def _connected(self, target: Target) -> _Connection:
        loop = asyncio.get_running_loop()
        found = [target.host] if target.literal is not None else await self._resolved(target)
        if target.literal is None:  # a number was looked at as a part of the address
            addresses.expect_reachable([ip_address(address) for address in found], self._rules)
        _, connection = await loop.create_connection(
            _Connection,
            found[0],
            target.port,
            ssl=self._tls if target.tls else None,
            server_hostname=target.host if target.tls else None,
        )
        return connection

    async def _resolved(self, target: Target) -> list[str]:
        """The addresses that a name leads to now."""
        found = await asyncio.get_running_loop().run_in_executor(self._resolvers, _look_up, target.host, target.port)
        return list(dict.fromkeys(found))

    def _take(self, target: Target) -> _Connection | None:
        """A connection to the same machine that is still open."""
        kept = self._idle.get((target.host, target.port, target.tls), [])
        while kept:
            connection = kept.pop()
            self._idle_count -= 1
            if connection.is_usable:
                return connection
            connection.close()
        return None

    def _keep(self, target: Target, connection: _Connection) -> None:
        if not connection.is_usable or self._idle_count >= MOST_IDLE:
            connection.close()
            return
        self._idle.setdefault((target.host, target.port, target.tls), []).append(connection)
        self._idle_count += 1

    def close_idle(self) -> None:
        """Close connections that nobody used for long; called now and then."""
        for key, kept in list(self._idle.items()):
            usable = [each for each in kept if each.is_usable]
            for each in kept:
                if not each.is_usable:
                    each.close()
            self._idle_count -= len(kept) - len(usable)
            if usable:
                self._idle[key] = usable
            else:
                del self._idle[key]


class _Connection(asyncio.Protocol):
    """One connection; also what the HTTP parser calls while it reads an answer."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._waiting: asyncio.Future[Answer] | None = None
        self._parser: Any = None
        self._headers: dict[str, str] = {}
        self._bytes = 0
        self._keep = False
        self._used_at = time.monotonic()

    @property
    def is_usable(self) -> bool:
        """Whether another request may be sent on it."""
        open_ = self._transport is not None and not self._transport.is_closing()
        return open_ and self._keep and time.monotonic() - self._used_at < IDLE_SECONDS

    def exchange(self, request: bytes) -> asyncio.Future[Answer]:
        """Send a request; its answer is to come. The future raises NoAnswer when the connection ends before."""
        self._waiting = asyncio.get_running_loop().create_future()
        self._parser = httptools.HttpResponseParser(self)
        self._headers, self._bytes, self._keep = {}, 0, False
        if self._transport is None or self._transport.is_closing():
            self._fail("the connection was closed")
        else:
            self._transport.write(request)
        return self._waiting

    def close(self) -> None:
        """End the connection."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """As asyncio calls it."""
        self._transport = cast("asyncio.Transport", transport)
        sock = transport.get_extra_info("socket")
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def data_received(self, data: bytes) -> None:
        """As asyncio calls it."""
        if self._waiting is None or self._waiting.done():
            self.close()  # nobody asked for this
            return
        self._bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._fail("the answer is not HTTP")
            self.close()
            return
        if self._bytes > ANSWER_BYTES and not self._waiting.done():
            self._fail(f"the answer is longer than {ANSWER_BYTES} bytes")
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """As asyncio calls it."""
        self._fail("the connection broke off" if exc is None else f"the connection broke off: {_kind(exc)}")

    def on_header(self, name: bytes, value: bytes) -> None:
        """As httptools calls it."""
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        """As httptools calls it."""
        status = self._parser.get_status_code()
        if status < 200:  # noqa: PLR2004  (100 Continue, 103 Early Hints: the answer is yet to come)
            self._headers = {}

    def on_message_complete(self) -> None:
        """As httptools calls it."""
        status = self._parser.get_status_code()
        if status < 200 or self._waiting is None or self._waiting.done():  # noqa: PLR2004
            return
        self._keep = bool(self._parser.should_keep_alive())
        self._used_at = time.monotonic()
        self._waiting.set_result(Answer(status, self._headers))

    def _fail(self, why: str) -> None:
        self._keep = False
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(NoAnswer(why) if self._bytes else _Closed(why))


def _request(target: Target, method: str, headers: Mapping[str, str], body: bytes) -> bytes:
    lines = [f"{method} {target.path} HTTP/1.1", f"Host: {target.authority}", f"User-Agent: {AGENT}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    lines.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body


def _look_up(host: str, port: int) -> list[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]).partition("%")[0] for *_, address in found]


def _kind(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return type(error).__name__
