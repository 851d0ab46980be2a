"""Airflow in the local stack: its environment, its four components, its migration, and the little of its API we use."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil
import psycopg
import requests

from shuqiao import settings as hub
from shuqiao.settings import Settings
from shuqiao.stack.ports import HOST
from shuqiao.stack.secrets import Secrets, write_private
from shuqiao.stack.supervisor import Part, PartFailed

ADMIN = "admin"
DATABASE = "airflow"
COMPONENTS = ("api-server", "scheduler", "dag-processor", "triggerer")
_HEALTH = {"scheduler": "scheduler", "dag-processor": "dag_processor", "triggerer": "triggerer"}
_TASK_MEMORY = 400 << 20  # bytes of the machine's memory for each task that runs at the same time
_BASE_MEMORY = 2 << 30  # bytes that PostgreSQL, Airflow's four components and the API take together


def home(settings: Settings) -> Path:
    """AIRFLOW_HOME: logs and generated files. It is not a folder with code."""
    return settings.run_dir / "airflow"


def environment(settings: Settings, secrets: Secrets, database: Callable[[str], str]) -> dict[str, str]:
    """What airflow.cfg leaves open. ``database(driver)`` gives the address of Airflow's database for a driver."""
    where = home(settings)
    return {
        "AIRFLOW_HOME": str(where),
        "AIRFLOW_CONFIG": str(hub.airflow_config()),
        "AIRFLOW__CORE__DAGS_FOLDER": str(hub.dags_folder()),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(where / "plugins"),
        "AIRFLOW__CORE__DEFAULT_TIMEZONE": settings.timezone,
        "AIRFLOW__CORE__PARALLELISM": str(parallelism()),
        "AIRFLOW__CORE__FERNET_KEY": secrets.airflow_fernet,
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://{HOST}:{settings.airflow_port}/execution/",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(where / "passwords.json"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database("postgresql+psycopg"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC": database("postgresql+asyncpg"),
        "AIRFLOW__API__HOST": HOST,
        "AIRFLOW__API__PORT": str(settings.airflow_port),
        "AIRFLOW__API__BASE_URL": f"http://{HOST}:{settings.airflow_port}",
        "AIRFLOW__API__SECRET_KEY": secrets.airflow_api,
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.airflow_jwt,
        "AIRFLOW__API_AUTH__JWT_ISSUER": "shuqiao",
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH": str(where / "bundles"),
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(where / "logs"),
        "AIRFLOW__LOGGING__DAG_PROCESSOR_CHILD_PROCESS_LOG_DIRECTORY": str(where / "logs" / "dag_processor"),
    }


def parallelism() -> int:
    """How many tasks run at the same time: two a core, as far as the memory goes, at least two."""
    memory = (psutil.virtual_memory().total - _BASE_MEMORY) // _TASK_MEMORY
    return max(2, min(2 * (os.cpu_count() or 1), memory))


def prepare(settings: Settings, secrets: Secrets) -> None:
    """The folders and the password file that Airflow expects to find."""
    where = home(settings)
    for folder in ("logs", "bundles"):
        (where / folder).mkdir(parents=True, exist_ok=True)
    write_private(where / "passwords.json", json.dumps({ADMIN: secrets.airflow_admin}))


