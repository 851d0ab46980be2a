"""Receivers of webhooks: real servers that remember what came, and can be slow, failing or hostile."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Received:
    """One request."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    at: float

    @property
    def events(self) -> list[dict[str, Any]]:
        found = json.loads(self.body)
        return found if isinstance(found, list) else [found]


@dataclass
class Receiver:
    """A receiver; ``answer`` may be replaced at any time."""

    port: int = 0
    received: list[Received] = field(default_factory=list)
    answer: Callable[[Received], tuple[int, dict[str, str], bytes]] = lambda _: (204, {}, b"")
    allowed_origin: str | None = "*"
    changed: threading.Condition = field(default_factory=threading.Condition)

    def url(self, path: str = "/events") -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    @property
    def messages(self) -> list[Received]:
        with self.changed:
            return [each for each in self.received if each.method == "POST"]

    @property
    def events(self) -> list[dict[str, Any]]:
        return [event for message in self.messages for event in message.events]

    def wait(self, holds: Callable[[], bool], seconds: float = 20) -> None:
        """Until something holds; it is looked at whenever something came."""
        deadline = time.monotonic() + seconds
        with self.changed:
            while not holds():
                left = deadline - time.monotonic()
                assert left > 0, len(self.received)
                self.changed.wait(min(left, 0.1))

    def wait_for(self, count: int, seconds: float = 20) -> list[dict[str, Any]]:
        self.wait(lambda: len(self.events) >= count, seconds)
        return self.events


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver on a port of its own."""
    receiver = Receiver()
    receiver.changed = threading.Condition(threading.RLock())

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_OPTIONS(self) -> None:
            self._remember(b"")
            headers = {} if receiver.allowed_origin is None else {"WebHook-Allowed-Origin": receiver.allowed_origin}
            self._answer(200, headers, b"")

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received = self._remember(body)
            self._answer(*receiver.answer(received))

        def handle_one_request(self) -> None:
            try:
                super().handle_one_request()
            except ConnectionError:
                self.close_connection = True

        def _remember(self, body: bytes) -> Received:
            headers = {name.lower(): value for name, value in self.headers.items()}
            received = Received(self.command, self.path, headers, body, time.monotonic())
            with receiver.changed:
                receiver.received.append(received)
                receiver.changed.notify_all()
            return received

        def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
            try:
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
            except OSError:
                self.close_connection = True

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    receiver.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
