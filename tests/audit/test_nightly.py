"""The nightly check: what is new, everything once a week, and an alert that stays until the log is put right."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from airflow.sdk.exceptions import AirflowFailException

from registry.audit import archive, nightly
from registry.storage.database import connect
from shuqiao import upkeep_steps
from tests.audit.log import BEGAN, KEY, fill, signed

NIGHT = timedelta(days=1)


@pytest.fixture
def connection(registry_url: str) -> Iterator[psycopg.Connection]:
    with connect(registry_url) as found:
        fill(found, 600)
        signed(found)
        yield found


def alter(connection: psycopg.Connection, statement: str) -> None:
    with connection.transaction():
        connection.execute("SET LOCAL session_replication_role = replica")
        connection.execute(statement.encode())


def test_each_night_goes_on_and_once_a_week_everything_is_checked(connection: psycopg.Connection) -> None:
    first = []
    for night in range(15):
        fill(connection, 600 + 300 * (night + 1))
        report = nightly.run(connection, [KEY], now=BEGAN + night * NIGHT)
        assert (report.findings, report.size) == ((), 600 + 300 * (night + 1))
        first.append(report.first)

    assert [night for night, start in enumerate(first) if start == 0] == [0, 7, 14]
    assert first[1] == 900 - 900 % 256


def test_what_was_altered_is_told_every_night(connection: psycopg.Connection) -> None:
    nightly.run(connection, [KEY], now=BEGAN)
    fill(connection, 900)
    alter(connection, "UPDATE registry.access_log SET client = 'x' WHERE index = 700")

    for night in (1, 2, 3):
        found = nightly.run(connection, [KEY], now=BEGAN + night * NIGHT).findings
        assert [(each.kind, each.first) for each in found] == [("changed", 700)]


def test_an_old_part_of_the_tree_made_anew_is_found_the_same_night(connection: psycopg.Connection) -> None:
    nightly.run(connection, [KEY], now=BEGAN)
    alter(connection, "UPDATE registry.access_log_node SET hash = sha256('x') WHERE number = 0")

    found = nightly.run(connection, [KEY], now=BEGAN + NIGHT).findings

    assert found[0].en == "the first 600 entries are not those of the last check"


def test_an_archived_log_is_checked_as_well(connection: psycopg.Connection, tmp_path: Path) -> None:
    fill(connection, 900)
    assert archive.write(connection, tmp_path, [KEY], before=BEGAN + 2 * NIGHT, now=BEGAN + 2 * NIGHT)

    assert nightly.run(connection, [KEY], now=BEGAN).findings == ()


def test_the_task_of_the_dag_fails_and_says_where(
    connection: psycopg.Connection, registry_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHUQIAO_DATABASE_URL", registry_url)
    monkeypatch.setattr(upkeep_steps, "hub_keys", lambda _: [("did:web:hub.example.cn", KEY.public_key)])

    assert upkeep_steps.check_access_log() == {"first": 0, "entries": 600, "proven": 600}
    alter(connection, "DELETE FROM registry.access_log WHERE index = 7")
    assert upkeep_steps.check_access_log()["first"] == 512, "the past is looked at once a week"
    connection.execute("DELETE FROM registry.access_log_check")
    with pytest.raises(AirflowFailException, match=r"7-7 \[missing\]"):
        upkeep_steps.check_access_log()
