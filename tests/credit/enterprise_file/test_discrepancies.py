"""Where two departments disagree: found by what values mean, listed for who must mend it, closed by the correction."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from registry.domain.credit.discrepancies import discrepancies
from registry.storage.reads import credit_counts
from registry.storage.reads.pool import Pool
from tests.credit.enterprise_file import asked
from tests.credit.enterprise_file.town import SOURCES, Town, body, enterprise, record, taxpayer, uscc


def pairs(first: dict[str, object], second: dict[str, object], dataset: str = "tax_registration") -> list[str]:
    records = [record("legal_entity", "1", enterprise(1, **first)), record(dataset, "t", second)]
    return [found.field for found in discrepancies(records, SOURCES)]


def licence(number: int, **fields: object) -> dict[str, object]:
    return body(
        number,
        **{"holder_name": f"桥州天成{number}餐饮有限公司", "status": "01", "legal_representative": "王某"} | fields,
    )


@pytest.mark.parametrize(
    "spelling",
    [
        "天成（桥州）餐饮有限公司",
        "天成(桥州)餐饮有限公司",
        " 天成 （桥州） 餐饮有限公司",
        "天成〔桥州〕餐饮有限公司",
        "天成\u3000（桥州）餐饮有限公司",
        "天\u200b成（桥州）餐饮有限公司",
    ],
)
def test_brackets_spaces_and_widths_are_no_conflict(spelling: str) -> None:
    assert pairs({"name": "天成（桥州）餐饮有限公司"}, taxpayer(1, name=spelling)) == []


def test_another_name_representative_address_or_state_is_a_conflict() -> None:
    assert pairs({}, taxpayer(1, name="桥州天成1餐饮有限责任公司")) == ["name"]
    assert pairs({}, taxpayer(1, legal_representative="李某")) == ["legal_representative"]
    assert pairs({}, licence(1, address="桥州市海曙区解放南路1号"), "food_business_licence") == ["address"]
    assert pairs({"status": "deregistered"}, taxpayer(1)) == ["status"]


@pytest.mark.parametrize(
    ("state", "taxpayers", "conflict"),
    [
        ("active", "normal", False),
        ("active", "abnormal", False),
        ("revoked", "abnormal", False),
        ("revoked", "normal", True),
        ("deregistered", "deregistered", False),
        ("deregistered", "abnormal", True),
        ("active", "deregistered", True),
        ("moved_out", "normal", True),
    ],
)
def test_states_are_compared_by_the_table_of_what_fits(state: str, taxpayers: str, conflict: bool) -> None:  # noqa: FBT001
    assert pairs({"status": state}, taxpayer(1, status=taxpayers)) == (["status"] if conflict else [])


def test_what_is_not_said_or_no_longer_in_force_is_no_conflict() -> None:
    assert pairs({}, taxpayer(1, legal_representative=None)) == []
    assert pairs({"address": None}, licence(1, address="别处"), "food_business_licence") == []
    assert pairs({}, licence(1, address="别处", status="05"), "food_business_licence") == []
    assert pairs({}, licence(1, address="海曙区中山东路1号"), "food_business_licence") == [], "the city is not repeated"


def test_one_department_does_not_disagree_with_itself() -> None:
    records = [
        record("legal_entity", "1", enterprise(1)),
        record("tax_registration", "1", taxpayer(1, name="别名"), department="market-supervision"),
    ]

    assert discrepancies(records, SOURCES) == []


def test_a_discrepancy_is_opened_for_who_is_not_authoritative_and_closed_by_the_correction(town: Town) -> None:
    town.say("legal_entity", {"1": enterprise(1), "2": enterprise(2)})
    town.say("tax_registration", {"1": taxpayer(1, legal_representative="李某"), "2": taxpayer(2)})
    town.follow()

    assert town.conflicts() == [(uscc(1), "legal_representative", "tax", "李某", "王某")]
    (opened,) = asked.discrepancies(town.connection, "tax")
    assert (opened.entity, opened.dataset, opened.key, opened.opened_at) == (uscc(1), "tax_registration", "1", town.now)
    assert opened.authoritative_department == "market-supervision"
    assert asked.discrepancies(town.connection, "market-supervision") == []

    town.later(days=2)
    town.say("tax_registration", {"1": taxpayer(1)})
    town.follow()

    assert town.conflicts() == []
    (closed,) = asked.discrepancies(town.connection, "tax", closed=True)
    assert (closed.id, closed.closed_because, closed.closed_at) == (opened.id, "corrected", town.now)


def test_it_stays_the_same_one_while_the_two_disagree_otherwise(town: Town) -> None:
    town.say("legal_entity", {"1": enterprise(1)})
    town.say("tax_registration", {"1": taxpayer(1, name="乙")})
    town.follow()
    (before,) = asked.discrepancies(town.connection, entity=uscc(1))
    town.later(days=1)
    town.say("tax_registration", {"1": taxpayer(1, name="丙")})
    town.follow()

    (after,) = asked.discrepancies(town.connection, entity=uscc(1))
    assert (after.id, after.opened_at, after.value) == (before.id, before.opened_at, "丙")


def test_it_says_whether_the_other_side_changed_or_a_record_is_gone(town: Town) -> None:
    town.say("legal_entity", {str(n): enterprise(n) for n in (1, 2, 3)})
    town.say("tax_registration", {str(n): taxpayer(n, name="别名") for n in (1, 2, 3)})
    town.follow()
    town.say("legal_entity", {"1": enterprise(1, name="别名")})
    town.end("tax_registration", "2")
    town.end("legal_entity", "3")
    town.follow()

    closed = asked.discrepancies(town.connection, "tax", closed=True)
    assert {found.entity: found.closed_because for found in closed} == {
        uscc(1): "authority_changed",
        uscc(2): "gone",
        uscc(3): "gone",
    }


def test_counts_over_time_are_those_of_each_evening_in_china(town: Town) -> None:
    town.say("legal_entity", {"1": enterprise(1), "2": enterprise(2)})
    town.say("tax_registration", {"1": taxpayer(1, name="别名"), "2": taxpayer(2, name="别名")})
    town.follow()
    first = town.now.date()
    town.later(days=2)
    town.say("tax_registration", {"1": taxpayer(1)})
    town.follow()

    async def read(department: str | None = None) -> list[Any]:
        pool = Pool(town.url, size=1)
        await pool.open()
        try:
            return await credit_counts.discrepancies(pool, first, town.now.date(), department)
        finally:
            await pool.close()

    found = asyncio.run(read())

    assert [(each["day"].day, each["opened"], each["closed"], each["open_in_the_evening"]) for each in found] == [
        (20, 2, 0, 2),
        (21, 0, 0, 2),
        (22, 0, 1, 1),
    ]
    assert {(each["department"], each["field"]) for each in found} == {("tax", "name")}
    assert asyncio.run(read("tax")) == found
    assert asyncio.run(read("water")) == []


def test_a_record_that_moves_to_another_code_is_looked_at_under_both(town: Town) -> None:
    town.say("legal_entity", {"1": enterprise(1), "2": enterprise(2)})
    town.say("tax_registration", {"t": taxpayer(1, name="桥州天成2餐饮有限公司")})
    town.follow()
    assert [found[:2] for found in town.conflicts()] == [(uscc(1), "name")]

    town.say("tax_registration", {"t": taxpayer(2)})
    town.follow()

    assert town.conflicts() == []
