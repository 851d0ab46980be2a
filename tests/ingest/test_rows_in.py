"""Rows as hostile sources deliver them: each becomes a record, or a refusal that can be stored."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from connectors.manifest import Manifest, load
from connectors.source import RefusedRow, Rows
from registry.intake.errors import IntakeError
from registry.intake.staging import Staging
from registry.sealing import key_file
from registry.storage.database import connect
from shuqiao.row_check import IDENTITY_TEXT, RAW_TEXT, Checked, RowCheck
from tests.registry.feeding import Feeder

MANIFEST = """
connector: office.thing
title: {zh: 东西, en: Things}
department: office
owner: {name: Office, email: office@example.gov.cn}
legal_basis: 测试
source: {kind: file, path: "*.csv", row_id: [id]}
dataset: thing
schema: thing@1
key: [code]
mapping:
  code: {from: code}
  note: {from: note, optional: true}
limits: {max_field: 64KiB}
"""
SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "东西",
    "x-title-en": "Things",
    "type": "object",
    "additionalProperties": False,
    "required": ["code"],
    "properties": {
        "code": {"type": "string", "title": "编码", "x-title-en": "Code", "minLength": 1},
        "note": {"type": "string", "title": "备注", "x-title-en": "Note", "maxLength": 100000},
    },
}


@pytest.fixture
def manifest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Manifest:
    folder = tmp_path / "schemas" / "thing"
    folder.mkdir(parents=True)
    (folder / "1.json").write_text(json.dumps(SCHEMA), "utf-8")
    monkeypatch.setenv("SHUQIAO_SCHEMAS", str(tmp_path / "schemas"))
    path = tmp_path / "thing.yaml"
    path.write_text(MANIFEST, "utf-8")
    return load(path)


def check(manifest: Manifest, *rows: tuple[Any, ...]) -> Checked:
    return RowCheck(manifest).check(Rows(("id", "code", "note"), list(rows), "things.csv"))


HOSTILE: dict[str, tuple[Any, ...]] = {
    "a NUL in the row's identity": ("1\0", "a", "n"),
    "a lone surrogate in the row's identity": ("1\ud800", "a", "n"),
    "an identity longer than an index takes": ("1" * 5000, "a", "n"),
    "no identity at all": (None, "a", "n"),
    "a key longer than an index takes": ("1", "k" * (IDENTITY_TEXT + 1), "n"),
    "a NUL in a value": ("1", "a", "n\0n"),
    "a lone surrogate in a value": ("1", "a", "n\udfff"),
    "a lone surrogate in the key": ("1", "a\ud800", "n"),
    "no key": ("1", None, "n"),
    "a text of megabytes": ("1", "a", "x" * 5_000_000),
    "bytes": ("1", "a", b"\xff\x00"),
    "not a number": ("1", float("nan"), "n"),
    "a number of a thousand digits": ("1", 10**1000, "n"),
    "a list": ("1", ["a", "\ud800"], "n"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_row_is_stored_as_a_record_or_as_a_refusal_with_reasons(
    case: str, manifest: Manifest, registry_url: str
) -> None:
    checked = check(manifest, HOSTILE[case], ("2", "good", "n"))

    assert len(checked.bodies) + len(checked.refusals) == 2
    for refusal in checked.refusals:
        assert refusal.reasons
        assert all(reason["zh"] and reason["en"] and reason["rule"] for reason in refusal.reasons)
        assert len(json.dumps(refusal.raw)) < RAW_TEXT * 10
    feeder = Feeder(registry_url, dataset="thing")
    batch_id = feeder.plan()
    with connect(registry_url) as connection:
        staging = Staging(connection, batch_id, 0)
        staging.add(*checked.valid())
        staging.refuse(checked.refusals)
        staging.finish(None)
    report = feeder.publish(batch_id)
    assert report.counts.accounted
    assert "good" in feeder.records()
    assert len(feeder.tickets()) == len(checked.refusals)


def test_identities_that_cannot_be_stored_are_told_apart_by_a_digest_of_their_own(manifest: Manifest) -> None:
    checked = check(manifest, ("1\0", "a", "n"), ("2\0", "b", "n"), ("1\0", "c", "n"))
    first, second, third = checked.row_ids
    assert first == third != second


def test_a_row_the_source_could_not_read_is_a_refusal_too(manifest: Manifest) -> None:
    broken = RefusedRow("things.csv:7", {"line": "\ud800\0"}, "source.encoding", "编码错误", "bad encoding")
    rows = Rows(("id", "code", "note"), [("1", "a", "n")], "things.csv", refused=[broken])
    checked = RowCheck(manifest).check(rows)

    assert len(checked.bodies) == 1
    assert [refusal.place for refusal in checked.refusals] == ["things.csv:7"]
    assert checked.refusals[0].row_id.startswith("digest:")
    json.dumps(checked.refusals[0].raw).encode()


def test_a_row_without_identity_is_known_by_a_digest_that_nobody_without_the_ring_can_make(
    manifest: Manifest, tmp_path: Path
) -> None:
    rings = []
    for name in ("one", "two"):
        key_file.make(tmp_path / name)
        rings.append(key_file.read(tmp_path / name).ring())
    rows = Rows(("id", "code", "note"), [(None, "a", "n")], "things.csv")

    known = [RowCheck(manifest, ring).check(rows).refusals[0].row_id for ring in (None, *rings, rings[0])]

    assert len(set(known)) == 3
    assert known[1] == known[3]


def test_ordinals_go_on_from_batch_to_batch(manifest: Manifest) -> None:
    row_check = RowCheck(manifest)
    rows = Rows(("id", "code", "note"), [("1", "a", "n"), ("2", None, "n")], "things.csv")
    first, second = row_check.check(rows), row_check.check(rows)

    assert [*first.ordinals, *second.ordinals] == [0, 2]
    assert [refusal.ordinal for refusal in (*first.refusals, *second.refusals)] == [1, 3]


def test_personal_values_that_nothing_would_seal_are_not_staged_as_masks(registry_url: str) -> None:
    feeder = Feeder(registry_url, dataset="thing")  # its schema has no personal fields
    with connect(registry_url) as connection:
        staging = Staging(connection, feeder.plan(), 0)
        with pytest.raises(IntakeError, match="run the connector again"):
            staging.add([0], ["a"], ["1"], [None], [b'{"code":"a","note":"n**"}'], [b'{"note":"nnn"}'])
        assert staging.counts == (0, 0, 0)
