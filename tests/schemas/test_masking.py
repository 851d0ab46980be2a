from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.masking import mask, printable, shorten


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("张小明", "张**"),
        ("11010519491231002X", "11**************2X"),
        ("欧", "*"),
        ("", "*"),
        (13800000000, "***"),
        (True, "***"),
        (None, "***"),
        (["张小明"], "***"),
        ({"a": "张"}, "***"),
    ],
)
def test_what_is_shown_of_a_personal_value(value: object, shown: str) -> None:
    assert shown == mask(value)


@given(st.text(min_size=1))
def test_a_mask_never_holds_the_whole_value_and_can_be_stored(value: str) -> None:
    assert value not in mask(value) or set(value) == {"*"}
    assert len(mask(value)) <= 60
    mask(value).encode()


@given(
    st.text()
    | st.integers()
    | st.floats()
    | st.booleans()
    | st.none()
    | st.lists(st.integers())
    | st.dictionaries(st.text(), st.text())
)
def test_a_shortened_value_fits_a_line_and_can_be_stored(value: Any) -> None:
    shown = shorten(value)

    assert len(shown) <= 800
    assert "\n" not in shown
    shown.encode()


def test_a_number_of_ten_thousand_digits_is_shortened() -> None:
    assert shorten(-(10**10_000)) == "-…"


def test_control_characters_are_written_as_escapes() -> None:
    assert printable("a\0\n\ud800\u3000") == "a\\x00\\n\\ud800\u3000"
