"""Kill -9 while enterprises' files are kept: nothing twice, nothing half, and the next run ends it."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from shuqiao.stack.postgres import EmbeddedPostgres
from tests.credit.enterprise_file.test_matching import listed
from tests.credit.enterprise_file.town import Town, enterprise, penalty, taxpayer, uscc
from tests.reliability import credit_worker
from tests.reliability.holding import Held, Place
from tests.reliability.kill_points import kill_points
from tests.reliability.licence_worker import kill, started

ENTERPRISES = 60


def statement(moment: str, table: str) -> str:
    return f"{moment} ON registry.{table} FOR EACH STATEMENT"


PLACES = [
    Place("identifiers written", statement("AFTER INSERT", "entity_identifier")),
    Place("a discrepancy opened", statement("AFTER INSERT", "discrepancy")),
    Place("a finding opened", statement("AFTER INSERT", "credit_finding")),
    Place("names written", statement("AFTER INSERT", "entity_name")),
    Place("records without a code written", statement("AFTER INSERT", "record_without_code")),
    Place("a match accepted", statement("AFTER UPDATE", "entity_match")),
    Place("a match announced", statement("AFTER INSERT", "credit_change")),
    Place("what a day brings", statement("AFTER DELETE", "credit_due")),
    Place("progress written", statement("AFTER UPDATE", "follower")),
    Place(
        "committing", "AFTER UPDATE ON registry.follower DEFERRABLE INITIALLY DEFERRED FOR EACH ROW", constraint=True
    ),
]
ALWAYS = {"identifiers written", "a match announced", "progress written", "committing"}
KEPT = {
    "identifiers": "SELECT kind, value, entity, key FROM registry.entity_identifier",
    "discrepancies": "SELECT entity, field, key, value, closed_at IS NULL FROM registry.discrepancy",
    "findings": "SELECT kind, key, entity, detail::text, closed_at IS NULL FROM registry.credit_finding",
    "names": "SELECT entity, name, former FROM registry.entity_name",
    "matches": "SELECT key, entity, state, decided_by FROM registry.entity_match",
    "decisions": "SELECT m.key, d.number, d.decision, d.decided_by FROM registry.entity_match_decision d"
    " JOIN registry.entity_match m ON m.id = d.match_id",
    "due": "SELECT kind, key, due_on FROM registry.credit_due",
}


def publish(url: str) -> None:
    """Enterprises, some of which the tax bureau knows otherwise; penalties with slips; entries without a code."""
    town = Town(url)
    numbers = range(ENTERPRISES)
    town.say("legal_entity", {str(n): enterprise(n) for n in numbers})
    town.say("tax_registration", {str(n): taxpayer(n, **({"name": "别名"} if n % 9 == 0 else {})) for n in numbers})
    slip = {"amount": "2000", "unit": "万元", "currency": "CNY"}
    town.say(
        "administrative_penalty",
        {str(n): penalty(n, **({"fine": slip} if n % 4 == 0 else {}), status="withdrawn") for n in numbers if n % 2},
    )
    town.say("administrative_penalty", {str(n): penalty(n, fine=slip) for n in numbers if n % 4 == 0})
    town.say("serious_dishonesty", {str(n): listed(n) for n in numbers if n % 5 == 0})
    town.connection.close()


def outcome(url: str) -> dict[str, list[tuple[Any, ...]]]:
    """All that must be the same, however the run went; nothing stands twice."""
    with psycopg.connect(url) as connection:
        return {name: sorted(connection.execute(query.encode()), key=repr) for name, query in KEPT.items()}


@pytest.fixture(scope="module")
def published(postgres: EmbeddedPostgres, registry_template: str) -> tuple[str, dict[str, list[tuple[Any, ...]]]]:
    """A database to start from, and what a run that nobody disturbs makes of it."""
    with psycopg.connect(postgres.conninfo(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE credit_published TEMPLATE {registry_template}".encode())
        publish(postgres.conninfo("credit_published"))
        connection.execute(b"CREATE DATABASE credit_clean TEMPLATE credit_published")
    credit_worker.follow(postgres.conninfo("credit_clean"))
    return "credit_published", outcome(postgres.conninfo("credit_clean"))


@pytest.fixture
def registry(postgres: EmbeddedPostgres, published: tuple[str, object]) -> Iterator[str]:
    with psycopg.connect(postgres.conninfo(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE credit_run TEMPLATE {published[0]}".encode())
        yield postgres.conninfo("credit_run")
        connection.execute(b"DROP DATABASE credit_run WITH (FORCE)")


def test_the_town_gives_everything_to_do(published: tuple[str, dict[str, list[tuple[Any, ...]]]]) -> None:
    found = published[1]

    assert {name for name, rows in found.items() if rows} == set(KEPT) - {"due"} or found["due"]
    assert (str(0), uscc(0), "accepted", "rule:same_name_division_and_representative") in found["matches"]


@pytest.mark.parametrize("where", kill_points(PLACES, ALWAYS))
def test_killed_inside_a_statement(
    published: tuple[str, dict[str, list[tuple[Any, ...]]]], registry: str, where: Place
) -> None:
    with Held(registry, where) as held, started(credit_worker.follow, registry) as worker:
        held.wait(worker.is_alive)
        kill(worker)
        held.release()
    credit_worker.follow(registry)
    assert outcome(registry) == published[1]
    credit_worker.follow(registry)
    assert outcome(registry) == published[1]


def test_killed_at_any_moment(published: tuple[str, dict[str, list[tuple[Any, ...]]]], registry: str) -> None:
    chance = random.Random(20261120)
    for _ in range(8):
        with started(credit_worker.follow, registry) as worker:
            worker.join(chance.uniform(0.02, 0.5))
    credit_worker.follow(registry)

    assert outcome(registry) == published[1]


def test_two_at_once_do_the_work_once(published: tuple[str, dict[str, list[tuple[Any, ...]]]], registry: str) -> None:
    with started(credit_worker.follow, registry) as one, started(credit_worker.follow, registry) as other:
        one.join(120)
        other.join(120)
        assert (one.exitcode, other.exitcode) == (0, 0)

    assert outcome(registry) == published[1]
