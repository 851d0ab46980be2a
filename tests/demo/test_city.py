"""The demo city is the same for the same seed, its codes are right, and its faults are as many as the table says."""

import tracemalloc
from collections import Counter
from itertools import islice

import pytest
from stdnum.cn import uscc as stdnum_uscc

from schemas import code_lists
from schemas.identifiers import is_organisation_code, is_uscc
from shuqiao.demo import words
from shuqiao.demo.codes import food_licence_number, organisation_check_character, uscc, wrong_uscc
from shuqiao.demo.draws import scatter
from shuqiao.demo.faults import FAULTS, planned
from shuqiao.demo.generator import FIRST_DAY, enterprise, enterprises
from shuqiao.demo.rosters import CONNECTORS, City, roster
from shuqiao.demo.rows import MAKERS, all_rows

SMALL = City(scale=3000)


def test_the_same_seed_gives_the_same_city_and_another_seed_another() -> None:
    assert list(enterprises(SMALL)) == list(enterprises(City(scale=3000)))
    assert enterprise(SMALL, 7).name != enterprise(City(seed=1, scale=3000), 7).name
    for connector in CONNECTORS:
        assert list(all_rows(SMALL, connector, 2)) == list(all_rows(City(scale=3000), connector, 2))


def test_any_enterprise_can_be_made_by_itself() -> None:
    assert enterprise(SMALL, 1234) == list(enterprises(SMALL))[1234]


def test_every_code_is_right_and_no_two_enterprises_share_one() -> None:
    codes = [each.uscc for each in enterprises(City(scale=20_000))]

    assert len(set(codes)) == 20_000
    for code in codes:
        assert is_uscc(code)
        assert is_organisation_code(code[8:17])
        assert code.startswith("Y") or stdnum_uscc.is_valid(code)
        assert not is_uscc(wrong_uscc(code))


def test_codes_of_the_city_begin_with_a_letter_that_no_registrar_gives_out() -> None:
    assert {each.uscc[8] for each in enterprises(SMALL)} == {"Q"}
    assert all(words.CITY in each.name for each in enterprises(SMALL))


@pytest.mark.parametrize(("body", "check"), [("D2143569", "X"), ("80210043", "3"), ("60003734", "1")])
def test_check_characters_of_known_organisation_codes(body: str, check: str) -> None:
    assert organisation_check_character(body) == check


def test_food_licence_numbers_are_different_and_well_formed() -> None:
    numbers = {food_licence_number(2, "330203", number) for number in range(5000)}
    assert len(numbers) == 5000
    assert all(len(number) == 16 and number.startswith("JY2330203") for number in numbers)


def test_divisions_and_industries_are_in_the_code_lists_under_their_names() -> None:
    for code, name in words.DIVISIONS:
        assert code_lists.load("divisions").title(code, FIRST_DAY)[0] == name  # type: ignore[index]
    for code, name, *_ in words.INDUSTRIES:
        assert code_lists.load("industries").title(code)[0] == name  # type: ignore[index]


@pytest.mark.parametrize("size", [1, 2, 60, 997, 5000])
def test_a_scatter_is_a_reshuffling_and_can_be_undone(size: int) -> None:
    spread = scatter(1, "any", size)
    assert sorted(map(spread.position, range(size))) == list(range(size))
    assert all(spread.number(spread.position(each)) == each for each in range(size))


@pytest.mark.parametrize("connector", CONNECTORS)
@pytest.mark.parametrize("scale", [1000, 5000])
def test_there_are_exactly_as_many_faults_as_planned(connector: str, scale: int) -> None:
    city = City(scale=scale)
    found: Counter[str] = Counter()
    for number in roster(city, connector).members(0):
        written = MAKERS[connector](city, number, 0)
        assert written.repeated == (len(written.rows) == 2)
        if written.fault is not None:
            found[written.fault.kind] += 1

    assert found == {fault.kind: count for fault, count in planned(connector, roster(city, connector).size) if count}
    assert {fault.kind for fault in FAULTS[connector]} == {fault.kind for fault, _ in roster(city, connector).faults}


def test_a_million_enterprises_stream_in_flat_memory() -> None:
    rows = all_rows(City(scale=1_000_000), "market-supervision.enterprise", 0)
    next(rows)
    tracemalloc.start()
    try:
        for _ in islice(rows, 5000):
            pass
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 1_000_000


def test_a_code_is_found_for_each_of_a_million() -> None:
    assert len({uscc("91", "330203", number) for number in range(0, 1_000_000, 37)}) == len(range(0, 1_000_000, 37))
