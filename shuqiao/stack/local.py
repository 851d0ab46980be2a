"""The local stack: everything on one machine, started in order, run once, shown, and stopped without a trace."""

from __future__ import annotations

import fcntl
import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import sqlalchemy as sa
from psycopg import sql
from rich.console import Console

from connectors.manifest import load_all
from registry.domain.batches import BatchReport
from registry.intake import batches
from registry.licences.progress import TypeCount
from registry.sealing import key_file
from registry.storage.database import connect
from registry.storage.migrate import migrate, revisions
from shuqiao import settings as hub
from shuqiao.dag_names import CREDIT_DAG, DAG_PREFIX, LICENCES_DAG, TAG
from shuqiao.demo import departments, life
from shuqiao.demo.rosters import City
from shuqiao.manifests import folders
from shuqiao.settings import Settings
from shuqiao.stack import airflow, credit, environment, licences, ports, postgres, reader
from shuqiao.stack import secrets as stack_secrets
from shuqiao.stack.airflow import AirflowApi
from shuqiao.stack.postgres import EmbeddedPostgres, PostgresFailed
from shuqiao.stack.secrets import Secrets, personal_keys_file
from shuqiao.stack.show import RunState, Show
from shuqiao.stack.supervisor import Part, PartFailed, StopRequested, Supervisor, tail

DONE = 0
NOT_PUBLISHED = 1
"""ONCE: a connector did not publish, or the API did not answer as it should."""
CANNOT_START = 2
"""A setting is wrong, a port is taken, or another stack runs here."""
PART_FAILED = 4

REGISTRY_DATABASE = "shuqiao"
_DAGS_SECONDS = 180.0
_STALL_SECONDS = 300.0
"""So long without any task moving on: something is wrong that waiting will not mend."""
_API_SECONDS = 60.0
_ENDING_SECONDS = 120.0


def dag_id(connector: str) -> str:
    """The DAG that runs a connector."""
    return DAG_PREFIX + connector


def run(settings: Settings, *, once: bool, console: Console) -> int:
    """Start the stack, run every connector, show what came; then stay (or, ``once``, stop). The exit code."""
    show = Show(console)
    settings.run_dir.mkdir(parents=True, exist_ok=True)
    supervisor = Supervisor(settings.run_dir / "logs")
    try:
        with _sole_user(settings.run_dir), supervisor:
            return _Stack(settings, stack_secrets.load(settings.run_dir), supervisor, show).live(once=once)
    except CannotStart as refused:
        for sentence in refused.args[0]:
            show.line(sentence, "red")
        return CANNOT_START
    except (PartFailed, PostgresFailed) as failed:
        show.line(f"停止 / stopping: {failed}", "red")
        return PART_FAILED
    except StopRequested as stop:
        show.line(f"已停止 / stopped ({stop})")
        return DONE if supervisor.was_up else 128 + stop.number


class CannotStart(RuntimeError):  # noqa: N818
    """Something stands in the way; the first argument is a list of sentences."""


