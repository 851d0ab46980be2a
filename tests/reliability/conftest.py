"""Two servers to kill: the registry's and the department's; and what a clean run makes of each state."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from connectors.kinds import sql
from connectors.manifest import Manifest, load
from registry.domain.batches import State
from registry.storage.migrate import migrate
from shuqiao import ingest
from tests.reliability import office
from tests.reliability.running import MANIFEST, RUN_ID, SCHEMAS, Worker, Workers
from tests.reliability.servers import Server
from tests.reliability.state import Registry, registry, staged_tables


@dataclass
class Hub:
    """Registry and department, each on a server of its own, and how things look after clean runs."""

    registry: Server
    source: Server
    manifest: Manifest
    clean: dict[str, Registry]
    templates: dict[str, str]
    """The registry database from which a run of that load starts."""
    sources: dict[str, str]

    def connections(self, load: str) -> dict[str, str]:
        """The environment that leads a worker to the department in that state."""
        return {"AIRFLOW_CONN_OFFICE": self.source.connection_uri(self.sources[load])}


@pytest.fixture(autouse=True)
def _schemas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHUQIAO_SCHEMAS", str(SCHEMAS))
    monkeypatch.setattr(sql, "FEW_ROWS", 100)


@pytest.fixture(scope="session")
def workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workers]:
    started = Workers(tmp_path_factory.mktemp("workers"))
    yield started
    started.stop()


@pytest.fixture(scope="module")
def hub(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """Fresh for each module, since a killed server may not be there any more; fsync where the module says ``FSYNC``."""
    folder: Path = tmp_path_factory.mktemp("killed")
    with ExitStack() as stack:
        servers = []
        for name in ("registry", "source"):
            (folder / name).mkdir()
            servers.append(Server.create(folder / name, fsync=getattr(request.module, "FSYNC", False)))
            stack.callback(servers[-1].stop)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("SHUQIAO_SCHEMAS", str(SCHEMAS))
            patch.setattr(sql, "FEW_ROWS", 100)
            made = Hub(servers[0], servers[1], load(MANIFEST), {}, {}, {})
            _prepare(made, patch)
        yield made


def _prepare(hub: Hub, patch: pytest.MonkeyPatch) -> None:
    for load_name in ("first", "later"):
        hub.sources[load_name] = hub.source.create_database()
        office.fill(hub.source.url(hub.sources[load_name]), later=load_name == "later")
    database = hub.registry.create_database()
    migrate(hub.registry.url(database))
    for load_name in ("first", "later"):
        hub.templates[load_name] = hub.registry.create_database(database)
        patch.setenv("AIRFLOW_CONN_OFFICE", hub.connections(load_name)["AIRFLOW_CONN_OFFICE"])
        report = ingest.run(hub.registry.url(database), hub.manifest)
        assert report.state is State.PUBLISHED
        assert report.counts.accounted
        assert all((report.counts.new, report.counts.refused)), report.counts
        assert load_name == "first" or all((report.counts.changed, report.counts.deleted)), report.counts
        hub.clean[load_name] = registry(hub.registry.url(database))


def resume(hub: Hub, load_name: str, database: str, worker: Worker) -> None:
    """As Airflow's retry: the steps that have not ended well are taken again. Then all must be as after a clean run."""
    url = hub.registry.url(database)
    batch_id, parts = worker.batch_id, worker.parts
    if batch_id is None:
        planned = ingest.plan(url, hub.manifest, run_id=RUN_ID)
        batch_id, parts = planned.batch_id, [number for number, _ in planned.parts]
    for part in parts:
        if part not in worker.pulled:
            ingest.pull(url, hub.manifest, batch_id, part)
    report = ingest.publish(url, hub.manifest, batch_id)
    assert report.state is State.PUBLISHED
    assert report.counts.accounted
    assert registry(url) == hub.clean[load_name]
    assert staged_tables(url) == 0
    again = ingest.run(url, hub.manifest)
    assert (again.counts.new, again.counts.changed, again.counts.deleted) == (0, 0, 0)
    assert registry(url) == hub.clean[load_name]


def run_anew(hub: Hub, load_name: str, database: str, worker: Worker) -> None:
    """As the next scheduled run, whatever became of the one before; which then wakes up once more."""
    url = hub.registry.url(database)
    assert ingest.run(url, hub.manifest).state is State.PUBLISHED
    assert registry(url) == hub.clean[load_name]
    if worker.batch_id is not None:
        late = ingest.publish(url, hub.manifest, worker.batch_id)
        assert late.state in {State.SUPERSEDED, State.PUBLISHED}
        assert registry(url) == hub.clean[load_name]
