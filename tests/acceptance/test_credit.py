"""The demo city's planted credit faults, through the real pipeline: each is found, none is invented, corrections close.

The departments' servers, the connectors and their manifests, the registry and the follower of public credit data are
those of the local stack; only Airflow is not there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from connectors.manifest import DEPARTMENTS, load_all
from registry.credit import keeping
from registry.domain.batches import State
from registry.storage.database import connect
from shuqiao import ingest
from shuqiao.demo import departments, life
from shuqiao.demo.credit_faults import CREDIT_FAULTS, Kind, Planted, planted
from shuqiao.demo.generator import Status, enterprise
from shuqiao.demo.namesakes import number_of
from shuqiao.demo.rosters import CONNECTORS, City, roster
from shuqiao.demo.rows import MAKERS
from tests.demo.conftest import SECRET, running

CITY = City(scale=1000)
PATIENT = {"SHUQIAO_DEMO_TAX_SLOW_SECONDS": "0", "SHUQIAO_DEMO_TAX_RATE": "0", "SHUQIAO_DEMO_TAX_FAIL_EVERY": "0"}

NUMBER = {
    "credit.permits": "XK_WSH",
    "credit.penalties": "CF_WSH",
    "credit.permits-old-edition": "XK_WSH",
    "credit.penalties-old-edition": "CF_WSH",
    "licensing.permits": "行政许可决定文书号",
    "licensing.construction": "证书编号",
}
"""Connectors of permits and penalties, and their columns with the number of the decision."""
FINDING = {Kind.LATE: "late", Kind.YUAN_AS_WAN: "amount", Kind.NO_SOURCE_CODE: "missing_source_code"}
FIELD = {
    Kind.OTHER_NAME: ("name", "tax"),
    Kind.OTHER_REPRESENTATIVE: ("legal_representative", "tax"),
    Kind.OTHER_STATUS: ("status", "tax"),
    Kind.OTHER_ADDRESS: ("address", "licensing"),
}
MATCHED = {
    Kind.NAME_VARIANT: ("variant",),
    Kind.ENDING_VARIANT: ("ending",),
    Kind.NEAR_DUPLICATE: ("near",),
    Kind.NAMESAKE: ("first", "second"),
}
"""Whom a record without a code may be about."""


@dataclass(frozen=True)
class Hub:
    """The registry, fed by the city's departments."""

    url: str
    data: Path
    engine: sa.Engine

    def pull(self) -> None:
        """Run every connector once."""
        manifests, errors = load_all([DEPARTMENTS])
        assert errors == []
        assert {each.connector for each in manifests} == set(CONNECTORS)
        for manifest in manifests:
            assert ingest.run(self.url, manifest).state == State.PUBLISHED, manifest.connector

    def follow(self, days_on: int) -> None:
        """Keep what is known of the enterprises, so many days from now."""
        with connect(self.url) as connection:
            assert keeping.follow(connection, now=datetime.now(UTC) + timedelta(days=days_on)).caught_up

    def counted(self, query: str) -> Counter[tuple[Any, ...]]:
        with connect(self.url) as connection:
            return Counter(tuple(row) for row in connection.execute(query.encode()))

    def findings(self) -> Counter[tuple[Any, ...]]:
        """Open findings: kind and number of the decision."""
        return self.counted(
            "SELECT f.kind, r.body ->> 'decision_number' FROM registry.credit_finding f"
            " JOIN registry.record r USING (dataset_id, key) WHERE f.closed_at IS NULL"
        )

    def discrepancies(self) -> Counter[tuple[Any, ...]]:
        """Open discrepancies: whose, field, department."""
        return self.counted("SELECT entity, field, department FROM registry.discrepancy WHERE closed_at IS NULL")

    def matches(self) -> Counter[tuple[Any, ...]]:
        """Candidates and accepted matches: number of the decision, whose, state, by whom."""
        return self.counted(
            "SELECT r.body ->> 'decision_number', m.entity, m.state, m.decided_by FROM registry.entity_match m"
            " JOIN registry.record r USING (dataset_id, key) WHERE m.state IN ('candidate', 'accepted')"
        )


