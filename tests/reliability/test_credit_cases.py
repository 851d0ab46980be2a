"""Kill -9 while repairs and objections are filed, decided and timed: nothing half, nothing twice, all agree."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from registry.storage.database import connect
from shuqiao.stack.postgres import EmbeddedPostgres
from tests.credit.cases.town import Town, disagreements, offence
from tests.reliability import credit_case_worker as worker
from tests.reliability.holding import Place
from tests.reliability.kill_points import kill_points
from tests.reliability.licence_worker import started
from tests.reliability.registries import Registries, killed_at

OUTCOME = {
    "cases": "SELECT kind, key, state, remedy, due_on, overdue_noted_at FROM registry.credit_case",
    "events": "SELECT c.kind, c.key, e.number, e.action, e.role, e.from_state, e.to_state, e.text"
    " FROM registry.credit_case_event e JOIN registry.credit_case c ON c.id = e.case_id",
    "marks": "SELECT key, disputed_since, repaired_at, withdrawn_at FROM registry.credit_mark",
    "told": "SELECT key, count(*) FROM registry.change WHERE operation = 'm' GROUP BY key",
}


def statement(moment: str, table: str) -> str:
    return f"{moment} ON registry.{table} FOR EACH STATEMENT"


def row(moment: str, table: str, condition: str) -> str:
    return f"{moment} ON registry.{table} FOR EACH ROW WHEN ({condition})"


COMMITTING = "AFTER {} ON registry.credit_case DEFERRABLE INITIALLY DEFERRED FOR EACH ROW"
FILING = [
    Place("the first case", statement("AFTER INSERT", "credit_case")),
    Place("a later case", row("AFTER INSERT", "credit_case", "NEW.key = 'P5' AND NEW.kind = 'repair'")),
    Place("its event", statement("AFTER INSERT", "credit_case_event")),
    Place("the mark", row("AFTER INSERT", "credit_mark", "NEW.key = 'P4'")),
    Place("the feed", statement("AFTER INSERT", "change")),
    Place("committing", COMMITTING.format("INSERT"), constraint=True),
]
DECIDING = [
    Place("a case accepted", row("AFTER UPDATE", "credit_case", "NEW.state = 'accepted'")),
    Place("a case forwarded", row("AFTER UPDATE", "credit_case", "NEW.state = 'forwarded' AND NEW.key = 'P3'")),
    Place("a repair granted", row("AFTER UPDATE", "credit_case", "NEW.state = 'granted' AND NEW.kind = 'repair'")),
    Place("an objection refused", row("AFTER UPDATE", "credit_case", "NEW.state = 'refused'")),
    Place("the event of a decision", row("AFTER INSERT", "credit_case_event", "NEW.action = 'grant'")),
    Place("a mark taken away", statement("AFTER DELETE", "credit_mark")),
    Place("a mark of repair", row("AFTER UPDATE", "credit_mark", "NEW.repaired_at IS NOT NULL")),
    Place("a mark of annulment", row("AFTER UPDATE", "credit_mark", "NEW.withdrawn_at IS NOT NULL")),
    Place("the feed", statement("AFTER INSERT", "change")),
    Place("committing", COMMITTING.format("UPDATE"), constraint=True),
]
TIMING = [
    Place("the first deadline", statement("AFTER UPDATE", "credit_case")),
    Place("a later deadline", row("AFTER UPDATE", "credit_case", "NEW.key = 'P6'")),
    Place("its event", statement("AFTER INSERT", "credit_case_event")),
    Place("committing", COMMITTING.format("UPDATE"), constraint=True),
]


class Cases(Registries):
    """Databases to start from: records; the same with cases filed. And what a clean run makes of them."""

    def __init__(self, server: EmbeddedPostgres, empty: str) -> None:
        super().__init__(server, "cases")
        self.clean: dict[Callable[[str], None], dict[str, list[tuple[Any, ...]]]] = {}
        town = Town(self.create(empty, "records"))
        town.penalties(*(offence(number) for number in range(1, worker.RECORDS + 1)))
        town.connection.close()
        filed = self.create("cases_records", "filed")
        worker.file(filed)
        for work, template in TEMPLATES.items():
            url = self.create(template)
            work(url)
            assert wrong(url) == []
            self.clean[work] = outcome(url)
            self.drop(url)


TEMPLATES: dict[Callable[[str], None], str] = {
    worker.file: "cases_records",
    worker.decide: "cases_filed",
    worker.note_overdue: "cases_filed",
}


@pytest.fixture(scope="module")
def registries(postgres: EmbeddedPostgres, registry_template: str) -> Cases:
    return Cases(postgres, registry_template)


@pytest.fixture
def registry(registries: Cases, request: pytest.FixtureRequest) -> Iterator[str]:
    url = registries.create(TEMPLATES[request.param])
    yield url
    registries.drop(url)


def outcome(url: str) -> dict[str, list[tuple[Any, ...]]]:
    """All that must be the same, however the run went."""
    with connect(url) as connection:
        return {
            what: sorted(connection.execute(query.encode()).fetchall(), key=repr) for what, query in OUTCOME.items()
        }


def wrong(url: str) -> list[str]:
    with connect(url) as connection:
        return disagreements(connection)


def ends_as_after_a_clean_run(registries: Cases, url: str, work: Callable[[str], None]) -> None:
    for _ in range(2):
        work(url)
        assert wrong(url) == []
        assert outcome(url) == registries.clean[work]


@pytest.mark.parametrize("registry", [worker.file], indirect=True)
@pytest.mark.parametrize("where", kill_points(FILING, {"a later case", "committing"}))
def test_a_filing_killed_inside_a_statement_is_not_there_and_sent_again_it_is_there_once(
    registries: Cases, registry: str, where: Place
) -> None:
    killed_at(registry, worker.file, where)
    assert wrong(registry) == []
    ends_as_after_a_clean_run(registries, registry, worker.file)


@pytest.mark.parametrize("registry", [worker.decide], indirect=True)
@pytest.mark.parametrize(
    "where", kill_points(DECIDING, {"a case forwarded", "a repair granted", "a mark taken away", "committing"})
)
def test_a_case_is_never_half_decided(registries: Cases, registry: str, where: Place) -> None:
    killed_at(registry, worker.decide, where)
    assert wrong(registry) == []
    ends_as_after_a_clean_run(registries, registry, worker.decide)


@pytest.mark.parametrize("registry", [worker.note_overdue], indirect=True)
@pytest.mark.parametrize("where", kill_points(TIMING, {"its event", "committing"}))
def test_a_deadline_fires_once_whenever_its_run_is_killed(registries: Cases, registry: str, where: Place) -> None:
    killed_at(registry, worker.note_overdue, where)
    assert wrong(registry) == []
    ends_as_after_a_clean_run(registries, registry, worker.note_overdue)


@pytest.mark.parametrize(
    ("registry", "work"),
    [
        pytest.param(work, work, id=work.__name__, marks=() if work is worker.decide else pytest.mark.long)
        for work in TEMPLATES
    ],
    indirect=["registry"],
)
def test_ten_runs_killed_at_any_moment(registries: Cases, registry: str, work: Callable[[str], None]) -> None:
    chance = random.Random(20261120)
    for _ in range(10):
        with started(work, registry) as process:
            process.join(chance.uniform(0.02, 0.3))
        assert wrong(registry) == []
    ends_as_after_a_clean_run(registries, registry, work)


@pytest.mark.parametrize(
    ("registry", "work"),
    [
        pytest.param(worker.file, worker.file, id="file"),
        pytest.param(worker.note_overdue, worker.note_overdue, id="due"),
    ],
    indirect=["registry"],
)
def test_two_at_once_do_the_work_once(registries: Cases, registry: str, work: Callable[[str], None]) -> None:
    with started(work, registry) as one, started(work, registry) as other:
        one.join(60)
        other.join(60)
        assert (one.exitcode, other.exitcode) == (0, 0)
    ends_as_after_a_clean_run(registries, registry, work)


@pytest.mark.parametrize("registry", [worker.file], indirect=True)
def test_a_follower_ends_with_every_mark_while_the_department_publishes_and_workers_are_killed(registry: str) -> None:
    town = Town(registry)
    done, failed = threading.Event(), []

    def publish() -> None:
        number = 0
        try:
            while not done.is_set():
                number += 1
                fields = {"authority": f"机关{number}"}
                town.penalties(*(offence(each, **fields) for each in range(1, worker.RECORDS + 1)))
        except Exception as error:  # noqa: BLE001  (told below, in the test's own thread)
            failed.append(error)

    publisher = threading.Thread(target=publish)
    publisher.start()
    chance = random.Random(1120)
    try:
        for _ in range(6):
            for work in (worker.file, worker.decide):
                with started(work, registry) as process:
                    process.join(chance.uniform(0.1, 0.8))
                assert wrong(registry) == []
        worker.file(registry)
        worker.decide(registry)
    finally:
        done.set()
        publisher.join(60)
    assert failed == []
    assert wrong(registry) == []

    copy = {}
    for change in town.feed():
        copy[change["key"]] = (change["body"], change["disputed_since"], change["repaired_at"], change["withdrawn_at"])
    now = town.rows(
        "SELECT r.key, CASE WHEN m.repaired_at IS NULL AND m.withdrawn_at IS NULL THEN r.body END, m.disputed_since,"
        " m.repaired_at, m.withdrawn_at FROM registry.record r LEFT JOIN registry.credit_mark m USING (dataset_id, key)"
    )
    town.connection.close()
    assert copy == {key: tuple(rest) for key, *rest in now}
