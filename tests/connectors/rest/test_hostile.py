"""Servers that are broken, busy or hostile: each a clear error or a refused row, nothing reached, no secret told."""

from __future__ import annotations

import gzip
import json
import socket
import time
from collections.abc import Callable
from typing import Any

import pytest

from connectors.connection import Connection
from connectors.errors import ConnectorError, SourceColumnsChanged, SourceMisconfigured, SourceUnavailable
from connectors.kinds.rest import RestSource

from .conftest import Asked, Reply, Server, as_json
from .test_reading import read, rows

QUICK = {"attempts": 1, "timeout": "1s"}


def source_of(server: Server, columns: tuple[str, ...] = ("id",), **settings: Any) -> RestSource:
    return RestSource({"path": "/rows", **QUICK, **settings}, server.connection(), columns)


def error_of(source: RestSource, kind: type[ConnectorError]) -> str:
    with pytest.raises(ConnectorError) as caught:
        read(source)
    source.close()
    assert type(caught.value) is kind
    return str(caught.value)


def repeated(reply: Reply) -> Callable[[Asked], Reply]:
    return lambda _: reply


BROKEN: dict[str, tuple[Reply, type[ConnectorError], str]] = {
    "a login page instead of JSON": (
        Reply(b"\n<!DOCTYPE html><html><form>"),
        SourceMisconfigured,
        "got a web page (HTML) instead of JSON",
    ),
    "a web page that only its content type betrays": (
        Reply(b"Please log in", headers={"Content-Type": "text/html; charset=utf-8"}),
        SourceMisconfigured,
        "got a web page (HTML)",
    ),
    "something that is no JSON": (Reply(b"id,name\n1,a"), SourceMisconfigured, "is no JSON"),
    "nothing at all": (Reply(b""), SourceUnavailable, "the answer is empty"),
    "JSON cut short without a length": (
        Reply(b'[{"id": 1}, {"id": "ab', length=False),
        SourceUnavailable,
        "ends in the middle of the JSON document",
    ),
    "a body shorter than promised": (
        Reply(b'[{"id": 1}]', headers={"Content-Length": "5000"}),
        SourceUnavailable,
        "broke off before its end",
    ),
    "compressed data that is damaged": (
        Reply(gzip.compress(b"[]" * 500)[:-12] + b"damaged!", headers={"Content-Encoding": "gzip"}),
        SourceUnavailable,
        "",
    ),
    "an object where a list should be": (
        as_json({"data": [], "total": 0}),
        SourceMisconfigured,
        "should hold a list of rows, got a dict with data, total",
    ),
    "a nesting bomb": (Reply(b"[" * 200_000), SourceMisconfigured, "nested deeper than 64 levels"),
    "an unknown encoding": (
        Reply(b"[]", headers={"Content-Type": "application/json; charset=klingon"}),
        SourceMisconfigured,
        "'klingon' is no encoding known here",
    ),
    "401": (Reply(status=401), SourceMisconfigured, "HTTP 401: the credentials are not accepted"),
    "403": (Reply(status=403), SourceMisconfigured, "HTTP 403: access is refused"),
    "404": (Reply(status=404), SourceMisconfigured, "HTTP 404: there is nothing at this address"),
    "418": (Reply(status=418), SourceMisconfigured, "HTTP 418: expected 200"),
    "500": (Reply(status=500), SourceUnavailable, "HTTP 500"),
    "501": (Reply(status=501), SourceUnavailable, "HTTP 501"),
    "503": (Reply(status=503), SourceUnavailable, "HTTP 503, the server cannot answer now"),
    "endless redirects on the same host": (
        Reply(status=302, headers={"Location": "/rows"}),
        SourceMisconfigured,
        "redirected more than 5 times",
    ),
}


@pytest.mark.parametrize(("reply", "kind", "said"), BROKEN.values(), ids=BROKEN)
def test_a_broken_answer_is_named(server: Server, reply: Reply, kind: type[ConnectorError], said: str) -> None:
    server.answer = repeated(reply)

    assert said in error_of(source_of(server), kind)


