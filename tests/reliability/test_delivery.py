"""The delivery is killed again and again: every event arrives at least once, those of one record in order.

A follower of the feed that keeps its cursor is killed as often, and has every change exactly once.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import requests

from registry.api.clients.clients import NewClient
from registry.api.settings import ApiSettings
from registry.delivery import subscriptions
from registry.signing import master_key
from registry.storage.database import connect
from registry.storage.reads.changes import START
from tests import granting
from tests.api.conftest import serving
from tests.api.feeding import enterprise, enterprises
from tests.delivery.receiving import Receiver, receiving

KILLS = 20
KEY = master_key.generate()


def started(url: str, log: Path) -> subprocess.Popen[bytes]:
    environment = {
        **os.environ,
        "SHUQIAO_DATABASE_URL": url,
        "SHUQIAO_PUBLIC_URL": "https://hub.example.gov.cn",
        "SHUQIAO_MASTER_KEY": KEY,
        "SHUQIAO_WEBHOOK_HTTP": "yes",
        "SHUQIAO_WEBHOOK_NETWORKS": "127.0.0.0/8",
        "SHUQIAO_WEBHOOK_PORTS": "any",
        "SHUQIAO_SCHEMAS": str(granting.SCHEMAS),
    }
    with log.open("ab") as output:
        return subprocess.Popen([sys.executable, "-m", "registry.delivery"], env=environment, stderr=output)


def subscribe(url: str, receiver: Receiver, *, batch: bool) -> str:
    client = granting.enter(url, "subscriber", ["read:legal_entity"]).id
    with connect(url) as connection:
        row = connection.execute("SELECT id FROM registry.dataset WHERE name = 'legal_entity'").fetchone()
        assert row is not None
        made, _ = subscriptions.enter(
            connection, master_key.from_text(KEY), client=client, dataset_id=row[0], url=receiver.url(f"/{batch}"),
            position=START, batch=batch,
        )  # fmt: skip
    return made


def told(url: str) -> list[tuple[str, str, int]]:
    """Every change: its id, its record and its place in the record's life."""
    with connect(url) as connection:
        rows = connection.execute("SELECT xid::text || '-' || seq, key, seq FROM registry.change ORDER BY xid, seq")
        return [(row[0], row[1], row[2]) for row in rows]


def keep_publishing(url: str, done: threading.Event, rounds: int) -> None:
    feed = enterprises(url)
    for number in range(rounds):
        if done.is_set():
            return
        feed.publish([enterprise(each, name=f"第{number}次") for each in range(number % 5, number % 5 + 8)])
        time.sleep(0.05)


