"""Issued credit reports by their number, and enterprises by their exact name, for those who look something up."""

from __future__ import annotations

from collections.abc import Sequence

from registry.storage.reads.pool import Pool, Row

PUBLIC_IDENTIFIERS = ("registration_number", "organisation_code", "entity_code")
"""Kinds of old identifiers that anyone may look an enterprise up by."""
MOST_OF_A_NAME = 20
"""Enterprises shown that bear one name; more is said, not shown."""

_REPORT = """
SELECT number, entity, reader, datasets, day, issued_at, digest, content_digest, jsonb_array_length(records) AS records
FROM registry.credit_report WHERE number = $1
"""

_NAMED = """
SELECT DISTINCT entity FROM registry.entity_name WHERE name = $1 AND NOT former ORDER BY entity LIMIT $2
"""

_IDENTIFIED = """
SELECT DISTINCT entity FROM registry.entity_identifier WHERE kind = ANY($1::text[]) AND value = $2
ORDER BY entity LIMIT $3
"""

_REGISTERED = """
SELECT DISTINCT r.entity FROM registry.record r JOIN registry.dataset d ON d.id = r.dataset_id
WHERE r.entity = ANY($1::text[]) AND d.name = $2 ORDER BY r.entity
"""


async def report(pool: Pool, number: str) -> Row | None:
    """What is on record of a report; who asked for it is not among it."""
    return await pool.row(_REPORT, number)


async def named(pool: Pool, name: str) -> list[str]:
    """The codes of the enterprises that bear just this name (normalised) now, a few at most."""
    return [row["entity"] for row in await pool.rows(_NAMED, name, MOST_OF_A_NAME + 1)]


async def identified(pool: Pool, value: str) -> list[str]:
    """The codes of the enterprises that have an old identifier (normalised) of the public kinds, a few at most."""
    rows = await pool.rows(_IDENTIFIED, list(PUBLIC_IDENTIFIERS), value, MOST_OF_A_NAME + 1)
    return [row["entity"] for row in rows]


async def registered(pool: Pool, entities: Sequence[str], dataset: str) -> list[str]:
    """Those of some enterprises that have a registration, which is a record of this dataset."""
    return [row["entity"] for row in await pool.rows(_REGISTERED, list(entities), dataset)]
