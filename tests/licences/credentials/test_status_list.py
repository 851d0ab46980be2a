"""Bitstring Status Lists: bits, their encoding, and the credential around them."""

from __future__ import annotations

import contextlib
import gzip

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.credentials import build, status_list
from registry.credentials.multibase import base64url, from_base64url
from registry.credentials.status_list import ListRefused
from registry.domain.licences.licence import StatusEntry
from tests.licences.credentials.city import BASE, City

SIZES = st.sampled_from([1, 2, 4, 8])


def test_the_first_entry_is_at_the_most_significant_end() -> None:
    bits = status_list.empty()
    status_list.set_value(bits, 0, 1, 1)
    status_list.set_value(bits, 9, 1, 1)

    assert bits[:2] == b"\x80\x40"


def test_the_example_of_the_specification_is_read() -> None:
    """Bitstring Status List v1.0: the encoded list of its examples is 131,072 zeros."""
    text = "uH4sIAAAAAAAAA-3BMQEAAADCoPVPbQwfoAAAAAAAAAAAAAAAAAAAAIC3AYbSVKsAQAAA"

    assert status_list.decode(text) == bytes(status_list.MIN_ENTRIES // 8)


@settings(deadline=None)
@given(size=SIZES, data=st.data())
def test_a_value_is_read_as_it_was_set_and_no_other_is_touched(size: int, data: st.DataObject) -> None:
    bits = bytearray(data.draw(st.binary(min_size=8, max_size=32)))
    entries = len(bits) * 8 // size
    before = [status_list.get(bits, index, size) for index in range(entries)]
    index, value = data.draw(st.integers(0, entries - 1)), data.draw(st.integers(0, 2**size - 1))

    status_list.set_value(bits, index, size, value)

    assert [status_list.get(bits, one, size) for one in range(entries)] == [
        value if one == index else old for one, old in enumerate(before)
    ]


@settings(deadline=None)
@given(size=SIZES, index=st.integers())
def test_what_lies_outside_the_list_is_neither_read_nor_set(size: int, index: int) -> None:
    bits = bytearray(16)
    if not 0 <= index < 128 // size:
        with pytest.raises(IndexError):
            status_list.get(bits, index, size)
        with pytest.raises(IndexError):
            status_list.set_value(bits, index, size, 0)


@pytest.mark.parametrize(("size", "value"), [(1, 2), (1, -1), (4, 16)])
def test_a_value_that_does_not_fit_is_refused(size: int, value: int) -> None:
    with pytest.raises(ValueError, match="does not fit"):
        status_list.set_value(bytearray(16), 0, size, value)


@settings(deadline=None)
@given(st.binary(max_size=2000))
def test_a_list_is_decoded_as_it_was_encoded_and_equal_lists_are_encoded_alike(bits: bytes) -> None:
    text = status_list.encode(bits)

    assert status_list.decode(text) == bits
    assert status_list.encode(bytearray(bits)) == text


PACKED = gzip.compress(b"list", mtime=0)
WRONG = {
    "without prefix": base64url(PACKED),
    "of another alphabet": "z" + base64url(PACKED),
    "with padding": "u" + base64url(PACKED) + "=",
    "cut short": "u" + base64url(PACKED[:-4]),
    "with something behind it": "u" + base64url(PACKED + b"more"),
    "of two members": "u" + base64url(PACKED + PACKED),
    "with a wrong sum": "u" + base64url(PACKED[:-8] + b"\0\0\0\0" + PACKED[-4:]),
    "zlib, not gzip": "u" + base64url(b"\x78\x9c\x03\x00\x00\x00\x00\x01"),
    "nothing": "u",
}


@pytest.mark.parametrize("text", WRONG.values(), ids=WRONG)
def test_a_list_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(ListRefused) as refused:
        status_list.decode(text)
    assert refused.value.code == "list_encoding"


def test_a_list_that_would_fill_the_memory_is_refused_before_it_does() -> None:
    bomb = status_list.encode(bytes(status_list.MAX_BYTES + 1))

    assert len(bomb) < 50_000
    with pytest.raises(ListRefused) as refused:
        status_list.decode(bomb)
    assert refused.value.code == "list_too_large"


@settings(deadline=None)
@given(st.text(max_size=40))
def test_any_text_is_decoded_or_refused(text: str) -> None:
    with contextlib.suppress(ListRefused):
        assert isinstance(status_list.decode("u" + text), bytes)


def test_the_credential_is_as_the_specification_wants_it(city: City) -> None:
    document = orjson.loads(city.list_of("revocation", 1))

    assert document["@context"] == ["https://www.w3.org/ns/credentials/v2"]
    assert document["type"] == ["VerifiableCredential", "BitstringStatusListCredential"]
    assert document["issuer"] == city.bureau.issuer.did
    assert document["credentialSubject"]["type"] == "BitstringStatusList"
    assert document["credentialSubject"]["statusPurpose"] == "revocation"
    assert document["credentialSubject"]["encodedList"].startswith("u")
    assert len(status_list.decode(document["credentialSubject"]["encodedList"])) * 8 >= 131_072


def test_an_entry_of_several_bits_has_a_message_for_every_value() -> None:
    revocation, suspension, message = build.entry(BASE, StatusEntry(7, 12))

    assert [one["statusPurpose"] for one in (revocation, suspension, message)] == list(build.PURPOSES)
    assert {one["statusListIndex"] for one in (revocation, suspension, message)} == {"12"}
    assert "statusSize" not in revocation
    assert message["statusSize"] == 4
    assert [one["status"] for one in message["statusMessage"]] == [f"{value:#x}" for value in range(16)]
    assert message["statusMessage"][0]["message"] == "有效 / Valid"


@settings(deadline=None)
@given(st.binary(max_size=80))
def test_base64url_has_one_text_for_one_value(data: bytes) -> None:
    text = base64url(data)

    assert from_base64url(text) == data
    if text and len(data) % 3:
        for other in "BCDEFGHhijk_-":
            if other != text[-1]:
                try:
                    assert from_base64url(text[:-1] + other) != data
                except ValueError:
                    continue