@pytest.fixture
def hub(database: str, registry_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """The city on its first day, its servers started, and an empty registry."""
    engine = sa.create_engine(departments.engine_url(database), poolclass=sa.NullPool)
    life.generate(tmp_path, engine, CITY)
    with _servers(tmp_path) as ports:
        made = departments.connections(
            market_url=database,
            data=tmp_path,
            tax_port=ports["tax"],
            tax_secret=SECRET,
            licensing_port=ports["licensing"],
            licensing_secret=SECRET,
            credit_port=ports["credit"],
            credit_secret=SECRET,
        )
        for name, value in made.items():
            monkeypatch.setenv(name, value)
        yield Hub(registry_url, tmp_path, engine)


@contextmanager
def _servers(data: Path) -> Iterator[Mapping[str, int]]:
    with ExitStack() as stack:
        yield {each.name: stack.enter_context(running(each.name, data, **PATIENT)) for each in departments.SERVERS}


def test_each_planted_fault_is_found_none_is_invented_and_corrections_close_them(hub: Hub) -> None:
    sown = Counter(each.kind for connector in CREDIT_FAULTS for each in planted(CITY, connector).values())
    assert sown == {
        **dict.fromkeys(sown, 2),
        **dict.fromkeys((Kind.OTHER_NAME, Kind.OTHER_REPRESENTATIVE, Kind.OTHER_STATUS, Kind.OTHER_ADDRESS), 3),
        **dict.fromkeys((Kind.LATE, Kind.NO_SOURCE_CODE), 5),
        Kind.NOT_WITHDRAWN: 3,
    }
    assert set(sown) == set(Kind)

    hub.pull()
    hub.follow(days_on=0)
    assert hub.findings() == _findings(day=0)
    assert hub.discrepancies() == _discrepancies(day=0)
    assert hub.matches() == _matches(day=0)
    assert sum(hub.findings().values()) == 5 + 5 + 2
    assert sum(hub.discrepancies().values()) == 4 * 3
    assert Counter(state for _, _, state, _ in hub.matches()) == {"accepted": 2, "candidate": 2 + 2 + 2 * 2}

    hub.follow(days_on=4)
    assert hub.findings() == _findings(day=0) + _not_withdrawn(day=0)
    assert sum(_not_withdrawn(day=0).values()) == 3

    for day, left in ((1, 21), (3, 0)):
        days = day - (life.read_state(hub.data) or pytest.fail("no city")).day
        life.change(hub.data, hub.engine, days=days)
        hub.pull()
        hub.follow(days_on=4 + day)
        assert hub.findings() == _findings(day) + _not_withdrawn(day)
        assert hub.discrepancies() == _discrepancies(day)
        assert hub.matches() == _matches(day)
        assert sum(1 for _ in _still_planted(day)) == left


def _still_planted(day: int) -> Iterator[tuple[str, int, Planted]]:
    """Connector, number and fault of what is planted and not corrected by the evening of a day."""
    for connector in CREDIT_FAULTS:
        for number, each in planted(CITY, connector).items():
            if each.still_on(day):
                yield connector, number, each


def _decision(connector: str, number: int, day: int) -> str:
    return str(MAKERS[connector](CITY, number, day).rows[0][NUMBER[connector]])


def _findings(day: int) -> Counter[tuple[Any, ...]]:
    """Planted ones; and late is whatever came on a later day: the hub's clock is months ahead of the city's."""
    found = Counter(
        (FINDING[each.kind], _decision(connector, number, day))
        for connector, number, each in _still_planted(day)
        if each.kind in FINDING
    )
    for connector in NUMBER:
        for number in roster(CITY, connector).members(day):
            if MAKERS[connector](CITY, number, day).state == "good" != MAKERS[connector](CITY, number, 0).state:
                found["late", _decision(connector, number, day)] += 1
    return found


def _not_withdrawn(day: int) -> Counter[tuple[Any, ...]]:
    return Counter(
        ("not_withdrawn", _decision(connector, number, day))
        for connector, number, each in _still_planted(day)
        if each.kind is Kind.NOT_WITHDRAWN
    )


def _matches(day: int) -> Counter[tuple[Any, ...]]:
    found: Counter[tuple[Any, ...]] = Counter()
    for connector, number, each in _still_planted(day):
        for role in MATCHED.get(each.kind, ()):
            about = number_of(CITY, role, each.index)  # type: ignore[arg-type]  # one of the roles
            assert about is not None
            by_rule = each.kind is Kind.NAME_VARIANT
            decided = ("accepted", "rule:same_identifier_and_name") if by_rule else ("candidate", None)
            found[_decision(connector, number, day), enterprise(CITY, about).uscc, *decided] += 1
    return found


FITTING = {
    "03": {Status.ACTIVE, Status.SUSPENDED},
    "04": {Status.ACTIVE, Status.SUSPENDED},
    "05": {Status.ACTIVE, Status.SUSPENDED, Status.REVOKED},
    "07": {Status.DEREGISTERED},
}
"""State of a taxpayer -> states of the registration that it does not contradict."""


def _discrepancies(day: int) -> Counter[tuple[Any, ...]]:
    """Planted ones, and what life brings: a licence keeps what it was made out to while its holder changes."""
    found = Counter(
        (enterprise(CITY, number).uscc, *FIELD[each.kind])
        for _, number, each in _still_planted(day)
        if each.kind in FIELD and each.kind is not Kind.OTHER_STATUS
    )
    for number in range(CITY.enterprises(day)):
        if MAKERS["market-supervision.enterprise"](CITY, number, day).state != "good":
            continue
        now, then = enterprise(CITY, number, day), enterprise(CITY, number)
        taxes = MAKERS["tax.registration"](CITY, number, day)
        if taxes.state == "good" and now.status not in FITTING[taxes.rows[-1]["tax_payer_state"]]:
            found[now.uscc, "status", "tax"] += 1
        if MAKERS["licensing.food-business"](CITY, number, day).state == "good":
            found[now.uscc, "name", "licensing"] += now.name != then.name
            found[now.uscc, "legal_representative", "licensing"] += now.representative != then.representative
            found[now.uscc, "address", "licensing"] += now.address != then.address
    return +found
