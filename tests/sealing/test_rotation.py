"""Rotation beside a living registry: nothing is written for readers, nothing is lost, no key goes that is needed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from registry.domain.batches import Mode
from registry.intake import resealing, upkeep
from registry.intake.errors import IntakeError
from registry.sealing import key_file
from registry.sealing.errors import PersonalKeysForeign, PersonalKeysMissing
from registry.sealing.records import opened, opened_row, plain_digest
from registry.storage.database import connect
from tests.cli.conftest import Answer, Desk
from tests.cli.conftest import desk as desk  # noqa: PLC0414  (the fixture)
from tests.registry.feeding import Feeder, Row, canonical

ROWS = 30


@pytest.fixture
def feeder(registry_url: str, own_ring: Path) -> Feeder:
    assert own_ring.exists()
    return Feeder(registry_url, "market.food", "food_business_licence")


@pytest.fixture
def connection(registry_url: str) -> Iterator[psycopg.Connection]:
    with connect(registry_url) as connection:
        yield connection


def rows(*, changed: int = 0) -> list[Row]:
    return [Row({"id": f"F{n}", "legal_representative": f"诸葛{n}", "state": n < changed}) for n in range(ROWS)]


def contents(connection: psycopg.Connection, table: str = "record") -> list[tuple[Any, ...]]:
    """Everything that rotation must leave as it is."""
    columns = "key, body, hash, version, valid_from, batch_id, row_id, entity, blind"
    query = f"SELECT {columns} FROM registry.{table} ORDER BY 1, 4"
    return connection.execute(query.encode()).fetchall()


def rotate(own_ring: Path) -> None:
    key_file.add(own_ring)
    key_file.activate(own_ring)


def test_everything_is_sealed_again_and_nobody_hears_of_it(
    feeder: Feeder, own_ring: Path, connection: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resealing, "BATCH", 7)
    feeder.feed(rows())
    feeder.feed([*rows(changed=12), Row({"id": "bad", "legal_representative": "诸葛孔明"}, refused="pattern")])
    before = contents(connection), contents(connection, "record_history"), feeder.changes()
    rotate(own_ring)
    done = resealing.reseal(connection)
    assert (done.resealed, done.sealed) == (ROWS + 12 + 1, 0)
    assert resealing.in_use(connection) == {2: ROWS + 12 + 1}
    assert (contents(connection), contents(connection, "record_history"), feeder.changes()) == before
    key_file.retire(own_ring, 1)
    for key, body, personal in connection.execute("SELECT key, body, personal FROM registry.record").fetchall():
        assert opened(body, personal, 1, key)["legal_representative"] == f"诸葛{key[1:]}"
    ((row_id, key, raw, personal),) = connection.execute(
        "SELECT row_id, key, raw, personal FROM registry.refusal"
    ).fetchall()
    assert opened_row(raw, personal, 1, row_id, key)["legal_representative"] == "诸葛孔明"
    assert upkeep.faults(connection) == []
    assert resealing.reseal(connection) == resealing.Resealed(0, 0)


def test_unchanged_rows_write_nothing_after_a_rotation(feeder: Feeder, own_ring: Path) -> None:
    feeder.feed(rows(), mode=Mode.FULL)
    rotate(own_ring)
    report = feeder.feed(rows(), mode=Mode.FULL)
    assert (report.counts.unchanged, report.counts.changed, report.counts.new) == (ROWS, 0, 0)


def test_a_changed_personal_value_is_a_change(feeder: Feeder) -> None:
    feeder.feed(rows())
    report = feeder.feed([Row({"id": "F1", "legal_representative": "诸葛2", "state": False})])
    assert report.counts.changed == 1


def test_a_row_that_somebody_is_changing_is_passed_over(
    feeder: Feeder, own_ring: Path, registry_url: str, connection: psycopg.Connection
) -> None:
    feeder.feed(rows())
    rotate(own_ring)
    with connect(registry_url) as other, other.transaction():
        other.execute("UPDATE registry.record SET row_id = row_id WHERE key = 'F3'")
        assert resealing.reseal(connection).resealed == ROWS - 1
    assert resealing.in_use(connection) == {1: 1, 2: ROWS - 1}
    assert resealing.reseal(connection).resealed == 1


def test_what_lay_in_the_clear_from_before_is_sealed_and_is_not_a_change(
    feeder: Feeder, connection: psycopg.Connection
) -> None:
    feeder.feed(rows())
    for n in range(ROWS):  # as an earlier version of the hub stored it
        body = {"id": f"F{n}", "legal_representative": f"诸葛{n}", "state": False}
        connection.execute(
            "UPDATE registry.record SET body = %s, hash = %s, personal = NULL WHERE key = %s",
            (json.dumps(body), plain_digest(canonical(body)), f"F{n}"),
        )
    assert upkeep.faults(connection) == []
    assert resealing.reseal(connection) == resealing.Resealed(0, ROWS)
    assert upkeep.faults(connection) == []
    assert feeder.feed(rows()).counts.unchanged == ROWS


def test_without_keys_a_dataset_with_personal_fields_is_refused_before_anything_is_read(
    registry_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(key_file.VARIABLE)
    with pytest.raises(PersonalKeysMissing, match=key_file.VARIABLE):
        Feeder(registry_url, "market.food", "food_business_licence").feed(rows())
    assert Feeder(registry_url, "office.ratings", "tax_credit_rating").feed([Row({"id": "1"})]).counts.new == 1


def test_another_ring_than_the_registrys_is_refused_before_anything_is_read(
    feeder: Feeder, own_ring: Path, connection: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    feeder.feed(rows())
    before = contents(connection)
    other = own_ring.parent / "other.keys"
    key_file.make(other)
    monkeypatch.setenv(key_file.VARIABLE, str(other))
    for work in (lambda: feeder.feed(rows()), lambda: resealing.reseal(connection)):
        with pytest.raises(PersonalKeysForeign, match="restore that file"):
            work()
    assert contents(connection) == before

    monkeypatch.setenv(key_file.VARIABLE, str(own_ring))
    assert feeder.feed(rows()).counts.unchanged == ROWS
    connection.execute("DELETE FROM registry.personal_ring")  # it is lost for good: docs/personal.md
    monkeypatch.setenv(key_file.VARIABLE, str(other))
    assert feeder.feed(rows()).counts.changed == ROWS


def test_a_personal_field_cannot_be_the_key(registry_url: str) -> None:
    from registry.intake import batches  # noqa: PLC0415
    from registry.intake.batches import ConnectorEntry, DatasetEntry  # noqa: PLC0415

    dataset = DatasetEntry("p", "administrative_penalty@1", "处罚", "Penalties", "office", ("holder_code",), "uscc")
    connector = ConnectorEntry("office.p", "office", "处罚", "Penalties", "O", "o@example.gov.cn", None, None, "d")
    with connect(registry_url) as connection, pytest.raises(IntakeError, match="holder_code is personal"):
        batches.register(connection, dataset, connector)


def test_a_record_with_another_records_values_is_a_fault(feeder: Feeder, connection: psycopg.Connection) -> None:
    feeder.feed(rows())
    connection.execute(
        "UPDATE registry.record SET personal = (SELECT personal FROM registry.record WHERE key = 'F2') WHERE key = 'F1'"
    )
    (fault,) = upkeep.faults(connection)
    assert "F1" in fault.en


def command(desk: Desk, *words: str) -> Answer:
    answer = desk.shuqiao("keys", "personal", *words)
    assert "Traceback" not in answer.err
    return answer


def test_the_way_of_a_key_from_the_command_line(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(key_file.VARIABLE, str(tmp_path / "new.keys"))
    failed = desk.shuqiao("connectors", "run", "test-office.firms")
    assert failed.code != 0
    assert "shuqiao keys personal new" in failed.err
    assert command(desk, "new", "--json").document["state"] == "active"
    desk.run()
    assert command(desk, "new", "--json").document["state"] == "waiting"
    assert [each["state"] for each in command(desk, "list", "--json").document] == ["active", "waiting"]
    assert "rotate" in command(desk, "retire", "1", "--yes").err, "the active key is not to be re-encrypted away"
    assert "list" in command(desk, "retire", "9").err, "before anything is asked"
    assert command(desk, "rotate", "--yes", "--json").document == {"old": 1, "new": 2}
    refused = command(desk, "retire", "1", "--yes")
    assert refused.code != 0
    assert "reencrypt" in refused.err
    assert command(desk, "reencrypt", "--json").document["resealed"] > 0
    assert command(desk, "retire", "1", "--yes", "--json").document == {"retired": 1}
    found = desk.shuqiao("records", "legal_entity", "--unmasked", "--json")
    assert found.code == 0, found.err
    assert "诸葛孔明先生" in found.out
    assert command(desk, "retire", "1", "--yes").code != 0
