"""Kill -9 of the API, of its database and of its connections while many read: no answer without its entry."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest
import requests

from registry.audit import check, reading
from registry.storage.database import connect
from registry.storage.migrate import migrate
from shuqiao.stack import postgres as embedded
from tests import granting
from tests.reliability.servers import Server

READERS = 8
ANSWERS = 60


@dataclass
class Readers:
    """Reads without end, and what was answered: the request's id and the index of its receipt."""

    address: str
    token: str
    answered: list[tuple[str, int]] = field(default_factory=list)
    refused: list[int] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)

    def read(self, number: int) -> None:
        with requests.Session() as session:
            session.trust_env = False
            turn = 0
            while not self.ended.is_set():
                turn += 1
                name = f"reader-{number}-{turn}"
                headers = {"Authorization": f"Bearer {self.token}", "X-Request-Id": name}
                try:
                    answer = session.get(f"{self.address}/api/v1/datasets", headers=headers, timeout=20)
                except requests.RequestException:
                    time.sleep(0.01)
                    continue
                if answer.status_code == 200:
                    index = answer.headers["Shuqiao-Receipt"].partition(",")[0].removeprefix("index=")
                    self.answered.append((name, int(index)))
                else:
                    self.refused.append(answer.status_code)

    def until(self, happened: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 60
        while not happened():
            assert time.monotonic() < deadline
            time.sleep(0.005)

    def more(self, count: int) -> None:
        """Wait for so many more answers."""
        before = len(self.answered)
        self.until(lambda: len(self.answered) >= before + count)


@contextmanager
def api(url: str, folder: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    environment = {**os.environ, "SHUQIAO_DATABASE_URL": url, "SHUQIAO_TOKEN_KEY": str(folder / "key.pem")}
    process = subprocess.Popen(
        [sys.executable, "-m", "registry.api", "--port", str(port)], env=environment, stderr=subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@contextmanager
def reading_from(url: str, port: int) -> Iterator[Readers]:
    client = granting.enter(url, "bank", ["read:*"])
    address = f"http://127.0.0.1:{port}"
    with requests.Session() as session:
        session.trust_env = False
        _until_it_answers(session, f"{address}/healthz")
        form = {"grant_type": "client_credentials"}
        answer = session.post(f"{address}/api/v1/token", data=form, auth=(client.id, client.secret), timeout=20)
    readers = Readers(address, answer.json()["access_token"])
    threads = [threading.Thread(target=readers.read, args=(number,)) for number in range(READERS)]
    for thread in threads:
        thread.start()
    try:
        yield readers
    finally:
        readers.ended.set()
        for thread in threads:
            thread.join(60)


def assert_every_answer_has_its_entry(url: str, readers: Readers) -> None:
    with connect(url) as connection:
        logged = {row.index: row.entry.trace_id for row in reading.between(connection, 0, 1 << 30)}
        assert check.check(connection, []).findings == ()
    assert readers.answered
    for name, index in readers.answered:
        assert logged.get(index) == name
    assert len(readers.answered) <= len(logged)


def test_the_api_killed_while_many_read(registry_url: str, tmp_path: Path) -> None:
    port = embedded.free_port()
    with ExitStack() as stack:
        process = stack.enter_context(api(registry_url, tmp_path, port))
        readers = stack.enter_context(reading_from(registry_url, port))
        for _ in range(3):
            readers.more(ANSWERS)
            process.kill()
            process.wait()
            process = stack.enter_context(api(registry_url, tmp_path, port))
        readers.more(ANSWERS)
        process.kill()

    assert_every_answer_has_its_entry(registry_url, readers)


def test_its_connections_cut_while_many_read(registry_url: str, tmp_path: Path) -> None:
    port = embedded.free_port()
    with (
        api(registry_url, tmp_path, port),
        reading_from(registry_url, port) as readers,
        psycopg.connect(registry_url, autocommit=True) as connection,
    ):
        for _ in range(10):
            readers.more(10)
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        readers.more(ANSWERS)

    assert set(readers.refused) <= {503}
    assert_every_answer_has_its_entry(registry_url, readers)


@pytest.fixture
def server() -> Iterator[Server]:
    """A PostgreSQL that writes through to the disk, as in production."""
    with tempfile.TemporaryDirectory(prefix="shuqiao-log-") as name:
        made = Server.create(Path(name), fsync=True)
        yield made
        made.stop()


def test_the_database_killed_while_many_read(server: Server, tmp_path: Path) -> None:
    url, port = server.url(), embedded.free_port()
    migrate(url)
    with api(url, tmp_path, port), reading_from(url, port) as readers:
        for _ in range(3):
            readers.more(ANSWERS)
            server.kill()
            before = len(readers.refused)
            readers.until(lambda seen=before: len(readers.refused) > seen)  # type: ignore[misc]
            server.start()
        readers.more(ANSWERS)

    assert set(readers.refused) == {503}
    assert_every_answer_has_its_entry(url, readers)


def _until_it_answers(session: requests.Session, address: str) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            if session.get(address, timeout=2).status_code == 200:
                return
        except requests.RequestException:
            time.sleep(0.1)
    raise AssertionError(address)
