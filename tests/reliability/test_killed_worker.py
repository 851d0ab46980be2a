"""Kill -9 of the worker at places of a run; retried or run anew, the registry is as after a clean run."""

from __future__ import annotations

import pytest

from tests.reliability import holding
from tests.reliability.conftest import Hub, resume, run_anew
from tests.reliability.holding import Held, Place
from tests.reliability.kill_points import kill_points
from tests.reliability.running import Workers

PLACES = [
    ("first", holding.PLANNING),
    ("first", holding.BEGINNING),
    ("first", holding.STAGING),
    ("first", holding.FINISHING),
    ("first", holding.BETWEEN_PARTS),
    ("first", holding.FEED),
    ("first", holding.QUARANTINE),
    ("first", holding.CURSOR),
    ("first", holding.ENDING),
    ("first", holding.COMMITTING),
    ("later", holding.STAGING),
    ("later", holding.HISTORY),
    ("later", holding.FEED),
    ("later", holding.CURSOR),
    ("later", holding.COMMITTING),
]
ALWAYS = {
    "first-planning",
    "first-in the middle of staging",
    "first-between two parts",
    "first-committing",
    "later-publishing: history written",
    "later-committing",
}
BETWEEN = [
    (load, place)
    for load in ("first", "later")
    for place in (("planned",), ("rows", 0, 200), ("pulled", 0), ("staged",), ("published",))
]
ALWAYS_BETWEEN = {"first-('rows', 0, 200)", "first-('staged',)", "later-('pulled', 0)", "later-('published',)"}


@pytest.mark.parametrize(("load", "place"), kill_points(PLACES, ALWAYS))
def test_a_worker_killed_inside_a_statement(
    hub: Hub, workers: Workers, load: str, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_OFFICE", hub.connections(load)["AIRFLOW_CONN_OFFICE"])
    with hub.registry.database(hub.templates[load]) as database:
        url = hub.registry.url(database)
        with workers.start(url, hub.connections(load)) as worker, Held(url, place) as held:
            worker.go()
            held.wait(worker.alive)
            worker.kill()
            held.release()
        with hub.registry.database(database) as copy:
            resume(hub, load, database, worker)
            run_anew(hub, load, copy, worker)


@pytest.mark.parametrize(("load", "place"), kill_points(BETWEEN, ALWAYS_BETWEEN))
def test_a_worker_killed_between_statements(
    hub: Hub, workers: Workers, load: str, place: tuple[object, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    if load == "later" and place[0] == "rows":
        place = ("rows", 0)
    monkeypatch.setenv("AIRFLOW_CONN_OFFICE", hub.connections(load)["AIRFLOW_CONN_OFFICE"])
    with hub.registry.database(hub.templates[load]) as database:
        with workers.start(hub.registry.url(database), hub.connections(load)) as worker:
            worker.until(*place)
            worker.kill()
        with hub.registry.database(database) as copy:
            resume(hub, load, database, worker)
            run_anew(hub, load, copy, worker)
