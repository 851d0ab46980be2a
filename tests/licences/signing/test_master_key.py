"""The master key seals private keys; what is wrong with one is told in a sentence, and the key itself never."""

from __future__ import annotations

import base64
import pickle
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.signing.master_key import (
    MasterKey,
    MasterKeyError,
    MasterKeyMalformed,
    MasterKeyMissing,
    MasterKeyWrong,
    from_file,
    from_text,
    generate,
)

KEY = bytes(range(223, 255))
TEXT = base64.b64encode(KEY).decode()


@given(st.binary(max_size=300), st.text(max_size=30))
def test_what_is_sealed_comes_back_and_is_never_sealed_twice_alike(plain: bytes, context: str) -> None:
    key = MasterKey(KEY)
    sealed = key.seal(plain, context)
    assert key.unseal(sealed, context) == plain
    assert key.seal(plain, context) != sealed
    assert len(plain) < 8 or plain not in sealed


@given(st.data())
def test_a_changed_byte_is_noticed(data: st.DataObject) -> None:
    key = MasterKey(KEY)
    sealed = bytearray(key.seal(b"secret", "a"))
    at = data.draw(st.integers(0, len(sealed) - 1))
    sealed[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(MasterKeyWrong):
        key.unseal(bytes(sealed), "a")


def test_what_is_sealed_for_one_place_does_not_open_in_another() -> None:
    key = MasterKey(KEY)
    with pytest.raises(MasterKeyWrong):
        key.unseal(key.seal(b"secret", "signing_key/a"), "signing_key/b")


@pytest.mark.parametrize("cut", [0, 1, 12, 13, 28])
def test_a_piece_of_what_was_sealed_does_not_open(cut: int) -> None:
    key = MasterKey(KEY)
    with pytest.raises(MasterKeyWrong):
        key.unseal(key.seal(b"", "a")[:cut], "a")


def test_another_master_key_opens_nothing() -> None:
    with pytest.raises(MasterKeyWrong):
        from_text(generate()).unseal(MasterKey(KEY).seal(b"secret", "a"), "a")


@pytest.mark.parametrize(
    "text", [TEXT, TEXT + "\n", TEXT.rstrip("="), f"  {TEXT}\r\n", TEXT.translate({ord("+"): "-", ord("/"): "_"})]
)
def test_the_spellings_of_one_key_are_one_key(text: str) -> None:
    assert from_text(text).id == MasterKey(KEY).id


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "0 bytes"),
        (base64.b64encode(KEY[:31]).decode(), "31 bytes"),
        (base64.b64encode(KEY + b"x").decode(), "33 bytes"),
        ("correct horse battery staple", "cannot be read"),
        ("口令", "cannot be read"),
        (TEXT[:-3], "cannot be read"),
    ],
)
def test_a_malformed_key_is_told_without_showing_it(text: str, says: str) -> None:
    with pytest.raises(MasterKeyMalformed) as caught:
        from_text(text)
    assert says in caught.value.en
    assert not text or text not in str(caught.value)
    _one_sentence_each(caught.value)


def test_a_file_that_is_not_there_or_not_text_is_told(tmp_path: Path) -> None:
    with pytest.raises(MasterKeyMissing) as missing:
        from_file(tmp_path / "none.key")
    _one_sentence_each(missing.value)
    (tmp_path / "raw.key").write_bytes(bytes(range(200, 232)))
    with pytest.raises(MasterKeyMalformed) as raw:
        from_file(tmp_path / "raw.key")
    _one_sentence_each(raw.value)
    (tmp_path / "good.key").write_text(TEXT + "\n")
    assert from_file(tmp_path / "good.key").id == MasterKey(KEY).id


def test_the_key_shows_in_no_representation_and_is_not_written_out() -> None:
    key = MasterKey(KEY)
    for shown in (repr(key), str(key), f"{key}"):
        assert key.id in shown
        assert TEXT not in shown
        assert KEY.hex() not in shown
    with pytest.raises(TypeError):
        pickle.dumps(key)


def _one_sentence_each(error: MasterKeyError) -> None:
    """In Chinese and in English, saying what to do."""
    assert error.zh.endswith("。")
    assert error.zh.count("。") == 1
    assert "请" in error.zh
    assert error.en.endswith(".")
    assert len(re.findall(r"\.\s", error.en)) == 0
