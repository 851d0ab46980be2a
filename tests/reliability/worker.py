"""Workers as processes of their own: each plans, pulls and publishes, says where it is, and waits to be told to go on.

Each line that a worker writes is one JSON array: ``["pid", number]``, ``["planned", batch_id, [parts]]``,
``["rows", part, pulled]``, ``["pulled", part]``, ``["staged"]``, ``["published", state]``, ``["failed", error, text]``.
After each it reads a line: ``next`` (wait again at the next place) or ``go`` (do not wait any more).

They are forked from one process that has imported everything, as Airflow's are: ``python -m tests.reliability.worker``
reads one order per line: ``{"socket": path, "arguments": [...], "environment": {...}}``.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from functools import partial
from pathlib import Path
from typing import IO, Any

from connectors.kinds import source_class, sql
from connectors.manifest import load
from shuqiao import ingest
from shuqiao.ingest import PulledPart


def serve() -> None:
    """Fork a worker for each order, until stdin ends."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for kind in ("sql", "rest"):
        source_class(kind)
    for line in sys.stdin:
        order = json.loads(line)
        if os.fork() == 0:
            os.environ.update(order["environment"])
            with socket.socket(socket.AF_UNIX) as channel:
                channel.connect(order["socket"])
                work(channel.makefile("rw"), *order["arguments"])
            os._exit(0)


class Stands:
    """Says where the worker is, and waits there if it still does."""

    def __init__(self, channel: IO[str]) -> None:
        self._channel, self._waiting = channel, True

    def __call__(self, *place: Any) -> None:
        self._channel.write(json.dumps(place) + "\n")
        self._channel.flush()
        if self._waiting:
            self._waiting = self._channel.readline().strip() == "next"


def work(channel: IO[str], url: str, manifest_path: str, run_id: str) -> None:
    """One run of one connector, step by step as Airflow's tasks take them."""
    stand = Stands(channel)
    try:
        stand("pid", os.getpid())
        sql.FEW_ROWS = 100  # parts of few rows: what is tested is the crash, not the volume
        manifest = load(Path(manifest_path))
        planned = ingest.plan(url, manifest, run_id=run_id)
        stand("planned", planned.batch_id, [number for number, _ in planned.parts])
        for number, _ in planned.parts:
            ingest.pull(url, manifest, planned.batch_id, number, partial(_rows, stand, number))
            stand("pulled", number)
        stand("staged")
        stand("published", ingest.publish(url, manifest, planned.batch_id).state)
    except Exception as error:  # noqa: BLE001  (whatever it is, the test judges it)
        stand("failed", type(error).__name__, str(error))


def _rows(stand: Stands, part: int, so_far: PulledPart) -> None:
    stand("rows", part, so_far.pulled)


if __name__ == "__main__":
    serve()
