"""How the API behaves: trace ids, limits, failures of its own, a database that goes and comes back, its end."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import asyncpg
import psycopg
import pytest
import requests

from registry.api.settings import ApiSettings, ApiSettingsError, from_environment
from registry.storage.migrate import migrate
from registry.storage.reads.pool import Pool
from shuqiao.stack import postgres as embedded
from tests import granting
from tests.api.conftest import Api, Reader
from tests.api.feeding import enterprise, enterprises, permit, permits, uscc


def test_a_trace_id_is_echoed_or_made(api: Api) -> None:
    given = api.anyone.ask("/healthz", headers={"X-Request-Id": "window-7.42"})
    made = api.anyone.ask("/healthz")
    strange = api.anyone.ask("/healthz", headers={"X-Request-Id": "a b;c"})

    assert given.headers["X-Request-Id"] == "window-7.42"
    assert len(made.headers["X-Request-Id"]) == 32
    assert len(strange.headers["X-Request-Id"]) == 32


def test_a_problem_has_its_members(api: Api) -> None:
    answer = api.anyone.ask("/api/v1/datasets/x%2Fy/records", headers={"X-Request-Id": "t-1"}, status="active")

    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json() == {
        "type": "/problems/unauthenticated",
        "title": "A valid access token is needed",
        "title_zh": "缺少有效的访问令牌",
        "status": 401,
        "detail": "The request carries no access token.",
        "detail_zh": "请求没有携带访问令牌。",
        "advice": "Get one from /api/v1/token; send it as Authorization: Bearer.",
        "advice_zh": "从 /api/v1/token 取得令牌，放入 Authorization: Bearer。",
        "fault": "caller",
        "instance": "/api/v1/datasets/x%2Fy/records",
        "trace_id": "t-1",
    }


@pytest.mark.parametrize("path", ["/", "/nothing", "/api/v1", "/api/v2/datasets", "/openapi.json"])
def test_what_is_not_there_is_a_problem_too(api: Api, path: str) -> None:
    answer = api.anyone.ask(path)

    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/not-found")


def test_requests_beyond_the_limits_are_refused(api: Api) -> None:
    reader = api.client("read:*")

    assert reader.ask("/api/v1/changes", after="x" * 9000).json()["type"] == "/problems/request-too-long"
    assert reader.ask("/api/v1/datasets/" + "x" * 9000).json()["type"] == "/problems/request-too-long"
    assert reader.ask("/api/v1/changes", after="x" * 300).json()["type"] == "/problems/invalid-parameter"


def test_answers_are_kept_by_no_cache(api: Api, registry_url: str) -> None:
    permits(registry_url).publish([permit(1, "A")])
    reader = api.client("read:permit")

    assert reader.ask("/api/v1/datasets/permit/records").headers["Cache-Control"] == "no-store"
    assert reader.ask("/api/v1/datasets/permit/records/A").headers["Cache-Control"] == "private, no-cache"


def test_the_log_names_the_route_and_never_what_was_asked_for(
    api: Api, registry_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    enterprises(registry_url).publish([enterprise(1)])
    reader = api.client("read:legal_entity")
    with caplog.at_level(logging.INFO):
        reader.get(f"/datasets/legal_entity/records/{uscc(1)}")
        reader.get("/datasets/legal_entity/records", name="张三商店")
        reader.ask("/api/v1/datasets/legal_entity/records", legal_representative="张三")

    said = [record.getMessage() for record in caplog.records if record.name == "registry.api.access"]
    lines = [line for line in said if "/token" not in line]  # written too where the level was that low before
    assert lines[0].startswith("GET /api/v1/datasets/{dataset}/records/{key} 200 ")
    assert f"client={reader.client.id}" in lines[0]  # type: ignore[union-attr]
    assert uscc(1) not in caplog.text
    assert "张三" not in caplog.text
    assert "%E5%BC%A0" not in caplog.text


def test_a_failure_of_the_hub_is_a_problem_with_a_trace_id(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    reader = api.client("operate")
    with psycopg.connect(api.settings.database_url, autocommit=True) as connection:
        connection.execute("ALTER TABLE registry.batch RENAME COLUMN pulled TO fetched")

    answer = reader.ask("/api/v1/batches", headers={"X-Request-Id": "t-9"})

    problem = answer.json()
    assert (answer.status_code, problem["type"], problem["fault"]) == (500, "/problems/internal-error", "hub")
    assert (problem["trace_id"], answer.headers["X-Request-Id"]) == ("t-9", "t-9")
    assert "pulled" not in answer.text
    assert "t-9" in caplog.text


def test_a_read_that_takes_too_long_is_cut(start: Callable[..., Api], registry_url: str) -> None:
    enterprises(registry_url).publish([enterprise(1)])
    api = start(statement_seconds=0.2)
    reader = api.client("read:legal_entity")
    with psycopg.connect(registry_url) as connection:
        connection.execute("LOCK TABLE registry.record_history, registry.record")
        answer = reader.ask("/api/v1/datasets/legal_entity/records")
    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/took-too-long")
    assert answer.headers["Retry-After"]
    assert answer.json()["fault"] == "hub"
    assert reader.ask("/api/v1/datasets/legal_entity/records").status_code == 200


def test_the_api_cannot_write(api: Api) -> None:
    """Whatever a statement does, the pool's sessions are read-only."""

    async def write() -> None:
        pool = Pool(api.settings.database_url)
        await pool.open()
        try:
            await pool.rows("DELETE FROM registry.batch")
        finally:
            await pool.close()

    with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
        asyncio.run(write())


