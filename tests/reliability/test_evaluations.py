"""Kill -9 while enterprises are evaluated, the first time and later: the next run ends it, and nobody is left out."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from registry.credit import evaluations
from registry.credit.enterprise_file import china_day
from registry.storage.database import connect
from shuqiao.stack.postgres import EmbeddedPostgres
from tests.credit.enterprise_file.town import Town, body, enterprise, penalty, uscc
from tests.credit.evaluation.cards import CARD
from tests.reliability import evaluation_worker
from tests.reliability.holding import Held, Place
from tests.reliability.kill_points import kill_points
from tests.reliability.licence_worker import kill, started

ENTERPRISES = 60
FINE = {"amount": "2", "unit": "万元", "currency": "CNY"}

FIRST = [
    Place("a card taken up", "AFTER UPDATE ON registry.evaluation_card FOR EACH STATEMENT"),
    Place("parts planned", "AFTER INSERT ON registry.evaluation_part FOR EACH STATEMENT"),
    Place("evaluations written", "AFTER INSERT ON registry.evaluation FOR EACH STATEMENT"),
    Place("a part's progress written", "AFTER UPDATE ON registry.evaluation_part FOR EACH STATEMENT"),
    Place(
        "committing a part", "AFTER UPDATE ON registry.evaluation_part DEFERRABLE INITIALLY DEFERRED FOR EACH ROW",
        constraint=True,
    ),
]  # fmt: skip
LATER = [
    Place("evaluations taken away", "AFTER DELETE ON registry.evaluation FOR EACH STATEMENT"),
    Place("evaluations written anew", "AFTER INSERT ON registry.evaluation FOR EACH STATEMENT"),
    Place("how far it has followed", "AFTER UPDATE ON registry.follower FOR EACH STATEMENT"),
    Place("marks followed", "AFTER UPDATE ON registry.evaluation_card FOR EACH STATEMENT"),
    Place("touches forgotten", "AFTER DELETE ON registry.evaluation_touch FOR EACH STATEMENT"),
]
ALWAYS = {
    "first-evaluations written",
    "first-committing a part",
    "later-evaluations taken away",
    "later-how far it has followed",
}


def publish(url: str) -> None:
    town = Town(url)
    town.say("legal_entity", {str(n): enterprise(n) for n in range(ENTERPRISES)})
    town.say("tax_credit_rating", {f"t{n}": body(n, year="2025", grade="ABMCD"[n % 5]) for n in range(ENTERPRISES)})
    town.say(
        "administrative_penalty",
        {f"p{n}": penalty(n, decided_on="2026-08-01", fine=FINE) for n in range(ENTERPRISES) if n % 3 == 0},
    )
    town.connection.close()


def change(url: str) -> None:
    """Records of some change, some enterprises are gone, and some penalties are repaired."""
    town = Town(url)
    town.say("legal_entity", {str(n): enterprise(n, status="revoked") for n in range(ENTERPRISES) if n % 4 == 0})
    town.end("legal_entity", "7", "13")
    town.connection.execute(
        "INSERT INTO registry.credit_mark (dataset_id, key, entity, repaired_at)"
        " SELECT r.dataset_id, r.key, r.entity, %s FROM registry.record r JOIN registry.dataset d"
        " ON d.id = r.dataset_id WHERE d.name = 'administrative_penalty' AND r.key LIKE %s",
        (town.now, "p1%"),
    )
    town.connection.close()


def outcome(url: str) -> list[tuple[Any, ...]]:
    """All that must be the same, however the run went."""
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            "SELECT entity, score, grade, factors::text, input_digest::text, changes_on FROM registry.evaluation"
        ).fetchall()
    return sorted(rows, key=repr)


@pytest.fixture(scope="module")
def prepared(postgres: EmbeddedPostgres, registry_template: str) -> dict[str, tuple[str, list[tuple[Any, ...]]]]:
    """Databases to start from, for the first time and for later, and what an undisturbed run makes of each."""
    url = postgres.conninfo
    with psycopg.connect(postgres.conninfo(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE evaluation_first TEMPLATE {registry_template}".encode())
        publish(url("evaluation_first"))
        connection.execute(b"CREATE DATABASE evaluation_clean TEMPLATE evaluation_first")
        evaluation_worker.keep(url("evaluation_clean"))
        first = outcome(url("evaluation_clean"))
        connection.execute(b"CREATE DATABASE evaluation_later TEMPLATE evaluation_clean")
        change(url("evaluation_later"))
        connection.execute(b"DROP DATABASE evaluation_clean")
        connection.execute(b"CREATE DATABASE evaluation_clean TEMPLATE evaluation_later")
    evaluation_worker.keep(url("evaluation_clean"))
    return {"first": ("evaluation_first", first), "later": ("evaluation_later", outcome(url("evaluation_clean")))}


@pytest.fixture
def registry(postgres: EmbeddedPostgres) -> Iterator[Callable[[str], str]]:
    """A database like another one."""
    with psycopg.connect(postgres.conninfo(), autocommit=True) as connection:

        def made(template: str) -> str:
            connection.execute(f"CREATE DATABASE evaluation_run TEMPLATE {template}".encode())
            return postgres.conninfo("evaluation_run")

        yield made
        connection.execute(b"DROP DATABASE IF EXISTS evaluation_run WITH (FORCE)")


Prepared = dict[str, tuple[str, list[tuple[Any, ...]]]]


def test_an_undisturbed_run_keeps_what_the_records_give(prepared: Prepared, postgres: EmbeddedPostgres) -> None:
    rows = {row[0]: row[1:3] for row in prepared["later"][1]}

    assert len(prepared["first"][1]) == ENTERPRISES
    assert set(rows) == {uscc(n) for n in range(ENTERPRISES) if n not in (7, 13)}
    with connect(postgres.conninfo("evaluation_clean")) as connection:
        for entity, (score, grade) in rows.items():
            now = evaluations.evaluate_now(connection, CARD, entity, china_day(evaluation_worker.LATER))
            assert now is not None
            assert (now.score, now.grade) == (score, grade)


@pytest.mark.parametrize(
    ("when", "where"),
    kill_points([*(("first", place) for place in FIRST), *(("later", place) for place in LATER)], ALWAYS),
)
def test_killed_inside_a_statement(prepared: Prepared, registry: Callable[[str], str], when: str, where: Place) -> None:
    template, wanted = prepared[when]
    url = registry(template)
    with Held(url, where) as held, started(evaluation_worker.keep, url) as worker:
        held.wait(worker.is_alive)
        kill(worker)
        held.release()
    evaluation_worker.keep(url)
    assert outcome(url) == wanted
    evaluation_worker.keep(url)
    assert outcome(url) == wanted


@pytest.mark.parametrize("when", ["first", "later"])
def test_killed_at_any_moment(prepared: Prepared, registry: Callable[[str], str], when: str) -> None:
    template, wanted = prepared[when]
    url = registry(template)
    chance = random.Random(20261121)
    for _ in range(6):
        with started(evaluation_worker.keep, url) as worker:
            worker.join(chance.uniform(0.02, 0.4))
    evaluation_worker.keep(url)

    assert outcome(url) == wanted


@pytest.mark.parametrize("when", ["first", "later"])
def test_two_at_once_come_to_the_same(prepared: Prepared, registry: Callable[[str], str], when: str) -> None:
    template, wanted = prepared[when]
    url = registry(template)
    with started(evaluation_worker.keep, url) as one, started(evaluation_worker.keep, url) as other:
        one.join(120)
        other.join(120)
        assert (one.exitcode, other.exitcode) == (0, 0)
    evaluation_worker.keep(url)

    assert outcome(url) == wanted