def test_rows_that_cannot_be_stored_are_refused_one_by_one(server: Server) -> None:
    deep: Any = 1
    for _ in range(80):
        deep = [deep]
    body = (
        b'[{"id": 1}, {"id": NaN}, {"id": 3, "t": "\\ud800"}, {"id": 4, "t": "\\u0000"}, {"id": 5, "t": "\xff"},'
        b'"six", {"id": 7, "t": %s}, {"id": %s}, {"id": 9, "t": "%s"}, {"id": 10, "t": "\\ud83d\\ude00"}]'
    ) % (json.dumps(deep).encode(), b"9" * 5000, b"x" * 200)
    server.answer = repeated(Reply(body))

    (batch,) = read(source_of(server, max_field=100))

    assert rows([batch]) == [(1,), (10,)]
    assert [(int(each.place.rpartition(":")[2]), each.rule) for each in batch.refused] == [
        (2, "source.number"),
        (3, "source.surrogate"),
        (4, "source.nul"),
        (5, "source.encoding"),
        (6, "source.object"),
        (7, "source.depth"),
        (8, "source.number"),
        (9, "source.size"),
    ]
    for each in batch.refused:
        json.dumps(each.raw, allow_nan=False).encode()
        assert len(json.dumps(each.raw)) < 20_000


def test_numbers_keep_every_digit(server: Server) -> None:
    server.answer = repeated(
        Reply(b'[{"id": 12345678901234567890.12, "n": 0.1, "big": 123456789012345678901234, "e": 1e999}]')
    )

    (batch,) = read(source_of(server, ("id", "n", "big", "e")))

    assert [str(value) for value in batch.rows[0]] == [
        "12345678901234567890.12",
        "0.1",
        "123456789012345678901234",
        "1E+999",
    ]


def test_a_hundred_megabytes_in_one_line_are_refused_without_being_kept(server: Server) -> None:
    def write(stream: Any) -> None:
        stream.write(b'{"id": 1}\n{"id": "')
        for _ in range(100):
            stream.write(b"x" * 1_000_000)
        stream.write(b'"}\n{"id": 3}\n')

    server.answer = repeated(Reply(write=write, length=False))

    (batch,) = read(source_of(server, format="ndjson", timeout="20s"))

    assert rows([batch]) == [(1,), (3,)]
    assert [(each.place.rpartition(":")[2], each.rule) for each in batch.refused] == [("2", "source.size")]


def test_an_answer_beyond_the_limit_is_not_read_to_its_end(server: Server) -> None:
    body = b"[" + b'{"id": 1},' * 20_000 + b'{"id": 1}]'
    server.answer = repeated(Reply(gzip.compress(body), headers={"Content-Encoding": "gzip"}))

    said = error_of(source_of(server, max_response="64KiB"), SourceMisconfigured)

    assert "larger than 64 KiB (setting max_response)" in said


def test_a_line_cut_short_by_a_lost_connection_is_no_refused_row(server: Server) -> None:
    server.answer = repeated(Reply(b'{"id": 1}\n{"id": 2', length=False))

    assert "ends in the middle of a line" in error_of(source_of(server, format="ndjson"), SourceUnavailable)


def test_pages_that_never_end_are_noticed_when_the_server_ignores_the_parameter(server: Server) -> None:
    server.answer = repeated(as_json([{"id": 1}, {"id": 2}]))

    said = error_of(source_of(server, paging={"kind": "page"}), SourceMisconfigured)

    assert "endless pages: page 2 holds the same 2 rows" in said


def test_pages_that_never_end_are_noticed_when_links_go_in_a_circle(server: Server) -> None:
    server.answer = lambda asked: as_json(
        {"rows": [{"id": asked.path}], "next": "/b" if asked.path != "/b" else "/rows2"}
    )

    said = error_of(
        source_of(server, rows="rows", paging={"kind": "next_link", "next_path": "next"}), SourceMisconfigured
    )

    assert "endless pages: the link to the next page came before" in said


def test_pages_that_never_end_stop_at_the_limit(server: Server) -> None:
    server.answer = lambda asked: as_json([{"id": asked.params["page"]}])

    said = error_of(source_of(server, paging={"kind": "page"}, max_pages=7), SourceMisconfigured)

    assert "no end after 7 pages and 7 rows" in said
    assert len(server.asked) == 7


@pytest.mark.parametrize("promised", [2, 4])
def test_a_source_that_lies_about_its_count_is_held_to_both_numbers(server: Server, promised: int) -> None:
    def answer(asked: Asked) -> Reply:
        page = int(asked.params["page"])
        return as_json({"rows": [{"id": page}] if page <= 3 else [], "total": promised})

    server.answer = answer
    settings: dict[str, Any] = {"rows": "rows", "paging": {"kind": "page", "total_path": "total"}}

    said = error_of(source_of(server, **settings), SourceMisconfigured)

    assert f"says it has {promised} rows (total), but 3 came" in said


