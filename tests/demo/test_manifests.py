"""Every manifest loads, and lets exactly the good rows of its department through."""

from collections import Counter

import pytest

from connectors.manifest import DEPARTMENTS, load_all
from connectors.mapping import compile_mapping
from shuqiao.demo import life
from shuqiao.demo.rosters import CONNECTORS, City, roster
from shuqiao.demo.rows import MAKERS
from tests.demo.reading import Pulled, manifest, take

UNREADABLE = {"too_many_columns", "broken_encoding"}
"""Faults of the file, not of the row."""


def test_there_is_a_manifest_for_each_source_and_none_is_wrong() -> None:
    manifests, errors = load_all([DEPARTMENTS])

    assert errors == []
    assert {each.connector for each in manifests} == set(CONNECTORS)
    for each in manifests:
        assert each.owner.email.endswith(".example.gov.cn")
        assert each.freshness is not None
        assert each.schedule is not None


@pytest.mark.parametrize("day", [0, 3])
@pytest.mark.parametrize("connector", CONNECTORS)
def test_exactly_the_planted_faults_are_refused(connector: str, day: int) -> None:
    city = City(scale=2000)
    what = manifest(connector)
    mapping = compile_mapping(what)
    refused: Counter[str] = Counter()
    pulled = Pulled()
    for number in roster(city, connector).members(day):
        written = MAKERS[connector](city, number, day)
        before = len(pulled.refused)
        if written.rows:
            rows = [tuple(row.values()) for row in written.rows]
            take(what, mapping, tuple(written.rows[0]), rows, pulled)
        if len(pulled.refused) > before and written.fault is not None:
            refused[written.fault.kind] += 1

    expected = life.expected(city, connector, day)
    planted = {kind: count for kind, count in expected.refused.items() if kind not in UNREADABLE}
    assert refused == planted
    assert len(pulled.refused) == sum(planted.values())
    unreadable = sum(expected.refused.values()) - sum(planted.values())
    assert len(pulled.records) == expected.good + unreadable


@pytest.mark.parametrize("connector", CONNECTORS)
def test_the_gate_is_wide_enough_for_the_planted_faults_in_a_city_of_any_size(connector: str) -> None:
    limits = manifest(connector).limits

    assert limits.max_refused is not None
    for scale in (100, 200, 300, 500, 700, 1000, 1500, 2500, 5000, 100_000):
        found = roster(City(scale=scale), connector)
        assert found.refusable <= limits.max_refused * found.size
