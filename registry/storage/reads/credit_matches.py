"""Records without a code and the enterprises that they may be about, as the API reads them."""

from __future__ import annotations

from dataclasses import dataclass

from registry.storage.reads.arguments import Arguments
from registry.storage.reads.pool import Pool, Row

_MATCH = """
SELECT m.id, m.dataset_id, d.name AS dataset, m.key, m.entity, m.score, m.features, m.state, m.decided_by, m.decided_at,
       m.reason, m.found_at, m.accepted_at, m.ended_at
FROM registry.entity_match m JOIN registry.dataset d ON d.id = m.dataset_id
"""
_OTHERS = """
SELECT m.id, m.entity, m.score, m.state, m.decided_by, m.decided_at, m.reason FROM registry.entity_match m
WHERE m.dataset_id = $1 AND m.key = $2 AND m.id <> $3 ORDER BY m.id
"""
_DECISIONS = """
SELECT number, at, decision, decided_by, reason FROM registry.entity_match_decision WHERE match_id = $1 ORDER BY number
"""
_STATED = "SELECT name, address FROM registry.record_without_code WHERE dataset_id = $1 AND key = $2"
_NAMES = "SELECT name, address, former FROM registry.entity_name WHERE entity = $1 ORDER BY former, name"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which matches are asked for; None: all."""

    state: str | None = None
    dataset: str | None = None
    entity: str | None = None


async def page(pool: Pool, wanted: Wanted, *, after: int, limit: int) -> list[Row]:
    """Matches by number."""
    arguments = Arguments()
    where = [f"m.id > {arguments.add(after)}"]
    equal = {"m.state": wanted.state, "d.name": wanted.dataset, "m.entity": wanted.entity}
    where += [f"{column} = {arguments.add(value)}" for column, value in equal.items() if value is not None]
    condition = " AND ".join(where)
    return await pool.rows(f"{_MATCH} WHERE {condition} ORDER BY m.id LIMIT {arguments.add(limit)}", *arguments)


async def one(pool: Pool, number: int) -> Row | None:
    """A match."""
    return await pool.row(f"{_MATCH} WHERE m.id = $1", number)


async def others(pool: Pool, match: Row) -> list[Row]:
    """What else was ever matched with the same record, the oldest first."""
    return await pool.rows(_OTHERS, match["dataset_id"], match["key"], match["id"])


async def decisions(pool: Pool, number: int) -> list[Row]:
    """Everything that was decided about a match, in order."""
    return await pool.rows(_DECISIONS, number)


async def stated(pool: Pool, match: Row) -> Row | None:
    """The name and address that the record states, as they are compared; None: it states neither any more."""
    return await pool.row(_STATED, match["dataset_id"], match["key"])


async def names(pool: Pool, entity: str) -> list[Row]:
    """The enterprise's present and former names and its address, as they are compared."""
    return await pool.rows(_NAMES, entity)
