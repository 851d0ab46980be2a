"""A day of life does what it says it did."""

from collections import Counter

import pytest

from connectors.manifest import DEPARTMENTS, load_all
from shuqiao.demo import life
from shuqiao.demo.generator import Enterprise, Event, enterprise, event, market_roster
from shuqiao.demo.rosters import CONNECTORS, City, roster
from shuqiao.demo.rows import MAKERS, written_on

CITY = City(scale=2000)
MARKET = "market-supervision.enterprise"


@pytest.mark.parametrize("connector", CONNECTORS)
def test_counts_of_a_day_lead_from_one_evening_to_the_next(connector: str) -> None:
    before = life.expected(CITY, connector, 0)
    for day in range(1, 13):
        after, did = life.expected(CITY, connector, day), life.happened(CITY, connector, day)
        assert after.good == before.good + did.new + did.corrected - did.deleted - did.spoiled
        assert sum(after.refused.values()) == sum(before.refused.values()) - did.corrected + did.spoiled
        before = after


@pytest.mark.parametrize("connector", CONNECTORS)
def test_nothing_changes_but_what_is_touched(connector: str) -> None:
    make = MAKERS[connector]
    touched = {number for number, _, _ in written_on(CITY, connector, 3)}
    for number in roster(CITY, connector).members(3):
        if number not in touched:
            assert make(CITY, number, 2).rows == make(CITY, number, 3).rows


def test_each_kind_of_event_happens_on_the_first_day() -> None:
    lives = [market_roster(CITY).life(number) for number in range(CITY.scale)]
    kinds = Counter(event(each) for each in lives if each is not None and each.revised == 1)
    assert set(kinds) == set(Event)
    day = life.happened(CITY, MARKET, 1)
    assert min(day.new, day.changed, day.deleted, day.corrected, day.spoiled) > 0


def test_after_ten_days_every_fault_of_the_first_day_is_corrected() -> None:
    for connector in CONNECTORS:
        left = life.expected(CITY, connector, 10).refused
        assert set(left) <= {"spoiled"}


def test_an_enterprise_keeps_its_code_for_life() -> None:
    for number in range(0, CITY.scale, 7):
        first, last = life_of(number, 0), life_of(number, 30)
        assert (first.uscc, first.main_id) == (last.uscc, last.main_id)


@pytest.mark.parametrize("connector", CONNECTORS)
def test_a_record_keeps_its_key_for_life(connector: str) -> None:
    manifest = next(each for each in load_all([DEPARTMENTS])[0] if each.connector == connector)
    columns = [manifest.mapping[name]["from"] for name in manifest.key]
    for day in range(1, 13):
        for number, before, after in written_on(CITY, connector, day):
            if before.state == after.state == "good":
                assert [before.rows[-1][each] for each in columns] == [after.rows[-1][each] for each in columns], number


def life_of(number: int, day: int) -> Enterprise:
    return enterprise(CITY, number, day)
