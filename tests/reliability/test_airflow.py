"""Kill -9 of Airflow's scheduler while a run stands in the middle; started again, Airflow brings it to its end."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

from registry.storage.database import connect
from shuqiao import ingest
from shuqiao.dag_names import DAG_PREFIX, TAG
from shuqiao.settings import Settings
from shuqiao.stack import airflow, environment
from shuqiao.stack import secrets as stack_secrets
from shuqiao.stack.airflow import AirflowApi
from shuqiao.stack.postgres import free_port
from shuqiao.stack.supervisor import Part, Supervisor, tail
from tests.reliability import holding
from tests.reliability.conftest import Hub
from tests.reliability.holding import Held, Place, until
from tests.reliability.running import MANIFEST, SCHEMAS
from tests.reliability.servers import Server
from tests.reliability.state import registry, staged_tables

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(1500)]

DAG_ID = DAG_PREFIX + "office.permit-card"
PATIENCE = 400.0  # seconds; a machine that is busy otherwise may take long, and nothing waits longer than it must
QUICK = {
    # A scheduler that has been silent so long is taken for dead, and its tasks for orphans ...
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "15",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "2",
    "AIRFLOW__SCHEDULER__JOB_HEARTBEAT_SEC": "2",
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "3",
    # ... and so is a task that has been silent so long.
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "30",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "3",
    "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "2",
}
TWO_PARTS = """
from airflow.plugins_manager import AirflowPlugin

from connectors.kinds import sql

sql.FEW_ROWS = 100


class FewRows(AirflowPlugin):
    name = "few_rows"
"""
"""In the plugins folder: the tasks split this small source in two, as the clean runs of these tests do."""


@dataclass
class Scheduler:
    """One life of the scheduler, and what descends from it."""

    part: Part
    supervisor: Supervisor
    process: subprocess.Popen[bytes]
    descended: list[psutil.Process] = field(default_factory=list)

    @classmethod
    def start(cls, part: Part, logs: Path) -> Scheduler:
        supervisor = Supervisor(logs)
        with supervisor.log(part.name).open("ab") as log:
            process = subprocess.Popen(
                part.command,
                env=dict(part.environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        supervisor.adopt(part, process)
        return cls(part, supervisor, process)

    def alive(self) -> bool:
        return self.process.poll() is None

    def kill(self, *, tree: bool) -> None:
        """Kill -9 of the scheduler, and of its executor's workers and their tasks where the machine or unit goes."""
        self.descended = psutil.Process(self.process.pid).children(recursive=True)
        assert len(self.descended) > 1, "no worker, no task"
        self.process.kill()
        self.process.wait()
        if tree:
            self.end()

    def end(self) -> None:
        """Nothing of this life is left."""
        if self.alive():
            self.descended = psutil.Process(self.process.pid).children(recursive=True)
            self.supervisor.stop()
        for process in self.descended:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(self.descended, timeout=20)


@dataclass
class Airflow:
    """An API server and a DAG processor that stay, and schedulers that come and go."""

    settings: Settings
    environ: Mapping[str, str]
    database: str
    """The address of Airflow's own database."""
    api: AirflowApi
    lives: list[Scheduler] = field(default_factory=list)

    @property
    def logs(self) -> Path:
        return self.settings.run_dir / "logs"

    def schedule(self, registry_url: str, connections: Mapping[str, str]) -> Scheduler:
        """Start a scheduler whose tasks feed that registry."""
        environ = {**self.environ, **connections, "SHUQIAO_DATABASE_URL": registry_url}
        part = _part("scheduler", self.settings, environ)
        self.lives.append(Scheduler.start(part, self.logs))
        return self.lives[-1]

    def query(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.database) as connection:
            return connection.execute(query.encode(), values).fetchall()

    def attempts(self, run_id: str) -> int:
        """How many tries of tasks were given up."""
        return len(self.query("SELECT FROM task_instance_history WHERE run_id = %s", run_id))

    def state(self, run_id: str) -> str:
        return str(self.api.run(DAG_ID, run_id)["state"])