def begin_migration(settings: Settings, environ: Mapping[str, str], conninfo: str) -> subprocess.Popen[str] | None:
    """Start bringing Airflow's database to this version's schema; None if it is there already.

    Asking Airflow itself costs seconds, so what was reached is noted beside the version and compared.
    """
    if _noted(_note(settings)) == _reached(conninfo):
        return None
    command = [sys.executable, "-m", "airflow", "db", "migrate"]
    return subprocess.Popen(  # noqa: S603
        command,
        env=dict(environ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def end_migration(settings: Settings, migration: subprocess.Popen[str], conninfo: str) -> None:
    """Wait for it. Raises PartFailed with its last words."""
    output, _ = migration.communicate()
    if migration.returncode:
        last = "\n".join(output.splitlines()[-12:])
        raise PartFailed(f"`airflow db migrate` ended with exit code {migration.returncode}:\n{last}")
    _note(settings).write_text(json.dumps(_reached(conninfo)), "utf-8")


def parts(settings: Settings, environ: Mapping[str, str]) -> list[Part]:
    """The four components. Logs are read from the folder: no log server is started."""
    options = {"scheduler": ["--skip-serve-logs"], "triggerer": ["--skip-serve-logs"]}
    return [
        Part(
            name=f"airflow-{component}",
            command=(sys.executable, "-m", "airflow", component, *options.get(component, [])),
            environment=environ,
            ready=_ready(component, settings.airflow_port),
            ready_seconds=180,
            stop_seconds=8,  # a scheduler was seen to hang after "Exited execute loop"
            stage="airflow-api" if component == "api-server" else "airflow",
        )
        for component in COMPONENTS
    ]


def health(port: int) -> dict[str, Any]:
    """``/api/v2/monitor/health``, or nothing while the API server does not answer."""
    try:
        answer = _session().get(f"http://{HOST}:{port}/api/v2/monitor/health", timeout=5)
        answer.raise_for_status()
        return dict(answer.json())
    except (requests.RequestException, ValueError):
        return {}


@dataclass(frozen=True, slots=True)
class AirflowApi:
    """Airflow's REST API as its administrator."""

    base: str
    session: requests.Session = field(repr=False)

    @classmethod
    def login(cls, port: int, password: str) -> AirflowApi:
        """Take a token for ``admin``."""
        base = f"http://{HOST}:{port}"
        session = _session()
        answer = session.post(f"{base}/auth/token", json={"username": ADMIN, "password": password}, timeout=30)
        answer.raise_for_status()
        session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        return cls(base, session)

    def dag_ids(self, tag: str) -> set[str]:
        """The DAGs that carry a tag and are not paused."""
        found: list[str] = []
        while True:
            page = self._get("/api/v2/dags", tags=tag, limit=100, offset=len(found), order_by="dag_id", paused="false")
            found += [each["dag_id"] for each in page["dags"]]
            if not page["dags"] or len(found) >= page["total_entries"]:
                return set(found)

    def import_errors(self) -> dict[str, str]:
        """DAG files that cannot be parsed, and why."""
        page = self._get("/api/v2/importErrors", limit=100)
        return {each["filename"]: each["stack_trace"] for each in page["import_errors"]}

    def begin(self, dag_id: str) -> str:
        """The id of a run that goes on or waits already (it was due while the stack was down); else of a new one."""
        path = f"/api/v2/dags/{dag_id}/dagRuns"
        there = self._get(path, state=["queued", "running"], order_by="-run_after", limit=1)["dag_runs"]
        return str(there[0]["dag_run_id"]) if there else self._trigger(dag_id)

    def goes_on(self, dag_id: str = "~") -> bool:
        """Whether a run of a DAG (``~``: of any) waits or works."""
        return bool(self._get(f"/api/v2/dags/{dag_id}/dagRuns", state=["queued", "running"], limit=1)["dag_runs"])

    def _trigger(self, dag_id: str) -> str:
        answer = self.session.post(f"{self.base}/api/v2/dags/{dag_id}/dagRuns", json={"logical_date": None}, timeout=30)
        answer.raise_for_status()
        return str(answer.json()["dag_run_id"])

    def run(self, dag_id: str, run_id: str) -> dict[str, Any]:
        """A run: its state, when it started and ended."""
        return self._get(f"/api/v2/dags/{dag_id}/dagRuns/{run_id}")

    def tasks(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """The task instances of a run."""
        page = self._get(f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances", limit=100)
        return list(page["task_instances"])

    def _get(self, path: str, **parameters: Any) -> dict[str, Any]:
        answer = self.session.get(self.base + path, params=parameters, timeout=30)
        answer.raise_for_status()
        return dict(answer.json())


def _session() -> requests.Session:
    """A session that asks loopback directly, whatever proxy the environment names."""
    session = requests.Session()
    session.trust_env = False
    return session


def _ready(component: str, port: int) -> Callable[[], bool]:
    if component == "api-server":
        return lambda: bool(health(port))
    key = _HEALTH[component]
    return lambda: (health(port).get(key) or {}).get("status") == "healthy"


def _note(settings: Settings) -> Path:
    return home(settings) / "migrated.json"


def _reached(conninfo: str) -> dict[str, str | None]:
    return {"airflow": version("apache-airflow-core"), "revision": _revision(conninfo)}


def _noted(note: Path) -> object:
    try:
        return json.loads(note.read_text("utf-8"))
    except (OSError, ValueError):
        return None


def _revision(conninfo: str) -> str | None:
    with psycopg.connect(conninfo) as connection:
        try:
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        except psycopg.errors.UndefinedTable:
            return None
    return str(row[0]) if row else None
