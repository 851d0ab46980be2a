"""Issued credit reports by their number, and enterprises by their exact name, for those who look something up."""

from __future__ import annotations

from registry.storage.reads.pool import Pool, Row

MOST_OF_A_NAME = 20
"""Enterprises shown that bear one name; more is said, not shown."""

_REPORT = """
SELECT number, entity, reader, datasets, day, issued_at, digest, content_digest, jsonb_array_length(records) AS records
FROM registry.credit_report WHERE number = $1
"""

_NAMED = """
SELECT DISTINCT entity FROM registry.entity_name WHERE name = $1 AND NOT former ORDER BY entity LIMIT $2
"""


async def report(pool: Pool, number: str) -> Row | None:
    """What is on record of a report; who asked for it is not among it."""
    return await pool.row(_REPORT, number)


async def named(pool: Pool, name: str) -> list[str]:
    """The codes of the enterprises that bear just this name (normalised) now, a few at most."""
    return [row["entity"] for row in await pool.rows(_NAMED, name, MOST_OF_A_NAME + 1)]
