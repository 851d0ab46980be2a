"""Public credit data as the API reads it: the records of an enterprise, its old identifiers, what departments mend."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from registry.domain.credit.marks import china_day
from registry.domain.credit.scorecard import default_scorecards
from registry.storage.reads.arguments import Arguments
from registry.storage.reads.pool import Pool, Row
from registry.storage.reads.records import STALE

IDENTIFIER_KINDS = ("registration_number", "organisation_code", "taxpayer_number", "entity_code")
MOST_CANDIDATES = 20

# Records that were repaired or withdrawn do not leave the database at all.
_RECORDS = """
SELECT d.name AS dataset, d.schema, v.dataset_id, v.key, v.version, v.valid_from, v.batch_id, v.matched, v.body,
       v.personal, c.name AS connector, c.department, greatest(c.read_at, v.valid_from) AS confirmed_at,
       m.disputed_since, s.since AS stale_since, s.reasons AS stale_reasons
FROM (
    SELECT r.dataset_id, r.key, r.version, r.valid_from, r.batch_id, r.connector_id, r.row_id, r.body, r.personal,
           false AS matched
    FROM registry.record r WHERE r.entity = $1 AND r.dataset_id = ANY($2::smallint[])
    UNION ALL
    SELECT r.dataset_id, r.key, r.version, r.valid_from, r.batch_id, r.connector_id, r.row_id, r.body, r.personal, true
    FROM registry.entity_match e JOIN registry.record r ON r.dataset_id = e.dataset_id AND r.key = e.key
    WHERE e.entity = $1 AND e.state = 'accepted' AND r.entity IS NULL AND r.dataset_id = ANY($2::smallint[])
) v
JOIN registry.dataset d ON d.id = v.dataset_id
JOIN registry.connector c ON c.id = v.connector_id
LEFT JOIN registry.credit_mark m ON m.dataset_id = v.dataset_id AND m.key = v.key
""" + STALE.format(version="v", until="", on="true") + """
WHERE m.repaired_at IS NULL AND m.withdrawn_at IS NULL
ORDER BY d.name, v.key
"""  # fmt: skip

_IDENTIFIED = """
SELECT entity, array_agg(DISTINCT kind ORDER BY kind) AS kinds FROM registry.entity_identifier
WHERE kind = ANY($1::text[]) AND value = $2 GROUP BY entity ORDER BY entity LIMIT $3
"""

# By the records of the enterprise, because identifiers are indexed by what they say and by the record that says it.
_IDENTIFIERS = """
SELECT DISTINCT i.kind, i.value FROM registry.record r
JOIN registry.entity_identifier i ON i.dataset_id = r.dataset_id AND i.key = r.key AND i.entity = r.entity
WHERE r.entity = $1 AND r.dataset_id = ANY($2::smallint[]) ORDER BY i.kind, i.value
"""

_EVALUATIONS = """
SELECT DISTINCT ON (e.scorecard) e.scorecard, e.version, e.day, e.score, e.grade, e.changes_on, e.computed_at
FROM registry.evaluation e JOIN registry.evaluation_card c USING (scorecard, version)
JOIN unnest($2::text[], $3::int[]) WITH ORDINALITY AS o(name, version, place)
    ON o.name = e.scorecard AND o.version = e.version
WHERE e.entity = $1 AND c.complete_at IS NOT NULL ORDER BY e.scorecard, o.place DESC
"""

_DISCREPANCIES = """
SELECT o.id, o.entity, o.field, o.department, d.name AS dataset, o.key, o.value, o.authoritative_department,
       a.name AS authoritative_dataset, o.authoritative_key, o.authoritative_value, o.opened_at, o.closed_at,
       o.closed_because, o.personal
FROM registry.discrepancy o JOIN registry.dataset d ON d.id = o.dataset_id
JOIN registry.dataset a ON a.id = o.authoritative_dataset_id
WHERE {where} ORDER BY o.id LIMIT {limit}
"""

_FINDINGS = """
SELECT o.id, o.kind, o.department, d.name AS dataset, o.key, o.entity, o.detail, o.opened_at, o.closed_at
FROM registry.credit_finding o JOIN registry.dataset d ON d.id = o.dataset_id
WHERE {where} ORDER BY o.id LIMIT {limit}
"""


async def records_of(pool: Pool, entity: str, dataset_ids: Sequence[int]) -> list[Row]:
    """The present records of an enterprise that may be shared: with its code, and matched to it."""
    return await pool.rows(_RECORDS, entity, list(dataset_ids))


async def identified(pool: Pool, value: str) -> list[Row]:
    """The enterprises that an old identifier (normalised) belongs to, and as what kind of identifier."""
    return await pool.rows(_IDENTIFIED, list(IDENTIFIER_KINDS), value, MOST_CANDIDATES)


async def identifiers_of(pool: Pool, entity: str, dataset_ids: Sequence[int]) -> list[Row]:
    """The old identifiers of an enterprise that the records of some datasets state."""
    return await pool.rows(_IDENTIFIERS, entity, list(dataset_ids))


async def evaluations_of(pool: Pool, entity: str) -> list[Row]:
    """The kept evaluation of an enterprise by each card in force; until all are evaluated by it, by the one before.

    A draft that is being compared is nobody's evaluation yet. Raises RuleFileError.
    """
    cards = default_scorecards().up_to(china_day(datetime.now(UTC)))
    return await pool.rows(_EVALUATIONS, entity, [card.name for card in cards], [card.version for card in cards])


async def discrepancies(
    pool: Pool, *, after: int, limit: int, department: str | None, entity: str | None, is_open: bool | None
) -> list[Row]:
    """Where departments differ from the authoritative one, by number."""
    arguments = Arguments()
    where = _where(arguments, after=after, department=department, is_open=is_open, entity=entity)
    return await pool.rows(_DISCREPANCIES.format(where=where, limit=arguments.add(limit)), *arguments)


async def findings(
    pool: Pool, *, after: int, limit: int, department: str | None, kind: str | None, is_open: bool | None
) -> list[Row]:
    """What is wrong with departments' permits and penalties, by number."""
    arguments = Arguments()
    where = _where(arguments, after=after, department=department, is_open=is_open, kind=kind)
    return await pool.rows(_FINDINGS.format(where=where, limit=arguments.add(limit)), *arguments)


def _where(arguments: Arguments, *, after: int, is_open: bool | None, **equal: str | None) -> str:
    conditions = [f"o.id > {arguments.add(after)}"]
    conditions += [f"o.{column} = {arguments.add(value)}" for column, value in equal.items() if value is not None]
    if is_open is not None:
        conditions.append("o.closed_at IS NULL" if is_open else "o.closed_at IS NOT NULL")
    return " AND ".join(conditions)
