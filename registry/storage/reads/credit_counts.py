"""How many discrepancies each department had, day by day."""

from __future__ import annotations

from datetime import date, timedelta

from registry.storage.reads.pool import Pool, Row

USUAL_DAYS = 30
MOST_DAYS = 366
"""The longest period that is counted at once."""

_FIRST_DAY = date(1949, 10, 1)
_DISCREPANCIES = """
SELECT (day AT TIME ZONE 'Asia/Shanghai')::date AS day, department, field,
    count(*) FILTER (WHERE opened_at >= day) AS opened,
    count(*) FILTER (WHERE closed_at < day + interval '1 day') AS closed,
    count(*) FILTER (WHERE closed_at IS NULL OR closed_at >= day + interval '1 day') AS open_in_the_evening
FROM generate_series($1::date::timestamp, $2::date::timestamp, interval '1 day') AS s(midnight)
CROSS JOIN LATERAL (SELECT midnight AT TIME ZONE 'Asia/Shanghai' AS day) m
JOIN registry.discrepancy o ON opened_at < day + interval '1 day' AND (closed_at IS NULL OR closed_at >= day)
WHERE $3::text IS NULL OR department = $3
GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
"""


def period(since: date | None, until: date | None, today: date) -> tuple[date, date] | None:
    """The first and the last day that are meant; None: too many, in the wrong order, or before there were any."""
    last = until or today
    if last < _FIRST_DAY:
        return None
    first = since or last - timedelta(days=USUAL_DAYS - 1)
    return (first, last) if 0 <= (last - first).days < MOST_DAYS else None


async def discrepancies(pool: Pool, since: date, until: date, department: str | None = None) -> list[Row]:
    """Per day of China (both ends included), department and field; what has none on a day is left out."""
    return await pool.rows(_DISCREPANCIES, since, until, department)
