"""No row is missed: equal times, late writes, clocks ahead or set back, writes while partitions are read."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors import testing
from connectors.kinds import sql
from connectors.kinds.sql import SqlSource
from connectors.source import Cursor
from tests.connectors.sql.conftest import Department

LOOKBACK = 60
EVENTS = st.lists(
    st.tuples(st.integers(0, 9), st.sampled_from(["now", "same", "late", "ahead", "far ahead", "never"])), max_size=6
)
RUNS = st.lists(st.tuples(EVENTS, EVENTS), min_size=2, max_size=4)
VARIANTS: dict[str, dict[str, Any]] = {
    "stream": {},
    "pages": {"page": 2, "page_key": ["id"]},
    "hash": {"partitions": {"by": "id", "count": 2, "method": "hash"}},
    "range": {"partitions": {"by": "id", "count": 2, "method": "range"}},
}


class City:
    """A table that is written to, and what a reader has seen of it."""

    def __init__(self, department: Department, variant: dict[str, Any]) -> None:
        self.department = department
        self.settings = {"table": "ent", "cursor": {"column": "write_time", "lookback": f"{LOOKBACK}s"}, **variant}
        self.version, self.truth, self.seen = 0, dict[int, int](), dict[int, int]()
        self.cursor: Cursor | None = None
        self.last = dt.datetime.now(dt.UTC)
        department.run(
            f"create table if not exists ent (id integer primary key, version integer, write_time {department.times})"
        )
        department.run("delete from ent")

    def write(self, events: list[tuple[int, str]]) -> None:
        for id_, when in events:
            self.version += 1
            row = {"id": id_, "version": self.version, "at": self.time(when)}
            self.department.run("delete from ent where id = :id", row)
            self.department.run("insert into ent values (:id, :version, :at)", row)
            self.truth[id_] = self.version

    def time(self, when: str) -> dt.datetime | None:
        now = dt.datetime.now(dt.UTC)
        if when == "now":
            self.last = now
        ahead = {"late": -(LOOKBACK - 20), "ahead": 3600, "far ahead": 10 * 365 * 86400}
        if when == "never":
            return None
        return self.last if when in {"now", "same"} else now + dt.timedelta(seconds=ahead[when])

    def run(self, meanwhile: list[tuple[int, str]]) -> None:
        """One run; something is written between the plan and the reading, and between two partitions."""
        source = SqlSource(self.settings, self.department.connection, ["id", "version"])
        reached = []
        for number, partition in enumerate(source.partitions(self.cursor)):
            self.write(meanwhile[number::2])
            last = None
            for rows in source.read(partition, self.cursor):
                for row in rows.rows:
                    found = dict(zip(rows.columns, row, strict=True))
                    self.seen[found["id"]] = max(self.seen.get(found["id"], 0), found["version"])
                last = rows.reached
            reached.append(last)
        self.cursor = source.combine(self.cursor, reached)


@pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS)
def test_no_row_is_missed(department: Department, variant: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sql, "FEW_ROWS", 0)

    @settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
    @given(RUNS)
    def all_is_seen(runs: list[tuple[list[tuple[int, str]], list[tuple[int, str]]]]) -> None:
        city = City(department, variant)
        for before, meanwhile in runs:
            city.write(before)
            city.run(meanwhile)
        city.run([])
        assert city.seen == city.truth

    all_is_seen()


def test_a_time_ahead_does_not_become_the_cursor(department: Department) -> None:
    city = City(department, {})
    city.write([(1, "far ahead"), (2, "now")])
    city.run([])

    assert city.cursor is not None
    assert city.cursor["value"] < (dt.datetime.now(dt.UTC) + dt.timedelta(days=2)).isoformat()
    assert city.seen == city.truth


def test_equal_times_are_read_again_and_older_ones_are_not(department: Department) -> None:
    city = City(department, {})
    old = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    for id_, at in [(1, old), (2, old + dt.timedelta(hours=1)), (3, old + dt.timedelta(hours=1))]:
        department.run("insert into ent values (:id, 1, :at)", {"id": id_, "at": at})
    city.run([])
    department.run("insert into ent values (4, 1, :at)", {"at": old + dt.timedelta(hours=1)})

    source = SqlSource(city.settings, department.connection, ["id"])
    again, _ = testing.rows_of(source, city.cursor)

    assert {row["id"] for row in again} == {2, 3, 4}


def test_a_clock_set_back_means_a_full_read(department: Department) -> None:
    city = City(department, {})
    city.write([(1, "now")])
    department.run("insert into ent values (2, 1, :at)", {"at": dt.datetime(2020, 1, 1, tzinfo=dt.UTC)})
    city.run([])
    assert city.cursor is not None
    aware = city.cursor["value"].endswith("+00:00")
    tomorrow = dt.datetime.now(dt.UTC if aware else None) + dt.timedelta(days=1)
    ahead = {**city.cursor, "value": tomorrow.isoformat(), "clock": tomorrow.isoformat()}

    source = SqlSource(city.settings, department.connection, ["id"])
    rows, reached = testing.rows_of(source, ahead)

    assert {row["id"] for row in rows} == {1, 2}
    assert reached is not None
    assert reached["clock"] < ahead["clock"]


def test_another_cursor_column_means_a_full_read(department: Department) -> None:
    city = City(department, {})
    city.write([(1, "now"), (2, "now")])

    source = SqlSource(city.settings, department.connection, ["id"])
    rows, _ = testing.rows_of(source, {"column": "id", "type": "int", "value": 2})

    assert len(rows) == 2


def test_nothing_new_means_no_partition(department: Department) -> None:
    city = City(department, {})
    department.run("insert into ent values (1, 1, :at)", {"at": dt.datetime(2026, 1, 1, tzinfo=dt.UTC)})
    city.run([])
    department.run("delete from ent")

    source = SqlSource(city.settings, department.connection, ["id"])

    assert source.partitions(city.cursor) == []
    assert source.combine(city.cursor, []) == city.cursor
