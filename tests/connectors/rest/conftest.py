"""A real HTTP server whose answers each test writes itself."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from connectors.connection import Connection


@dataclass(frozen=True)
class Asked:
    """One request as it came in."""

    method: str
    path: str
    params: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Reply:
    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    length: bool = True
    """Whether the answer says how long it is."""
    write: Callable[[Any], None] | None = None
    """Writes the body itself, for slow and broken answers."""


def as_json(value: Any, **more: Any) -> Reply:
    headers = {"Content-Type": "application/json", **more.pop("headers", {})}
    return Reply(json.dumps(value).encode(), headers=headers, **more)


class Handler(BaseHTTPRequestHandler):
    """Hands each request to the Server and writes the reply, however broken it is meant to be."""

    protocol_version = "HTTP/1.1"
    owner: Server

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        asked = Asked(self.command, parts.path, dict(parse_qsl(parts.query)), dict(self.headers), body)
        self.owner.asked.append(asked)
        reply = self.owner.answer(asked)
        self._head(reply)
        with suppress(BrokenPipeError, ConnectionResetError):
            self._body(reply)

    do_POST = do_GET  # noqa: N815

    def _head(self, reply: Reply) -> None:
        promised = int(reply.headers.get("Content-Length", 0))
        self.close_connection = not reply.length or len(reply.body) < promised
        self.send_response_only(reply.status)
        headers = {"Date": self.date_time_string(), **reply.headers}
        if reply.length:
            headers.setdefault("Content-Length", str(len(reply.body)))
        for name, value in headers.items():
            if value:
                self.send_header(name, value)
        self.end_headers()

    def _body(self, reply: Reply) -> None:
        if reply.write is not None:
            reply.write(self.wfile)
        elif reply.status != 304:
            self.wfile.write(reply.body)
        self.wfile.flush()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


class Quiet(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        pass


class Server:
    """``answer`` maps a request to a reply; ``asked`` remembers what came."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.answer: Callable[[Asked], Reply] = lambda _: Reply(status=404)
        self._server = Quiet(("127.0.0.1", 0), type("OwnHandler", (Handler,), {"owner": self}))
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def connection(self, **more: Any) -> Connection:
        return Connection(id="tax", type="http", host="127.0.0.1", port=self.port, **more)

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    yield running
    running.stop()


@pytest.fixture
def other_server() -> Iterator[Server]:
    running = Server()
    yield running
    running.stop()
