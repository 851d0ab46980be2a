"""Many incremental runs over a source as sources are: shared timestamps, late writers, clocks that run ahead."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from connectors.manifest import Manifest, load
from registry.domain.batches import State
from registry.storage.database import connect
from shuqiao import ingest
from shuqiao.stack.postgres import EmbeddedPostgres
from tests.reliability.running import MANIFEST
from tests.reliability.state import read_feed, registry

TABLE = """
CREATE SCHEMA exchange;
CREATE TABLE exchange.permit_card (
    serial int PRIMARY KEY, card_no text, holder text, state text, day text, op_flag text, write_time timestamptz)
"""
WRITE = """
INSERT INTO exchange.permit_card VALUES (%(serial)s, %(card)s, %(holder)s, '有效', '2026-01-02', 'i', %(time)s)
ON CONFLICT (serial) DO UPDATE SET holder = excluded.holder, write_time = excluded.write_time
"""


@dataclass
class Department:
    """Writes into its table as departments do; knows what the registry should hold, and what has changed."""

    connection: psycopg.Connection
    chance: random.Random
    holders: dict[str, str] = field(default_factory=dict)
    changed: set[str] = field(default_factory=set)

    def write(self, serial: int, time: datetime) -> None:
        card, holder = f"P{serial:06}", f"持证人{self.chance.randrange(10**9)}"
        self.connection.execute(WRITE, {"serial": serial, "card": card, "holder": holder, "time": time})
        self.holders[card] = holder
        self.changed.add(card)

    def live(self) -> None:
        """What is written between two runs."""
        now = datetime.now(UTC)
        for _ in range(self.chance.randrange(1, 60)):
            serial = self.chance.randrange(1, 400)
            match self.chance.randrange(10):
                case 0 | 1:  # a transaction that began minutes ago commits only now
                    time = now - timedelta(seconds=self.chance.randrange(480))
                case 2:  # a clerk's computer whose clock runs ahead, of everybody's
                    time = now + timedelta(hours=self.chance.randrange(1, 100))
                case _:  # whole minutes: dozens of rows share one
                    time = now.replace(second=0, microsecond=0)
            self.write(serial, time)


@pytest.fixture
def manifest() -> Manifest:
    return load(MANIFEST)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_no_row_is_missed_or_doubled_over_many_runs(
    registry_url: str,
    database: str,
    postgres: EmbeddedPostgres,
    manifest: Manifest,
    seed: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_OFFICE", postgres.url(database.rpartition("/")[2], "postgres"))
    expected: Counter[str] = Counter()
    with connect(database) as connection:
        connection.execute(TABLE)
        department = Department(connection, random.Random(seed))
        for _ in range(12):
            department.live()
            report = ingest.run(registry_url, manifest)
            assert (report.state, report.counts.accounted) == (State.PUBLISHED, True)
            assert report.counts.new + report.counts.changed == len(department.changed)
            expected.update(department.changed)
            department.changed.clear()
            held = {key: body["holder"] for key, (_, body, _, _) in registry(registry_url).records.items()}
            assert held == department.holders
        quiet = ingest.run(registry_url, manifest)
    assert (quiet.counts.new, quiet.counts.changed, quiet.counts.deleted) == (0, 0, 0)
    assert Counter(change.key for change in read_feed(registry_url)) == expected


def test_a_row_later_than_the_look_back_waits_for_a_full_read_and_is_then_found(
    registry_url: str, database: str, postgres: EmbeddedPostgres, manifest: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the look-back does not promise, the full reload mends."""
    monkeypatch.setenv("AIRFLOW_CONN_OFFICE", postgres.url(database.rpartition("/")[2], "postgres"))
    start = datetime(2026, 1, 5, 8, tzinfo=UTC)
    with connect(database) as connection:
        connection.execute(TABLE)
        department = Department(connection, random.Random(0))
        department.write(1, start)
        ingest.run(registry_url, manifest)
        department.write(2, start - timedelta(minutes=10))  # the very edge
        department.write(3, start - timedelta(minutes=10, microseconds=1))
        assert ingest.run(registry_url, manifest).counts.new == 1
        assert ingest.run(registry_url, manifest, full=True).counts.new == 1
    assert sorted(registry(registry_url).records) == ["P000001", "P000002", "P000003"]


def test_a_row_from_the_future_does_not_hide_what_a_nightly_load_stamps_hours_back(
    registry_url: str, database: str, postgres: EmbeddedPostgres, manifest: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The exchange table is filled in bulk, long after the times that its rows bear."""
    monkeypatch.setenv("AIRFLOW_CONN_OFFICE", postgres.url(database.rpartition("/")[2], "postgres"))
    loaded = datetime.now(UTC) - timedelta(hours=5)
    with connect(database) as connection:
        connection.execute(TABLE)
        department = Department(connection, random.Random(0))
        department.write(1, loaded)
        department.write(2, datetime.now(UTC) + timedelta(days=1))
        assert ingest.run(registry_url, manifest).counts.new == 2
        department.write(3, loaded + timedelta(hours=1))
        ingest.run(registry_url, manifest)
    assert sorted(registry(registry_url).records) == ["P000001", "P000002", "P000003"]