@dataclass(slots=True)
class _Stack:
    settings: Settings
    secrets: Secrets
    supervisor: Supervisor
    show: Show

    def live(self, *, once: bool) -> int:
        """The whole life of the stack."""
        if sentences := ports.taken({hub.variable(name): port for name, port in hub.ports(self.settings).items()}):
            raise CannotStart(sentences)
        began = time.monotonic()
        environ = self._prepare()
        self._start(environ)
        self.show.line(reader.addresses(self.settings, self.secrets)[0])
        reports, good = self._first_cycle()
        client = reader.client(self.settings.run_dir, environ["SHUQIAO_DATABASE_URL"])
        answered = reader.check(self.settings.api_port, client, deadline=_API_SECONDS)
        counts, shown = self._licences(environ, client)
        kept, enterprise = self._credit(environ, client)
        self.show.summary(reports)
        self.show.licences(counts)
        self.show.credit(kept, enterprise)
        for line in reader.guide(self.settings, self.secrets, client, answered, shown, enterprise):
            self.show.line(line)
        self.show.line(f"用时 / ready after {time.monotonic() - began:.0f} s")
        if once:
            self._let_end()
            for problem in answered.problems:
                self.show.line(problem, "red")
            if shown is None:
                self.show.line("没有签发任何电子证照 / no licence was issued", "red")
            if enterprise is None:
                self.show.line("没有可显示的企业信用档案 / no enterprise's credit file can be shown", "red")
            done = good and not answered.problems and shown is not None and enterprise is not None
            return DONE if done else NOT_PUBLISHED
        self.supervisor.was_up = True
        self.show.line("按 Ctrl-C 停止 / Ctrl-C stops everything")
        while True:
            self.supervisor.sleep(3600)

    def _prepare(self) -> dict[str, str]:
        """Everything that must be there before the parts start; the environment of every part."""
        with self.show.step("启动 PostgreSQL", "starting PostgreSQL"):
            server = self._start_postgres()
            _create_databases(server, self.secrets)
        environ = self._environment(server)
        airflow.prepare(self.settings, self.secrets)
        data = self.settings.run_dir / "demo"
        with _airflow_migration(self.settings, environ, server, self.show):
            with self.show.step("登记库结构", "registry schema"):
                _migrate_registry(environ["SHUQIAO_DATABASE_URL"])
            with self.show.step("发证机关的密钥与电子印章", "keys and seals of the issuing authorities"):
                licences.enter_issuers(
                    environ["SHUQIAO_DATABASE_URL"],
                    environ["SHUQIAO_PUBLIC_URL"],
                    self._master_key_file(),
                    sm2=self.settings.sm2,
                )
            with self.show.step(
                f"示范城市 {self.settings.scale:,} 户", f"demo city of {self.settings.scale:,} enterprises"
            ):
                engine = sa.create_engine(_market_url(server, self.secrets))
                life.generate(data, engine, City(scale=self.settings.scale))
                engine.dispose()
        connections = departments.connections(
            market_url=_market_url(server, self.secrets),
            data=data,
            tax_port=self.settings.tax_port,
            tax_secret=self.secrets.tax,
            licensing_port=self.settings.sftp_port,
            licensing_secret=self.secrets.licensing,
            credit_port=self.settings.credit_port,
            credit_secret=self.secrets.credit,
        )
        ours = {name: environ[name] for name in environ if name.startswith(("SHUQIAO_", "AIRFLOW"))} | connections
        environment.keep(self.settings.run_dir, ours)
        return environ | connections

    def _start_postgres(self) -> EmbeddedPostgres:
        where = self.settings.run_dir / "postgres"
        for folder in postgres.closed_folders(where):
            self.show.line(f"chmod o+x {folder}  (PostgreSQL 不以 root 运行 / PostgreSQL does not run as root)")
        server = postgres.initialise(where, self.settings.postgres_port, self.secrets.postgres)
        process = postgres.start(server, self.supervisor.log("postgres"))
        self.supervisor.adopt(Part("postgres", (), stop_signal=postgres.STOP_SIGNAL, stop_seconds=20), process)
        return server

    def _environment(self, server: EmbeddedPostgres) -> dict[str, str]:
        settings = self.settings
        url = settings.database_url or server.conninfo(REGISTRY_DATABASE)
        ours = {
            "SHUQIAO_DATABASE_URL": url,
            "SHUQIAO_RUN_DIR": str(settings.run_dir),
            "SHUQIAO_MANIFESTS": os.pathsep.join(map(str, settings.manifests)),
            "SHUQIAO_TIMEZONE": settings.timezone,
            "SHUQIAO_PUBLIC_URL": hub.public_url(settings),
            "SHUQIAO_MASTER_KEY_FILE": str(self._master_key_file()),
            key_file.VARIABLE: str(personal_keys_file(settings.run_dir)),
            "SHUQIAO_LICENCE_TYPES": os.pathsep.join(map(str, settings.licence_types)),
            "SHUQIAO_CREDIT_RULES": os.pathsep.join(map(str, settings.credit_rules)),
            "SHUQIAO_CREDIT_PLACE": settings.credit_place,
            "SHUQIAO_WEBHOOK_HTTP": settings.webhook_http,
            "SHUQIAO_WEBHOOK_NETWORKS": settings.webhook_networks,
            "SHUQIAO_WEBHOOK_PORTS": settings.webhook_ports,
            "SHUQIAO_SCALE": str(settings.scale),
            "SHUQIAO_DEMO_DATA": str(settings.run_dir / "demo"),
            **{hub.variable(name): str(port) for name, port in hub.ports(settings).items()},
        }
        ours |= airflow.environment(settings, self.secrets, lambda driver: server.url(airflow.DATABASE, driver))
        return environment.clean(os.environ) | ours

    def _start(self, environ: Mapping[str, str]) -> None:
        with self.show.step(
            "启动部门系统、登记库接口和 Airflow", "starting the departments, the registry API and Airflow"
        ):
            for part in [*self._department_parts(environ), self._api_part(environ), self._delivery_part(environ)]:
                self.supervisor.start(part)
            for part in airflow.parts(self.settings, environ):
                self.supervisor.start(part)
            self.supervisor.wait_ready()

    def _department_parts(self, environ: Mapping[str, str]) -> Iterator[Part]:
        settings, secrets = self.settings, self.secrets
        where = {
            "tax": (settings.tax_port, secrets.tax),
            "licensing": (settings.sftp_port, secrets.licensing),
            "credit": (settings.credit_port, secrets.credit),
        }
        for server in departments.SERVERS:
            port, secret = where[server.name]
            yield Part(
                name=f"demo-{server.name}",
                command=tuple(server.command(port, settings.run_dir / "demo")),
                environment={**environ, **server.environment(secret)},
                ready=lambda port=port: ports.accepts(port),  # type: ignore[misc]
                stop_seconds=5,
                stage="serving",
            )

    def _api_part(self, environ: Mapping[str, str]) -> Part:
        return Part(
            name="registry-api",
            command=(sys.executable, "-m", "registry.api"),
            environment=environ,
            ready=lambda: reader.is_ready(self.settings.api_port),
            stop_seconds=5,
            stage="serving",
        )

    def _delivery_part(self, environ: Mapping[str, str]) -> Part:
        return Part(
            name="registry-delivery",
            command=(sys.executable, "-m", "registry.delivery"),
            environment=environ,
            stop_seconds=15,
            stage="serving",
        )

    def _first_cycle(self) -> tuple[dict[str, BatchReport | None], bool]:
        """Run every connector once; what each brought, and whether every one published."""
        manifests, errors = load_all(folders(self.settings))
        for error in errors:
            self.show.line(str(error), "red")
        connectors = sorted(manifest.connector for manifest in manifests)
        api = AirflowApi.login(self.settings.airflow_port, self.secrets.airflow_admin)
        with self.show.step("等待 DAG", "waiting for the DAGs"):
            missing = self._wait_for_dags(api, {LICENCES_DAG, CREDIT_DAG, *map(dag_id, connectors)})
        for filename, trace in api.import_errors().items() if missing else ():
            self.show.line(f"{filename}: {trace.strip().splitlines()[-1]}", "red")
        for name in sorted(missing):
            self.show.line(f"DAG 没有出现 / the DAG did not appear: {name}", "red")
        present = [connector for connector in connectors if dag_id(connector) not in missing]
        run_ids = {connector: api.begin(dag_id(connector)) for connector in present}
        states = self._follow(api, run_ids)
        url = self.settings.database_url or self._registry_url()
        with connect(url) as connection:
            reports = {each: _report(connection, each, run_ids.get(each)) for each in connectors}
        for connector in present:
            self._explain(api, connector, run_ids[connector], states[connector], reports[connector])
        published = all(report is not None and report.state == "published" for report in reports.values())
        succeeded = all(state.state == "success" for state in states.values())
        return reports, bool(connectors) and not errors and not missing and published and succeeded

    def _licences(
        self, environ: Mapping[str, str], client: reader.Client
    ) -> tuple[list[TypeCount], licences.Example | None]:
        """Wait until the e-licences have followed the records; how many there are, and one to look at."""
        url, base = environ["SHUQIAO_DATABASE_URL"], environ["SHUQIAO_PUBLIC_URL"]
        with self.show.step("签发电子证照", "issuing e-licences"):
            counts = licences.wait(url, self.supervisor.sleep)
            token = reader.token(self.settings.api_port, client)
            folder = self.settings.run_dir / "licences"
            return counts, licences.example(url, base, self.settings.api_port, token, folder)

    def _credit(self, environ: Mapping[str, str], client: reader.Client) -> tuple[credit.Kept, credit.Example | None]:
        """Wait until what is known of enterprises has followed the records; what was found, and one to look at."""
        url = environ["SHUQIAO_DATABASE_URL"]
        api = AirflowApi.login(self.settings.airflow_port, self.secrets.airflow_admin)
        with self.show.step("企业信用档案", "enterprises' credit files"):
            if not credit.wait(url, lambda: api.goes_on(CREDIT_DAG), self.supervisor.sleep):
                self.show.line(f"{CREDIT_DAG} 没有进展 / makes no progress", "red")
            token = reader.token(self.settings.api_port, client)
            folder = self.settings.run_dir / "credit"
            shown = credit.example(url, environ["SHUQIAO_PUBLIC_URL"], self.settings.api_port, token, folder)
            return credit.kept(url), shown

    def _let_end(self) -> None:
        """Wait until no run goes on, whatever set it off: who stops now stops nothing half-way."""
        api = AirflowApi.login(self.settings.airflow_port, self.secrets.airflow_admin)
        deadline = time.monotonic() + _ENDING_SECONDS
        while api.goes_on() and time.monotonic() < deadline:
            self.supervisor.sleep(0.5)

    def _master_key_file(self) -> Path:
        return licences.master_key_file(self.settings.run_dir)

    def _registry_url(self) -> str:
        server = EmbeddedPostgres(
            self.settings.run_dir / "postgres", self.settings.postgres_port, self.secrets.postgres
        )
        return server.conninfo(REGISTRY_DATABASE)

    def _wait_for_dags(self, api: AirflowApi, wanted: set[str]) -> set[str]:
        """Wait until Airflow knows these DAGs; those that it does not know in the end."""
        deadline = time.monotonic() + _DAGS_SECONDS
        while missing := wanted - api.dag_ids(TAG):
            if time.monotonic() > deadline or api.import_errors():
                return missing
            self.supervisor.sleep(0.5)
        return set()

    def _follow(self, api: AirflowApi, run_ids: Mapping[str, str]) -> dict[str, RunState]:
        """Watch the runs until they have ended."""
        began = moved = time.monotonic()
        states = {connector: RunState(connector, "queued", 0, 0, 0.0) for connector in run_ids}
        with self.show.runs() as shown:
            while any(each.state not in {"success", "failed"} for each in states.values()):
                if time.monotonic() - moved > _STALL_SECONDS:
                    self.show.line(f"{_STALL_SECONDS:.0f} 秒没有进展 / no progress for so many seconds", "red")
                    break
                self.supervisor.sleep(1)
                before_all = {each.connector: (each.state, each.done) for each in states.values()}
                for connector, before in states.items():
                    if before.state not in {"success", "failed"}:
                        states[connector] = _state(api, connector, run_ids[connector], time.monotonic() - began)
                if before_all != {each.connector: (each.state, each.done) for each in states.values()}:
                    moved = time.monotonic()
                shown.update(list(states.values()))
        return states

    def _explain(
        self, api: AirflowApi, connector: str, run_id: str, state: RunState, report: BatchReport | None
    ) -> None:
        """Say why a connector did not publish."""
        for reason in report.held_reasons if report is not None else ():
            self.show.line(f"{connector}: {reason.zh} / {reason.en}", "red")
        if state.state == "success":
            return
        for task in api.tasks(dag_id(connector), run_id):
            if task["state"] in {"failed", "upstream_failed"}:
                self.show.line(f"{connector}: {task['task_id']} {task['state']}", "red")
        folder = airflow.home(self.settings) / "logs" / f"dag_id={dag_id(connector)}" / f"run_id={run_id}"
        for log in sorted(folder.rglob("*.log")):
            text = tail(log, 5)
            if "rror" in text:
                self.show.line(f"{log}:\n{text}")


