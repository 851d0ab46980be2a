"""While many read single records: the database restarted, its disk full, connections cut, token keys rotated.

No answer is wrong, each has its entry with the digest of what was asked, whoever gets none is told when to come back,
and when all is well again so is the API, without being started anew.
"""

from __future__ import annotations

import base64
import hashlib
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import jwt
import psycopg
import pytest
import requests

from registry.api.clients.clients import NewClient
from registry.api.tokens import token_keys
from registry.audit import check, reading
from registry.storage.database import connect
from registry.storage.migrate import migrate
from shuqiao.stack import postgres as embedded
from tests import granting
from tests.api.feeding import enterprise, enterprises, uscc
from tests.reliability.holding import until
from tests.reliability.servers import Server

RECORDS = 50
READERS = 8
ANSWERS = 60
DISK_MEGABYTES = 192


@dataclass
class Disk:
    """Where the database's data lies; one that can be filled where this user may mount one."""

    folder: Path
    mounted: bool

    @contextmanager
    def full(self) -> Iterator[None]:
        """Nothing is left while the block runs."""
        filler = self.folder / "filler"
        with filler.open("wb", buffering=0) as file, suppress(OSError):
            while file.write(b"\0" * 65536):
                pass
        try:
            yield
        finally:
            filler.unlink()


@dataclass
class Hub:
    """A registry with some records, and its API in processes of its own."""

    server: Server
    disk: Disk
    address: str
    token_key: Path
    client: NewClient

    @property
    def url(self) -> str:
        return self.server.url()

    def token(self) -> str:
        form = {"grant_type": "client_credentials"}
        auth = (self.client.id, self.client.secret)
        answer = requests.post(f"{self.address}/api/v1/token", data=form, auth=auth, timeout=20)
        answer.raise_for_status()
        return str(answer.json()["access_token"])


@dataclass
class Readers:
    """Reads without end. What was answered: request id, index and digest of the receipt, and what was asked."""

    address: str
    token: str
    answered: list[tuple[str, int, str, str]] = field(default_factory=list)
    refused: list[int] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)

    def read(self, number: int) -> None:
        with requests.Session() as session:
            session.trust_env = False
            turn = 0
            while not self.ended.is_set():
                turn += 1
                name, which = f"reader-{number}-{turn}", (number * 31 + turn * 7) % RECORDS
                path = f"/api/v1/datasets/legal_entity/records/{uscc(which)}"
                headers = {"Authorization": f"Bearer {self.token}", "X-Request-Id": name}
                try:
                    answer = session.get(self.address + path, headers=headers, timeout=20)
                except requests.RequestException as error:
                    self.wrong.append(f"{name}: {type(error).__name__}")
                    continue
                self._note(name, path, which, answer)

    def _note(self, name: str, path: str, which: int, answer: requests.Response) -> None:
        if answer.status_code == 200:
            if answer.json()["record"]["body"] != enterprise(which):
                self.wrong.append(f"{name}: another record")
            index, digest, _ = answer.headers["Shuqiao-Receipt"].split(", ")
            asked = digest.removeprefix("request=:").removesuffix(":")
            self.answered.append((name, int(index.removeprefix("index=")), asked, path))
            return
        self.refused.append(answer.status_code)
        if answer.status_code == 503 and not answer.headers.get("Retry-After"):
            self.wrong.append(f"{name}: 503 without Retry-After")

    def more(self, count: int) -> None:
        """Wait for so many more answers."""
        before = len(self.answered)
        until(lambda: len(self.answered) >= before + count)


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    with tempfile.TemporaryDirectory(prefix="shuqiao-load-") as name, _disk(Path(name) / "disk") as disk:
        server = Server.create(disk.folder, fsync=not disk.mounted)
        try:
            migrate(server.url())
            enterprises(server.url()).publish([enterprise(number) for number in range(RECORDS)])
            client = granting.enter(server.url(), "bank", ["read:legal_entity"])
            port, key = embedded.free_port(), Path(name) / "token_key.pem"
            with _api(server.url(), key, port):
                yield Hub(server, disk, f"http://127.0.0.1:{port}", key, client)
        finally:
            server.stop()


@contextmanager
def _disk(folder: Path) -> Iterator[Disk]:
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MEGABYTES}m,mode=0755", "tmpfs", str(folder)]
    mounted = os.geteuid() == 0 and subprocess.run(command, capture_output=True, check=False).returncode == 0
    try:
        yield Disk(folder, mounted)
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextmanager
def _api(url: str, key: Path, port: int) -> Iterator[None]:
    environment = {
        **os.environ,
        "SHUQIAO_DATABASE_URL": url,
        "SHUQIAO_TOKEN_KEY": str(key),
        "SHUQIAO_API_WORKERS": "2",
        "SHUQIAO_SCHEMAS": str(granting.SCHEMAS),
    }
    with key.with_name("api.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "registry.api", "--port", str(port)], env=environment, stderr=log
        )
    try:
        until(lambda: _answers(port), lambda: process.poll() is None)
        yield
    finally:
        process.kill()
        process.wait()


