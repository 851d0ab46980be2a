"""Versions of permits and penalties for the upper-level platform, a page of keys at a time."""

from __future__ import annotations

from datetime import UTC, datetime

from registry.storage.reads.pool import Pool, Row

# With a moment also the versions that ended after it, and the keys of records that are gone since.
_PAGE = """
WITH page AS (
    SELECT key FROM (
        (SELECT r.key FROM registry.record r
         WHERE r.dataset_id = $1 AND r.key > $2 ORDER BY r.key LIMIT $3)
        UNION
        (SELECT DISTINCT h.key FROM registry.record_history h
         WHERE h.dataset_id = $1 AND h.key > $2 AND h.valid_to >= $4 ORDER BY h.key LIMIT $3)
    ) k ORDER BY key LIMIT $3
)
SELECT v.key, v.version, v.body, v.personal, v.valid_from, v.valid_to, m.disputed_since, m.repaired_at, m.withdrawn_at,
       EXISTS (
           SELECT FROM registry.credit_case c
           WHERE c.dataset_id = $1 AND c.key = v.key AND c.kind = 'objection' AND c.decided_at >= $4
       ) AS touched
FROM page p
JOIN LATERAL (
    SELECT r.key, r.version, r.body, r.personal, r.valid_from, NULL::timestamptz AS valid_to
    FROM registry.record r WHERE r.dataset_id = $1 AND r.key = p.key
    UNION ALL
    SELECT h.key, h.version, h.body, h.personal, h.valid_from, h.valid_to
    FROM registry.record_history h WHERE h.dataset_id = $1 AND h.key = p.key AND h.valid_to >= $4
) v ON true
LEFT JOIN registry.credit_mark m ON m.dataset_id = $1 AND m.key = v.key
ORDER BY v.key, v.version
"""
_NEVER = datetime(9999, 1, 1, tzinfo=UTC)
_BEFORE_ALL = ""
"""Sorts before every key."""


async def page(pool: Pool, dataset_id: int, *, after: str | None, limit: int, since: datetime | None) -> list[Row]:
    """The versions of ``limit`` records by key: the present one, and with ``since`` those that ended from then on."""
    return await pool.rows(_PAGE, dataset_id, after or _BEFORE_ALL, limit, since or _NEVER)
