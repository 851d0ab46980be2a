"""Department databases to read from: PostgreSQL, and MariaDB where its server is installed (CI installs it)."""

from __future__ import annotations

import getpass
import itertools
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pymysql
import pytest
import sqlalchemy as sa

from connectors.connection import Connection
from connectors.kinds.sql_server import address
from shuqiao.stack.postgres import free_port

_numbers = itertools.count()


@dataclass(frozen=True, slots=True)
class Department:
    """One department's database and a way to write into it."""

    connection: Connection
    writer: sa.Engine

    def run(self, statement: str, *rows: Mapping[str, object]) -> None:
        with self.writer.begin() as session:
            session.execute(sa.text(statement), [dict(row) for row in rows] or None)

    @property
    def times(self) -> str:
        """The type of a write time, as departments choose it."""
        return "timestamptz" if self.connection.type == "postgresql" else "datetime(6)"


@pytest.fixture(params=["postgresql", pytest.param("mariadb", marks=pytest.mark.mariadb)])
def department(request: pytest.FixtureRequest) -> Iterator[Department]:
    """An empty database of either server."""
    if request.param == "mariadb":
        url = _mariadb_database(request.getfixturevalue("mariadb"))
    else:
        url = request.getfixturevalue("database")
    yield from _department(url)


@pytest.fixture
def on_postgresql(database: str) -> Iterator[Department]:
    yield from _department(database)


def _department(url: str) -> Iterator[Department]:
    connection = Connection.parse("market_supervision", url)
    writer = sa.create_engine(address(connection), poolclass=sa.NullPool)
    yield Department(connection, writer)
    writer.dispose()


def _mariadb_database(server: str) -> str:
    name = f"test_{next(_numbers)}"
    engine = sa.create_engine(server, poolclass=sa.NullPool)
    with engine.begin() as session:
        session.execute(sa.text(f"create database {name} character set utf8mb4"))
    return sa.make_url(server).set(drivername="mariadb", database=name, query={}).render_as_string(hide_password=False)


@pytest.fixture(scope="session")
def mariadb() -> Iterator[str]:
    """The address of a MariaDB of this test run's own."""
    given = os.environ.get("SHUQIAO_TEST_MARIADB_URL")
    if given:
        yield given
        return
    program = shutil.which("mariadbd", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    if program is None:
        missing = "no MariaDB server: install mariadb-server or set SHUQIAO_TEST_MARIADB_URL"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    folder = Path(tempfile.mkdtemp(prefix="mariadb-"))
    try:
        yield from _own_mariadb(program, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _own_mariadb(program: str, folder: Path) -> Iterator[str]:
    # As whoever runs the tests: another user might not reach the temporary folder.
    user = [f"--user={getpass.getuser()}"] if os.geteuid() == 0 else []
    data, port = folder / "data", free_port()
    options = ["--no-defaults", f"--datadir={data}", *user]
    install = [shutil.which("mariadb-install-db") or "mariadb-install-db", *options]
    install += ["--auth-root-authentication-method=normal", "--skip-test-db"]
    subprocess.run(install, check=True, capture_output=True)
    options += [f"--port={port}", "--bind-address=127.0.0.1", f"--socket={folder}/s", f"--pid-file={folder}/pid"]
    options += ["--skip-name-resolve", "--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=64M"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([program, *options], stdout=log, stderr=log)
    try:
        _until_it_answers(port, process, folder / "log")
        yield f"mysql+pymysql://reader:geheim-123@127.0.0.1:{port}/"
    finally:
        process.terminate()
        process.wait(30)


def _until_it_answers(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            root = pymysql.connect(host="127.0.0.1", port=port, user="root")
        except pymysql.OperationalError:
            time.sleep(0.1)
            continue
        with root, root.cursor() as cursor:
            cursor.execute("create user reader@'%' identified by 'geheim-123'")
            cursor.execute("grant all on *.* to reader@'%'")
        return
    pytest.fail(f"MariaDB did not start:\n{log.read_text(errors='replace')[-2000:]}")
