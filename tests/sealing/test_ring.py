"""Keys and what they seal: it opens in its place only, whole; a mask never shows more than its rule."""

from __future__ import annotations

import os
import pickle
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.sealing import key_file
from registry.sealing.errors import (
    PersonalKeyRefused,
    PersonalKeysMalformed,
    PersonalKeysMissing,
    PersonalKeyUnknown,
    PersonalValuesDamaged,
)
from registry.sealing.records import RecordSealer, SealedRecord, digest_of, opened
from registry.sealing.ring import NONCE, Ring
from schemas.masking import mask
from schemas.personal import PersonalFields, normalised, of_schema

PENALTY = of_schema("administrative_penalty@1")
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60)
RECORDS = st.fixed_dictionaries(
    {"decision_number": TEXTS, "content": TEXTS},
    optional={
        "holder_name": TEXTS,
        "holder_code": TEXTS,
        "legal_representative": TEXTS,
        "legal_representative_id": TEXTS,
        "uscc": st.just("91310000MA1FL0000X"),
    },
)


def sealed(record: Mapping[str, Any], key: str = "k", dataset: int = 1) -> SealedRecord:
    sealer = RecordSealer(dataset, PENALTY)
    (found,) = sealer.seal([key], *sealer.apart([orjson.dumps(record)]))
    return found


@given(record=RECORDS, key=TEXTS)
def test_what_is_sealed_opens_as_it_was(record: dict[str, Any], key: str) -> None:
    stored = sealed(record, key)
    body = orjson.loads(stored.body)
    assert opened(body, stored.personal, 1, key) == record
    assert digest_of(body, stored.personal, 1, key) == stored.digest
    assert (stored.personal is None) == (not PENALTY.taken(record))


@given(record=RECORDS)
def test_the_body_holds_masks_and_the_name_of_an_organisation_stays(record: dict[str, Any]) -> None:
    body = orjson.loads(sealed(record).body)
    for name in ("holder_code", "legal_representative", "legal_representative_id"):
        if name in record:
            assert body[name] == mask(record[name])
    if "holder_name" in record:
        assert body["holder_name"] == (record["holder_name"] if "uscc" in record else mask(record["holder_name"]))
    assert {name: body[name] for name in ("decision_number", "content")} == {
        name: record[name] for name in ("decision_number", "content")
    }


@given(value=TEXTS)
def test_a_mask_shows_one_character_of_a_name_and_four_of_a_number(value: str) -> None:
    shown = mask(value)
    printed = [character for character in value if character.isprintable()]
    if len(printed) == len(value):  # else escapes stand for what cannot be shown
        kept = [character for character in shown if character != "*"]
        assert len(kept) <= (0 if len(value) == 1 else 1 if len(value) < 8 else 4)
    assert shown != value or set(value) == {"*"}


@given(
    record=RECORDS.filter(lambda record: bool(PENALTY.taken(record))),
    place=st.integers(0, 10**6),
    bit=st.integers(0, 7),
)
def test_a_changed_bit_is_noticed(record: dict[str, Any], place: int, bit: int) -> None:
    stored = sealed(record)
    assert stored.personal is not None
    changed = bytearray(stored.personal)
    changed[place % len(changed)] ^= 1 << bit
    with pytest.raises((PersonalValuesDamaged, PersonalKeyUnknown)):
        opened({}, bytes(changed), 1, "k")


@pytest.mark.parametrize(("dataset", "key"), [(1, "other"), (2, "k")])
def test_values_moved_to_another_record_do_not_open(dataset: int, key: str) -> None:
    stored = sealed({"decision_number": "1", "legal_representative": "诸葛孔明"})
    with pytest.raises(PersonalValuesDamaged):
        opened({}, stored.personal, dataset, key)


def test_the_same_record_has_the_same_digest_and_never_the_same_seal() -> None:
    one, other = (sealed({"decision_number": "1", "legal_representative": "诸葛孔明"}) for _ in range(2))
    assert one.digest == other.digest
    assert one.personal != other.personal


def test_the_digest_cannot_be_found_by_trying_names() -> None:
    record = {"decision_number": "1", "legal_representative": "诸葛孔明"}
    without_keys = Ring({1: bytes(32)}, 1, content_key=bytes(32), index_key=bytes(32))
    stored = sealed(record)
    assert stored.digest != without_keys.content_digest(stored.body, orjson.dumps(PENALTY.taken(record)))


