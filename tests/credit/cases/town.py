"""A department with penalties, an enterprise that applies, a hub that forwards, and readers of the feed."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import orjson
import psycopg

from registry.credit import case_reads, cases, consents
from registry.credit.case_reads import Case
from registry.credit.cases import Filing, Handling
from registry.domain.credit.cases import Actor, Kind
from registry.domain.credit.consent import Consent
from registry.domain.credit.repair import Evidence
from registry.storage.database import connect
from registry.storage.reads import changes
from registry.storage.reads.changes import START
from registry.storage.reads.pool import Pool
from tests.credit.enterprise_file.town import Department, penalty, uscc
from tests.registry.feeding import Row, gone

NOW = datetime(2026, 11, 20, 1, 0, tzinfo=UTC)
"""A Friday morning in China."""
DECIDED = "2026-08-03"
"""An ordinary penalty of this day can be repaired from 2026-11-04 on."""
DATASET = "administrative_penalty"
DEPARTMENT = "credit"
HUB = Actor("hub", "window of the hub")
OFFICER = Actor("department", "credit office", DEPARTMENT)
OTHER_OFFICER = Actor("department", "tax office", "tax")
SHA = "ab" * 32
PERFORMED = Evidence("performance", "缴款凭证", SHA, date(2026, 8, 10))
COMMITMENT = Evidence("commitment", "信用承诺书", "cd" * 32)
EVIDENCE = (PERFORMED, COMMITMENT)


def applicant(number: int = 1) -> Actor:
    return Actor("applicant", f"桥州天成{number}餐饮有限公司")


def offence(number: int = 1, **fields: Any) -> dict[str, Any]:
    """A penalty of the ordinary grade."""
    return penalty(number, **{"penalty_kinds": ["confiscation_of_income"], "decided_on": DECIDED} | fields)


def filing(kind: Kind = "objection", key: str = "P1", number: int = 1, **fields: Any) -> Filing:
    evidence = EVIDENCE if kind == "repair" else ()
    words = "已履行义务，申请修复。" if kind == "repair" else "决定书所载金额有误。"
    made = Filing(kind, DATASET, key, uscc(number), applicant(number).name, words, evidence)
    return replace(made, **fields)


@dataclass
class Town:
    """One registry with penalties P1, P2, ... of enterprises 1, 2, ..."""

    url: str
    now: datetime = NOW
    handling: Handling = field(default_factory=lambda: Handling("zhejiang"))
    connection: psycopg.Connection = field(init=False)

    def __post_init__(self) -> None:
        self.connection = connect(self.url)

    @property
    def department(self) -> Department:
        return Department(self.url, f"{DEPARTMENT}.{DATASET}", DATASET, department=DEPARTMENT)

    def penalties(self, *bodies: dict[str, Any]) -> None:
        """Publish penalties by the number of their enterprise."""
        rows = [Row({"id": f"P{place}", **body}, f"row-{place}") for place, body in enumerate(bodies, 1)]
        self.department.feed(rows)

    def say(self, key: str, body: dict[str, Any]) -> None:
        self.department.feed([Row({"id": key, **body}, f"row-{key[1:]}")])

    def end(self, key: str) -> None:
        self.department.feed([gone(key, f"row-{key[1:]}")])

    def later(self, **by: float) -> None:
        self.now += timedelta(**by)

    def file(self, made: Filing | None = None, **options: Any) -> Case:
        given: dict[str, Any] = {"filed_by": "portal", "now": self.now, "handling": self.handling} | options
        return cases.file(self.connection, made or filing(), **given)

    def act(self, what: str, case: Case, actor: Actor, *arguments: Any, **options: Any) -> Case:
        """``act("accept", case, HUB)``."""
        found: Case = getattr(cases, what)(
            self.connection, case.id, actor, *arguments, now=self.now, handling=self.handling, **options
        )
        assert found == case_reads.one(self.connection, case.id)
        return found

    def decide(self, case: Case, text: str | None = "经核实", *, granted: bool = True, **options: Any) -> Case:
        return self.act("decide", case, OFFICER, text, granted=granted, **options)

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        return self.connection.execute(query.encode(), values or None).fetchall()

    def mark(self, key: str = "P1") -> tuple[bool, bool, bool] | None:
        """Whether a record is disputed, repaired, withdrawn; None: no mark."""
        found = self.rows(
            "SELECT disputed_since IS NOT NULL, repaired_at IS NOT NULL, withdrawn_at IS NOT NULL"
            " FROM registry.credit_mark WHERE key = %s",
            key,
        )
        return found[0] if found else None

    def events(self, case: Case) -> list[str]:
        return [event.action for event in case_reads.events(self.connection, case.id)]

    def feed(self) -> list[dict[str, Any]]:
        """The feed from its beginning, as its reader gives it."""
        (dataset_id,) = self.rows("SELECT id FROM registry.dataset WHERE name = %s", DATASET)[0]

        async def read() -> list[dict[str, Any]]:
            pool = Pool(self.url, size=1)
            await pool.open()
            try:
                found = await changes.after(pool, START, [dataset_id], 10_000)
                return [dict(row) for row in found.rows]
            finally:
                await pool.close()

        rows = asyncio.run(read())
        return [row | {"body": None if row["body"] is None else orjson.loads(row["body"])} for row in rows]

    def told(self) -> list[tuple[str, str]]:
        return [(change["operation"], change["key"]) for change in self.feed()]

    def client(self, name: str = "bank") -> str:
        self.connection.execute("INSERT INTO registry.client (id, name, scopes) VALUES (%s, %s, '{}')", (name, name))
        return name

    def consent(self, **fields: Any) -> Consent:
        given: dict[str, Any] = {
            "entity": uscc(1),
            "grantee": "bank",
            "purpose": "credit_lending",
            "items": ["tax_credit_rating", "administrative_penalty"],
            "valid_from": self.now,
            "valid_until": self.now + timedelta(days=30),
            "evidence_digest": b"\1" * 32,
            "given_by": "portal",
            "now": self.now,
        } | fields
        return consents.give(self.connection, **given)


def disagreements(connection: psycopg.Connection) -> list[str]:
    """What must never be: cases, events, marks and the feed that do not agree."""
    found = []
    checks = {
        "a case whose last event leads to another state": """
            SELECT id FROM registry.credit_case c WHERE state IS DISTINCT FROM (
                SELECT to_state FROM registry.credit_case_event e WHERE e.case_id = c.id
                ORDER BY number DESC LIMIT 1)""",
        "events that do not follow each other": """
            SELECT case_id FROM (
                SELECT case_id, number, from_state,
                    lag(to_state) OVER w AS before, row_number() OVER w AS expected
                FROM registry.credit_case_event WINDOW w AS (PARTITION BY case_id ORDER BY number)) e
            WHERE number <> expected OR from_state IS DISTINCT FROM before""",
        "an open objection without its mark": """
            SELECT c.id FROM registry.credit_case c LEFT JOIN registry.credit_mark m USING (dataset_id, key)
            WHERE c.kind = 'objection' AND c.decided_at IS NULL AND m.disputed_since IS NULL""",
        "a mark of a dispute without an open objection": """
            SELECT m.key FROM registry.credit_mark m WHERE disputed_since IS NOT NULL AND NOT EXISTS (
                SELECT FROM registry.credit_case c WHERE c.kind = 'objection' AND c.decided_at IS NULL
                AND (c.dataset_id, c.key) = (m.dataset_id, m.key))""",
        "a granted repair without its mark, or a mark without it": """
            SELECT coalesce(c.key, m.key)
            FROM (SELECT * FROM registry.credit_case WHERE kind = 'repair' AND state = 'granted') c
            FULL JOIN (SELECT * FROM registry.credit_mark WHERE repaired_at IS NOT NULL) m USING (dataset_id, key)
            WHERE c.key IS NULL OR m.key IS NULL""",
        "an annulment without its mark, or a mark without it": """
            SELECT coalesce(c.key, m.key)
            FROM (SELECT DISTINCT dataset_id, key FROM registry.credit_case WHERE remedy = 'withdraw') c
            FULL JOIN (SELECT * FROM registry.credit_mark WHERE withdrawn_at IS NOT NULL) m USING (dataset_id, key)
            WHERE c.key IS NULL OR m.key IS NULL""",
        "a mark that the feed was not told of, or was told of too often": """
            WITH moved AS (
                SELECT c.dataset_id, c.key, count(*) AS times FROM registry.credit_case c
                JOIN registry.credit_case_event e ON e.case_id = c.id
                WHERE (c.kind = 'repair' AND e.action = 'grant')
                   OR (c.kind = 'objection'
                       AND (e.action = 'file' OR e.to_state NOT IN ('filed', 'accepted', 'forwarded')))
                GROUP BY 1, 2),
            told AS (
                SELECT dataset_id, key, count(*) AS times FROM registry.change WHERE operation = 'm' GROUP BY 1, 2)
            SELECT key FROM moved FULL JOIN told USING (dataset_id, key)
            WHERE moved.times IS DISTINCT FROM told.times""",
        "a deadline noted other than once": """
            SELECT c.id FROM registry.credit_case c JOIN registry.credit_case_event e ON e.case_id = c.id
            WHERE e.action = 'overdue' GROUP BY c.id, e.text HAVING count(*) <> 1""",
        "a number of the feed that is there twice": "SELECT seq FROM registry.change GROUP BY seq HAVING count(*) > 1",
    }
    for what, query in checks.items():
        rows = connection.execute(query.encode()).fetchall()
        if rows:
            found.append(f"{what}: {rows}")
    return found
