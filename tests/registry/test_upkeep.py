"""The registry keeps itself tidy and notices when it contradicts itself."""

from __future__ import annotations

import pytest

from registry.intake import upkeep
from registry.storage.database import connect
from tests.registry.feeding import Feeder, bad, good


@pytest.fixture
def feeder(registry_url: str) -> Feeder:
    return Feeder(registry_url)


def test_a_sound_registry_has_no_faults(feeder: Feeder) -> None:
    feeder.feed([good("a", n=1, nested={"z": "值", "a": [1, 2]}), good("b"), bad("c")])
    feeder.feed([good("a", n=2)])
    with connect(feeder.url) as connection:
        assert upkeep.faults(connection) == []


def test_a_record_altered_behind_the_hubs_back_is_noticed(feeder: Feeder) -> None:
    feeder.feed([good("a", n=1), good("b", n=1)])
    with connect(feeder.url) as connection:
        connection.execute("""UPDATE registry.record SET body = '{"id": "a", "n": 7}' WHERE key = 'a'""")
        faults = upkeep.faults(connection)
    assert len(faults) == 1
    assert faults[0].en.endswith(": a")


def test_a_record_removed_behind_the_hubs_back_is_noticed(feeder: Feeder) -> None:
    feeder.feed([good("a"), good("b")])
    with connect(feeder.url) as connection:
        connection.execute("DELETE FROM registry.record WHERE key = 'a'")
        assert ["noted with 2 records, there are 1" in fault.en for fault in upkeep.faults(connection)] == [True]


def test_forgotten_batches_and_their_staging_go(feeder: Feeder) -> None:
    feeder.feed([good("a")])
    batch_id = feeder.plan()
    feeder.stage(batch_id, [good("b")])
    with connect(feeder.url) as connection:
        assert upkeep.tidy(connection).batches_given_up == 0
        connection.execute("UPDATE registry.batch SET started_at = now() - interval '8 days' WHERE state = 'pulling'")
        tidied = upkeep.tidy(connection)
    assert (tidied.batches_given_up, tidied.staging_tables) == (1, 1)
    assert feeder.query("SELECT count(*) FROM pg_class WHERE relnamespace = 'staging'::regnamespace") == [(0,)]


def test_months_ahead_have_their_partitions_and_old_ones_go(feeder: Feeder) -> None:
    with connect(feeder.url) as connection:
        connection.execute("SELECT registry.ensure_change_partition(now() - interval '3 years')")
        assert upkeep.tidy(connection).change_partitions == 1
    partitions = feeder.query("SELECT count(*) FROM pg_class WHERE relname ~ '^change_[0-9]{6}$'")
    assert partitions == [(upkeep.MONTHS_AHEAD + 1,)]


def test_a_late_connector_is_named(feeder: Feeder) -> None:
    feeder.feed([good("a")])
    with connect(feeder.url) as connection:
        connection.execute("UPDATE registry.connector SET freshness = '1 hour'")
        assert upkeep.late(connection) == []
        connection.execute("UPDATE registry.connector SET read_at = now() - interval '2 hours'")
        assert [late.connector for late in upkeep.late(connection)] == ["office.things"]
