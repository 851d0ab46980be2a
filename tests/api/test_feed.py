"""The change feed gives every committed change once, whoever commits meanwhile."""

from __future__ import annotations

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg

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


def test_a_wait_that_brings_nothing_ends(api: Api, registry_url: str) -> None:
    permits(registry_url).publish([permit(1, "A")])
    reader = api.client("read:permit")
    begun = time.monotonic()

    found = reader.get("/changes", after="end")
    empty = reader.get("/changes", after=found["next"], wait=1)

    assert empty["changes"] == []
    assert 1 <= time.monotonic() - begun < 4
