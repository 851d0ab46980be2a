from __future__ import annotations

import itertools
from datetime import date
from pathlib import Path

import pytest

from schemas import code_lists
from schemas.errors import SchemaError, UnknownCodeList


@pytest.mark.parametrize("name", code_lists.names())
def test_every_list_says_where_it_comes_from_and_is_sound(name: str) -> None:
    found = code_lists.load(name)

    assert found.source
    assert len(found) > 0
    for entry in found:
        assert entry.code
        assert entry.zh
        assert entry.parent is None or entry.parent in found
        assert entry.valid_from is None or entry.valid_to is None or entry.valid_from <= entry.valid_to


@pytest.mark.parametrize("name", code_lists.names())
def test_no_code_means_two_things_on_one_day(name: str) -> None:
    for code in code_lists.load(name).codes:
        entries = sorted(
            (entry for entry in code_lists.load(name) if entry.code == code),
            key=lambda entry: entry.valid_from or date.min,
        )
        for earlier, later in itertools.pairwise(entries):
            assert earlier.valid_to is not None
            assert later.valid_from is not None
            assert earlier.valid_to < later.valid_from


def test_a_division_that_was_abolished_is_known_with_its_time() -> None:
    divisions = code_lists.load("divisions")

    assert divisions.title("330204", date(2010, 1, 1)) == ("江东区", "Jiangdong")
    assert divisions.title("330204", date(2020, 1, 1)) is None
    assert "330204" in divisions


def test_a_code_that_was_given_twice_is_told_apart_by_the_day() -> None:
    divisions = code_lists.load("divisions")

    assert divisions.title("330206", date(1986, 6, 1)) == ("滨海区", "滨海区")
    assert divisions.title("330206") == ("北仑区", "Beilun")


def test_the_districts_of_the_demo_city_are_all_there() -> None:
    today = [entry.zh for entry in code_lists.load("divisions").children("330200", date(2023, 7, 1))]

    assert {"海曙区", "江北区", "北仑区", "镇海区", "鄞州区", "奉化区", "象山县", "宁海县", "余姚市", "慈溪市"} <= set(
        today
    )
    assert "江东区" not in today


def test_a_code_has_a_path_from_the_top() -> None:
    divisions, industries = code_lists.load("divisions"), code_lists.load("industries")

    assert [entry.zh for entry in divisions.path("330203")] == ["浙江省", "宁波市", "海曙区"]
    assert [entry.code for entry in industries.path("6210")] == ["H", "62", "621", "6210"]
    assert divisions.path("999999") == []


def test_the_industries_have_twenty_sections_and_ninety_seven_divisions() -> None:
    industries = code_lists.load("industries")

    assert sum(entry.parent is None for entry in industries) == 20
    assert sum(len(entry.code) == 2 for entry in industries) == 97


def test_an_unknown_list_is_named_with_those_that_there_are() -> None:
    with pytest.raises(UnknownCodeList, match="divisions"):
        code_lists.load("../divisions")


BROKEN = {
    "a missing column": ("code,zh\n1,一\n", "columns are"),
    "a day that does not exist": ("# x\ncode,zh,en,parent,valid_from,valid_to\n1,一,,,2023-02-29,\n", "own.csv:3: "),
}


@pytest.mark.parametrize("flaw", BROKEN)
def test_a_broken_list_is_named_with_its_line(flaw: str, tmp_path: Path) -> None:
    text, message = BROKEN[flaw]
    path = tmp_path / "own.csv"
    path.write_text(text, encoding="utf-8")

    with pytest.raises(SchemaError, match=message):
        code_lists.read(path)
