"""The embedded PostgreSQL keeps its data over a stop and a crash, and needs its password."""

import os
import signal
import stat
from pathlib import Path

import psycopg
import pytest

from shuqiao.stack import postgres
from shuqiao.stack.postgres import EmbeddedPostgres, PostgresFailed

SMALL = {"shared_buffers": "16MB"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> EmbeddedPostgres:
    return postgres.initialise(tmp_path_factory.mktemp("cluster") / "data", postgres.free_port())


def test_data_survives_a_stop_and_a_kill_of_every_process(server: EmbeddedPostgres, tmp_path: Path) -> None:
    log = tmp_path / "log"
    process = postgres.start(server, log, SMALL)
    with psycopg.connect(server.conninfo()) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1 AS number")
    postgres.stop(process)
    assert process.returncode == 0

    process = postgres.start(server, log, SMALL)
    with psycopg.connect(server.conninfo()) as connection:
        connection.execute("INSERT INTO kept VALUES (2)")
    postgres.kill(process)
    assert process.returncode == -signal.SIGKILL

    process = postgres.start(server, log, SMALL)  # the stale postmaster.pid does not stand in the way
    with psycopg.connect(server.conninfo()) as connection:
        assert connection.execute("SELECT sum(number) FROM kept").fetchone() == (3,)
    postgres.stop(process)


def test_a_second_server_on_the_same_data_is_refused_and_named(server: EmbeddedPostgres, tmp_path: Path) -> None:
    process = postgres.start(server, tmp_path / "log", SMALL)
    try:
        with pytest.raises(PostgresFailed, match=rf"process {process.pid}\) already runs on"):
            postgres.start(server, tmp_path / "log2", SMALL)
    finally:
        postgres.stop(process)


def test_only_the_password_lets_in_and_it_never_shows(server: EmbeddedPostgres, tmp_path: Path) -> None:
    process = postgres.start(server, tmp_path / "log", SMALL)
    try:
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(server.conninfo().replace(server.password, "guessed"))
    finally:
        postgres.stop(process)
    assert server.password not in (tmp_path / "log").read_text()
    assert server.password not in repr(server)


def test_a_log_that_says_why_is_part_of_the_failure(server: EmbeddedPostgres, tmp_path: Path) -> None:
    with pytest.raises(PostgresFailed, match="invalid value for parameter"):
        postgres.start(server, tmp_path / "log", {"shared_buffers": "much"})


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts the server as another user")
def test_folders_above_are_opened_for_passing_through_only(tmp_path: Path) -> None:
    """As root, under a home of mode 0700: others may pass through to the data, but not list what is on the way."""
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    (home / "private").write_text("x")
    (home / "private").chmod(0o600)

    server = postgres.initialise(home / "project" / ".run" / "data", postgres.free_port())
    process = postgres.start(server, tmp_path / "log", SMALL)
    postgres.stop(process)

    assert stat.S_IMODE(home.stat().st_mode) == 0o701
    assert stat.S_IMODE(server.data.stat().st_mode) == 0o700