def test_ready_means_the_tables_are_those_of_this_release(api: Api, registry_url: str) -> None:
    assert api.anyone.ask("/readyz").json()["status"] == "ready"
    with psycopg.connect(registry_url, autocommit=True) as connection:
        connection.execute("UPDATE registry.alembic_version SET version_num = '0000'")
    older = api.anyone.ask("/readyz")
    assert (older.status_code, older.json()["reasons"][0]["part"]) == (503, "migrations")
    with psycopg.connect(registry_url, autocommit=True) as connection:
        connection.execute("DROP TABLE registry.alembic_version")
    assert api.anyone.ask("/readyz").json()["reasons"][0]["part"] == "migrations"
    assert api.anyone.ask("/healthz").status_code == 200


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="shuqiao-postgres-") as name:
        yield Path(name)


def test_a_database_that_goes_and_comes_back_needs_no_restart(start: Callable[..., Api], folder: Path) -> None:
    server = embedded.initialise(folder / "data", embedded.free_port())
    fast = {"fsync": "off", "shared_buffers": "32MB"}
    process = embedded.start(server, folder / "log", fast)
    try:
        with psycopg.connect(server.conninfo(), autocommit=True) as connection:
            connection.execute("CREATE DATABASE hub")
        url = server.conninfo("hub")
        migrate(url)
        permits(url).publish([permit(1, "A")])
        api = start(database_url=url, client_check_seconds=1.0)
        reader = api.client("read:permit")
        with ThreadPoolExecutor(8) as pool:  # several connections in the pool
            list(pool.map(lambda _: reader.get("/datasets/permit/records/A"), range(32)))

        embedded.stop(process)
        down = reader.ask("/api/v1/datasets/permit/records/A")
        assert (down.status_code, down.json()["type"]) == (503, "/problems/database-unavailable")
        assert (down.headers["Retry-After"], down.json()["fault"]) == ("5", "hub")
        assert api.anyone.ask("/healthz").status_code == 200
        not_ready = api.anyone.ask("/readyz")
        assert (not_ready.status_code, not_ready.json()["reasons"][0]["part"]) == (503, "database")
        assert api.token(client_id="a", client_secret="b").status_code == 503

        process = embedded.start(server, folder / "log", fast)
        assert reader.get("/datasets/permit/records/A")["record"]["key"] == "A"
        assert api.anyone.ask("/readyz").status_code == 200

        embedded.kill(process)  # without good-bye
        process = embedded.start(server, folder / "log", fast)
        answers = [reader.ask("/api/v1/datasets/permit/records/A").status_code for _ in range(20)]
        assert answers == [200] * 20
    finally:
        embedded.stop(process)


def test_the_api_starts_before_its_database(start: Callable[..., Api]) -> None:
    api = start(database_url=f"postgresql://nobody@127.0.0.1:{embedded.free_port()}/none")

    assert api.anyone.ask("/healthz").status_code == 200
    assert api.anyone.ask("/readyz").status_code == 503


def test_sigterm_ends_the_process_and_lets_waiting_readers_go(registry_url: str, tmp_path: Path) -> None:
    permits(registry_url).publish([permit(1, "A")])
    client = granting.enter(registry_url, "bank", ["read:permit"])
    port = embedded.free_port()
    settings = {
        "SHUQIAO_DATABASE_URL": registry_url,
        "SHUQIAO_TOKEN_KEY": str(tmp_path / "key.pem"),
        "SHUQIAO_SCHEMAS": str(granting.SCHEMAS),
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "registry.api", "--port", str(port)],
        env=os.environ | settings,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        with requests.Session() as session:
            session.trust_env = False
            address = f"http://127.0.0.1:{port}"
            _until_it_answers(session, f"{address}/healthz")
            form = {"grant_type": "client_credentials", "client_id": client.id, "client_secret": client.secret}
            token = session.post(f"{address}/api/v1/token", data=form, timeout=10).json()["access_token"]
            reader = Reader(address, session, client, token)
            end = reader.get("/changes", after="end")["next"]
            with ThreadPoolExecutor(1) as pool:
                waiting = pool.submit(reader.get, "/changes", after=end, wait=30)
                time.sleep(1)
                begun = time.monotonic()
                process.send_signal(signal.SIGTERM)
                assert waiting.result(10)["changes"] == []
        _, log = process.communicate(timeout=15)
    finally:
        process.kill()
        process.wait()
    assert time.monotonic() - begun < 5
    assert process.returncode in {0, -signal.SIGTERM}
    assert "Traceback" not in log
    assert client.secret not in log
    assert registry_url not in log


def _until_it_answers(session: requests.Session, address: str) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            if session.get(address, timeout=2).status_code == 200:
                return
        except requests.ConnectionError:
            time.sleep(0.1)
    raise AssertionError(address)


def test_settings_come_from_the_environment() -> None:
    url = "postgresql://u:p@h/d"
    given = {"SHUQIAO_API_PORT": "81", "SHUQIAO_TOKEN_KEY": "/k", "SHUQIAO_API_WORKERS": "3"}
    found = from_environment({"SHUQIAO_DATABASE_URL": url, **given})

    assert found == ApiSettings(url, Path("/k"), port=81, workers=3)
    assert from_environment({"SHUQIAO_DATABASE_URL": url, "SHUQIAO_RUN_DIR": "/r"}).token_key == Path(
        "/r/token_key.pem"
    )
    assert "p@h" not in repr(found)
    with pytest.raises(ApiSettingsError, match="SHUQIAO_DATABASE_URL is not set"):
        from_environment({})
    with pytest.raises(ApiSettingsError, match="SHUQIAO_API_PORT cannot be '80x'"):
        from_environment({"SHUQIAO_DATABASE_URL": url, "SHUQIAO_API_PORT": "80x"})
