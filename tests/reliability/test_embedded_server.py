"""The local stack's own way to kill its PostgreSQL leaves nothing that keeps it from starting again."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path

import psutil
import psycopg

from registry.storage.database import connect
from shuqiao.stack import postgres
from tests.reliability.holding import until


def test_a_busy_server_killed_can_start_again_at_once(tmp_path: Path) -> None:
    server = postgres.initialise(tmp_path / "data", postgres.free_port())
    process = postgres.start(server, tmp_path / "log")
    working = threading.Thread(target=_work, args=(server.conninfo(),))
    working.start()
    with connect(server.conninfo()) as connection:
        busy = "SELECT FROM pg_stat_activity WHERE query LIKE '%generate_series%' AND pid <> pg_backend_pid()"
        until(lambda: bool(connection.execute(busy).rowcount))
    backends = psutil.Process(process.pid).children(recursive=True)
    try:
        postgres.kill(process)
        process = postgres.start(server, tmp_path / "log")
    finally:
        for backend in backends:
            with contextlib.suppress(psutil.NoSuchProcess):
                backend.kill()
        working.join()
        postgres.stop(process)


def _work(conninfo: str) -> None:
    with contextlib.suppress(psycopg.Error), psycopg.connect(conninfo) as connection:
        connection.execute("SELECT count(*) FROM generate_series(1, 9000000000)")