@pytest.fixture(scope="module")
def running_airflow(hub: Hub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Airflow]:
    """Airflow as the local stack has it, without a scheduler yet."""
    folder = tmp_path_factory.mktemp("airflow")
    settings = Settings(run_dir=folder / "run", airflow_port=free_port(), postgres_port=hub.registry.server.port)
    settings.run_dir.mkdir()
    (settings.run_dir / "logs").mkdir()
    (folder / "manifests").mkdir()
    shutil.copy(MANIFEST, folder / "manifests")
    secrets = stack_secrets.load(settings.run_dir)
    airflow.prepare(settings, secrets)
    plugins = airflow.home(settings) / "plugins"
    plugins.mkdir()
    (plugins / "few_rows.py").write_text(TWO_PARTS, "utf-8")

    database = _create(hub.registry, airflow.DATABASE)
    environ = {
        **environment.clean(os.environ),
        **airflow.environment(settings, secrets, lambda driver: hub.registry.server.url(airflow.DATABASE, driver)),
        **QUICK,
        "SHUQIAO_RUN_DIR": str(settings.run_dir),
        "SHUQIAO_MANIFESTS": str(folder / "manifests"),
        "SHUQIAO_DEMO_CONNECTORS": "no",
        "SHUQIAO_SCHEMAS": str(SCHEMAS),
    }
    migration = airflow.begin_migration(settings, environ, database)
    assert migration is not None
    airflow.end_migration(settings, migration, database)

    staying = Supervisor(settings.run_dir / "logs")
    try:
        for component in ("api-server", "dag-processor"):
            staying.start(_part(component, settings, environ))
        staying.wait_ready()
        api = AirflowApi.login(settings.airflow_port, secrets.airflow_admin)
        until(lambda: DAG_ID in api.dag_ids(TAG), seconds=PATIENCE)
        made = Airflow(settings, environ, database, api)
        yield made
        for life in made.lives:
            life.end()
        api.session.close()
    finally:
        staying.stop()


CASES = [
    pytest.param("first", holding.STAGING, "tree", id="staging, with its tasks"),
    pytest.param("first", holding.BETWEEN_PARTS, "alone, its task waits", id="pulling, alone", marks=pytest.mark.long),
    pytest.param(
        "later", holding.STAGING, "alone, its task ends", id="staging, alone, the task ends meanwhile",
        marks=pytest.mark.long,
    ),
    pytest.param("later", holding.COMMITTING, "tree", id="committing, with its tasks", marks=pytest.mark.long),
]  # fmt: skip


@pytest.mark.parametrize(("load", "place", "killed"), CASES)
def test_a_scheduler_killed_in_the_middle_of_a_run(
    hub: Hub, running_airflow: Airflow, load: str, place: Place, killed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with hub.registry.database(hub.templates[load]) as database:
        url = hub.registry.url(database)
        first = running_airflow.schedule(url, hub.connections(load))
        second = None
        try:
            run_id = running_airflow.api.begin(DAG_ID)
            with Held(url, place) as held:
                held.wait(first.alive, PATIENCE)
                first.kill(tree=killed == "tree")
                if killed == "alone, its task ends":
                    held.release()
                second = running_airflow.schedule(url, hub.connections(load))
                if killed != "alone, its task ends":
                    until(lambda: running_airflow.attempts(run_id) > 0, second.alive, PATIENCE)
                    held.release()
                until(lambda: running_airflow.state(run_id) in {"success", "failed"}, second.alive, PATIENCE)
            assert running_airflow.state(run_id) == "success", tail(running_airflow.logs / "airflow-scheduler.log", 60)
            _as_after_a_clean_run(hub, load, url, run_id)
            note = "SELECT content FROM dag_run_note JOIN dag_run ON id = dag_run_id WHERE run_id = %s"
            assert len(running_airflow.query(note, run_id)) == 1
        finally:
            first.end()
            if second is not None:
                second.end()
        monkeypatch.setenv("AIRFLOW_CONN_OFFICE", hub.connections(load)["AIRFLOW_CONN_OFFICE"])
        again = ingest.run(url, hub.manifest)
        assert (again.counts.new, again.counts.changed, again.counts.deleted) == (0, 0, 0)
        assert registry(url) == hub.clean[load]


def _as_after_a_clean_run(hub: Hub, load: str, url: str, run_id: str) -> None:
    with connect(url) as connection:
        batches = connection.execute(
            "SELECT state, (SELECT count(*) FROM registry.batch_part WHERE batch_id = batch.id)"
            " FROM registry.batch WHERE run_id = %s",
            [run_id],
        ).fetchall()
    assert batches == [("published", 2)]
    assert registry(url) == hub.clean[load]
    assert staged_tables(url) == 0


def _part(component: str, settings: Settings, environ: Mapping[str, str]) -> Part:
    found = [part for part in airflow.parts(settings, environ) if part.name == f"airflow-{component}"]
    return found[0]


def _create(server: Server, database: str) -> str:
    with connect(server.url()) as connection:
        connection.execute(f"CREATE DATABASE {database}".encode())
    return server.url(database)
