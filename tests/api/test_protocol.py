"""What is refused before anything of the application runs leaves the connection in order."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import psycopg
import pytest

from registry.api import protocol
from registry.api.models import ProblemDetails
from tests.api.conftest import Api, Reader
from tests.api.feeding import enterprise, enterprises
from tests.reliability.holding import until

RECORDS = "/api/v1/datasets/legal_entity/records"


@contextmanager
def connected(api: Api) -> Iterator[socket.socket]:
    host, _, port = api.address.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        yield connection


def answer(connection: socket.socket) -> tuple[bytes, bytes]:
    """The next one: head and body."""
    received = b""
    while b"\r\n\r\n" not in received:
        received += connection.recv(65536)
    head, _, rest = received.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    while len(rest) < length:
        rest += connection.recv(65536)
    return head, rest


@pytest.fixture
def full(start: Callable[..., Api], registry_url: str) -> Iterator[tuple[Api, Reader]]:
    """An API whose one place is taken by a read that waits."""
    enterprises(registry_url).publish([enterprise(1)])
    api = start(most_in_flight=1, statement_seconds=30)
    reader = api.client("read:legal_entity")
    with ThreadPoolExecutor(1) as pool, psycopg.connect(registry_url) as lock:
        lock.execute("LOCK TABLE registry.record")
        waiting = pool.submit(reader.ask, RECORDS)
        until(lambda: _locked(lock))
        yield api, reader
        lock.rollback()
        assert waiting.result(30).status_code == 200


def _locked(lock: psycopg.Connection) -> bool:
    """Whether somebody waits for the lock."""
    query = "SELECT FROM pg_locks l JOIN pg_database d ON d.oid = l.database WHERE NOT granted AND datname = %s"
    return bool(lock.execute(query, (lock.info.dbname,)).rowcount)


def test_requests_that_are_refused_leave_the_connection_in_order(full: tuple[Api, Reader]) -> None:
    api, _ = full
    with connected(api) as connection:
        for _ in range(3):
            body = b"x" * 5000
            connection.sendall(
                b"POST /api/v1/token HTTP/1.1\r\nHost: x\r\nX-Request-Id: mine-1\r\nContent-Length: 5000\r\n\r\n" + body
            )
            head, found = answer(connection)
            assert head.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
            assert b"\r\nretry-after: 2\r\n" in head
            assert b"\r\nx-request-id: mine-1\r\n" in head
            problem = json.loads(found)
            assert (problem["type"], problem["trace_id"], problem["fault"]) == ("/problems/busy", "mine-1", "hub")
            assert ProblemDetails.model_validate(problem).instance == "", "a reference to this request"
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert answer(connection)[0].startswith(b"HTTP/1.1 200 ")
        connection.sendall(f"GET {RECORDS} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        assert answer(connection)[0].startswith(b"HTTP/1.1 503 ")
        assert connection.recv(1) == b"", "as the request asked for"


def test_a_head_without_end_is_not_taken(api: Api) -> None:
    with connected(api) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nX-Long: " + b"x" * (protocol.HEAD_BYTES + 1))
        head, body = answer(connection)
        assert head.startswith(b"HTTP/1.1 413 ")
        assert ProblemDetails.model_validate_json(body).type == "/problems/request-too-long"
        assert connection.recv(1) == b""


@pytest.mark.parametrize("length", [protocol.HEAD_BYTES, protocol.HEAD_BYTES + 1])
def test_a_head_that_comes_in_one_piece_is_measured_too(api: Api, length: int) -> None:
    begin, end = b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Long: ", b"\r\n\r\n"
    head = begin + b"x" * (length - len(begin) - len(end)) + end
    with connected(api) as connection:
        connection.sendall(head + b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        found, body = answer(connection)
        if length > protocol.HEAD_BYTES:
            assert found.startswith(b"HTTP/1.1 413 ")
            assert json.loads(body)["type"] == "/problems/request-too-long"
            assert connection.recv(1) == b"", "and nothing after it is answered"
        else:
            assert found.startswith(b"HTTP/1.1 200 ")


def test_a_long_body_is_no_long_head(api: Api) -> None:
    with connected(api) as connection:
        body = b"x" * (protocol.HEAD_BYTES * 2)
        connection.sendall(b"POST /api/v1/token HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        assert not answer(connection)[0].startswith(b"HTTP/1.1 413 ")


def test_who_says_nothing_is_not_waited_for(start: Callable[..., Api], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.2)
    api = start()
    with connected(api) as silent, connected(api) as slow:
        slow.sendall(b"GET /healthz HT")
        assert silent.recv(1) == b""
        assert slow.recv(1) == b""
    assert api.anyone.ask("/healthz").status_code == 200


def test_addresses_that_look_otherwise_than_they_are_take_no_place_for_good(start: Callable[..., Api]) -> None:
    api = start(most_in_flight=2, most_waiting=2)
    with connected(api) as connection:
        for path in ("/%68ealthz", "/api/v1/change%73", "/api/v1/x", "/healthz/%2e%2e/x"):
            for _ in range(5):
                connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
                assert int(answer(connection)[0][9:12]) in {200, 401, 404}


@pytest.mark.parametrize(
    "head",
    [
        b"CONNECT x:443 HTTP/1.1\r\n",
        b"GET http:/// HTTP/1.1\r\n",
        b"GET http://x:999999/ HTTP/1.1\r\n",
        b"GET /api/v1/\xff HTTP/1.1\r\n",
        b"GET /api/v1/changes HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n",
    ],
)
def test_heads_that_become_no_request_take_no_place_for_good(start: Callable[..., Api], head: bytes) -> None:
    api = start(most_in_flight=2, most_waiting=2)
    for _ in range(5):
        with connected(api) as connection:
            connection.sendall(head + b"Host: x\r\n\r\n")
            assert connection.recv(65536)
    for path in ("/api/v1/x", "/api/v1/changes"):
        assert api.anyone.ask(path).status_code in {401, 404}
