"""JSON as it is signed, and JSON as it is accepted."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.credentials import jcs
from registry.credentials.jcs import DocumentRefused, canonical, parse, parse_object

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
INTEGERS = st.integers(-jcs.MAX_INTEGER, jcs.MAX_INTEGER)
FLOATS = st.floats(allow_nan=False, allow_infinity=False).filter(lambda one: not 2**53 <= abs(one) < 1e21)
"""Without those that are written like integers no reader need hold."""
LEAVES = st.none() | st.booleans() | INTEGERS | TEXTS | FLOATS
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner), max_leaves=30)


@settings(deadline=None)
@given(VALUES)
def test_the_canonical_form_is_that_of_the_reference_library(value: Any) -> None:
    assert canonical(value) == rfc8785.dumps(value)


@settings(deadline=None)
@given(VALUES)
def test_what_was_written_canonically_is_read_back_the_same(value: Any) -> None:
    assert canonical(parse(canonical(value))) == canonical(value)


@settings(deadline=None)
@given(VALUES)
def test_the_order_and_spacing_of_a_document_do_not_matter(value: Any) -> None:
    spaced = json.dumps(value, indent=2, ensure_ascii=True).encode()

    assert canonical(parse(spaced)) == canonical(value)


@pytest.mark.parametrize("value", [2**53, -(2**53), float("nan"), float("inf"), "\ud800", {"a\ud800": 1}, {1: 2}, b"x"])
def test_what_json_cannot_say_exactly_is_not_signed(value: Any) -> None:
    with pytest.raises(DocumentRefused) as refused:
        canonical(value)
    assert refused.value.code == "not_canonical"


DEEP = b'{"a":' * 200_000 + b"1" + b"}" * 200_000
REFUSED = {
    "a key given twice": (b'{"a":1,"a":2}', "duplicate_key"),
    "a key given twice, written differently": (b'{"a":1,"\\u0061":1}', "duplicate_key"),
    "a key given twice with the same value": (b'{"a":1,"a":1}', "duplicate_key"),
    "a key given twice far inside": (b'[{"b":[{"a":null,"c":0,"a":null}]}]', "duplicate_key"),
    "nested too deep": (b"[" * 65 + b"]" * 65, "too_deep"),
    "nested so deep that parsers crash": (DEEP, "too_deep"),
    "lists nested without end": (b"[" * 100_000, "too_deep"),
    "larger than two megabytes": (b'"' + b"a" * jcs.MAX_BYTES + b'"', "too_large"),
    "an integer that not every reader holds": (b"9007199254740992", "number_out_of_range"),
    "an integer of a million digits": (b"1" * 1_000_000, "number_out_of_range"),
    "a number beyond doubles": (b"[1e400]", "number_out_of_range"),
    "NaN": (b'{"a":NaN}', "not_a_number"),
    "Infinity": (b"[-Infinity]", "not_a_number"),
    "half of a surrogate pair": (b'"\\ud83d"', "lone_surrogate"),
    "half of a surrogate pair in a key": (b'{"\\udc00":1}', "lone_surrogate"),
    "bytes that are no UTF-8": (b'"\xff"', "not_utf8"),
    "UTF-16": ('{"a":1}'.encode("utf-16"), "not_utf8"),
    "a byte order mark": (b'\xef\xbb\xbf{"a":1}', "not_json"),
    "nothing": (b"", "not_json"),
    "two documents": (b"{}{}", "not_json"),
    "a comma too many": (b"[1,]", "not_json"),
    "single quotes": (b"{'a':1}", "not_json"),
    "a control character in a text": (b'"a\nb"', "not_json"),
}


@pytest.mark.parametrize(("data", "code"), REFUSED.values(), ids=REFUSED)
def test_a_document_that_could_be_read_in_two_ways_is_refused(data: bytes, code: str) -> None:
    with pytest.raises(DocumentRefused) as refused:
        parse(data)

    assert refused.value.code == code
    assert refused.value.zh
    assert refused.value.en


@settings(deadline=None)
@given(st.binary(max_size=200) | TEXTS.map(str.encode))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        value = parse(data)
    except DocumentRefused:
        return
    assert value == json.loads(data)


def test_sixty_four_levels_are_deep_enough() -> None:
    assert parse(b"[" * 64 + b"]" * 64) is not None


def test_a_wide_document_is_not_deep() -> None:
    wide = [{"a": [number]} for number in range(1000)]

    assert parse(orjson.dumps(wide)) == wide


@pytest.mark.parametrize("data", [b"[]", b'"a"', b"1", b"null"])
def test_what_is_no_object_is_refused_where_one_is_expected(data: bytes) -> None:
    with pytest.raises(DocumentRefused) as refused:
        parse_object(data)
    assert refused.value.code == "not_an_object"
