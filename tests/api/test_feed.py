"""The change feed gives every committed change once, whoever commits meanwhile."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
import requests

from registry.api import paging
from registry.api.clients import clients
from registry.grants import giving
from registry.intake import upkeep
from registry.storage.database import connect
from tests import granting
from tests.api.conftest import Api, Reader
from tests.api.feeding import enterprise, enterprises, permit, permits, uscc

PUBLISHERS = 8
TRANSACTIONS = 12


def follow(reader: Reader, done: threading.Event, limit: int) -> list[dict[str, Any]]:
    """Read the feed until nothing is left after ``done``."""
    found: list[dict[str, Any]] = []
    after: dict[str, Any] = {}
    while True:
        finished = done.is_set()
        page = reader.get("/changes", limit=limit, **after)
        found += page["changes"]
        after = {"after": page["next"]}
        if finished and not page["changes"]:
            return found


def commit_slowly(url: str, dataset_id: int, batch_id: int, publisher: int) -> None:
    """Transactions that take their numbers early and commit late, as publishers of large batches do."""
    chance = random.Random(publisher)
    with psycopg.connect(url, autocommit=True) as connection:
        for number in range(TRANSACTIONS):
            with connection.transaction():
                for row in range(3):
                    connection.execute(
                        "INSERT INTO registry.change (xid, seq, at, dataset_id, batch_id, operation, key)"
                        " VALUES (pg_current_xact_id(), nextval('registry.change_seq'), now(), %s, %s, 'n', %s)",
                        (dataset_id, batch_id, f"{publisher}-{number}-{row}"),
                    )
                    time.sleep(chance.random() * 0.02)
                if number % 5 == 4:
                    raise psycopg.Rollback


def test_nothing_is_skipped_or_doubled_while_eight_publishers_commit(api: Api, registry_url: str) -> None:
    report = enterprises(registry_url).publish([enterprise(1)])
    with psycopg.connect(registry_url, autocommit=True) as connection:
        row = connection.execute("SELECT id FROM registry.dataset").fetchone()
        assert row is not None
    readers = [api.client("read:legal_entity") for _ in range(2)]
    done = threading.Event()

    with ThreadPoolExecutor(PUBLISHERS + 2) as pool:
        following = [pool.submit(follow, reader, done, limit) for reader, limit in zip(readers, (1000, 7), strict=True)]
        publishing = [
            pool.submit(commit_slowly, registry_url, row[0], report.batch_id, publisher)
            for publisher in range(PUBLISHERS)
        ]
        for publisher in publishing:
            publisher.result()
        done.set()
        feeds = [future.result() for future in following]

    expected = {
        f"{publisher}-{number}-{line}"
        for publisher in range(PUBLISHERS)
        for number in range(TRANSACTIONS)
        if number % 5 != 4
        for line in range(3)
    } | {uscc(1)}
    for feed in feeds:
        keys = [change["key"] for change in feed]
        assert len(keys) == len(set(keys))
        assert set(keys) == expected
    assert [change["id"] for change in feeds[0]] == [change["id"] for change in feeds[1]]


def test_a_change_waits_for_older_transactions_and_is_not_lost(api: Api, registry_url: str) -> None:
    feed = enterprises(registry_url)
    feed.publish([enterprise(1)])
    reader = api.client("read:legal_entity")
    first = reader.get("/changes")
    with psycopg.connect(registry_url) as older:
        older.execute("SELECT pg_current_xact_id()")
        feed.publish([enterprise(2)])
        waiting = reader.get("/changes", after=first["next"])
        assert waiting["changes"] == []
    found = reader.get("/changes", after=waiting["next"])["changes"]

    assert [change["key"] for change in found] == [uscc(2)]


def test_each_change_carries_the_version_it_made(api: Api, registry_url: str) -> None:
    feed = enterprises(registry_url)
    feed.publish([enterprise(1)])
    feed.publish([enterprise(1, status="revoked")])
    feed.publish(deleted=[enterprise(1)])
    reader = api.client("read:legal_entity")

    found = reader.get("/changes")["changes"]

    assert [(change["operation"], change["body"]) for change in found] == [
        ("new", enterprise(1)),
        ("changed", enterprise(1, status="revoked")),
        ("deleted", None),
    ]
    versions = reader.get(f"/datasets/legal_entity/records/{uscc(1)}/history")["versions"]
    assert [change["version"] for change in found[:2]] == [version["version"] for version in reversed(versions)]


def test_the_cursor_moves_over_changes_of_other_datasets(api: Api, registry_url: str) -> None:
    permits(registry_url).publish([permit(1, "A")])
    enterprises(registry_url).publish([enterprise(1)])
    reader = api.client("read:permit", "read:legal_entity")

    only = reader.get("/changes", dataset="permit")
    assert [change["key"] for change in only["changes"]] == ["A"]
    permits(registry_url).publish([permit(1, "B")])
    later = reader.get("/changes", after=only["next"])
    assert [change["key"] for change in later["changes"]] == ["B"]


def test_a_reader_may_begin_at_the_end(api: Api, registry_url: str) -> None:
    permits(registry_url).publish([permit(1, "A")])
    reader = api.client("read:permit")

    start = reader.get("/changes", after="end")
    permits(registry_url).publish([permit(1, "B")])

    assert start["changes"] == []
    assert [change["key"] for change in reader.get("/changes", after=start["next"])["changes"]] == ["B"]


def test_a_waiting_reader_hears_of_a_change_at_once(api: Api, registry_url: str) -> None:
    permits(registry_url).publish([permit(1, "A")])
    reader = api.client("read:permit")
    start = reader.get("/changes", after="end")["next"]

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(reader.get, "/changes", after=start, wait=20)
        time.sleep(0.3)
        assert not waiting.done()
        permits(registry_url).publish([permit(1, "B")])
        found = waiting.result(5)

    assert [change["key"] for change in found["changes"]] == ["B"]


def test_who_waits_gets_nothing_more_when_the_grant_ends(api: Api, registry_url: str) -> None:
    enterprises(registry_url).publish([enterprise(1)])
    reader = api.client("read:legal_entity")
    start = reader.get("/changes", after="end")["next"]

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(reader.ask, "/api/v1/changes", after=start, wait=20)
        with connect(registry_url) as connection:
            row = connection.execute("SELECT id FROM registry.access_grant").fetchone()
            assert row is not None
            giving.revoke(connection, row[0], reason="test", by="a test")
        refused = waiting.result(15)

    assert (refused.status_code, refused.json()["type"]) == (403, "/problems/not-granted")


def test_a_wait_that_brings_nothing_ends(api: Api, registry_url: str) -> None:
    permits(registry_url).publish([permit(1, "A")])
    reader = api.client("read:permit")
    begun = time.monotonic()

    found = reader.get("/changes", after="end")
    empty = reader.get("/changes", after=found["next"], wait=1)

    assert empty["changes"] == []
    assert 1 <= time.monotonic() - begun < 4


def one_by_one(reader: Reader) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    after: dict[str, Any] = {}
    while True:
        page = reader.get("/changes", limit=1, **after)
        found += page["changes"]
        after = {"after": page["next"]}
        if not page["more"]:
            return found


def of_some(api: Api, **rows: list[str]) -> Reader:
    """A client that may see some enterprises only."""
    client = clients.add(api.settings.database_url, "test", [])
    granting.grant(api.settings.database_url, client.id, "legal_entity", rows=rows)
    return api.signed_in(client)


def test_who_sees_some_records_only_hears_of_those_that_come_and_go_and_of_no_others(
    api: Api, registry_url: str
) -> None:
    feed = enterprises(registry_url)
    feed.publish([enterprise(1, status="revoked"), enterprise(2), enterprise(3)])
    feed.publish([enterprise(1), enterprise(2, name="别的名称")])
    feed.publish([enterprise(2, status="revoked")])
    feed.publish([enterprise(2, status="revoked", name="再改名称")], deleted=[enterprise(3)])
    reader = of_some(api, status=["active"])

    page = reader.get("/changes")

    assert [(each["operation"], each["key"], each["body"]) for each in page["changes"]] == [
        ("new", uscc(2), enterprise(2)),
        ("new", uscc(3), enterprise(3)),
        ("new", uscc(1), enterprise(1)),
        ("changed", uscc(2), enterprise(2, name="别的名称")),
        ("deleted", uscc(2), None),
        ("deleted", uscc(3), None),
    ]
    feed.publish([enterprise(2, status="revoked", name="又改名称")])
    later = reader.get("/changes", after=page["next"])
    assert later["changes"] == []
    assert later["next"] != page["next"]
    assert one_by_one(reader) == page["changes"]


def test_the_feed_shows_granted_fields_only(api: Api, registry_url: str) -> None:
    enterprises(registry_url).publish([enterprise(1)])
    client = clients.add(registry_url, "test", [])
    granting.grant(registry_url, client.id, "legal_entity", fields=["name"])

    (found,) = api.signed_in(client).get("/changes")["changes"]

    assert found["body"] == {"uscc": uscc(1), "name": "第1号公司"}


def test_a_cursor_older_than_what_is_kept_is_told_how_to_begin_anew(api: Api, registry_url: str) -> None:
    feed = enterprises(registry_url)
    feed.publish([enterprise(1)])
    reader = api.client("read:legal_entity")
    old = reader.get("/changes")["next"]
    feed.publish([enterprise(2)])
    with psycopg.connect(registry_url, autocommit=True) as connection:
        connection.execute("SELECT registry.ensure_change_partition(now() - interval '500 days')")
        connection.execute("UPDATE registry.change SET at = now() - interval '500 days'")
        upkeep.tidy(connection)

    refused = reader.ask("/api/v1/changes", after=old)

    assert refused.status_code == 410
    assert refused.json()["type"] == "/problems/cursor-too-old"
    assert "after=end" in refused.json()["advice"]
    assert reader.get("/changes")["changes"] == []
    feed.publish([enterprise(3)])
    again = reader.get("/changes", after=reader.get("/changes", after="end")["next"])
    assert again["changes"] == []


def test_a_cursor_of_another_database_is_told_how_to_begin_anew(api: Api, registry_url: str) -> None:
    enterprises(registry_url).publish([enterprise(1)])
    reader = api.client("read:legal_entity")

    refused = reader.ask("/api/v1/changes", after=paging.cursor("feed", [1 << 40, 0]))

    assert refused.status_code == 410


def lines(answer: requests.Response) -> Iterator[dict[str, Any]]:
    for line in answer.iter_lines(chunk_size=None):
        if line:
            yield json.loads(line)


def test_a_stream_goes_on_until_the_server_ends_and_every_part_is_on_record(
    start: Callable[..., Api], registry_url: str
) -> None:
    api = start()
    feed = enterprises(registry_url)
    feed.publish([enterprise(1)])
    reader = api.client("read:legal_entity")
    answer = reader.changes()
    with answer:
        assert answer.headers["content-type"].startswith("application/x-ndjson")
        found = lines(answer)
        first = next(found)
        assert first["change"]["key"] == uscc(1)
        closing = next(found)
        assert closing.keys() == {"next", "as_of", "sources", "receipt"}
        feed.publish([enterprise(2), enterprise(3)])
        later = [next(found), next(found)]
        assert {line["change"]["key"] for line in later} == {uscc(2), uscc(3)}
        assert next(found)["as_of"] > closing["as_of"]
        api.server.end()
        rest = list(found)
        assert rest[-1]["end"] == "closing"

    with psycopg.connect(registry_url) as connection:
        logged = connection.execute(
            "SELECT entity, entities FROM registry.access_log WHERE action = 'GET /api/v1/changes' ORDER BY index"
        ).fetchall()
    assert logged[:2] == [(uscc(1), None), (None, sorted([uscc(2), uscc(3)]))]


def test_every_stretch_of_a_stream_closes_with_its_time_and_the_age_of_the_data(api: Api, registry_url: str) -> None:
    enterprises(registry_url).publish([enterprise(1), enterprise(2)])
    permits(registry_url).publish([permit(1, "A")])
    reader = api.client("read:permit", "read:legal_entity")
    page = reader.get("/changes")
    answer = reader.changes(limit=2)
    with answer:
        found = lines(answer)
        told = [next(found) for _ in range(5)]

    assert [line.keys() for line in told] == [
        {"change", "next"},
        {"change", "next"},
        {"next", "as_of", "sources", "receipt"},
        {"change", "next"},
        {"next", "as_of", "sources", "receipt"},
    ]
    for closing in (told[2], told[4]):
        assert closing["as_of"].endswith("Z")
        assert closing["sources"].keys() == {"permit", "legal_entity"}
        for name, sources in closing["sources"].items():
            (said,), (asked,) = sources, page["sources"][name]
            assert said["read_at"] == asked["read_at"] is not None
            assert (said["connector"], said["late"]) == (asked["connector"], asked["late"])
    assert told[2]["next"] == told[1]["next"]


def test_a_stream_ends_when_the_grant_does(api: Api, registry_url: str) -> None:
    enterprises(registry_url).publish([enterprise(1)])
    reader = api.client("read:legal_entity")
    answer = reader.changes(dataset="legal_entity")
    with answer:
        found = lines(answer)
        next(found)
        with connect(registry_url) as connection:
            row = connection.execute("SELECT id FROM registry.access_grant").fetchone()
            assert row is not None
            giving.revoke(connection, row[0], reason="test", by="a test")
        enterprises(registry_url).publish([enterprise(2)])

        rest = list(found)

    assert rest[-1]["end"] == "not-granted"
    assert all("change" not in line or line["change"]["key"] == uscc(1) for line in rest)


def test_a_stream_ends_in_good_order_when_the_days_quota_is_used_up(
    start: Callable[..., Api], registry_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    feed = enterprises(registry_url)
    feed.publish([enterprise(1)])
    api = start()
    reader = api.client()
    assert reader.client
    granting.grant(registry_url, reader.client.id, "legal_entity", daily_quota=2)
    answer = api.signed_in(reader.client).changes()
    with answer:
        found = lines(answer)
        told = [next(found), next(found)]
        feed.publish([enterprise(2)])
        told += [next(found), next(found)]
        feed.publish([enterprise(3)])
        last = list(found)

    assert [line["change"]["key"] for line in told if "change" in line] == [uscc(1), uscc(2)]
    assert [line["end"] for line in last] == ["quota-used-up"]
    with psycopg.connect(registry_url) as connection:
        logged = connection.execute(
            "SELECT index, status FROM registry.access_log WHERE action = 'GET /api/v1/changes' ORDER BY index"
        ).fetchall()
    assert [status for _, status in logged] == [200, 200, 429]
    assert last[0]["receipt"].startswith(f"index={logged[-1][0]},")
    assert "Traceback" not in caplog.text
    deadline = time.monotonic() + 20
    while (places := api.server._state.places)._taken[True] and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not places._taken[True]  # nor does it go on for nobody
