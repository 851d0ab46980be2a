"""How departments publish permits and penalties: counted from the records and from what was found wrong with them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from registry.storage.reads.pool import Pool, Row

By = Literal["department", "authority"]

# Late records stay found as long as they are there; what is not withdrawn closes when it is: then it came late.
_QUALITY = """
WITH held AS (
    SELECT c.department, d.name AS dataset, {authority_of_record} AS authority, count(*) AS records
    FROM registry.record r JOIN registry.dataset d ON d.id = r.dataset_id
    JOIN registry.connector c ON c.id = r.connector_id
    WHERE d.name = ANY($1::text[]) AND ($2::text IS NULL OR c.department = $2) GROUP BY 1, 2, 3
), found AS (
    SELECT f.department, d.name AS dataset, {authority_of_finding} AS authority, f.kind,
           f.closed_at IS NULL AS open, (f.detail ->> 'working_days_late')::int AS days
    FROM registry.credit_finding f JOIN registry.dataset d ON d.id = f.dataset_id
    LEFT JOIN registry.record r ON r.dataset_id = f.dataset_id AND r.key = f.key
    WHERE d.name = ANY($1::text[]) AND ($2::text IS NULL OR f.department = $2)
), counted AS (
    SELECT department, dataset, authority,
           count(*) FILTER (WHERE kind = 'late' AND open) AS late,
           percentile_cont(0.5) WITHIN GROUP (ORDER BY days) FILTER (WHERE kind = 'late' AND open) AS median_days_late,
           max(days) FILTER (WHERE kind = 'late' AND open) AS longest_days_late,
           count(*) FILTER (WHERE kind = 'amount' AND open) AS amounts_contradicting,
           count(*) FILTER (WHERE kind = 'missing_source_code' AND open) AS missing_source_code,
           count(*) FILTER (WHERE kind = 'not_withdrawn' AND open) AS not_withdrawn,
           count(*) FILTER (WHERE kind = 'not_withdrawn' AND NOT open) AS withdrawn_late
    FROM found GROUP BY 1, 2, 3
)
SELECT department, dataset, authority, coalesce(h.records, 0) AS records, coalesce(late, 0) AS late,
       median_days_late, longest_days_late, coalesce(amounts_contradicting, 0) AS amounts_contradicting,
       coalesce(missing_source_code, 0) AS missing_source_code, coalesce(not_withdrawn, 0) AS not_withdrawn,
       coalesce(withdrawn_late, 0) AS withdrawn_late
FROM held h FULL JOIN counted USING (department, dataset, authority) ORDER BY department, authority, dataset
"""
_AUTHORITY: dict[By, tuple[str, str]] = {
    "department": ("''", "''"),
    "authority": ("coalesce(r.body ->> 'authority', '')", "coalesce(r.body ->> 'authority', '')"),
}


async def quality(pool: Pool, datasets: Sequence[str], department: str | None, by: By) -> list[Row]:
    """Per department and dataset, or also per deciding authority: how many decisions, and what is wrong with them.

    ``median_days_late``, ``longest_days_late``: working days after the deadline, of the late ones; NULL: none is late.
    """
    of_record, of_finding = _AUTHORITY[by]
    statement = _QUALITY.format(authority_of_record=of_record, authority_of_finding=of_finding)
    return await pool.rows(statement, list(datasets), department)
