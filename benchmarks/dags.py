"""How long Airflow needs for many connectors: ``make bench-dags`` (``MANIFESTS=200 RUNS=3``).

* all: a fresh process fills Airflow's DagBag from ``dags/`` with that many more manifests (the import of Airflow
  itself, measured beside it, is taken off);
* task: what a task's process pays before its work begins: only the DAG that is being run is built. Measured as the
  parse of ``dags/hub_ingest.py`` with Airflow's parsing context set, in a fresh process that has imported Airflow, as
  Airflow's forked workers have.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from shuqiao import settings

PATTERN = Path(__file__).parent / "ingest.yaml"
TIMED = """
import json, sys, time
import airflow.sdk, airflow.dag_processing.dagbag as dagbag
began = time.perf_counter()
bag = dagbag.DagBag(sys.argv[1], bundle_path=None, collect_dags=True, known_pools=None)
print(json.dumps([time.perf_counter() - began, len(bag.dags), {k: v[-300:] for k, v in bag.import_errors.items()}]))
"""


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--manifests", type=int, default=int(os.environ.get("MANIFESTS", "200")))
    parser.add_argument("--runs", type=int, default=int(os.environ.get("RUNS", "3")))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="shuqiao-bench-") as name:
        folder = Path(name)
        write_manifests(folder / "manifests", arguments.manifests)
        everything, one = [], []
        for _ in range(arguments.runs):
            everything.append(parse(folder, None, at_least=arguments.manifests))
            one.append(parse(folder, "ingest.bench.enterprise-007", at_least=1))
    figures = {
        "manifests": arguments.manifests,
        "parse_all_s": round(statistics.median(everything), 2),
        "task_start_overhead_s": round(statistics.median(one), 3),
    }
    table = Table(title=f"{arguments.manifests} manifests, median of {arguments.runs}")
    table.add_column("")
    table.add_column("seconds", justify="right")
    table.add_row("all DAGs parsed", f"{figures['parse_all_s']}")
    table.add_row("one task's DAG parsed", f"{figures['task_start_overhead_s']}")
    Console().print(table)
    print(json.dumps({"bench": "dags", "figures": figures}))
    return 0


def write_manifests(folder: Path, count: int) -> None:
    """Manifests that differ in their names."""
    folder.mkdir(parents=True)
    text = PATTERN.read_text("utf-8")
    for number in range(count):
        (folder / f"{number:03d}.yaml").write_text(
            text.replace("bench.enterprise", f"bench.enterprise-{number:03d}"), "utf-8"
        )


def parse(folder: Path, dag_id: str | None, *, at_least: int) -> float:
    """Seconds a fresh process takes for ``dags/hub_ingest.py``."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "SHUQIAO"))}
    environ |= {
        "AIRFLOW_HOME": str(folder / "airflow"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
        "SHUQIAO_MANIFESTS": str(folder / "manifests"),
    }
    if dag_id is not None:
        environ |= {"_AIRFLOW_PARSING_CONTEXT_DAG_ID": dag_id, "_AIRFLOW_PARSING_CONTEXT_TASK_ID": "pull"}
    command = [sys.executable, "-c", TIMED, str(settings.dags_folder() / "hub_ingest.py")]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=True)
    seconds, count, errors = json.loads(done.stdout.splitlines()[-1])
    assert not errors, errors  # noqa: S101
    assert count >= at_least, count  # noqa: S101
    assert dag_id is None or count == 1, count  # noqa: S101
    return float(seconds)


if __name__ == "__main__":
    sys.exit(main())
