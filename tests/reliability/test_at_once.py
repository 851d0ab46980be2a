"""The same work done twice, at once, late, or ten times over ends as if it had been done once."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from registry.domain.batches import State
from registry.intake import batches
from registry.intake.errors import BatchNotOpen
from registry.storage.database import connect
from shuqiao import ingest
from tests.reliability import holding
from tests.reliability.conftest import Hub
from tests.reliability.holding import Held
from tests.reliability.running import Workers
from tests.reliability.state import registry, staged_tables

LOADS = ["first", "later"]


@pytest.mark.parametrize("load", LOADS)
@pytest.mark.parametrize("place", [("planned",), ("rows", 0), ("staged",)], ids=str)
def test_two_runs_of_one_connector_at_once(hub: Hub, workers: Workers, load: str, place: tuple[object, ...]) -> None:
    """Both stand at the same place before both go on: one publishes, the other is superseded by it."""
    with hub.registry.database(hub.templates[load]) as database:
        url, connections = hub.registry.url(database), hub.connections(load)
        with (
            workers.start(url, connections, run_id="scheduled") as one,
            workers.start(url, connections, run_id="manual") as other,
        ):
            one.until(*place)
            other.until(*place)
            one.go()
            other.go()
            one.end()
            other.end()
        assert {one.state, other.state} == {State.PUBLISHED, State.SUPERSEDED}
        assert registry(url) == hub.clean[load]
        assert staged_tables(url) == 0


def test_a_second_publisher_waits_for_the_first_one(
    hub: Hub, workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One batch, published by two processes: while one commits, the other waits, and then has nothing to do."""
    monkeypatch.setenv("AIRFLOW_CONN_OFFICE", hub.connections("later")["AIRFLOW_CONN_OFFICE"])
    with hub.registry.database(hub.templates["later"]) as database:
        url, connections = hub.registry.url(database), hub.connections("later")
        with workers.start(url, connections) as worker, Held(url, holding.COMMITTING) as held:
            worker.go()
            held.wait(worker.alive)
            with ThreadPoolExecutor(1) as pool, connect(url) as watching:
                batch_id = batches.reports(watching, limit=1)[0].batch_id
                second = pool.submit(ingest.publish, url, hub.manifest, batch_id)
                waiting = (
                    "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%registry.connector%'"
                )
                holding.until(lambda: bool(watching.execute(waiting.encode()).rowcount), lambda: not second.done())
                watching.close()
                held.release()
                report = second.result(60)
            worker.end()
        assert (worker.state, report.state) == (State.PUBLISHED, State.PUBLISHED)
        assert registry(url) == hub.clean["later"]


@pytest.mark.parametrize("load", LOADS)
def test_a_part_retried_ten_times(hub: Hub, load: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Attempts that end well, and attempts cut off after their first rows, in turn."""
    monkeypatch.setenv("AIRFLOW_CONN_OFFICE", hub.connections(load)["AIRFLOW_CONN_OFFICE"])
    with hub.registry.database(hub.templates[load]) as database:
        url = hub.registry.url(database)
        planned = ingest.plan(url, hub.manifest)
        for number, _ in planned.parts:
            for attempt in range(10):
                if attempt % 3 == 1:
                    with pytest.raises(ConnectionAbortedError):
                        ingest.pull(url, hub.manifest, planned.batch_id, number, _cut_off)
                else:
                    ingest.pull(url, hub.manifest, planned.batch_id, number)
        report = ingest.publish(url, hub.manifest, planned.batch_id)
        assert report.counts.accounted
        assert registry(url) == hub.clean[load]
        assert staged_tables(url) == 0


def _cut_off(_: object) -> None:
    raise ConnectionAbortedError


@pytest.mark.parametrize("wakes", ["before the other ends", "after the other has ended", "after publishing"])
def test_a_zombie_attempt_wakes_up(hub: Hub, wakes: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Airflow gave an attempt up for dead and started another; then the first one goes on."""
    monkeypatch.setenv("AIRFLOW_CONN_OFFICE", hub.connections("later")["AIRFLOW_CONN_OFFICE"])
    with hub.registry.database(hub.templates["later"]) as database, ThreadPoolExecutor(2) as pool:
        url = hub.registry.url(database)
        planned = ingest.plan(url, hub.manifest)
        part, *others = [number for number, _ in planned.parts]
        for other in others:
            ingest.pull(url, hub.manifest, planned.batch_id, other)
        asleep, second, awake = Sleep(), Sleep(), Sleep()
        awake.wake.set()
        zombie = pool.submit(ingest.pull, url, hub.manifest, planned.batch_id, part, asleep)
        assert asleep.begun.wait(60)
        attempt = pool.submit(ingest.pull, url, hub.manifest, planned.batch_id, part, second)
        assert second.begun.wait(60)
        if wakes == "before the other ends":
            asleep.wake.set()
            _ended(zombie.exception(60))
        second.wake.set()
        attempt.result(60)
        if wakes == "after the other has ended":
            asleep.wake.set()
            _ended(zombie.exception(60))
        report = ingest.publish(url, hub.manifest, planned.batch_id)
        if wakes == "after publishing":
            asleep.wake.set()
            assert zombie.exception(60) is not None
        assert report.state is State.PUBLISHED
        assert registry(url) == hub.clean["later"]
        assert staged_tables(url) == 0


class Sleep:
    """Stops a pull at its first rows."""

    def __init__(self) -> None:
        self.begun, self.wake = threading.Event(), threading.Event()

    def __call__(self, _: object) -> None:
        self.begun.set()
        assert self.wake.wait(60)


def _ended(error: BaseException | None) -> None:
    """However the zombie ends, it is not by harming the hub: its table is gone, its batch is closed, or it is done."""
    assert error is None or isinstance(error, psycopg.errors.UndefinedTable | BatchNotOpen), error


def test_a_discarded_batch_does_not_come_back(hub: Hub, workers: Workers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_OFFICE", hub.connections("later")["AIRFLOW_CONN_OFFICE"])
    with hub.registry.database(hub.templates["later"]) as database:
        url = hub.registry.url(database)
        with workers.start(url, hub.connections("later")) as worker:
            worker.until("rows", 0)
            assert worker.batch_id is not None
            with connect(url) as connection:
                batches.discard(connection, worker.batch_id)
            worker.go()
            worker.end()
            assert worker.failed is not None
            assert worker.failed[0] == "BatchNotOpen"
        assert ingest.run(url, hub.manifest).state is State.PUBLISHED
        assert registry(url) == hub.clean["later"]
