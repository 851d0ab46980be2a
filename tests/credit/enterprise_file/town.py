"""A town's departments and the follower that keeps what is known of its enterprises."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg

from registry.credit import keeping
from registry.credit.discrepancies import opened_values
from registry.credit.enterprise_file import china_day, enterprise_file
from registry.credit.following import FollowReport
from registry.domain.credit.enterprise_file import EnterpriseFile, FileRecord
from registry.domain.credit.sources import default_sources
from registry.intake import batches
from registry.intake.batches import ConnectorEntry, DatasetEntry, Position
from registry.storage.database import connect
from schemas.identifiers import organisation_code_check_character, uscc_check_character
from tests.registry.feeding import Feeder, Row, gone

NOW = datetime(2026, 11, 20, 1, 0, tzinfo=UTC)
TODAY = date(2026, 11, 20)
SOURCES = default_sources().on(TODAY)

DEPARTMENTS = {
    "legal_entity": "market-supervision",
    "tax_registration": "tax",
    "tax_credit_rating": "tax",
    "tax_arrears": "tax",
    "food_business_licence": "licensing",
    "administrative_licence": "licensing",
    "administrative_penalty": "credit",
    "abnormal_operation": "credit",
    "serious_dishonesty": "credit",
    "utility_payment": "water",
}


def uscc(number: int, registrar: str = "91", division: str = "330203") -> str:
    first = f"{registrar}{division}{number:08d}"
    first += organisation_code_check_character(first[8:16])
    return first + uscc_check_character(first)


def body(number: int, **fields: Any) -> dict[str, Any]:
    """What a record says of an enterprise; fields of None are left out."""
    return {name: value for name, value in ({"uscc": uscc(number)} | fields).items() if value is not None}


def enterprise(number: int, **fields: Any) -> dict[str, Any]:
    """A registration."""
    return body(
        number,
        **{
            "name": f"桥州天成{number}餐饮有限公司",
            "entity_type": "enterprise",
            "legal_representative": "王某",
            "established_on": "2015-03-01",
            "address": f"桥州市海曙区中山东路{number}号",
            "division": "330203",
            "status": "active",
            "registration_number": f"{330203000000000 + number}",
        }
        | fields,
    )


def taxpayer(number: int, **fields: Any) -> dict[str, Any]:
    """A tax registration."""
    return body(
        number,
        **{
            "taxpayer_number": uscc(number),
            "name": f"桥州天成{number}餐饮有限公司",
            "legal_representative": "王某",
            "status": "normal",
        }
        | fields,
    )


def penalty(number: int, **fields: Any) -> dict[str, Any]:
    """A penalty."""
    return body(
        number,
        **{
            "holder_name": f"桥州天成{number}餐饮有限公司",
            "holder_kind": "legal_person",
            "decision_number": f"桥市监罚〔2026〕{number}号",
            "facts": "经营超过保质期的食品",
            "penalty_kinds": ["fine"],
            "content": "罚款2000元",
            "fine": {"amount": "0.2", "unit": "万元", "currency": "CNY"},
            "decided_on": "2026-11-16",
            "authority": "桥州市市场监督管理局",
            "use_scope": "public",
        }
        | fields,
    )


@dataclass
class Department(Feeder):
    """One connector, whose department is its own."""

    department: str = "office"

    def position(self) -> Position:
        dataset = DatasetEntry(
            self.dataset, f"{self.dataset}@1", self.dataset, self.dataset, self.department, ("id",), "uscc"
        )
        connector = ConnectorEntry(
            self.name, self.department, self.name, self.name, "Office", "office@example.gov.cn", None, None, "d"
        )
        with connect(self.url) as connection:
            return batches.register(connection, dataset, connector)


@dataclass
class Town:
    """One registry with what is kept of its enterprises."""

    url: str
    now: datetime = NOW
    connection: psycopg.Connection = field(init=False)

    def __post_init__(self) -> None:
        self.connection = connect(self.url)

    def feeder(self, dataset: str, department: str | None = None) -> Department:
        department = department or DEPARTMENTS[dataset]
        return Department(self.url, f"{department}.{dataset}", dataset, department=department)

    def say(self, dataset: str, records: Mapping[str, dict[str, Any]], *, department: str | None = None) -> None:
        """A department publishes records by key; the row's identity is the key with a word before it."""
        self.feeder(dataset, department).feed(
            [Row({"id": key, **record}, f"row-{key}") for key, record in records.items()]
        )

    def end(self, dataset: str, *keys: str) -> None:
        """A department deletes records."""
        self.feeder(dataset).feed([gone(key, f"row-{key}") for key in keys])

    def follow(self, **options: Any) -> FollowReport:
        return keeping.follow(self.connection, now=self.now, **options)

    def later(self, **by: float) -> None:
        self.now += timedelta(**by)

    def file(self, number: int, **options: Any) -> EnterpriseFile:
        return enterprise_file(self.connection, uscc(number), china_day(self.now), **options)

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        return self.connection.execute(query.encode(), values or None).fetchall()

    def conflicts(self) -> list[tuple[Any, ...]]:
        """Open discrepancies: whose, field, department, both values."""
        rows = self.rows(
            "SELECT o.entity, o.field, o.department, o.value, o.authoritative_value, o.personal, d.name, o.key"
            " FROM registry.discrepancy o JOIN registry.dataset d ON d.id = o.dataset_id"
            " WHERE closed_at IS NULL ORDER BY entity, field, o.department, o.key"
        )
        return [(*row[:3], *opened_values(row[3], row[4], row[5], row[0], row[1], row[6], row[7])) for row in rows]

    def everything(self) -> dict[str, list[tuple[Any, ...]]]:
        """What is kept, without numbers and times: the same registry must come to the same."""
        queries = {
            "identifiers": "SELECT kind, value, entity, dataset_id, key FROM registry.entity_identifier",
            "discrepancies": "SELECT entity, field, dataset_id, key, value, authoritative_value"
            " FROM registry.discrepancy WHERE closed_at IS NULL",
            "names": "SELECT entity, name, core, front, address, former FROM registry.entity_name",
            "without_code": "SELECT dataset_id, key, name, subject::text FROM registry.record_without_code",
            "matches": "SELECT dataset_id, key, entity, state, score FROM registry.entity_match"
            " WHERE state IN ('candidate', 'accepted')",
            "findings": "SELECT kind, dataset_id, key, entity, detail::text FROM registry.credit_finding"
            " WHERE closed_at IS NULL",
            "due": "SELECT kind, dataset_id, key, due_on FROM registry.credit_due",
        }
        return {name: sorted(self.rows(query), key=repr) for name, query in queries.items()}


def record(dataset: str, key: str, body: dict[str, Any], **fields: Any) -> FileRecord:
    """A record for the pure rules."""
    given: dict[str, Any] = {
        "version": 1,
        "published_on": TODAY,
        "confirmed_on": TODAY,
        "batch_id": 1,
        "connector": f"{DEPARTMENTS[dataset]}.{dataset}",
        "department": DEPARTMENTS[dataset],
    } | fields
    return FileRecord(dataset, key, body, **given)
