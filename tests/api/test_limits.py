"""What one request may take, and what a process that is full says."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from typing import Any

import hypothesis.strategies as st
import psycopg
import requests
from hypothesis import given

from registry.api import limits
from tests.api.conftest import Api
from tests.api.feeding import enterprise, enterprises
from tests.api.test_audit import last, receipt
from tests.bulk.conftest import post

LOOKUP = "/datasets/legal_entity/records/lookup"


def problem(answer: requests.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["type"].removeprefix("/problems/")


nested = st.recursive(
    st.none() | st.text('"\\[]{} x') | st.integers(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text('"\\[]{} k', max_size=4), inner, max_size=3),
)


def _depth(value: Any) -> int:
    if isinstance(value, list):
        return 1 + max(map(_depth, value), default=0)
    return 1 + max(map(_depth, value.values()), default=0) if isinstance(value, dict) else 0


@given(nested)
def test_the_depth_of_json_is_counted_outside_of_its_texts(value: Any) -> None:
    assert limits.depth(json.dumps(value).encode()) == _depth(value)
    assert limits.depth(json.dumps(value, ensure_ascii=False, indent=1).encode()) == _depth(value)


def test_a_text_that_never_ends_costs_no_more_than_one_that_does() -> None:
    begun = time.process_time()
    assert limits.depth(b'[["' + b'\\"[' * (limits.JSON_DOCUMENT_BYTES // 3)) == 2
    assert limits.depth(b'"' * limits.JSON_DOCUMENT_BYTES) == 0
    assert limits.depth(b"\\" * limits.JSON_DOCUMENT_BYTES) == 0
    assert time.process_time() - begun < 5  # each took hours: the search began anew at each quotation mark


def test_bodies_are_bounded_in_length_and_depth(api: Api) -> None:
    reader = api.client("read:legal_entity")
    headers = {"Authorization": f"Bearer {reader.token}", "Content-Type": "application/json"}

    def send(path: str, data: Any) -> requests.Response:
        return requests.post(f"{reader.address}/api/v1{path}", data=data, headers=headers, timeout=30)

    exports = "/datasets/legal_entity/exports"
    assert problem(send(exports, b" " * 16385)) == (413, "request-too-long")
    assert problem(send(exports, (b" " * 8000 for _ in range(3)))) == (413, "request-too-long")  # without a length
    assert problem(send(LOOKUP, b" " * 262_145)) == (413, "request-too-long")
    deep = b"[" * 33 + b"]" * 33
    assert problem(send(exports, b'{"format": ' + deep + b"}")) == (400, "invalid-body")
    assert problem(send(exports, b"[" * 16000)) == (400, "invalid-body")
    assert problem(send(exports, b"{")) in {(400, "invalid-body"), (400, "invalid-request")}


def test_a_body_that_does_not_arrive_is_not_waited_for(start: Callable[..., Api]) -> None:
    api = start(body_seconds=0.3)
    reader = api.client("read:legal_entity")
    host, _, port = api.address.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        head = (
            f"POST /api/v1{LOOKUP} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {reader.token}\r\n"
            "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
        )
        connection.sendall(head.encode())
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"/problems/request-too-slow" in answer


def test_a_full_process_says_so_at_once_and_is_well_again_afterwards(
    start: Callable[..., Api], registry_url: str
) -> None:
    enterprises(registry_url).publish([enterprise(1)])
    api = start(most_in_flight=2, most_waiting=1, statement_seconds=20)
    reader = api.client("read:legal_entity")
    records = "/api/v1/datasets/legal_entity/records"
    with ThreadPoolExecutor(3) as pool, psycopg.connect(registry_url) as connection:
        connection.execute("LOCK TABLE registry.record, registry.record_history")
        asked = [pool.submit(reader.ask, records) for _ in range(3)]
        refused, under_way = wait(asked, timeout=30, return_when=FIRST_COMPLETED)
        busy = refused.pop().result()
        assert problem(busy) == (503, "busy")
        assert busy.headers["Retry-After"] == "2"
        assert busy.headers["X-Request-Id"]
        assert reader.ask("/healthz").status_code == 200  # whether it lives can always be asked
        connection.rollback()
        assert [each.result(30).status_code for each in under_way] == [200, 200]
    assert reader.ask(records).status_code == 200


def test_a_read_that_takes_too_long_altogether_is_given_up_and_on_record(
    start: Callable[..., Api], registry_url: str
) -> None:
    enterprises(registry_url).publish([enterprise(1)])
    api = start(answer_seconds=0.5)
    reader = api.client("read:legal_entity")
    with psycopg.connect(registry_url) as connection:
        connection.execute("LOCK TABLE registry.record_history, registry.record")
        answer = reader.ask("/api/v1/datasets/legal_entity/records")
    assert problem(answer) == (503, "took-too-long")
    assert answer.headers["Retry-After"]
    assert reader.client
    entry = last(registry_url).entry
    assert (entry.status, entry.client, entry.dataset) == (503, reader.client.id, "legal_entity")
    assert receipt(answer.headers) == (last(registry_url).index, entry.request_digest)
    assert post(reader, LOOKUP, {"keys": ["A"]}).status_code == 200


def test_a_read_given_up_that_cannot_be_put_on_record_is_refused_all_the_same(
    start: Callable[..., Api], registry_url: str
) -> None:
    enterprises(registry_url).publish([enterprise(1)])
    api = start(answer_seconds=0.3, access_log_seconds=0.3)
    reader = api.client("read:legal_entity")
    with psycopg.connect(registry_url) as connection:
        connection.execute("LOCK TABLE registry.record_history, registry.record")
        connection.execute("SELECT FROM registry.access_log_head FOR UPDATE")
        answer = reader.ask("/api/v1/datasets/legal_entity/records")
    assert problem(answer) == (503, "took-too-long")
    assert "Shuqiao-Receipt" not in answer.headers
    assert reader.ask("/api/v1/datasets/legal_entity/records").status_code == 200


def test_an_answer_that_is_ready_is_not_given_up_while_its_entry_is_written(
    start: Callable[..., Api], registry_url: str
) -> None:
    api = start(answer_seconds=0.3)
    reader = api.client("read:legal_entity")
    with psycopg.connect(registry_url) as connection, ThreadPoolExecutor(1) as pool:
        connection.execute("SELECT FROM registry.access_log_head FOR UPDATE")
        asked = pool.submit(reader.ask, "/api/v1/datasets")
        assert not wait([asked], timeout=0.8).done
        connection.rollback()
        answer = asked.result(30)
    assert answer.status_code == 200
    assert receipt(answer.headers)[0] == last(registry_url).index
    assert last(registry_url).entry.status == 200
