"""Kill -9 of the source's server at places of a run: the step fails as one to try again, and trying again mends it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from connectors.errors import SourceUnavailable
from connectors.manifest import load
from registry.domain.batches import State
from registry.storage.database import connect
from shuqiao import ingest
from shuqiao.stack.postgres import free_port
from tests.reliability.conftest import Hub, resume, run_anew
from tests.reliability.holding import until
from tests.reliability.kill_points import kill_points
from tests.reliability.running import MANIFEST, ROOT, Workers
from tests.reliability.state import registry, staged_tables

WEB = MANIFEST.with_name("office_web.yaml")
PLACES: list[tuple[str, tuple[object, ...]]] = [
    ("first", ("pid",)),
    ("first", ("planned",)),
    ("first", ("rows", 0, 100)),
    ("first", ("pulled", 0)),
    ("first", ("rows", 1)),
    ("later", ("planned",)),
    ("later", ("rows", 0)),
    ("later", ("rows", 1)),
]
ALWAYS = {"first-('pid',)", "first-('rows', 0, 100)", "later-('rows', 1)"}


@pytest.mark.parametrize(("load_name", "place"), kill_points(PLACES, ALWAYS))
def test_the_sources_database_killed(
    hub: Hub, workers: Workers, load_name: str, place: tuple[object, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_OFFICE", hub.connections(load_name)["AIRFLOW_CONN_OFFICE"])
    with hub.registry.database(hub.templates[load_name]) as database:
        with workers.start(hub.registry.url(database), hub.connections(load_name)) as worker:
            if place != ("pid",):
                worker.until(*place)
            hub.source.kill()
            worker.go()
            worker.end()
            hub.source.start()
            # A part of which everything had come over the wire already ends well.
            assert worker.state == State.PUBLISHED or (worker.failed and worker.failed[0] == "SourceUnavailable")
        with hub.registry.database(database) as copy:
            resume(hub, load_name, database, worker)
            run_anew(hub, load_name, copy, worker)


def test_the_sources_database_killed_while_it_works_on_the_answer(
    hub: Hub, workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The table is locked, so the query waits; then the server dies."""
    monkeypatch.setenv("AIRFLOW_CONN_OFFICE", hub.connections("later")["AIRFLOW_CONN_OFFICE"])
    with hub.registry.database(hub.templates["later"]) as database:
        with workers.start(hub.registry.url(database), hub.connections("later")) as worker:
            worker.until("planned")
            locking = connect(hub.source.url(hub.sources["later"]))
            locking.execute("BEGIN")
            locking.execute("LOCK TABLE exchange.permit_card IN ACCESS EXCLUSIVE MODE")
            worker.go()
            waiting = "SELECT FROM pg_locks WHERE NOT granted"
            until(lambda: bool(locking.execute(waiting).rowcount), worker.alive)
            hub.source.kill()
            locking.close()
            worker.end()
            hub.source.start()
            assert worker.failed is not None
            assert worker.failed[0] == "SourceUnavailable"
        resume(hub, "later", database, worker)


def test_a_dead_source_does_not_stop_the_publishing_of_what_was_pulled(
    hub: Hub, workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_OFFICE", hub.connections("later")["AIRFLOW_CONN_OFFICE"])
    with hub.registry.database(hub.templates["later"]) as database:
        url = hub.registry.url(database)
        with workers.start(url, hub.connections("later")) as worker:
            worker.until("staged")
            hub.source.kill()
            worker.go()
            worker.end()
            hub.source.start()
        assert worker.state == State.PUBLISHED
        assert registry(url) == hub.clean["later"]


@contextmanager
def web_source(port: int, dies: str) -> Iterator[None]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.reliability.web_source", str(port), dies],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert int(process.stdout.readline()) == port
    try:
        yield
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.mark.parametrize(
    "dies",
    kill_points(
        ["before:1", "within:1", "after:1", "before:3", "within:3", "after:5", "within:6"],
        {"before:1", "within:3", "after:5"},
    ),
)
def test_a_web_server_killed_while_it_answers(registry_url: str, dies: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half an answer is never taken for a whole one: nothing is published, and nothing deleted, from it."""
    port = free_port()
    monkeypatch.setenv("AIRFLOW_CONN_OFFICE_WEB", f"http://127.0.0.1:{port}")
    manifest = load(WEB)
    with web_source(port, dies):
        planned = ingest.plan(registry_url, manifest)
        with pytest.raises(SourceUnavailable):
            ingest.pull(registry_url, manifest, planned.batch_id, 0)
    with pytest.raises(SourceUnavailable):
        ingest.publish(registry_url, manifest, planned.batch_id)  # would pull what is missing; the server is still down
    with web_source(port, "never"):
        ingest.pull(registry_url, manifest, planned.batch_id, 0)
    report = ingest.publish(registry_url, manifest, planned.batch_id)

    assert report.state is State.PUBLISHED
    assert (report.counts.pulled, report.counts.new, report.counts.refused) == (600, 594, 6)
    state = registry(registry_url)
    assert sorted(state.records) == sorted(f"P{n:06}" for n in range(1, 601) if n % 100 != 50)
    assert (state.counted, len(state.feed), staged_tables(registry_url)) == (594, 594, 0)
