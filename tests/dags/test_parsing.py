"""The DAG files: every connector has its DAG, a wrong manifest harms no other, a task builds only its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from shuqiao import manifests, settings
from tests.airflow_environment import airflow_environment
from tests.dags.conftest import MANIFEST

LIST = """
import json, socket, sys
import airflow.dag_processing.dagbag as dagbag
def refuse(*args, **kwargs):
    raise AssertionError("parsing opened a connection")
socket.socket.connect = refuse
bag = dagbag.DagBag(sys.argv[1])
dags = {
    name: {
        "tags": sorted(dag.tags), "owner": dag.owner, "doc": dag.doc_md, "tasks": dag.task_ids,
        "pools": sorted({task.pool for task in dag.tasks}), "retries": sorted({task.retries for task in dag.tasks}),
        "assets": sorted(
            asset.name for asset in getattr(getattr(dag.timetable, "asset_condition", None), "objects", [])
        ),
        "params": sorted(dag.params), "timezone": str(dag.timezone), "active": dag.max_active_runs,
    }
    for name, dag in bag.dags.items()
}
print(json.dumps({"dags": dags, "errors": bag.import_errors}))
"""


def parse(tmp_path: Path, file: str = "", **environ: str) -> dict[str, Any]:
    """What Airflow finds in the DAG folder, in a process that must not open any connection."""
    command = [sys.executable, "-c", LIST, str(settings.dags_folder() / file)]
    full = airflow_environment("postgresql+psycopg://nobody@127.0.0.1:9/nothing", tmp_path / "airflow") | environ
    done = subprocess.run(command, env=full, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_every_connector_has_its_dag_and_parsing_opens_no_connection(tmp_path: Path) -> None:
    found = parse(tmp_path)
    expected = {f"ingest.{manifest.connector}" for manifest in manifests.everything()[0]}

    assert found["errors"] == {}
    assert {name for name in found["dags"] if name.startswith("ingest.")} == expected
    dag = found["dags"]["ingest.market-supervision.enterprise"]
    assert dag["tasks"] == ["plan", "pull", "publish"]
    assert dag["owner"] == "market-supervision"
    assert {"shuqiao", "market-supervision", "legal_entity"} <= set(dag["tags"])
    assert "source.market_supervision" in dag["pools"]
    assert dag["retries"] == [3]
    assert dag["params"] == ["approve_batch", "dry_run", "full"]
    assert dag["active"] == 1
    assert "企业登记信息" in dag["doc"]
    assert "Enterprise registration" in dag["doc"]
    assert {"upkeep.nightly", "upkeep.freshness"} <= set(found["dags"])


def test_licences_are_issued_whenever_one_of_their_datasets_is_published(tmp_path: Path) -> None:
    found = parse(tmp_path, "hub_licences.py")

    assert found["errors"] == {}
    (dag,) = found["dags"].values()
    assert dag["assets"] == ["administrative_licence", "food_business_licence", "legal_entity"]
    assert dag["active"] == 1
    assert "电子证照" in dag["doc"]


def test_a_wrong_manifest_shows_and_takes_no_other_down(tmp_path: Path) -> None:
    folder = tmp_path / "manifests"
    folder.mkdir()
    (folder / "good.yaml").write_text(MANIFEST, "utf-8")
    (folder / "wrong.yaml").write_text(MANIFEST.replace("dataset:", "datasset:"), "utf-8")
    found = parse(tmp_path, "hub_ingest.py", SHUQIAO_MANIFESTS=str(folder))

    assert found["errors"] == {}
    assert "ingest.office.enterprise" in found["dags"]
    broken = [dag for name, dag in found["dags"].items() if name.startswith("broken-manifest.wrong")]
    assert len(broken) == 1
    assert "wrong.yaml:" in broken[0]["doc"]
    assert "datasset" in broken[0]["doc"]


@pytest.mark.parametrize("context", ["ingest.office.enterprise"])
def test_a_task_builds_only_its_own_dag(tmp_path: Path, context: str) -> None:
    folder = tmp_path / "manifests"
    folder.mkdir()
    (folder / "good.yaml").write_text(MANIFEST, "utf-8")
    found = parse(
        tmp_path,
        "hub_ingest.py",
        SHUQIAO_MANIFESTS=str(folder),
        _AIRFLOW_PARSING_CONTEXT_DAG_ID=context,
        _AIRFLOW_PARSING_CONTEXT_TASK_ID="pull",
    )
    assert list(found["dags"]) == [context]


def test_enterprises_are_kept_up_whenever_one_of_their_datasets_is_published(tmp_path: Path) -> None:
    found = parse(tmp_path, "hub_credit.py")

    assert found["errors"] == {}
    (dag,) = found["dags"].values()
    assert {"legal_entity", "tax_registration", "administrative_penalty", "serious_dishonesty"} <= set(dag["assets"])
    assert dag["active"] == 1
    assert "旧标识" in dag["doc"]
