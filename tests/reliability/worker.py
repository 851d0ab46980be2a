"""A worker as a process of its own: plans, pulls and publishes, says where it is, and waits to be told to go on.

Each line it writes is one JSON array: ``["planned", batch_id, [parts]]``, ``["rows", part, pulled]``,
``["pulled", part]``, ``["staged"]``, ``["published", state]``. After each it reads a line: ``next`` (wait again at the
next place) or ``go`` (do not wait any more).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from connectors.kinds import sql
from connectors.manifest import load
from shuqiao import ingest


def main(url: str, manifest_path: str, run_id: str) -> None:
    """One run of one connector, step by step as Airflow's tasks take them."""
    sql.FEW_ROWS = 100  # parts of few rows: what is tested is the crash, not the volume
    manifest = load(Path(manifest_path))
    planned = ingest.plan(url, manifest, run_id=run_id)
    stand("planned", planned.batch_id, [number for number, _ in planned.parts])
    for number, _ in planned.parts:
        ingest.pull(url, manifest, planned.batch_id, number, lambda so_far, part=number: stand("rows", part, so_far.pulled))  # type: ignore[misc]
        stand("pulled", number)
    stand("staged")
    report = ingest.publish(url, manifest, planned.batch_id)
    stand("published", report.state)


_waiting = True


def stand(*place: Any) -> None:
    """Say where the worker is, and wait if it still does."""
    global _waiting  # noqa: PLW0603
    print(json.dumps(place), flush=True)
    if _waiting:
        _waiting = sys.stdin.readline().strip() == "next"


if __name__ == "__main__":
    main(*sys.argv[1:])
