"""Repairs and objections as the API reads them: pages by number, and one with all that happened to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from registry.storage.reads.arguments import Arguments
from registry.storage.reads.pool import Pool, Row

_CASE = """
SELECT c.id, c.kind, d.name AS dataset, c.key, c.record_version, c.entity, c.department, c.place, c.rules, c.state,
       c.filed_by, c.applicant, c.statement, c.evidence, c.filed_at, c.accepted_at, c.forwarded_at, c.extended_at,
       c.due_on, c.due_step, c.due_assumed, c.overdue_noted_at, c.decided_at, c.decided_by, c.decision, c.remedy
FROM registry.credit_case c JOIN registry.dataset d ON d.id = c.dataset_id
"""
_EVENTS = """
SELECT number, at, action, role, actor, from_state, to_state, text FROM registry.credit_case_event
WHERE case_id = $1 ORDER BY number
"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which cases are asked for; None: all."""

    department: str | None = None
    kind: str | None = None
    entity: str | None = None
    state: str | None = None
    is_open: bool | None = None
    overdue_on: date | None = None
    """Open ones whose deadline has passed on this day."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a reader may see: the cases that it filed, and those of its departments."""

    filed_by: str | None
    departments: Sequence[str]


async def page(pool: Pool, wanted: Wanted, seen: Seen | None, *, after: int, limit: int) -> list[Row]:
    """Cases by number; ``seen`` None: the reader may see all."""
    arguments = Arguments()
    where = [f"c.id > {arguments.add(after)}"]
    if seen is not None:
        filed_by, departments = arguments.add(seen.filed_by), arguments.add(list(seen.departments))
        where.append(f"(c.filed_by = {filed_by}::text OR c.department = ANY({departments}::text[]))")
    equal = {"department": wanted.department, "kind": wanted.kind, "entity": wanted.entity, "state": wanted.state}
    where += [f"c.{column} = {arguments.add(value)}" for column, value in equal.items() if value is not None]
    if wanted.is_open is not None:
        where.append("c.decided_at IS NULL" if wanted.is_open else "c.decided_at IS NOT NULL")
    if wanted.overdue_on is not None:
        where.append(f"c.decided_at IS NULL AND c.due_on < {arguments.add(wanted.overdue_on)}")
    condition = " AND ".join(where)
    return await pool.rows(f"{_CASE} WHERE {condition} ORDER BY c.id LIMIT {arguments.add(limit)}", *arguments)


async def one(pool: Pool, case_id: int) -> Row | None:
    """A case."""
    return await pool.row(f"{_CASE} WHERE c.id = $1", case_id)


async def events(pool: Pool, case_id: int) -> list[Row]:
    """Everything that happened to a case, in order."""
    return await pool.rows(_EVENTS, case_id)