def firsts(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The events without their repetitions."""
    return list({event["id"]: event for event in reversed(events)}.values())[::-1]


@pytest.mark.parametrize("kills", [3, pytest.param(KILLS, marks=pytest.mark.long)])
def test_every_event_arrives_at_least_once_and_in_order_whoever_is_killed(
    registry_url: str, tmp_path: Path, kills: int
) -> None:
    enterprises(registry_url).publish([enterprise(1)])
    chance = random.Random(kills)
    done = threading.Event()
    with receiving() as receiver:
        for batch in (False, True):
            subscribe(registry_url, receiver, batch=batch)
        publishing = threading.Thread(target=keep_publishing, args=(registry_url, done, kills * 12))
        publishing.start()
        processes = [started(registry_url, tmp_path / "log") for _ in range(2)]
        try:
            for _ in range(kills):
                seen = len(receiver.events)
                receiver.wait(lambda seen=seen: len(receiver.events) > seen, 60)  # type: ignore[misc]
                time.sleep(chance.random() * 0.3)
                victim = chance.randrange(2)
                processes[victim].kill()
                processes[victim].wait()
                processes[victim] = started(registry_url, tmp_path / "log")
            publishing.join()
            expected = told(registry_url)
            by_path = {
                path: lambda path=path: [
                    event for each in receiver.messages if each.path == path for event in each.events
                ]
                for path in ("/True", "/False")
            }
            for events in by_path.values():
                receiver.wait(lambda events=events: {e["id"] for e in events()} >= {x[0] for x in expected}, 60)  # type: ignore[misc]
        finally:
            done.set()
            publishing.join()
            for process in processes:
                process.send_signal(signal.SIGTERM)
            for process in processes:
                assert process.wait(30) == 0
        for events in by_path.values():
            found = firsts(events())
            assert {event["id"] for event in found} == {each[0] for each in expected}
            for key in {each[1] for each in expected}:
                order = [event["sequence"] for event in found if event["subject"] == key]
                assert order == sorted(order)
    with connect(registry_url) as connection:
        row = connection.execute("SELECT count(*) FROM registry.access_log WHERE action LIKE 'DELIVER %'").fetchone()
    assert row is not None
    assert row[0] >= len(receiver.messages)


FOLLOWER = """
import json, sys
import requests
address, token, kept = sys.argv[1:]
session = requests.Session()
session.trust_env = False
while True:
    with open(kept) as file:
        lines = file.read().split("\\n")
    after = json.loads(lines[-2])["next"] if len(lines) > 1 else None
    page = session.get(
        address + "/api/v1/changes", params={"limit": 5, "wait": 1, **({"after": after} if after else {})},
        headers={"Authorization": "Bearer " + token}, timeout=30,
    ).json()
    # what came and how far it is are one line: both are kept, or neither
    with open(kept, "a") as file:
        file.write(json.dumps({"ids": [each["id"] for each in page["changes"]], "next": page["next"]}) + "\\n")
"""


@pytest.mark.parametrize("kills", [4, pytest.param(KILLS, marks=pytest.mark.long)])
def test_a_follower_that_is_killed_and_goes_on_from_its_cursor_has_every_change_once(
    registry_url: str, tmp_path: Path, kills: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHUQIAO_SCHEMAS", str(granting.SCHEMAS))
    settings = ApiSettings(database_url=registry_url, token_key=tmp_path / "key.pem", port=0, feed_poll_seconds=0.05)
    enterprises(registry_url).publish([enterprise(1)])
    client: NewClient = granting.enter(registry_url, "follower", ["read:legal_entity"])
    kept = tmp_path / "kept"
    kept.touch()
    done = threading.Event()
    chance = random.Random(kills)
    with serving(settings) as server:
        address = f"http://127.0.0.1:{server.bound_port}"
        form = {"grant_type": "client_credentials", "client_id": client.id, "client_secret": client.secret}
        token = requests.post(f"{address}/api/v1/token", data=form, timeout=30).json()["access_token"]
        publishing = threading.Thread(target=keep_publishing, args=(registry_url, done, kills * 8))
        publishing.start()
        follower = None
        try:
            for _ in range(kills):
                before = kept.stat().st_size
                follower = subprocess.Popen([sys.executable, "-c", FOLLOWER, address, token, str(kept)])
                deadline = time.monotonic() + 60
                while kept.stat().st_size == before:
                    assert time.monotonic() < deadline
                    time.sleep(0.01)
                time.sleep(chance.random() * 0.1)
                follower.kill()
                follower.wait()
                _forget_half_a_line(kept)
            publishing.join()
            follower = subprocess.Popen([sys.executable, "-c", FOLLOWER, address, token, str(kept)])
            expected = [each[0] for each in told(registry_url)]
            deadline = time.monotonic() + 60
            while len(_ids(kept)) < len(expected):
                assert time.monotonic() < deadline
                time.sleep(0.05)
        finally:
            done.set()
            publishing.join()
            if follower is not None:
                follower.kill()
                follower.wait()
    assert _ids(kept) == expected


def _forget_half_a_line(kept: Path) -> None:
    """As a follower does that begins again: what was not written whole was not written."""
    text = kept.read_text()
    kept.write_text(text[: text.rfind("\n") + 1])


def _ids(kept: Path) -> list[str]:
    lines = kept.read_text().split("\n")[:-1]
    return [each for line in lines for each in json.loads(line)["ids"]]
