"""Identifiers of GB/T 36904: ours are always right, others' are read as they are and a wrong one is named."""

from __future__ import annotations

import re
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum.iso7064 import mod_37_36

from registry.domain.licences.identifiers import (
    SERIAL_ALPHABET,
    SERIAL_LENGTH,
    Identifier,
    IdentifierMalformed,
    new_serial,
    parse,
)
from schemas.identifiers import LICENCE_ROOT, is_licence_identifier
from tests.schemas.records import usccs

LIVING = [
    "1.2.156.3005.2.11100000000013338W011.11430000006122244L.20230000403.001.U",
    "1.2.156.3005.2.11100000000013338W011.11430000006122244L.20230000403.002.S",
    "1.2.156.3005.2.11100000000013338W032.11220000013544541J.2430599.001.F",
    "1.2.156.3005.2.11100000000013338W009.11330105002500287C.2025052201.002.0",
    "1.2.156.3005.2.11100000MB03271699022.340100.000000016.001.9",
]
"""Identifiers of licences that other systems issued."""

identifiers = st.builds(
    Identifier,
    usccs.map(lambda code: f"{code}009"),
    usccs | st.from_regex("[1-9][0-9]{5}", fullmatch=True),
    st.text(SERIAL_ALPHABET, min_size=1, max_size=64),
    st.integers(1, 999),
)


@pytest.mark.parametrize("text", LIVING)
def test_identifiers_of_living_systems_are_read_and_written_the_same(text: str) -> None:
    parsed = parse(text)

    assert parsed.check_is_right
    assert parsed.warning is None
    assert str(parsed.identifier) == text


@given(identifiers)
def test_what_is_issued_here_is_right_by_an_independent_implementation(identifier: Identifier) -> None:
    text = str(identifier)
    *_, check = text.split(".")
    body = identifier.type_code + identifier.issuer_code + identifier.serial + f"{identifier.version:03}"

    assert mod_37_36.is_valid(body + check)
    assert is_licence_identifier(text)
    assert parse(text).identifier == identifier


@given(identifiers, st.sampled_from(SERIAL_ALPHABET))
def test_a_wrong_check_character_is_no_error_but_a_warning_that_names_the_right_one(
    identifier: Identifier, check: str
) -> None:
    parsed = parse(str(identifier)[:-1] + check)

    assert parsed.identifier == identifier
    if check == identifier.check_character:
        assert parsed.warning is None
    else:
        assert not parsed.check_is_right
        assert parsed.warning is not None
        for words in parsed.warning:
            assert check in words
            assert identifier.check_character in words


def test_the_next_version_has_its_own_check_character() -> None:
    assert str(parse(LIVING[0]).identifier.next_version()) == LIVING[1]


def test_after_version_999_there_is_none() -> None:
    with pytest.raises(IdentifierMalformed, match="got 1000, expected 001 to 999"):
        Identifier("11100000000013338W011", "340100", "A", 999).next_version()


@pytest.mark.parametrize(
    ("text", "part", "said"),
    [
        ("", "root", f"expected a text that begins with {LICENCE_ROOT}."),
        ("1.2.156.3005.20.A.B.C.001.0", "root", "expected a text that begins with"),
        (LIVING[0] + ".9", "parts", "got 6 parts, expected 5"),
        (LIVING[0].removesuffix(".U"), "parts", "got 4 parts, expected 5"),
        (LIVING[0].replace("W011", "W11"), "type_code", "(20 characters), expected 21 digits or capital letters"),
        (LIVING[0].replace("L.2023", ".2023"), "issuer_code", "(17 characters), expected 18 digits"),
        (LIVING[0].replace("20230000403", ""), "serial", "(0 characters), expected 1 to 64"),
        (LIVING[0].replace("20230000403", "9" * 65), "serial", "(65 characters), expected 1 to 64"),
        (LIVING[0].replace("20230000403", "abc"), "serial", "got 'abc'"),
        (LIVING[0].replace("20230000403", "２０２３"), "serial", "expected 1 to 64"),
        (LIVING[0].replace("20230000403", "A-B"), "serial", "got 'A-B'"),
        (LIVING[0].replace(".001.", ".1."), "version", "got '1', expected three digits"),
        (LIVING[0].replace(".001.", ".000."), "version", "got 0, expected 001 to 999"),
        (LIVING[0].replace(".001.", ".²²²."), "version", "expected three digits"),
        (LIVING[0][:-1], "check_character", "(0 characters), expected 1"),
        (LIVING[0] + "U", "check_character", "(2 characters), expected 1"),
        (LIVING[0][:-1] + "u", "check_character", "got 'u'"),
    ],
)
def test_what_is_no_identifier_says_which_part_and_what_was_expected(text: str, part: str, said: str) -> None:
    with pytest.raises(IdentifierMalformed, match=re.escape(said)) as caught:
        parse(text)

    assert caught.value.part == part
    assert "应" in caught.value.zh


@given(st.text(max_size=80) | st.text(max_size=60).map(lambda rest: f"{LICENCE_ROOT}.{rest}"))
def test_any_text_is_an_identifier_or_refused(text: str) -> None:
    with suppress(IdentifierMalformed):
        parsed = parse(text)
        assert str(parsed.identifier)[:-1] + parsed.check_character == text


def test_serials_are_random_and_of_one_length() -> None:
    serials = {new_serial() for _ in range(2000)}

    assert len(serials) == 2000
    assert all(len(serial) == SERIAL_LENGTH and set(serial) <= set(SERIAL_ALPHABET) for serial in serials)
    for place in range(SERIAL_LENGTH):
        assert len({serial[place] for serial in serials}) == len(SERIAL_ALPHABET)
