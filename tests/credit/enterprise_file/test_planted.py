"""Planted faults: each is found, none is invented. In a town of known faults, and in the demo city as it is."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest

from connectors.mapping import compile_mapping
from registry.domain.credit.discrepancies import discrepancies
from registry.domain.credit.enterprise_file import FileRecord
from shuqiao.demo.credit_faults import Kind, planted
from shuqiao.demo.generator import Status
from shuqiao.demo.generator import enterprise as demo_enterprise
from shuqiao.demo.rosters import City
from shuqiao.demo.rows import MAKERS
from tests.credit.enterprise_file.test_findings import working_days_ago
from tests.credit.enterprise_file.test_matching import listed
from tests.credit.enterprise_file.town import SOURCES, Town, body, enterprise, penalty, record, taxpayer, uscc
from tests.demo.reading import Pulled, manifest, take

ENTERPRISES = 240


def name(number: int) -> str:
    """No two are alike: each has its own trade name of two characters."""
    return f"{chr(0x4E00 + 2 * number)}{chr(0x7000 + 3 * number)}（桥州）餐饮有限公司"


def test_every_planted_fault_is_found_and_nothing_else(town: Town) -> None:
    town.now = datetime.now(UTC)
    numbers = range(ENTERPRISES)
    planted = {
        "bracket variants": {n for n in numbers if n % 10 == 1},
        "other names": {n for n in numbers if n % 40 == 2},
        "other representatives": {n for n in numbers if n % 30 == 3},
        "other addresses": {n for n in numbers if n % 48 == 4},
        "deregistered, still a taxpayer": {n for n in numbers if n % 60 == 5},
    }

    def taxpayers(number: int) -> dict[str, Any]:
        said = name(number)
        if number in planted["bracket variants"]:
            said = said.replace("（", " (").replace("）", ") ")
        if number in planted["other names"]:
            said = said.replace("餐饮", "食品")
        person = "李某" if number in planted["other representatives"] else "王某"
        return taxpayer(number, name=said, legal_representative=person)

    def registered(number: int) -> dict[str, Any]:
        gone = number in planted["deregistered, still a taxpayer"]
        return enterprise(number, name=name(number), status="deregistered" if gone else "active")

    def licensed(number: int) -> dict[str, Any]:
        street = "解放南路" if number in planted["other addresses"] else "中山东路"
        return body(number, holder_name=name(number), status="01", address=f"桥州市海曙区{street}{number}号")

    town.say("legal_entity", {str(n): registered(n) for n in numbers})
    town.say("tax_registration", {str(n): taxpayers(n) for n in numbers})
    town.say("food_business_licence", {str(n): licensed(n) for n in numbers})
    town.say("administrative_penalty", {"before": penalty(0, decided_on="2020-01-01")})
    timely, late = working_days_ago(2), working_days_ago(15)
    slip = {"amount": "2000", "unit": "万元", "currency": "CNY"}
    town.say(
        "administrative_penalty",
        {f"timely {n}": penalty(n, decided_on=timely) for n in range(50)}
        | {f"late {n}": penalty(n, decided_on=late) for n in range(50, 57)}
        | {f"slip {n}": penalty(n, decided_on=timely, fine=slip) for n in range(60, 65)}
        | {f"both {n}": penalty(n, decided_on=late, fine=slip) for n in range(70, 73)},
    )
    town.say(
        "serious_dishonesty",
        {f"spelt {n}": listed(n, name=f" {name(n).replace('（', '(').replace('）', ')')}") for n in range(6)}
        | {f"ending {n}": listed(n, name=name(n).replace("有限公司", "有限责任公司")) for n in range(10, 14)}
        | {f"person {n}": listed(n, name=name(n), holder_code_type="111") for n in range(20, 23)}
        | {f"unknown {n}": listed(n, name=f"毫不相干{n}号加工厂", legal_representative="赵某") for n in range(2)},
    )
    town.follow()

    found = {(entity, field, department) for entity, field, department, *_ in town.conflicts()}
    assert found == {
        *((uscc(n), "name", "tax") for n in planted["other names"]),
        *((uscc(n), "legal_representative", "tax") for n in planted["other representatives"]),
        *((uscc(n), "address", "licensing") for n in planted["other addresses"]),
        *((uscc(n), "status", "tax") for n in planted["deregistered, still a taxpayer"]),
    }
    assert len(town.conflicts()) == len(found) == 6 + 8 + 5 + 4
    open_findings = town.rows(
        "SELECT kind, split_part(key, ' ', 1) FROM registry.credit_finding WHERE closed_at IS NULL"
    )
    assert Counter(open_findings) == {
        ("late", "late"): 7,
        ("late", "both"): 3,
        ("amount", "slip"): 5,
        ("amount", "both"): 3,
    }
    matches = town.rows("SELECT key, entity, state FROM registry.entity_match")
    assert set(matches) == {
        *((f"spelt {n}", uscc(n), "accepted") for n in range(6)),
        *((f"ending {n}", uscc(n), "candidate") for n in range(10, 14)),
    }
    assert len(matches) == 10


DEMO = City(scale=400)
CONNECTORS = {
    "market-supervision.enterprise": ("legal_entity", "market-supervision"),
    "tax.registration": ("tax_registration", "tax"),
    "licensing.food-business": ("food_business_licence", "licensing"),
}
SAID_OTHERWISE = {
    Kind.OTHER_NAME: "name",
    Kind.OTHER_REPRESENTATIVE: "legal_representative",
    Kind.OTHER_ADDRESS: "address",
}
FITTING = {
    "03": {Status.ACTIVE, Status.SUSPENDED},
    "04": {Status.ACTIVE, Status.SUSPENDED},
    "07": {Status.DEREGISTERED},
}
FITTING["05"] = {Status.ACTIVE, Status.SUSPENDED, Status.REVOKED}


def demo_records(day: int) -> dict[str, list[FileRecord]]:
    """What the departments of the demo city say on a day, as the hub gets it, by code."""
    found: dict[str, list[FileRecord]] = {}
    for connector, (dataset, department) in CONNECTORS.items():
        what = manifest(connector)
        written = [MAKERS[connector](DEMO, number, day) for number in range(DEMO.enterprises(day))]
        rows = [row for each in written if each.state == "good" for row in each.rows]
        pulled = Pulled()
        take(what, compile_mapping(what), tuple(rows[0]), [tuple(row.values()) for row in rows], pulled)
        for key, said in pulled.records.items():
            made = record(dataset, "|".join(map(str, key)), said, department=department)
            found.setdefault(str(said["uscc"]), []).append(made)
    return found


def contradictions(day: int) -> Counter[tuple[str, str, str]]:
    """What of them contradicts, by what the city says of its enterprises."""
    found: Counter[tuple[str, str, str]] = Counter()
    for number in range(DEMO.enterprises(day)):
        now, then = demo_enterprise(DEMO, number, day), demo_enterprise(DEMO, number)
        written = {connector: MAKERS[connector](DEMO, number, day) for connector in CONNECTORS}
        if written["market-supervision.enterprise"].state != "good":
            continue
        taxes, food = written["tax.registration"], written["licensing.food-business"]
        for connector, (dataset, _) in CONNECTORS.items():
            fault = planted(DEMO, connector).get(number)
            if fault is not None and fault.kind is not Kind.OTHER_STATUS and fault.still_on(day):
                found[now.uscc, SAID_OTHERWISE[fault.kind], dataset] += 1
        if taxes.state == "good" and now.status not in FITTING[taxes.rows[0]["tax_payer_state"]]:
            found[now.uscc, "status", "tax_registration"] += 1
        if food.state == "good" and food.rows[0]["证照状态"] == "有效":
            found[now.uscc, "name", "food_business_licence"] += now.name != then.name
            found[now.uscc, "legal_representative", "food_business_licence"] += (
                now.representative != then.representative
            )
            found[now.uscc, "address", "food_business_licence"] += now.address != then.address
    return +found


@pytest.mark.parametrize("day", [0, 12])
def test_in_the_demo_city_exactly_what_contradicts_is_found(day: int) -> None:
    found = Counter(
        (entity, each.field, each.other.dataset)
        for entity, records in demo_records(day).items()
        for each in discrepancies(records, SOURCES)
    )

    assert found == contradictions(day)
    sown = sum(len(planted(DEMO, connector)) for connector in CONNECTORS)
    assert sown == 12
    assert day or sum(found.values()) == sown, "on the first day the departments agree, however they spell names"