def _state(api: AirflowApi, connector: str, run_id: str, seconds: float) -> RunState:
    run = api.run(dag_id(connector), run_id)
    tasks = [] if run["state"] in {"success", "failed"} else api.tasks(dag_id(connector), run_id)
    done = sum(task["state"] == "success" for task in tasks)
    return RunState(connector, run["state"], done, len(tasks), seconds)


def _report(connection: psycopg.Connection, connector: str, run_id: str | None) -> BatchReport | None:
    found = batches.reports(connection, connector=connector, run_id=run_id, limit=1) if run_id else []
    return found[0] if found else None


@contextmanager
def _sole_user(run_dir: Path) -> Iterator[None]:
    """Hold the run folder: two stacks on one folder would take each other's parts for leftovers."""
    with (run_dir / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sentence = (
                f"另一个 shuqiao run 正在使用 {run_dir} / another `shuqiao run` is using {run_dir}: stop it first"
            )
            raise CannotStart([f"{sentence}, or set {hub.variable('run_dir')}"]) from None
        yield


@contextmanager
def _airflow_migration(
    settings: Settings, environ: Mapping[str, str], server: EmbeddedPostgres, show: Show
) -> Iterator[None]:
    """Bring Airflow's database up to date beside what the block does."""
    conninfo = server.conninfo(airflow.DATABASE)
    migration = airflow.begin_migration(settings, environ, conninfo)
    try:
        yield
    except BaseException:
        if migration is not None:
            migration.kill()
            migration.wait()
        raise
    if migration is not None:
        with show.step("Airflow 元数据库", "Airflow's database"):
            airflow.end_migration(settings, migration, conninfo)


def _create_databases(server: EmbeddedPostgres, secrets: Secrets) -> None:
    """The hub's databases, and market supervision's with an owner of its own, as far as they are missing."""
    with psycopg.connect(server.conninfo(), autocommit=True) as connection:
        there = {row[0] for row in connection.execute("SELECT datname FROM pg_database")}
        role = sql.Identifier(departments.MARKET_DATABASE)
        if connection.execute("SELECT FROM pg_roles WHERE rolname = %s", (departments.MARKET_DATABASE,)).rowcount == 0:
            connection.execute(
                sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(role, sql.Literal(secrets.market_supervision))
            )
        for name in (airflow.DATABASE, REGISTRY_DATABASE, departments.MARKET_DATABASE):
            if name not in there:
                owner = role if name == departments.MARKET_DATABASE else sql.Identifier(postgres.SUPERUSER)
                connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(name), owner))


def _market_url(server: EmbeddedPostgres, secrets: Secrets) -> str:
    name = departments.MARKET_DATABASE
    return f"postgresql+psycopg://{name}:{secrets.market_supervision}@{ports.HOST}:{server.port}/{name}"


def _migrate_registry(url: str) -> None:
    current, newest = revisions(url)
    if current != newest:
        migrate(url)
