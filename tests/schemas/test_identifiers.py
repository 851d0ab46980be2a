from __future__ import annotations

import pytest
import stdnum.cn.ric
import stdnum.cn.uscc
import stdnum.iso7064.mod_37_36
from hypothesis import given
from hypothesis import strategies as st

from schemas.identifiers import (
    HOLDER_CODE_TYPES,
    USCC_ALPHABET,
    is_licence_identifier,
    is_organisation_code,
    is_resident_id,
    is_uscc,
    licence_check_character,
    organisation_code_check_character,
    uscc_check_character,
)
from tests.schemas.records import usccs

REAL_CODES = ["11330105002500287C", "11430000006122244L", "11220000013544541J", "11100000000013338W"]
REAL_LICENCES = [
    "1.2.156.3005.2.11100000000013338W009.11330105002500287C.2025052201.002.0",
    "1.2.156.3005.2.11100000000013338W011.11430000006122244L.20230000403.001.U",
    "1.2.156.3005.2.11100000000013338W011.11430000006122244L.20230000403.002.S",
    "1.2.156.3005.2.11100000000013338W032.11220000013544541J.2430599.001.F",
    "1.2.156.3005.2.11100000MB03271699022.340100.000000016.001.9",
]


@pytest.mark.parametrize("code", REAL_CODES)
def test_codes_of_real_authorities_are_right(code: str) -> None:
    assert is_uscc(code)
    assert code[-1] == uscc_check_character(code[:-1])


@given(usccs)
def test_a_code_may_hold_letters_in_its_first_eight_places(code: str) -> None:
    assert is_uscc(code)
    assert is_uscc("Y1" + code[2:-1] + uscc_check_character("Y1" + code[2:-1]))


@given(
    st.text("0123456789", min_size=8, max_size=8),
    st.text(USCC_ALPHABET, min_size=9, max_size=9),
    st.sampled_from(USCC_ALPHABET),
)
def test_the_check_character_is_the_one_that_another_library_computes(digits: str, rest: str, check: str) -> None:
    code = digits + rest + check

    assert stdnum.cn.uscc.calc_check_digit(digits + rest) == uscc_check_character(digits + rest)
    assert is_uscc(code) == (check == uscc_check_character(digits + rest))


@given(usccs, st.integers(0, 17), st.sampled_from(USCC_ALPHABET))
def test_one_wrong_character_is_always_found(code: str, place: int, character: str) -> None:
    changed = code[:place] + character + code[place + 1 :]

    assert is_uscc(changed) == (changed == code)


@pytest.mark.parametrize(
    "value",
    [
        None,
        1,
        b"11330105002500287C",
        [],
        ["1"] * 18,
        {},
        "",
        "11330105002500287c",
        "１1330105002500287C",
        "11330105002500287C ",
        "1133010500250028\ud800C",
        "I" * 18,
    ],
)
def test_what_is_no_code_is_refused_without_an_error(value: object) -> None:
    assert not is_uscc(value)
    assert not is_organisation_code(value)
    assert not is_resident_id(value)
    assert not is_licence_identifier(value)


def test_a_check_character_needs_seventeen_good_characters() -> None:
    with pytest.raises(ValueError, match="expected 17 characters"):
        uscc_check_character("1133010500250028I")


@pytest.mark.parametrize("code", ["00013338W"[:9], "002500287", "006122244", "013544541", "MB0327169"])
def test_the_organisation_code_within_a_code_is_checked_by_its_own_rule(code: str) -> None:
    assert is_organisation_code(code) == (code[8] == organisation_code_check_character(code[:8]))


def test_an_organisation_code_may_have_a_hyphen() -> None:
    assert is_organisation_code("D2143569-X")
    assert is_organisation_code("D2143569X")
    assert not is_organisation_code("D21435690")
    with pytest.raises(ValueError, match="expected 8 characters"):
        organisation_code_check_character("1234567")


@given(st.dates(), st.integers(0, 999), st.sampled_from("0123456789X"))
def test_resident_ids_are_as_another_library_checks_them(birth: object, order: int, check: str) -> None:
    code = f"110105{str(birth).replace('-', '')}{order:03d}{check}"
    right = stdnum.cn.ric.calc_check_digit(code)

    assert is_resident_id(code) == (check == right)


def test_a_resident_id_needs_a_day_that_exists() -> None:
    assert is_resident_id("11010519491231002X")
    assert not is_resident_id("110105194902300027")


@pytest.mark.parametrize("identifier", REAL_LICENCES)
def test_living_licence_identifiers_are_right(identifier: str) -> None:
    assert is_licence_identifier(identifier)
    assert not is_licence_identifier(identifier[:-1] + ("1" if identifier[-1] != "1" else "2"))


@given(st.text("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=1, max_size=60))
def test_the_licence_check_character_is_the_one_that_another_library_computes(body: str) -> None:
    assert stdnum.iso7064.mod_37_36.calc_check_digit(body) == licence_check_character(body)


@pytest.mark.parametrize(
    "flaw",
    [
        "1.2.156.3005.2",
        "1.2.156.3005.2.a.b.c.d.e",
        "1.2.156.3005.3." + REAL_LICENCES[0][15:],
        REAL_LICENCES[0].replace("002.0", "02.0"),
        REAL_LICENCES[0].replace("2025052201", "20250522é1"),
    ],
)
def test_a_malformed_licence_identifier_is_refused(flaw: str) -> None:
    assert not is_licence_identifier(flaw)


def test_annex_a_has_its_sixteen_kinds_in_both_languages() -> None:
    assert len(HOLDER_CODE_TYPES) == 16
    assert all(zh and en for zh, en in HOLDER_CODE_TYPES.values())
