"""Kill -9 of PostgreSQL at places of a run; started again, retried or run anew, all is as after a clean run."""

from __future__ import annotations

import os
import signal

import pytest

from registry.domain.batches import State
from registry.intake import batches
from registry.storage.database import connect
from tests.reliability import holding
from tests.reliability.conftest import Hub, resume, run_anew
from tests.reliability.holding import Held, Place, until
from tests.reliability.kill_points import kill_points
from tests.reliability.running import Worker, Workers

FSYNC = True
PLACES = [
    ("first", holding.PLANNING),
    ("first", holding.BEGINNING),
    ("first", holding.STAGING),
    ("first", holding.FINISHING),
    ("first", holding.BETWEEN_PARTS),
    ("first", holding.FEED),
    ("first", holding.QUARANTINE),
    ("first", holding.ENDING),
    ("first", holding.COMMITTING),
    ("later", holding.STAGING),
    ("later", holding.HISTORY),
    ("later", holding.CURSOR),
    ("later", holding.COMMITTING),
]
ALWAYS = {"first-in the middle of staging", "later-publishing: history written", "later-committing"}


def crash(hub: Hub, worker: Worker) -> None:
    """Kill the server, hear what the worker says to it, start the server again."""
    hub.registry.kill()
    worker.go()
    worker.end()
    hub.registry.start()


@pytest.mark.parametrize(("load", "place"), kill_points(PLACES, ALWAYS))
def test_the_database_killed_inside_a_statement(
    hub: Hub, workers: Workers, load: str, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_OFFICE", hub.connections(load)["AIRFLOW_CONN_OFFICE"])
    with hub.registry.database(hub.templates[load]) as database:
        url = hub.registry.url(database)
        with workers.start(url, hub.connections(load)) as worker, Held(url, place) as held:
            worker.go()
            held.wait(worker.alive)
            crash(hub, worker)
            assert worker.failed is not None
            assert worker.failed[0] in {"OperationalError", "AdminShutdown", "CrashShutdown"}, worker.failed
        with hub.registry.database(database) as copy:
            resume(hub, load, database, worker)
            run_anew(hub, load, copy, worker)


@pytest.mark.parametrize(
    ("load", "place"),
    kill_points([("first", ("staged",)), ("later", ("pulled", 0)), ("later", ("staged",))], {"later-('staged',)"}),
)
def test_the_database_killed_between_statements_empties_what_was_staged(
    hub: Hub, workers: Workers, load: str, place: tuple[object, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_OFFICE", hub.connections(load)["AIRFLOW_CONN_OFFICE"])
    with hub.registry.database(hub.templates[load]) as database:
        with workers.start(hub.registry.url(database), hub.connections(load)) as worker:
            worker.until(*place)
            hub.registry.kill()
            worker.kill()
            hub.registry.start()
        with hub.registry.database(database) as copy:
            resume(hub, load, database, worker)
            run_anew(hub, load, copy, worker)


@pytest.mark.parametrize("load", kill_points(["first", "later"], {"later"}))
def test_the_database_killed_after_the_commit_before_its_answer(
    hub: Hub, workers: Workers, load: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker never learns that its batch was published: it fails, and its retry finds the work done."""
    monkeypatch.setenv("AIRFLOW_CONN_OFFICE", hub.connections(load)["AIRFLOW_CONN_OFFICE"])
    with hub.registry.database(hub.templates[load]) as database:
        url = hub.registry.url(database)
        with workers.start(url, hub.connections(load)) as worker:
            with Held(url, holding.COMMITTING) as held:
                worker.go()
                held.wait(worker.alive)
                os.kill(worker.pid, signal.SIGSTOP)
            with connect(url) as connection:
                newest = batches.reports(connection, limit=1)[0].batch_id
                until(lambda: batches.report(connection, newest).state is State.PUBLISHED)
            hub.registry.kill()
            os.kill(worker.pid, signal.SIGCONT)
            worker.end()
            hub.registry.start()
            assert worker.state is None
            assert worker.failed is not None
        with hub.registry.database(database) as copy:
            resume(hub, load, database, worker)
            run_anew(hub, load, copy, worker)