def _answers(port: int) -> bool:
    try:
        return requests.get(f"http://127.0.0.1:{port}/readyz", timeout=5).status_code == 200
    except requests.RequestException:
        return False


@contextmanager
def reading_from(hub: Hub) -> Iterator[Readers]:
    """Many readers; afterwards everything they got is held against the log."""
    readers = Readers(hub.address, hub.token())
    threads = [threading.Thread(target=readers.read, args=(number,)) for number in range(READERS)]
    for thread in threads:
        thread.start()
    try:
        readers.more(ANSWERS)
        yield readers
        readers.more(ANSWERS)
    finally:
        readers.ended.set()
        for thread in threads:
            thread.join(60)
    assert readers.wrong == []
    with connect(hub.url) as connection:
        logged = {row.index: row.entry for row in reading.between(connection, 0, 1 << 30)}
        assert check.check(connection, []).findings == ()
    for name, index, digest, path in readers.answered:
        assert logged[index].trace_id == name
        assert base64.b64encode(logged[index].request_digest).decode() == digest
        assert hashlib.sha256(f"GET {path}\n".encode()).digest() == logged[index].request_digest


def _restart(hub: Hub, readers: Readers) -> None:
    hub.server.stop()
    before = len(readers.refused)
    until(lambda: len(readers.refused) > before)
    hub.server.start()
    readers.more(ANSWERS)


def test_the_database_restarted(hub: Hub) -> None:
    with reading_from(hub) as readers:
        _restart(hub, readers)
    assert set(readers.refused) == {503}


@pytest.mark.long
def test_the_database_restarted_again_and_again(hub: Hub) -> None:
    with reading_from(hub) as readers:
        for _ in range(10):
            _restart(hub, readers)
    assert set(readers.refused) == {503}


@pytest.mark.parametrize("rounds", [20, pytest.param(1000, marks=pytest.mark.long)])
def test_a_storm_that_cuts_every_connection(hub: Hub, rounds: int) -> None:
    with reading_from(hub) as readers, psycopg.connect(hub.url, autocommit=True) as connection:
        for _ in range(rounds):
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
            )
    assert set(readers.refused) <= {503}


def test_a_full_disk(hub: Hub) -> None:
    """What cannot be put on record is not answered. PostgreSQL may give up; then its supervisor starts it again."""
    if not hub.disk.mounted:
        pytest.skip("only root can mount a small disk to be filled")
    with reading_from(hub) as readers:
        with hub.disk.full():
            before = len(readers.refused)
            until(lambda: len(readers.refused) > before + READERS)
            answered = len(readers.answered)
            until(lambda: len(readers.refused) > before + 5 * READERS)
            assert len(readers.answered) == answered, "an answer without room for its entry"
        assert hub.server.process is not None
        if hub.server.process.poll() is not None:
            hub.server.start()
        readers.more(ANSWERS)
    assert set(readers.refused) == {503}


@pytest.mark.parametrize("times", [2, pytest.param(20, marks=pytest.mark.long)])
def test_token_keys_rotated_and_dropped(hub: Hub, times: int) -> None:
    """Tokens of before work on, new ones at once and everywhere; those of a key that was dropped do not."""
    with reading_from(hub) as readers:
        for _ in range(times):
            token_keys.rotate(hub.token_key, now=datetime.now(UTC))
            readers.more(ANSWERS)
            readers.token = _by_the_new_key(hub)
            readers.more(ANSWERS)
        assert readers.refused == []

        lost = readers.token
        token_keys.rotate(hub.token_key, now=datetime.now(UTC))
        token_keys.drop(hub.token_key, _key_of(lost), now=datetime.now(UTC))
        until(lambda: len(readers.refused) > READERS)
        readers.token = _by_the_new_key(hub)
    assert set(readers.refused) == {401}
    gone = requests.get(f"{hub.address}/api/v1/datasets", headers={"Authorization": f"Bearer {lost}"}, timeout=20)
    assert gone.status_code == 401


def _by_the_new_key(hub: Hub) -> str:
    """The first token that the new key signed; a process that has not looked yet may sign with the old one after it."""
    tokens = [hub.token()]

    def found() -> bool:
        if _key_of(tokens[-1]) != _signing(hub):
            tokens.append(hub.token())
        return _key_of(tokens[-1]) == _signing(hub)

    until(found, pause=0.5)  # a client is given one token a second, and some at first
    return tokens[-1]


def _key_of(token: str) -> str:
    return str(jwt.get_unverified_header(token)["kid"])


def _signing(hub: Hub) -> str:
    return token_keys.signing(token_keys.load(hub.token_key), datetime.now(UTC)).key_id
