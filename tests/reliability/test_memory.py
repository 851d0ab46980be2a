"""A pull takes the same memory whatever the size of the source."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from registry.storage.database import connect
from shuqiao.stack.postgres import EmbeddedPostgres
from tests.reliability.running import MANIFEST, ROOT, SCHEMAS

LIMIT_MB = 200
"""Of one worker's resident memory while it pulls, imports included (the design's ceiling is 300)."""
SLACK_MB = 12

PULL = """
import json, sys
from pathlib import Path
from connectors.manifest import load
from shuqiao import ingest

url, manifest = sys.argv[1], load(Path(sys.argv[2]))
planned = ingest.plan(url, manifest)
pulled = [ingest.pull(url, manifest, planned.batch_id, number) for number, _ in planned.parts]
status = Path("/proc/self/status").read_text()  # (ru_maxrss would count what the parent had when it forked)
peak = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
print(json.dumps([sum(part.pulled for part in pulled), peak / 1024]))
"""

VIEW = """
CREATE SCHEMA exchange;
CREATE VIEW exchange.permit_card AS
SELECT n AS serial, 'P' || lpad((n % 1000000)::text, 6, '0') AS card_no, '持证人' || n AS holder,
    CASE WHEN n % 100 = 50 THEN '未知' ELSE '有效' END AS state, '2026-01-02' AS day, 'i' AS op_flag,
    timestamptz '2026-01-02 08:00:00+08' + n * interval '1 millisecond' AS write_time
FROM generate_series(1, {rows}) n
"""


def pull(postgres: EmbeddedPostgres, database: str, registry_url: str, rows: int, manifest: Path = MANIFEST) -> float:
    """Peak memory of a process that pulls so many rows, in MB."""
    with connect(database) as connection:
        connection.execute("DROP SCHEMA IF EXISTS exchange CASCADE")
        connection.execute(VIEW.format(rows=rows).encode())
    environ = os.environ | {
        "AIRFLOW_CONN_OFFICE": postgres.url(database.rpartition("/")[2], "postgres"),
        "SHUQIAO_SCHEMAS": str(SCHEMAS),
    }
    done = subprocess.run(
        [sys.executable, "-c", PULL, registry_url, str(manifest)],
        cwd=ROOT, env=environ, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    pulled, peak = json.loads(done.stdout)
    assert pulled == rows
    return float(peak)


@pytest.mark.parametrize(
    ("small", "large"),
    [(50_000, 200_000), pytest.param(1_000_000, 10_000_000, marks=[pytest.mark.long, pytest.mark.timeout(1200)])],
)
def test_memory_stays_flat(
    postgres: EmbeddedPostgres, database: str, registry_url: str, tmp_path: Path, small: int, large: int
) -> None:
    manifest = tmp_path / "office.yaml"
    manifest.write_text(MANIFEST.read_text(encoding="utf-8").replace("batch: 100", "batch: 5000"), encoding="utf-8")
    peaks = [pull(postgres, database, registry_url, rows, manifest) for rows in (small, large)]

    assert max(peaks) < LIMIT_MB
    assert peaks[1] - peaks[0] < SLACK_MB
