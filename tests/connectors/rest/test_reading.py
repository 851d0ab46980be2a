from __future__ import annotations

import itertools
from typing import Any

from connectors.kinds.rest import RestSource
from connectors.source import Partition, Rows

from .conftest import Asked, Reply, Server, as_json

PEOPLE: list[dict[str, Any]] = [
    {"id": number, "name": f"企业{number}", "holder": {"code": f"C{number}"}} for number in range(1, 8)
]


def read(source: RestSource, since: Any = None) -> list[Rows]:
    (partition,) = source.partitions(since)
    return list(source.read(partition, since))


def rows(batches: list[Rows]) -> list[tuple[Any, ...]]:
    return [tuple(row) for batch in batches for row in batch.rows]


def test_rows_of_one_answer_with_dotted_columns_and_row_path(server: Server) -> None:
    server.answer = lambda _: as_json({"data": {"items": PEOPLE}})
    source = RestSource({"path": "/api/people", "rows": "data.items"}, server.connection(), ["id", "holder.code"])

    found = read(source)
    source.close()

    assert [(each["id"], each["holder"]["code"]) for each in PEOPLE] == rows(found)
    assert found[0].columns == ("id", "holder.code")
    assert f"http://127.0.0.1:{server.port}/api/people:2" == found[0].place(1)


def test_pages_by_number_end_at_the_first_empty_one(server: Server) -> None:
    def answer(asked: Asked) -> Reply:
        page, size = int(asked.params["page"]), int(asked.params["limit"])
        return as_json(PEOPLE[(page - 1) * size : page * size])

    server.answer = answer
    source = RestSource(
        {"path": "/people", "paging": {"kind": "page", "size": 3, "size_parameter": "limit"}},
        server.connection(),
        ["id"],
    )

    assert [(number,) for number in range(1, 8)] == rows(read(source))
    assert [asked.params["page"] for asked in server.asked] == ["1", "2", "3", "4"]
    source.close()


def test_offsets_follow_the_rows_that_came_when_the_server_gives_smaller_pages_than_asked(server: Server) -> None:
    server.answer = lambda asked: as_json(PEOPLE[int(asked.params["offset"]) :][:2])
    source = RestSource({"path": "/people", "paging": {"kind": "offset", "size": 500}}, server.connection(), ["id"])

    assert [(number,) for number in range(1, 8)] == rows(read(source))
    source.close()


def test_cursors_are_followed_until_there_is_none(server: Server) -> None:
    def answer(asked: Asked) -> Reply:
        start = int(asked.params.get("after", "0"))
        following = str(start + 3) if start + 3 < len(PEOPLE) else None
        return as_json({"rows": PEOPLE[start : start + 3], "next": following})

    server.answer = answer
    paging = {"kind": "cursor", "cursor_parameter": "after", "cursor_path": "next"}
    source = RestSource({"path": "/people", "rows": "rows", "paging": paging}, server.connection(), ["id"])

    assert [(number,) for number in range(1, 8)] == rows(read(source))
    source.close()


def test_next_links_in_the_body_and_in_the_link_header(server: Server) -> None:
    def answer(asked: Asked) -> Reply:
        start = int(asked.params.get("start", "0"))
        more = start + 4 < len(PEOPLE)
        link = f"/people?start={start + 4}"
        return as_json(
            {"rows": PEOPLE[start : start + 4], "links": {"next": link if more else None}},
            headers={"Link": f'<{link}>; rel="next"' if more else ""},
        )

    server.answer = answer
    for paging in ({"kind": "next_link", "next_path": "links.next"}, {"kind": "next_link"}):
        source = RestSource({"path": "/people", "rows": "rows", "paging": paging}, server.connection(), ["id"])
        assert [(number,) for number in range(1, 8)] == rows(read(source))
        source.close()


def test_lines_are_streamed_and_a_broken_one_is_refused_with_its_number(server: Server) -> None:
    body = b'{"id": 1}\n{"id": 2\n\n{"id": 4, "name": "\\ud800"}\n{"id": NaN}\n[5]\n{"id": "\xff"}\n{"id": 7}\n'
    server.answer = lambda _: Reply(body)
    source = RestSource({"path": "/lines", "format": "ndjson"}, server.connection(), ["id"])

    (batch,) = read(source)
    source.close()

    assert [tuple(row) for row in batch.rows] == [(1,), (7,)]
    assert list(batch.numbers or ()) == [1, 8]
    assert [(each.place.rpartition(":")[2], each.rule) for each in batch.refused] == [
        ("2", "source.syntax"),
        ("4", "source.surrogate"),
        ("5", "source.number"),
        ("6", "source.object"),
        ("7", "source.encoding"),
    ]


def test_an_unchanged_source_is_not_read_again(server: Server) -> None:
    server.answer = lambda asked: (
        Reply(status=304) if asked.headers.get("If-None-Match") == '"v1"' else as_json(PEOPLE, headers={"ETag": '"v1"'})
    )
    source = RestSource({"path": "/people", "conditional": True}, server.connection(), ["id"])

    first = read(source)
    again = read(source, first[-1].reached)
    source.close()

    assert not first[-1].unchanged
    assert (True, first[-1].reached) == (again[-1].unchanged, again[-1].reached)


def test_a_second_run_asks_for_changes_since_the_newest_less_the_look_back(server: Server) -> None:
    changes = [{"id": 1, "at": "2026-11-20T08:00:00+08:00"}, {"id": 2, "at": "2026-11-20T09:00:00+08:00"}]
    server.answer = lambda _: as_json(changes)
    incremental = {"parameter": "updated_since", "field": "at", "lookback": "10m"}
    source = RestSource({"path": "/changes", "incremental": incremental}, server.connection(), ["id", "at"])

    cursor = read(source)[-1].reached
    read(source, cursor)
    source.close()

    assert cursor == {"since": "2026-11-20T01:00:00+00:00"}
    assert [asked.params.get("updated_since") for asked in server.asked] == [None, "2026-11-20T08:50:00+08:00"]


def test_the_cursor_never_passes_the_servers_clock(server: Server) -> None:
    changes = [{"id": 1, "at": "2099-01-01T00:00:00+08:00"}]
    server.answer = lambda _: as_json(changes, headers={"Date": "Fri, 20 Nov 2026 00:00:00 GMT"})
    incremental = {"parameter": "updated_since", "field": "at"}
    source = RestSource({"path": "/changes", "incremental": incremental}, server.connection(), ["id", "at"])

    assert read(source)[-1].reached == {"since": "2026-11-20T00:00:00+00:00"}
    source.close()


def test_combine_keeps_the_cursor_of_the_one_partition(server: Server) -> None:
    source = RestSource({"path": "/x"}, server.connection(), [])

    assert source.combine({"since": "a"}, [{"since": "b"}]) == {"since": "b"}
    assert source.combine({"since": "a"}, [None]) == {"since": "a"}
    assert [Partition(0, "/x")] == list(source.partitions(None))


def test_discovery_names_fields_types_and_masked_samples(server: Server) -> None:
    server.answer = lambda _: as_json(PEOPLE)
    source = RestSource({"path": "/people"}, server.connection(), [])

    (table,) = source.discover()
    sentence = source.check()
    source.close()

    assert [(f.name, f.type) for f in table.fields] == [("id", "integer"), ("name", "text"), ("holder.code", "text")]
    shown = list(itertools.chain.from_iterable(f.samples for f in table.fields))
    assert not any("企业1" in sample for sample in shown)
    assert "7 can be read" in sentence