def test_a_blind_index_is_the_same_however_a_number_is_written() -> None:
    one, other = (
        sealed({"decision_number": "1", "holder_code": code})
        for code in ("31010119900307123x", "３１０１０１ 19900307-123X")
    )
    assert one.blind == other.blind
    assert one.blind is not None
    assert normalised("31010119900307123x") not in str(one.blind)


def test_nested_personal_values_are_sealed_with_the_field_they_stand_in() -> None:
    fields = PersonalFields(frozenset({"/people/*/name"}), (("people", None),), ())
    record = {"people": [{"name": "诸葛孔明", "share": "10"}]}
    taken = fields.taken(record)
    assert taken == record
    assert fields.masked(record, taken) == {"people": [{"name": "诸***", "share": "10"}]}


def test_the_file_is_its_owners_only_and_tells_others_nothing(tmp_path: Path) -> None:
    path = tmp_path / "ring"
    file = key_file.make(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for told in (repr(file), repr(file.ring())):
        assert str(file.active.key) not in told
    with pytest.raises(TypeError):
        pickle.dumps(file.ring())
    path.chmod(0o604)
    with pytest.raises(PersonalKeysMalformed, match="chmod 600"):
        key_file.read(path)


def test_a_ring_is_not_made_over_another(tmp_path: Path) -> None:
    key_file.make(tmp_path / "ring")
    with pytest.raises(PersonalKeyRefused):
        key_file.make(tmp_path / "ring")


def test_a_further_key_waits_until_it_is_rotated_to_and_the_old_one_opens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "ring"
    key_file.make(path)
    monkeypatch.setenv(key_file.VARIABLE, str(path))
    before = sealed({"decision_number": "1", "legal_representative": "诸葛孔明"})
    key_file.add(path)
    assert key_file.ring().active == 1
    key_file.activate(path)
    assert key_file.ring().active == 2
    after = sealed({"decision_number": "1", "legal_representative": "诸葛孔明"})
    assert before.digest == after.digest  # unchanged rows write nothing after a rotation either
    for each in (before, after):
        assert opened({}, each.personal, 1, "k")["legal_representative"] == "诸葛孔明"
    key_file.retire(path, 1)
    with pytest.raises(PersonalKeyUnknown, match="key 1"):
        opened({}, before.personal, 1, "k")


@pytest.mark.parametrize("number", [2, 7])
def test_only_a_replaced_key_is_retired(tmp_path: Path, number: int) -> None:
    path = tmp_path / "ring"
    key_file.make(path)
    key_file.add(path)
    for wrong in (1, number):
        with pytest.raises(PersonalKeyRefused):
            key_file.retire(path, wrong)


def test_there_is_no_rotation_without_a_waiting_key_and_only_one_waits(tmp_path: Path) -> None:
    path = tmp_path / "ring"
    key_file.make(path)
    with pytest.raises(PersonalKeyRefused):
        key_file.activate(path)
    key_file.add(path)
    with pytest.raises(PersonalKeyRefused):
        key_file.add(path)


@pytest.mark.parametrize(
    "text", ["", "{}", '{"format": 2}', "[]", '{"format": 1, "keys": [], "content_key": "", "index_key": ""}']
)
def test_what_is_no_ring_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "ring"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(PersonalKeysMalformed):
        key_file.read(path)


def test_without_a_ring_it_is_said_what_to_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(key_file.VARIABLE)
    with pytest.raises(PersonalKeysMissing, match=key_file.VARIABLE):
        key_file.ring()
    monkeypatch.setenv(key_file.VARIABLE, str(tmp_path / "none"))
    with pytest.raises(PersonalKeysMissing, match="shuqiao keys personal new"):
        key_file.ring()


def test_nonces_are_random_and_of_the_standards_length() -> None:
    ring = key_file.ring()
    nonces = {ring.seal(1, b"x", b"y")[3 : 3 + NONCE] for _ in range(1000)}
    assert len(nonces) == 1000
    assert all(len(nonce) == 12 for nonce in nonces)
    assert os.environ[key_file.VARIABLE]
