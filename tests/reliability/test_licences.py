"""Kill -9 while licences are issued, lists signed, forms made: nothing twice, nothing half; the next run ends it."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from registry.licences import copies, keys
from registry.licences.errors import CopyRefused
from registry.licences.storing import FORM, form_identity, signed_document
from registry.storage.database import connect
from shuqiao.stack.postgres import EmbeddedPostgres
from tests.licences.issue.town import (
    BASE,
    BUREAU_CODE,
    MASTER_KEY,
    OTHER_BUREAU,
    OTHER_BUREAU_CODE,
    TYPES,
    Town,
    disagreements,
    food,
)
from tests.registry.feeding import gone
from tests.reliability import licence_worker
from tests.reliability.holding import Held, Place, until
from tests.reliability.kill_points import kill_points
from tests.reliability.licence_worker import started
from tests.reliability.registries import Registries, killed_at

ISSUED = 120
REFUSED = "颁发机构不明"


def statement(moment: str, table: str) -> str:
    return f"{moment} ON registry.{table} FOR EACH STATEMENT"


EVERYWHERE = [
    Place("licences written", statement("AFTER INSERT", "licence")),
    Place("forms written", statement("AFTER INSERT", "licence_form")),
    Place("events written", statement("AFTER INSERT", "licence_event")),
    Place("positions taken", statement("AFTER UPDATE", "status_group")),
    Place("a list to be changed", "BEFORE UPDATE ON registry.status_list FOR EACH ROW"),
    Place("lists changed", statement("AFTER UPDATE", "status_list")),
    Place("refusals written", statement("AFTER INSERT", "licence_refusal")),
    Place("progress written", statement("AFTER UPDATE", "licence_type")),
    Place(
        "committing", "AFTER UPDATE ON registry.licence_type DEFERRABLE INITIALLY DEFERRED FOR EACH ROW",
        constraint=True,
    ),
]  # fmt: skip
FIRST = [
    *EVERYWHERE,
    Place("the type entered", statement("AFTER INSERT", "licence_type")),
    Place("a group opened", statement("AFTER INSERT", "status_group")),
    Place("lists begun", statement("AFTER INSERT", "status_list")),
    Place(
        "the second step",
        "BEFORE UPDATE ON registry.licence_type FOR EACH ROW WHEN (OLD.first_load_key IS NOT NULL"
        " AND NEW.first_load_key <> OLD.first_load_key)",
    ),
    Place(
        "the end of the first load",
        "BEFORE UPDATE ON registry.licence_type FOR EACH ROW WHEN (OLD.first_load_ended_at IS NULL"
        " AND NEW.first_load_ended_at IS NOT NULL)",
    ),
]
LATER = [
    *EVERYWHERE,
    Place("predecessors superseded", "AFTER UPDATE OF superseded_by ON registry.licence FOR EACH ROW"),
    Place("states entered", "AFTER UPDATE OF state ON registry.licence FOR EACH ROW"),
    Place("refusals gone", "AFTER DELETE ON registry.licence_refusal FOR EACH STATEMENT"),
    Place(
        "ends of term entered",
        "BEFORE UPDATE ON registry.licence_type FOR EACH ROW WHEN (NEW.swept_on IS DISTINCT FROM OLD.swept_on)",
    ),
]


class Loads(Registries):
    """Databases to start from, and what a run that nobody disturbs makes of each."""

    def __init__(self, server: EmbeddedPostgres) -> None:
        super().__init__(server, "licences")
        self.clean: dict[str, list[tuple[Any, ...]]] = {}


@pytest.fixture(scope="module")
def registries(postgres: EmbeddedPostgres, registry_template: str) -> Loads:
    """``licences_first``: records nobody has followed. ``licences_later``: followed, and much has changed since."""
    made = Loads(postgres)
    for name, before in (("first", registry_template), ("later", "licences_first")):
        url = made.create(before, name)
        _publish_first(url) if name == "first" else _publish_later(url)
        copy = made.create(f"licences_{name}")
        licence_worker.follow(copy)
        made.clean[name] = outcome(copy)
        made.drop(copy)
    return made


def _publish_first(url: str) -> None:
    town = Town(url)
    town.enter()
    town.enter(OTHER_BUREAU, OTHER_BUREAU_CODE)
    town.client("bank")
    rows = [food(number, authority=OTHER_BUREAU) if number % 3 == 0 else food(number) for number in range(ISSUED)]
    rows += [food(ISSUED + number, status="02") for number in range(5)]
    rows += [food(ISSUED + 5 + number, authority=REFUSED) for number in range(5)]
    town.feed(*rows)
    town.connection.close()


def _publish_later(url: str) -> None:
    licence_worker.follow(url)
    town = Town(url)
    town.feed(
        *[food(number, status="02", authority=OTHER_BUREAU) for number in range(0, 30, 3)],
        *[food(number, legal_representative="李某") for number in range(31, 60, 3)],
        *[food(number, valid_to="2035-01-01") for number in range(61, 70, 3)],
        *[gone(f"F{number:06d}", f"row-{number}") for number in range(71, 80, 3)],
        food(82, id="F-right"),
        food(85, licence_number="JY?"),
        food(ISSUED + 5),
        food(ISSUED + 20),
        # ended yesterday: issued with the day before, so that this day's sweep finds it
        food(88, valid_to="2026-11-21"),
    )
    with town.connection.transaction():
        town.connection.execute(
            "UPDATE registry.licence SET valid_to = '2026-11-20' WHERE number = %s", ("JY13302030000100",)
        )
        town.connection.execute("UPDATE registry.licence_type SET swept_on = swept_on - 1")
    town.connection.close()


@pytest.fixture
def registry(registries: Loads, request: pytest.FixtureRequest) -> Iterator[str]:
    url = registries.create(f"licences_{request.param}")
    yield url
    registries.drop(url)


def outcome(url: str) -> list[tuple[Any, ...]]:
    """All that must be the same, however the run went."""
    with connect(url) as connection:
        return connection.execute(
            """
            SELECT l.number, l.key, l.version, l.state, l.issuer_code, l.superseded_by IS NULL,
                (SELECT array_agg(e.operation ORDER BY number) FROM registry.licence_event e WHERE e.licence_id = l.id)
            FROM registry.licence l
            UNION ALL
            SELECT 'refused', key, record_version::int, reasons #>> '{0,code}', NULL, NULL, NULL
            FROM registry.licence_refusal ORDER BY 1, 2, 3
            """
        ).fetchall()


def wrong(url: str) -> list[str]:
    with connect(url) as connection:
        return disagreements(connection)


def ends_as_after_a_clean_run(registries: Loads, url: str, load: str) -> None:
    licence_worker.follow(url)
    assert wrong(url) == []
    assert outcome(url) == registries.clean[load]
    for _ in range(2):
        licence_worker.follow(url)
    assert outcome(url) == registries.clean[load]


@pytest.mark.parametrize("registry", ["first"], indirect=True)
@pytest.mark.parametrize(
    "where", kill_points(FIRST, {"licences written", "lists changed", "the second step", "committing"})
)
def test_a_first_load_killed_inside_a_statement(registries: Loads, registry: str, where: Place) -> None:
    killed_at(registry, licence_worker.follow, where)
    assert wrong(registry) == []
    ends_as_after_a_clean_run(registries, registry, "first")


@pytest.mark.parametrize("registry", ["later"], indirect=True)
@pytest.mark.parametrize(
    "where", kill_points(LATER, {"events written", "predecessors superseded", "refusals gone", "committing"})
)
def test_a_follower_killed_inside_a_statement(registries: Loads, registry: str, where: Place) -> None:
    killed_at(registry, licence_worker.follow, where)
    assert wrong(registry) == []
    ends_as_after_a_clean_run(registries, registry, "later")


@pytest.mark.parametrize(
    ("registry", "load"),
    [pytest.param("first", "first", marks=pytest.mark.long), ("later", "later")],
    indirect=["registry"],
)
def test_ten_followers_killed_at_any_moment(registries: Loads, registry: str, load: str) -> None:
    chance = random.Random(20261120)
    for _ in range(10):
        with started(licence_worker.follow, registry) as worker:
            worker.join(chance.uniform(0.02, 0.6))
        assert wrong(registry) == []
    ends_as_after_a_clean_run(registries, registry, load)


@pytest.mark.parametrize(("registry", "load"), [("first", "first"), ("later", "later")], indirect=["registry"])
def test_two_followers_at_once_do_the_work_once(registries: Loads, registry: str, load: str) -> None:
    with started(licence_worker.follow, registry) as one, started(licence_worker.follow, registry) as other:
        one.join(120)
        other.join(120)
        assert (one.exitcode, other.exitcode) == (0, 0)
    ends_as_after_a_clean_run(registries, registry, load)


@pytest.mark.parametrize("registry", ["first"], indirect=True)
def test_a_key_is_rotated_only_between_steps_and_nothing_is_signed_with_the_old_one_after(
    registries: Loads, registry: str
) -> None:
    written = Place("licences written", statement("AFTER INSERT", "licence"))
    with Held(registry, written) as held, started(licence_worker.follow_once, registry) as worker:
        held.wait(worker.is_alive)
        rotated = threading.Event()

        def rotate() -> None:
            with connect(registry) as connection:
                for code in (BUREAU_CODE, OTHER_BUREAU_CODE):
                    keys.rotate(connection, code, master_key=MASTER_KEY, now=licence_worker.LATER)
            rotated.set()

        thread = threading.Thread(target=rotate)
        thread.start()
        time.sleep(0.3)
        assert not rotated.is_set()  # the step holds its keys until it is committed
        held.release()
        thread.join(60)
        worker.join(60)
    assert worker.exitcode in {0, 1}  # 1: told that its keys are out of date
    assert wrong(registry) == []
    ends_as_after_a_clean_run(registries, registry, "first")
    with connect(registry) as connection:
        signed = connection.execute(
            "SELECT l.version, k.state, count(*) FROM registry.licence l JOIN registry.signing_key k ON k.id = l.key_id"
            " GROUP BY 1, 2"
        ).fetchall()
    assert {state for _, state, _ in signed} == {"retired", "active"}


@pytest.mark.parametrize("registry", ["later"], indirect=True)
@pytest.mark.parametrize("where", kill_points(EVERYWHERE[:6], {"forms written", "lists changed"}))
def test_a_reissue_killed_inside_a_statement_goes_on_where_it_was(registry: str, where: Place) -> None:
    with connect(registry) as connection:
        lost = keys.KeyRing.load(connection, MASTER_KEY).signer(BUREAU_CODE).key_id
        of_use = connection.execute(
            "SELECT count(*) FROM registry.licence WHERE superseded_by IS NULL AND key_id = %s"
            " AND state IN ('01', '02')", (lost,)
        ).fetchone()  # fmt: skip
        keys.revoke(connection, lost, keys.Reason.KEY_COMPROMISE, master_key=MASTER_KEY, now=licence_worker.LATER)
    killed_at(registry, licence_worker.reissue, where)
    assert wrong(registry) == []
    licence_worker.reissue(registry)
    licence_worker.reissue(registry)
    assert wrong(registry) == []
    with connect(registry) as connection:
        anew = connection.execute(
            "SELECT count(*) FROM registry.licence WHERE version = 2 AND superseded_by IS NULL"
        ).fetchone()
        left = connection.execute(
            "SELECT count(*) FROM registry.licence WHERE superseded_by IS NULL AND key_id = %s"
            " AND state IN ('01', '02')", (lost,)
        ).fetchone()  # fmt: skip
        lists = connection.execute("SELECT count(*) FROM registry.status_list WHERE key_id = %s", (lost,)).fetchone()
    assert (anew, left, lists) == (of_use, (0,), (0,))


@pytest.mark.parametrize("registry", ["later"], indirect=True)
def test_lists_are_signed_anew_list_by_list(registry: str) -> None:
    second = Place(
        "the second list", "BEFORE UPDATE ON registry.status_list FOR EACH ROW WHEN (OLD.purpose = 'suspension')"
    )
    killed_at(registry, licence_worker.refresh, second)
    assert wrong(registry) == []
    licence_worker.refresh(registry)
    assert wrong(registry) == []
    with connect(registry) as connection:
        assert connection.execute("SELECT count(DISTINCT signed_at) FROM registry.status_list").fetchone() == (1,)


@pytest.mark.parametrize("registry", ["later"], indirect=True)
def test_a_form_is_there_whole_or_not_at_all(registry: str) -> None:
    killed_at(
        registry,
        licence_worker.make_forms,
        Place("the fifth token", "AFTER INSERT ON registry.licence_form FOR EACH ROW WHEN (NEW.licence_id % 5 = 0)"),
    )
    assert wrong(registry) == []
    with connect(registry) as connection:
        before: dict[int, bytes] = dict(
            connection.execute("SELECT licence_id, body FROM registry.licence_form WHERE form = 'jwt'").fetchall()
        )
        licence_worker.make_forms(registry)
        after: dict[int, bytes] = dict(
            connection.execute("SELECT licence_id, body FROM registry.licence_form WHERE form = 'jwt'").fetchall()
        )
        assert connection.execute("SELECT count(*) FROM registry.licence").fetchone() == (len(after),)
    assert 0 < len(before) < len(after)
    assert before.items() <= after.items()
    signed = [signed_document(FORM, form_identity(number, "jwt"), body) for number, body in after.items()]
    assert all(body.count(b".") == 2 for body in signed)


@pytest.mark.parametrize("registry", ["later"], indirect=True)
@pytest.mark.parametrize(
    "where",
    [
        Place("the position taken", statement("AFTER UPDATE", "status_group")),
        Place("the copy written", statement("AFTER INSERT", "licence_copy")),
    ],
    ids=str,
)
def test_a_copy_is_on_record_whole_or_not_at_all(registry: str, where: Place) -> None:
    killed_at(registry, licence_worker.make_copy, where)
    assert wrong(registry) == []
    with connect(registry) as connection:
        assert connection.execute("SELECT count(*) FROM registry.licence_copy").fetchone() == (0,)
    licence_worker.make_copy(registry)
    assert wrong(registry) == []


@pytest.mark.parametrize("registry", ["first"], indirect=True)
def test_no_copy_is_made_beside_a_suspension_that_is_being_written(registry: str) -> None:
    licence_worker.follow(registry)
    town = Town(registry)
    town.feed(food(1, status="02"))
    identifier = town.current(1)["identifier"]
    town.connection.close()
    refused: list[str] = []

    def ask() -> None:
        with connect(registry) as connection:
            ring = keys.KeyRing.load(connection, MASTER_KEY)
            try:
                copies.make(
                    connection, identifier, "bank", "某银行", "开户", licence_worker.LATER + timedelta(days=9),
                    keys=ring, types=TYPES, base=BASE, now=licence_worker.LATER,
                )  # fmt: skip
            except CopyRefused as error:
                refused.append(error.code)

    written = Place("the state written", "AFTER UPDATE OF state ON registry.licence FOR EACH ROW")
    with Held(registry, written) as held, started(licence_worker.follow, registry) as worker:
        held.wait(worker.is_alive)
        asking = threading.Thread(target=ask)
        asking.start()
        asking.join(3)
        held.release()
        asking.join(60)
        worker.join(60)
    assert refused == ["licence_not_valid"]
    assert wrong(registry) == []


@pytest.mark.parametrize("registry", ["later"], indirect=True)
def test_copies_followers_and_forms_at_once_neither_lock_each_other_out_nor_break_a_rule(
    registries: Loads, registry: str
) -> None:
    tasks = [licence_worker.make_copy, licence_worker.follow, licence_worker.make_forms, licence_worker.refresh]
    with started(tasks[0], registry) as a, started(tasks[1], registry) as b, started(tasks[2], registry) as c, \
            started(tasks[3], registry) as d:  # fmt: skip
        until(lambda: not any(each.is_alive() for each in (a, b, c, d)), seconds=120)
        assert [each.exitcode for each in (b, c, d)] == [0, 0, 0]
    ends_as_after_a_clean_run(registries, registry, "later")
