"""Cases as they stand in the registry, and what happened to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import psycopg
from psycopg.rows import dict_row

from registry.domain.credit.case_rules import Step
from registry.domain.credit.cases import Action, Kind, Role, Standing, State
from registry.domain.credit.objection import Remedy
from registry.domain.credit.repair import Evidence


@dataclass(frozen=True, slots=True)
class Case:
    """One application for repair, or one objection."""

    id: int
    kind: Kind
    dataset: str
    dataset_id: int
    key: str
    record_version: int
    """The version that the applicant spoke of."""
    entity: str
    department: str
    place: str
    rules: str
    """By which rule it is handled: ``cases/zhejiang#objection``."""
    state: State
    filed_by: str
    applicant: str
    statement: str
    evidence: tuple[Evidence, ...]
    filed_at: datetime
    accepted_at: datetime | None
    forwarded_at: datetime | None
    extended_at: datetime | None
    due_on: date | None
    """The last day of the next step; None: closed."""
    due_step: Step | None
    due_assumed: bool
    overdue_noted_at: datetime | None
    decided_at: datetime | None
    """When it was closed, in whatever way."""
    decided_by: str | None
    decision: str | None
    remedy: Remedy | None

    @property
    def standing(self) -> Standing:
        """What decides what may happen next."""
        return Standing(self.kind, self.state, self.department)


@dataclass(frozen=True, slots=True)
class CaseEvent:
    """Something that happened to a case. ``action`` ``overdue``: a deadline was missed."""

    number: int
    at: datetime
    action: str
    role: Role
    actor: str
    from_state: State | None
    to_state: State
    text: str | None


_CASE = """
SELECT c.id, c.kind, d.name AS dataset, c.dataset_id, c.key, c.record_version, c.entity, c.department, c.place, c.rules,
       c.state, c.filed_by, c.applicant, c.statement, c.evidence, c.filed_at, c.accepted_at, c.forwarded_at,
       c.extended_at, c.due_on, c.due_step, c.due_assumed, c.overdue_noted_at, c.decided_at, c.decided_by, c.decision,
       c.remedy
FROM registry.credit_case c JOIN registry.dataset d ON d.id = c.dataset_id
"""


def one(connection: psycopg.Connection, case_id: int, *, locked: bool = False) -> Case | None:
    """A case; ``locked``: for this transaction alone."""
    found = _cases(connection, f"WHERE c.id = %s{' FOR UPDATE OF c' if locked else ''}", (case_id,))
    return found[0] if found else None


def by_digest(connection: psycopg.Connection, request_digest: bytes) -> Case | None:
    """The case that a request made."""
    found = _cases(connection, "WHERE c.request_digest = %s", (request_digest,))
    return found[0] if found else None


def open_case(connection: psycopg.Connection, kind: Kind, dataset_id: int, key: str) -> Case | None:
    """The open case of a kind about a record; there is one at most."""
    found = _cases(
        connection,
        "WHERE c.kind = %s AND c.dataset_id = %s AND c.key = %s AND c.decided_at IS NULL",
        (kind, dataset_id, key),
    )
    return found[0] if found else None


def overdue(connection: psycopg.Connection, today: date, limit: int) -> list[Case]:
    """Cases whose deadline has passed and has not been noted, locked for this transaction."""
    return _cases(
        connection,
        "WHERE c.due_on < %s AND c.decided_at IS NULL AND c.overdue_noted_at IS NULL"
        " ORDER BY c.id LIMIT %s FOR UPDATE OF c",
        (today, limit),
    )


def events(connection: psycopg.Connection, case_id: int) -> list[CaseEvent]:
    """Everything that happened to a case, in order."""
    rows = connection.execute(
        "SELECT number, at, action, role, actor, from_state, to_state, text FROM registry.credit_case_event"
        " WHERE case_id = %s ORDER BY number",
        (case_id,),
    )
    return [CaseEvent(*row) for row in rows]


def last_event(connection: psycopg.Connection, case_id: int) -> CaseEvent | None:
    """What happened to a case last, a missed deadline left aside."""
    row = connection.execute(
        "SELECT number, at, action, role, actor, from_state, to_state, text FROM registry.credit_case_event"
        " WHERE case_id = %s AND action <> 'overdue' ORDER BY number DESC LIMIT 1",
        (case_id,),
    ).fetchone()
    return CaseEvent(*row) if row else None


def add_event(
    connection: psycopg.Connection,
    case_id: int,
    action: Action | str,
    role: Role,
    actor: str,
    from_state: State | None,
    to_state: State,
    text: str | None,
    at: datetime,
) -> None:
    """Put down what happened; the caller holds the case."""
    connection.execute(
        """
        INSERT INTO registry.credit_case_event (case_id, number, at, action, role, actor, from_state, to_state, text)
        SELECT %s, count(*) + 1, %s, %s, %s, %s, %s, %s, %s FROM registry.credit_case_event WHERE case_id = %s
        """,
        (case_id, at, action, role, actor, from_state, to_state, text, case_id),
    )


def evidence_json(evidence: Sequence[Evidence]) -> list[dict[str, Any]]:
    """As a case keeps it."""
    return [
        {
            "kind": each.kind,
            "title": each.title,
            "sha256": each.sha256,
            "dated": None if each.dated is None else each.dated.isoformat(),
        }
        for each in evidence
    ]


def _cases(connection: psycopg.Connection, where: str, values: Sequence[Any]) -> list[Case]:
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(f"{_CASE} {where}".encode(), values).fetchall()
    return [Case(**{**row, "evidence": tuple(_evidence(each) for each in row["evidence"])}) for row in rows]


def _evidence(data: dict[str, Any]) -> Evidence:
    dated = data["dated"]
    return Evidence(data["kind"], data["title"], data["sha256"], None if dated is None else date.fromisoformat(dated))
