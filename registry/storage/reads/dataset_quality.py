"""How well datasets are kept, counted from batches, refusals and a sample of the records; no record leaves with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from registry.storage.reads.pool import Pool

WINDOWS = (30, 90)
"""Days over which promises are held against what came."""
SAMPLE = 2000
"""About how many records of a dataset are looked at for how complete they are; of a smaller one all."""
FEWEST = 20
"""Of fewer records nothing is said: it would be about single ones."""


@dataclass(frozen=True, slots=True)
class Punctuality:
    """The publications of a connector within a window."""

    days: int
    batches: int
    """Those before which there was another one, so that its age then can be told; 0 if nothing is promised."""
    in_time: int
    """Those that came before what they followed was older than promised."""


@dataclass(frozen=True, slots=True)
class Contact:
    """Who answers for a connector, as its manifest says."""

    name: str
    email: str


@dataclass(frozen=True, slots=True)
class Quality:
    """What is known of one dataset."""

    pulled: int = 0
    """Rows read in the last 30 days."""
    refused: int = 0
    """Of these, refused."""
    open_refusals: int = 0
    stale: int = 0
    """Records whose present form at the source was refused."""
    sampled: int = 0
    present: Mapping[str, int] = field(default_factory=dict)
    """In how many of the sampled records a field is there and not null."""
    punctuality: Mapping[str, Sequence[Punctuality]] = field(default_factory=dict)
    """By connector."""
    contacts: Mapping[str, Contact] = field(default_factory=dict)
    """By connector."""


NOTHING_KNOWN = Quality()
"""Of a dataset that is newer than the last count."""

_PUNCTUALITY = """
WITH followed AS (
    SELECT connector_id, ended_at, ended_at - lag(started_at) OVER (PARTITION BY connector_id ORDER BY ended_at) AS age
    FROM registry.batch WHERE state = 'published' AND ended_at > now() - $1::interval
)
SELECT c.dataset_id, c.name, c.owner_name, c.owner_email, w.days,
       count(f.age) FILTER (
           WHERE f.ended_at > now() - make_interval(days => w.days) AND c.freshness IS NOT NULL
       ) AS batches,
       count(f.age) FILTER (
           WHERE f.ended_at > now() - make_interval(days => w.days) AND f.age <= c.freshness
       ) AS in_time
FROM registry.connector c CROSS JOIN unnest($2::int[]) AS w (days) LEFT JOIN followed f ON f.connector_id = c.id
GROUP BY c.id, w.days ORDER BY c.name, w.days
"""
_COUNTS = """
SELECT d.id, coalesce(b.pulled, 0)::bigint AS pulled, coalesce(b.refused, 0)::bigint AS refused,
       coalesce(f.open, 0) AS open, coalesce(f.stale, 0) AS stale, coalesce(h.records, 0)::bigint AS records
FROM registry.dataset d
LEFT JOIN (
    SELECT c.dataset_id, sum(b.pulled) AS pulled, sum(b.refused) AS refused
    FROM registry.batch b JOIN registry.connector c ON c.id = b.connector_id
    WHERE b.state = 'published' AND b.ended_at > now() - $1::interval GROUP BY 1
) b ON b.dataset_id = d.id
LEFT JOIN (
    SELECT f.dataset_id, count(*) AS open, count(DISTINCT r.key) AS stale
    FROM registry.refusal f LEFT JOIN registry.record r ON r.dataset_id = f.dataset_id AND r.key = f.key
    WHERE f.closed_at IS NULL GROUP BY 1
) f ON f.dataset_id = d.id
LEFT JOIN (SELECT dataset_id, sum(records) AS records FROM registry.connector GROUP BY 1) h ON h.dataset_id = d.id
"""
_PRESENT = """
WITH sampled AS MATERIALIZED (
    SELECT body FROM registry.record TABLESAMPLE SYSTEM ($2) WHERE dataset_id = $1 LIMIT $3
)
SELECT NULL AS name, count(*) AS records FROM sampled
UNION ALL SELECT e.key, count(*) FROM sampled, jsonb_each(body) e WHERE e.value <> 'null' GROUP BY 1
"""


async def quality(pool: Pool) -> Mapping[int, Quality]:
    """Of every dataset, by its number. Raises ReadError."""
    punctuality: dict[int, dict[str, list[Punctuality]]] = {}
    contacts: dict[int, dict[str, Contact]] = {}
    for row in await pool.rows(_PUNCTUALITY, timedelta(days=2 * max(WINDOWS)), list(WINDOWS)):
        found = punctuality.setdefault(row["dataset_id"], {}).setdefault(row["name"], [])
        found.append(Punctuality(row["days"], row["batches"], row["in_time"]))
        contacts.setdefault(row["dataset_id"], {})[row["name"]] = Contact(row["owner_name"], row["owner_email"])
    of: dict[int, Quality] = {}
    for row in await pool.rows(_COUNTS, timedelta(days=min(WINDOWS))):
        number = row["id"]
        sampled, present = await _present(pool, number, row["records"])
        of[number] = Quality(
            pulled=row["pulled"],
            refused=row["refused"],
            open_refusals=row["open"],
            stale=row["stale"],
            sampled=sampled,
            present=present,
            punctuality=punctuality.get(number, {}),
            contacts=contacts.get(number, {}),
        )
    return of


async def _present(pool: Pool, dataset_id: int, records: int) -> tuple[int, Mapping[str, int]]:
    """Pages of the table are drawn by lot, so that a large dataset costs no more than a small one."""
    percent = 100.0 if records <= SAMPLE else max(100.0 * SAMPLE / records, 0.001)
    rows = await pool.rows(_PRESENT, dataset_id, percent, SAMPLE)
    counts = {row["name"]: row["records"] for row in rows}
    sampled = counts.pop(None, 0)
    return (sampled, counts) if sampled >= FEWEST else (sampled, {})
