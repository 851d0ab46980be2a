"""How often grants are used, counted in the transaction that writes the access log: no answer is given and not counted.

Quotas are kept exactly, whatever number of processes answer at once: the rows of the day are locked in one order by
whoever counts, and what would go beyond a quota is told before anything is committed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone

import psycopg

CHINA = timezone(timedelta(hours=8))
"""Quotas begin anew at midnight there; it has no summer time."""

_ADD = """
INSERT INTO registry.access_grant_use AS u (grant_id, day, uses, last_used_at)
SELECT * FROM unnest(%s::bigint[], %s::date[], %s::bigint[], %s::timestamptz[]) AS t (grant_id, day, uses, last_used_at)
ORDER BY grant_id, day
ON CONFLICT (grant_id, day) DO UPDATE
SET uses = u.uses + EXCLUDED.uses, last_used_at = greatest(u.last_used_at, EXCLUDED.last_used_at)
RETURNING grant_id, day, uses
"""
_CORRECT = "UPDATE registry.access_grant_use SET uses = %s WHERE grant_id = %s AND day = %s"


@dataclass(frozen=True, slots=True)
class Use:
    """What one answer uses of one grant."""

    grant_id: int
    count: int
    """Answers: 1, or as many as an answer stands for."""
    daily_quota: int | None


def day_of(at: datetime) -> date:
    """The day of quotas."""
    return at.astimezone(CHINA).date()


def next_day(at: datetime) -> datetime:
    """When quotas begin anew."""
    return datetime.combine(day_of(at) + timedelta(days=1), datetime.min.time(), CHINA)


def count(connection: psycopg.Connection, used: Sequence[tuple[datetime, Sequence[Use]]]) -> list[int | None]:
    """Count answers, in their order; for each that would go beyond a quota, the number of the grant: it is not counted.

    Within the caller's transaction. An answer that uses several grants counts for all of them or for none.
    """
    wanted: dict[tuple[int, date], int] = {}
    last: dict[tuple[int, date], datetime] = {}
    for at, uses in used:
        for use in uses:
            place = use.grant_id, day_of(at)
            wanted[place] = wanted.get(place, 0) + use.count
            last[place] = max(last.get(place, at), at)
    if not wanted:
        return [None] * len(used)
    places = sorted(wanted)
    rows = connection.execute(
        _ADD,
        (
            [grant for grant, _ in places], [day for _, day in places], [wanted[place] for place in places],
            [last[place] for place in places],
        ),
    ).fetchall()  # fmt: skip
    reached = {(grant, day): total for grant, day, total in rows}
    taken = {place: reached[place] - wanted[place] for place in places}
    beyond = [_take(taken, day_of(at), uses) for at, uses in used]
    for place in places:
        if taken[place] != reached[place]:
            connection.execute(_CORRECT, (taken[place], *place))
    return beyond


def _take(taken: dict[tuple[int, date], int], day: date, uses: Sequence[Use]) -> int | None:
    for use in uses:
        if use.daily_quota is not None and taken[use.grant_id, day] + use.count > use.daily_quota:
            return use.grant_id
    for use in uses:
        taken[use.grant_id, day] += use.count
    return None
