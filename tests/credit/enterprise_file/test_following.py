"""Following the feed: from nothing, in any order, again and again, it comes to the same."""

from __future__ import annotations

import random
from collections.abc import Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from registry.credit import following, keeping, matching
from registry.credit.following import RecordKey
from registry.intake import upkeep
from registry.storage.database import connect
from tests.credit.enterprise_file.test_matching import listed
from tests.credit.enterprise_file.town import SOURCES, Town, enterprise, penalty, taxpayer, uscc

KEPT = (
    "entity_identifier", "entity_name", "record_without_code", "entity_match_decision", "entity_match", "discrepancy",
    "credit_finding", "credit_due", "credit_change", "follower",
)  # fmt: skip


def from_the_beginning(town: Town) -> dict[str, list[tuple[Any, ...]]]:
    """What a hub that starts today makes of the registry as it is."""
    town.connection.execute(f"TRUNCATE {', '.join(f'registry.{name}' for name in KEPT)}".encode())
    town.follow()
    return town.everything()


def an_event(town: Town, chance: random.Random) -> None:
    """A department says something, or takes it back."""
    number = chance.randrange(6)
    name = chance.choice(
        ["桥州天成1餐饮有限公司", "桥州天成2餐饮有限公司", "鸿达物流有限公司", "鸿达（桥州）物流有限公司"]
    )
    person = chance.choice(["王某", "李某"])
    dataset = chance.choice(["legal_entity", "tax_registration", "serious_dishonesty", "administrative_penalty"])
    match dataset:
        case "legal_entity":
            record = enterprise(
                number, name=name, legal_representative=person, status=chance.choice(["active", "revoked"])
            )
        case "tax_registration":
            record = taxpayer(chance.choice([number, number + 1]), name=name, legal_representative=person)
        case "serious_dishonesty":
            code = chance.choice([None, uscc(number)])
            record = listed(1, name=name, legal_representative=person, uscc=code)
        case _:
            record = penalty(
                number,
                uscc=chance.choice([None, uscc(number)]),
                holder_code="x",
                holder_code_type="099",
                holder_name=name,
                registration_number=chance.choice([None, "330203000000001"]),
                status=chance.choice([None, "withdrawn"]),
                fine={"amount": chance.choice(["0.2", "2000"]), "unit": "万元", "currency": "CNY"},
                decided_on="2026-04-02",
            )
    if chance.random() < 0.2 and town.feeder(dataset).records():
        town.end(dataset, str(number))
    else:
        town.say(dataset, {str(number): record})


@pytest.mark.parametrize("seed", range(3))
def test_whatever_happened_it_ends_as_if_all_had_been_there_from_the_beginning(town: Town, seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(25):
        an_event(town, chance)
        if chance.random() < 0.4:
            town.follow()
    town.follow()
    found = town.everything()

    assert town.follow().counts["looked_at"] == 0 or town.everything() == found
    assert found == from_the_beginning(town)
    assert found["names"]


def test_steps_of_any_size_come_to_the_same(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(7)
    for _ in range(25):
        an_event(town, chance)
    whole = from_the_beginning(town)
    monkeypatch.setattr(following, "STEP", 3)

    assert from_the_beginning(town) == whole


def test_nothing_is_looked_at_twice_without_a_change(town: Town) -> None:
    town.say("legal_entity", {"1": enterprise(1), "2": enterprise(2)})
    first = town.follow()
    assert first.counts["looked_at"] == 2
    assert first.caught_up
    town.follow()

    assert town.follow().counts["looked_at"] == 0
    town.say("legal_entity", {"1": enterprise(1), "2": enterprise(2, status="revoked")})
    assert town.follow().counts["looked_at"] == 1


def test_changes_behind_an_open_transaction_come_next_time(town: Town) -> None:
    town.say("legal_entity", {"1": enterprise(1)})
    town.say("tax_registration", {"1": taxpayer(1)})
    town.follow()
    with connect(town.url) as other, other.transaction():
        other.execute("SELECT pg_current_xact_id()")
        town.say("tax_registration", {"1": taxpayer(1, name="别名")})
        assert not town.follow().caught_up
        assert town.conflicts() == []

    assert town.follow().caught_up
    assert len(town.conflicts()) == 1


def test_a_dataset_that_is_taken_up_later_is_gone_through_whole(town: Town) -> None:
    town.say("legal_entity", {"1": enterprise(1)})
    town.say("tax_registration", {"1": taxpayer(1), "2": taxpayer(2)})
    seen: list[RecordKey] = []

    def look(_: psycopg.Connection, records: Sequence[RecordKey]) -> dict[str, int]:
        seen.extend(records)
        return {"seen": len(records)}

    following.follow(town.connection, "other", ["legal_entity"], look)
    assert len(seen) == 1
    report = following.follow(town.connection, "other", ["legal_entity", "tax_registration", "tax_arrears"], look)

    assert (len(seen), report.counts["seen"]) == (3, 2)
    assert following.followed_at(town.connection, "nobody") is None
    with pytest.raises(LookupError):
        following.position(town.connection, "nobody")


def test_a_step_that_fails_leaves_nothing_and_is_done_again(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    town.say("legal_entity", {"1": enterprise(1)})
    town.say("serious_dishonesty", {"s": listed(1)})

    @contextmanager
    def failing() -> Any:
        with monkeypatch.context() as patch:

            def fail(*_: Any, **__: Any) -> None:
                raise ConnectionResetError

            patch.setattr(matching, "keep", fail)
            yield

    with failing(), pytest.raises(ConnectionResetError):
        town.follow()
    assert town.rows("SELECT FROM registry.entity_name") == []
    town.follow()

    assert town.everything() == from_the_beginning(town)


def test_a_registry_moved_to_another_cluster_is_gone_through_again(town: Town) -> None:
    town.say("legal_entity", {"1": enterprise(1)})
    town.follow()
    town.connection.execute("UPDATE registry.follower SET followed_xid = '999999999999'::xid8")
    town.connection.execute("DELETE FROM registry.entity_identifier")

    assert town.follow().counts["looked_at"] == 1
    assert town.follow().caught_up
    assert len(town.rows("SELECT FROM registry.entity_identifier")) == 3


def test_the_followers_name_is_its_own(town: Town) -> None:
    town.follow()

    assert town.rows("SELECT name FROM registry.follower") == [(keeping.FOLLOWER,)]


def test_a_follower_is_behind_as_long_as_there_is_something_to_look_at(town: Town) -> None:
    def behind() -> bool:
        return following.is_behind(town.connection, keeping.FOLLOWER, SOURCES.datasets)

    assert not behind()
    town.say("legal_entity", {"1": enterprise(1)})
    assert behind(), "there is a record, and nobody ever followed"
    town.follow()
    assert not behind()
    town.say("utility_payment", {"1": {"uscc": uscc(1)}})
    town.follow()
    town.say("tax_registration", {"1": taxpayer(1)})
    assert behind()
    town.follow()
    assert not behind()


def test_a_follower_that_stayed_away_for_longer_than_the_feed_is_kept_goes_through_everything_again(town: Town) -> None:
    town.say("legal_entity", {"1": enterprise(1)})
    town.follow()
    town.say("legal_entity", {"2": enterprise(2)})
    town.connection.execute("SELECT registry.ensure_change_partition(now() - interval '500 days')")
    town.connection.execute("UPDATE registry.change SET at = now() - interval '500 days'")
    upkeep.tidy(town.connection)
    row = town.connection.execute("SELECT count(*) FROM registry.change").fetchone()
    assert row == (0,)

    town.follow()

    assert town.everything() == from_the_beginning(town)