def test_a_server_that_repeats_its_last_page_is_read_once_if_it_tells_the_total(server: Server) -> None:
    server.answer = lambda asked: as_json({"rows": [{"id": min(int(asked.params["page"]), 3)}], "total": 3})
    source = source_of(server, rows="rows", paging={"kind": "page", "total_path": "total"})

    assert rows(read(source)) == [(1,), (2,), (3,)]


def test_a_redirect_to_another_host_is_refused_and_gets_no_credentials(server: Server, other_server: Server) -> None:
    target = f"http://127.0.0.1:{other_server.port}/rows?token=s3cret"
    server.answer = repeated(Reply(status=302, headers={"Location": target}))
    source = RestSource(
        {"path": "/rows", "auth": {"kind": "bearer"}, **QUICK}, server.connection(password="s3cret"), ["id"]
    )

    said = error_of(source, SourceMisconfigured)

    assert f"redirects to another host (http://127.0.0.1:{other_server.port})" in said
    assert "s3cret" not in said
    assert other_server.asked == []


def test_a_next_link_to_another_host_is_refused(server: Server, other_server: Server) -> None:
    server.answer = repeated(as_json({"rows": [{"id": 1}], "next": f"http://127.0.0.1:{other_server.port}/2"}))
    settings: dict[str, Any] = {"rows": "rows", "paging": {"kind": "next_link", "next_path": "next"}}

    assert "leads to another host" in error_of(source_of(server, **settings), SourceMisconfigured)
    assert other_server.asked == []


def test_a_redirect_on_the_same_host_is_followed(server: Server) -> None:
    server.answer = lambda asked: (
        Reply(status=301, headers={"Location": "/moved"}) if asked.path == "/rows" else as_json([{"id": 1}])
    )

    assert rows(read(source_of(server))) == [(1,)]


def test_429_is_waited_out_as_long_as_the_server_asks(server: Server) -> None:
    answers = iter([Reply(status=429, headers={"Retry-After": "1"}), Reply(status=503), as_json([{"id": 1}])])
    server.answer = lambda _: next(answers)
    start = time.monotonic()

    assert rows(read(source_of(server, attempts=3))) == [(1,)]
    assert time.monotonic() - start >= 1.25


@pytest.mark.parametrize("value", ["600", "Fri, 20 Nov 2026 00:10:00 GMT"])
def test_a_longer_wait_than_allowed_is_handed_to_the_caller(server: Server, value: str) -> None:
    server.answer = repeated(Reply(status=429, headers={"Retry-After": value, "Date": "Fri, 20 Nov 2026 00:00:00 GMT"}))

    with pytest.raises(SourceUnavailable, match="HTTP 429, too many requests, asks to come back in 600 s") as caught:
        read(source_of(server, attempts=5))
    assert caught.value.retry_after == 600


def test_a_page_that_does_not_come_is_given_up_after_the_timeout(server: Server) -> None:
    server.answer = repeated(Reply(write=lambda _: time.sleep(2), headers={"Content-Length": "5"}))

    assert "nothing came for 0.3 s" in error_of(source_of(server, timeout="0.3s"), SourceUnavailable)


def test_a_page_that_trickles_is_given_up_after_its_time(server: Server) -> None:
    def write(stream: Any) -> None:
        for _ in range(30):
            stream.write(b" " * 70_000)
            stream.flush()
            time.sleep(0.1)

    server.answer = repeated(Reply(write=write, length=False))

    assert "not finished after 0.5 s" in error_of(source_of(server, answer_time="0.5s"), SourceUnavailable)


def test_a_refused_connection_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    source = RestSource({"path": "/rows", **QUICK}, Connection(id="tax", host="127.0.0.1", port=port), ["id"])

    assert "connection refused" in error_of(source, SourceUnavailable)


def test_a_renamed_column_is_held_for_a_person_and_an_optional_one_is_not(server: Server) -> None:
    server.answer = repeated(as_json([{"id": 1, "holder": {"name": "x"}}, {"id": 2}]))

    with pytest.raises(SourceColumnsChanged, match=r"holder\.code missing; the source has id, holder"):
        read(source_of(server, ("id", "holder.code")))
    assert rows(read(source_of(server, ("id", "holder.code"), optional_columns=["holder.code"]))) == [
        (1, None),
        (2, None),
    ]


def test_requests_keep_to_the_rate(server: Server) -> None:
    server.answer = lambda asked: as_json([{"id": asked.params["page"]}] if int(asked.params["page"]) < 5 else [])
    start = time.monotonic()

    read(source_of(server, rate="10/s", paging={"kind": "page"}))

    assert time.monotonic() - start >= 0.4
