"""Several processes of the API on one port: one that dies is replaced, all end with the first, nobody shares a port."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest
import requests

from registry.api import workers
from shuqiao.stack import postgres as embedded
from tests.reliability.holding import until

NOWHERE = "postgresql://nobody@127.0.0.1:1/none"


@contextmanager
def api(folder: Path, port: int) -> Iterator[psutil.Process]:
    environment = {
        **os.environ,
        "SHUQIAO_DATABASE_URL": NOWHERE,
        "SHUQIAO_RUN_DIR": str(folder),
        "SHUQIAO_API_WORKERS": "2",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "registry.api", "--port", str(port)], env=environment, stderr=subprocess.DEVNULL
    )
    first = psutil.Process(process.pid)
    try:
        until(lambda: answers(port), lambda: process.poll() is None)
        yield first
    finally:
        left = [*first.children(recursive=True), first] if first.is_running() else []
        for each in left:
            with suppress(psutil.NoSuchProcess):
                each.kill()
        process.wait()


def answers(port: int) -> bool:
    """On a connection of its own."""
    try:
        return requests.get(f"http://127.0.0.1:{port}/healthz", timeout=10).status_code == 200
    except requests.RequestException:
        return False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_worker_that_dies_is_replaced_and_all_end_with_the_first_process(
    tmp_path: Path, number: signal.Signals
) -> None:
    port = embedded.free_port()
    with api(tmp_path, port) as first:
        before = first.children()
        assert len(before) == 2
        before[0].kill()
        assert all(answers(port) for _ in range(20)), "nobody is turned away meanwhile"
        until(lambda: len(first.children()) == 2 and before[0] not in first.children())

        children = first.children()
        first.send_signal(number)
        gone, alive = psutil.wait_procs([first, *children], timeout=20)
        assert (len(gone), alive) == (3, [])
    for each in workers.listen("127.0.0.1", port, 1):
        each.close()


def test_a_port_that_another_hub_has_is_not_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "PORT_SECONDS", 0.0)
    held = workers.listen("127.0.0.1", 0, 2)
    port = held[0].getsockname()[1]
    assert [each.getsockname()[1] for each in held] == [port, port]

    with pytest.raises(OSError, match="in use"):
        workers.listen("127.0.0.1", port, 2)

    for each in held:
        each.close()
