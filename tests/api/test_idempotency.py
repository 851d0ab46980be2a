"""Writes that are sent again: done once, across processes, whatever is killed in between."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
import requests
from fastapi.routing import APIRoute

from registry.api import idempotency
from registry.api.app import create_app
from registry.api.openapi import is_named_write
from registry.api.settings import ApiSettings
from registry.storage import once
from registry.storage.database import connect
from registry.storage.once import Claim, ClaimLost, Met
from shuqiao.stack import postgres as embedded
from tests.api.conftest import Api, Reader
from tests.api.feeding import enterprise, enterprises

EXPORTS = "/api/v1/datasets/legal_entity/exports"
"""Each of them is another one unless the request is known to be the same."""


@pytest.fixture
def client(api: Api, registry_url: str) -> Reader:
    enterprises(registry_url).publish([enterprise(1)])
    return api.client("read:legal_entity", "operate")


def wanted(**members: Any) -> dict[str, Any]:
    return {"format": "csv", **members}


def begun(url: str) -> int:
    with connect(url) as connection:
        row = connection.execute("SELECT count(*) FROM registry.export").fetchone()
    assert row is not None
    return int(row[0])


def send(
    reader: Reader, name: str | None, body: Any, path: str = EXPORTS, address: str = "", **stated: str
) -> requests.Response:
    headers = {"Authorization": f"Bearer {reader.token}"} | ({} if name is None else {"Idempotency-Key": name})
    headers |= {header.replace("_", "-"): value for header, value in stated.items()}
    return requests.post((address or reader.address) + path, json=body, headers=headers, timeout=60)


def kind(answer: requests.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["type"].removeprefix("/problems/")


def test_a_write_sent_again_gets_the_same_answer_also_from_another_process(
    client: Reader, start: Callable[..., Api]
) -> None:
    name = f'"{uuid4()}"'
    first = send(client, name, wanted())
    again = send(client, name, wanted())
    elsewhere = send(client, name.strip('"'), wanted(), address=start().address)

    assert first.status_code == 201, first.text
    assert "Idempotency-Replayed" not in first.headers
    for repeated in (again, elsewhere):
        assert (repeated.status_code, repeated.content) == (201, first.content)
        assert repeated.headers["Idempotency-Replayed"] == "true"
        assert repeated.headers["Location"] == first.headers["Location"]
        assert repeated.headers["Shuqiao-Receipt"] != first.headers["Shuqiao-Receipt"]  # each answer is on record


def test_another_request_under_the_same_name_is_refused_and_another_clients_name_is_its_own(
    client: Reader, api: Api, registry_url: str
) -> None:
    assert send(client, "k-1", wanted()).status_code == 201
    assert kind(send(client, "k-1", wanted(part_records=7))) == (422, "idempotency-key-reused")
    assert kind(send(client, "k-1", wanted(), path=f"{EXPORTS}?x=1")) == (422, "idempotency-key-reused")
    for stated in ({"Access_Purpose": "statistics"}, {"Case_Number": "L-2026-000124"}):
        assert kind(send(client, "k-1", wanted(), **stated)) == (422, "idempotency-key-reused")
    assert begun(registry_url) == 1
    assert send(api.client("read:legal_entity"), "k-1", wanted(part_records=7)).status_code == 201


def test_a_name_that_is_none_is_refused_and_after_a_refusal_a_name_is_free_again(client: Reader) -> None:
    assert send(client, "k-2", wanted(format="xlsx")).status_code == 400
    assert send(client, "k-2", wanted()).status_code == 201
    for name in ("", "a b", "x" * 256, '"', "钥匙".encode().decode("latin-1")):
        answer = send(client, name, wanted())
        assert kind(answer) == (400, "invalid-parameter"), name
        assert answer.json()["errors"][0]["pointer"] == "#/Idempotency-Key"


def test_of_many_at_once_one_is_done(client: Reader, start: Callable[..., Api], registry_url: str) -> None:
    addresses = [client.address, start().address]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: send(client, "k-3", wanted(), address=addresses[n % 2]), range(16)))

    assert begun(registry_url) == 1
    done = [answer for answer in answers if answer.status_code == 201]
    assert len({answer.content for answer in done}) == 1
    assert len([answer for answer in done if "Idempotency-Replayed" not in answer.headers]) == 1
    for answer in answers:
        if answer.status_code != 201:
            assert kind(answer) == (409, "still-under-way")
            assert answer.headers["Retry-After"] == "2"


def test_what_is_repeated_needs_a_token_that_is_still_good_for_it(client: Reader, registry_url: str) -> None:
    assert send(client, "k-4", wanted()).status_code == 201
    assert client.client is not None
    with connect(registry_url) as connection:
        connection.execute("UPDATE registry.client SET scopes = '{}' WHERE id = %s", (client.client.id,))
    assert kind(send(client, "k-4", wanted()))[0] == 403
    with connect(registry_url) as connection:
        connection.execute("UPDATE registry.client SET revoked_at = now() WHERE id = %s", (client.client.id,))
    assert kind(send(client, "k-4", wanted()))[0] == 401


def test_kept_answers_cannot_be_read_in_the_database(client: Reader, registry_url: str) -> None:
    made = send(client, "k-5", wanted())
    assert made.status_code == 201
    with connect(registry_url) as connection:
        rows = connection.execute("SELECT k::text, answer FROM registry.idempotency_key k").fetchall()
    assert len(rows) == 1
    assert "k-5" not in rows[0][0]
    assert made.json()["id"].encode() not in bytes(rows[0][1])
    assert b"legal_entity" not in bytes(rows[0][1])


def test_an_answer_that_was_lost_is_not_made_by_doing_it_again(client: Reader, registry_url: str) -> None:
    """The process was killed between the commit and keeping the answer."""
    assert send(client, "k-6", wanted()).status_code == 201
    with connect(registry_url) as connection:
        connection.execute("UPDATE registry.idempotency_key SET answer = NULL")
    assert kind(send(client, "k-6", wanted())) == (409, "still-under-way")  # it may be about to answer
    with connect(registry_url) as connection:
        connection.execute("UPDATE registry.idempotency_key SET claimed_at = claimed_at - interval '61 s'")
    assert kind(send(client, "k-6", wanted())) == (409, "already-done")


class _Killed(BaseException):
    """The process is gone."""


@pytest.fixture
def ledger(registry_url: str) -> str:
    with connect(registry_url) as connection:
        connection.execute("CREATE TABLE registry.test_ledger (at timestamptz)")
    return registry_url


def enter(connection: psycopg.Connection) -> int:
    with connection.transaction():
        return connection.execute("INSERT INTO registry.test_ledger VALUES (now())").rowcount


def entered(url: str) -> int:
    with connect(url) as connection:
        row = connection.execute("SELECT count(*) FROM registry.test_ledger").fetchone()
    assert row is not None
    return int(row[0])


def taken(url: str) -> Claim | Met:
    with connect(url) as connection:
        return once.claim(connection, "c", bytes(32), bytes(32), ["operate"])


def carry_out(url: str, held: Claim | Met) -> None:
    assert isinstance(held, Claim)
    token = once.current.set(held)
    try:
        with connect(url) as connection:
            once.carried_out(connection, enter)
    finally:
        once.current.reset(token)


def test_what_was_killed_before_its_commit_is_done_by_whoever_comes_later(
    ledger: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = taken(ledger)
    assert isinstance(held, Claim)

    def dies(connection: psycopg.Connection) -> None:
        enter(connection)
        raise _Killed

    once.current.set(held)
    with pytest.raises(_Killed), connect(ledger) as connection:
        once.carried_out(connection, dies)
    once.current.set(None)
    assert entered(ledger) == 0
    assert taken(ledger) == Met("running")  # nobody can tell yet that it is dead
    monkeypatch.setattr(once, "LEASE", timedelta(0))
    second = taken(ledger)
    carry_out(ledger, second)
    assert entered(ledger) == 1
    assert taken(ledger) == Met("lost")
    with pytest.raises(ClaimLost):  # it was not dead, only slow
        carry_out(ledger, held)
    assert entered(ledger) == 1


def test_whoever_is_slow_but_alive_cannot_be_overtaken(ledger: str, monkeypatch: pytest.MonkeyPatch) -> None:
    held = taken(ledger)
    assert isinstance(held, Claim)
    monkeypatch.setattr(once, "LEASE", timedelta(0))
    monkeypatch.setattr(once, "_WAIT", "50ms")

    def slow(connection: psycopg.Connection) -> None:
        assert taken(ledger) == Met("running")
        enter(connection)

    once.current.set(held)
    with connect(ledger) as connection:
        once.carried_out(connection, slow)
    once.current.set(None)
    assert taken(ledger) == Met("lost")
    assert entered(ledger) == 1


def test_names_are_forgotten_after_a_day(ledger: str) -> None:
    carry_out(ledger, taken(ledger))
    with connect(ledger) as connection:
        assert once.forget(connection) == 0
        connection.execute("UPDATE registry.idempotency_key SET claimed_at = now() - interval '25 hours'")
    assert isinstance(taken(ledger), Claim)  # also where nobody has tidied yet
    with connect(ledger) as connection:
        connection.execute("UPDATE registry.idempotency_key SET claimed_at = now() - interval '25 hours'")
        assert once.forget(connection) == 1


def test_every_write_of_a_client_takes_a_name_or_says_why_not(settings: ApiSettings) -> None:
    app = create_app(settings)
    changing = {
        route.path: route
        for route in app.routes
        if isinstance(route, APIRoute) and set(route.methods) - {"GET", "HEAD"}
    }
    assert set(idempotency.NO_WRITES) <= {*changing, "/api/v1/datasets/{dataset}/records/lookup"}
    description = app.openapi()
    for path, route in changing.items():
        assert is_named_write(route) or path in idempotency.NO_WRITES, path
        if is_named_write(route):
            for method in {"post", "put", "patch", "delete"} & set(description["paths"][route.path_format]):
                operation = description["paths"][route.path_format][method]
                assert "Idempotency-Key" in {each["name"] for each in operation["parameters"]}, path
                assert {"409", "422"} <= set(operation["responses"]), path


def test_a_process_killed_in_the_middle_of_a_write_leaves_it_to_the_next_one(
    start: Callable[..., Api], registry_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    enterprises(registry_url).publish([enterprise(1)])
    survivor = start(public_url="http://127.0.0.1:9")  # one hub: both take the same tokens
    client = survivor.client("read:legal_entity")
    port = embedded.free_port()
    environment = os.environ | {
        "SHUQIAO_DATABASE_URL": registry_url,
        "SHUQIAO_TOKEN_KEY": str(survivor.settings.token_key),
        "SHUQIAO_RUN_DIR": str(tmp_path),
        "SHUQIAO_PUBLIC_URL": survivor.settings.public_url,
        "SHUQIAO_API_WORKERS": "1",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "registry.api", "--port", str(port)], env=environment, stderr=subprocess.DEVNULL
    )
    address = f"http://127.0.0.1:{port}"
    try:
        with ThreadPoolExecutor(1) as pool, psycopg.connect(registry_url) as lock:
            until(lambda: requests.get(f"{address}/healthz", timeout=2).status_code == 200)
            lock.execute("LOCK TABLE registry.export")
            asked = pool.submit(send, client, "k-7", wanted(), address=address)
            waits = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'registry.export'::regclass"
            until(lambda: lock.execute(waits.encode()).fetchone() == (1,))
            process.kill()
            process.wait()
            assert isinstance(asked.exception(30), requests.ConnectionError)
            lock.rollback()
    finally:
        process.kill()
        process.wait()
    assert kind(send(client, "k-7", wanted())) == (409, "still-under-way")
    monkeypatch.setattr(once, "LEASE", timedelta(0))
    until(lambda: send(client, "k-7", wanted()).status_code == 201)
    assert begun(registry_url) == 1


def until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with suppress(requests.ConnectionError):
            if happened():
                return
        time.sleep(0.05)
    raise AssertionError
