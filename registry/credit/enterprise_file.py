"""An enterprise's file from the registry: its records now or as they stood at a moment, each field from its one source.

Records are those that carry the code, and those without a code whose match with it was accepted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta, timezone

import psycopg

from registry.domain.credit.enterprise_file import EnterpriseFile, FileRecord
from registry.domain.credit.enterprise_file import enterprise_file as merged
from registry.domain.credit.sources import Sources, default_sources
from registry.sealing.records import opened

CHINA = timezone(timedelta(hours=8))
"""Days are days in China."""

_NOW = """
SELECT r.entity AS entity, r.dataset_id, d.name, r.key, r.body, r.personal, r.version, r.valid_from,
    greatest(c.read_at, r.valid_from), r.batch_id, c.name, c.department, false
FROM registry.record r JOIN registry.dataset d ON d.id = r.dataset_id JOIN registry.connector c ON c.id = r.connector_id
WHERE r.entity = ANY(%(entities)s) AND d.name = ANY(%(datasets)s)
UNION ALL
SELECT m.entity, r.dataset_id, d.name, r.key, r.body, r.personal, r.version, r.valid_from,
    greatest(c.read_at, r.valid_from), r.batch_id, c.name, c.department, true
FROM registry.entity_match m JOIN registry.record r USING (dataset_id, key)
JOIN registry.dataset d ON d.id = r.dataset_id JOIN registry.connector c ON c.id = r.connector_id
WHERE m.entity = ANY(%(entities)s) AND m.state = 'accepted' AND r.entity IS NULL AND d.name = ANY(%(datasets)s)
"""
# When a source was last read to the end at a moment gone by is said by its batches.
_AS_OF = """
WITH version AS (
    SELECT dataset_id, key, body, personal, version, valid_from, batch_id, connector_id, entity
    FROM registry.record WHERE valid_from <= %(at)s AND entity = ANY(%(entities)s)
    UNION ALL
    SELECT dataset_id, key, body, personal, version, valid_from, batch_id, connector_id, entity
    FROM registry.record_history WHERE valid_from <= %(at)s AND valid_to > %(at)s AND entity = ANY(%(entities)s)),
matched AS (
    SELECT dataset_id, key, entity FROM registry.entity_match
    WHERE entity = ANY(%(entities)s) AND accepted_at <= %(at)s AND (ended_at IS NULL OR ended_at > %(at)s)),
without_code AS (
    SELECT r.dataset_id, r.key, r.body, r.personal, r.version, r.valid_from, r.batch_id, r.connector_id, m.entity
    FROM matched m JOIN registry.record r USING (dataset_id, key) WHERE r.valid_from <= %(at)s AND r.entity IS NULL
    UNION ALL
    SELECT h.dataset_id, h.key, h.body, h.personal, h.version, h.valid_from, h.batch_id, h.connector_id, m.entity
    FROM matched m JOIN registry.record_history h USING (dataset_id, key)
    WHERE h.valid_from <= %(at)s AND h.valid_to > %(at)s AND h.entity IS NULL)
SELECT v.entity, v.dataset_id, d.name, v.key, v.body, v.personal, v.version, v.valid_from,
    greatest(v.valid_from, (
        SELECT max(b.ended_at) FROM registry.batch b
        WHERE b.connector_id = v.connector_id AND b.state = 'published' AND b.ended_at <= %(at)s)),
    v.batch_id, c.name, c.department, v.matched
FROM (SELECT *, false AS matched FROM version UNION ALL SELECT *, true FROM without_code) v
JOIN registry.dataset d ON d.id = v.dataset_id JOIN registry.connector c ON c.id = v.connector_id
WHERE d.name = ANY(%(datasets)s)
"""


def read_records(
    connection: psycopg.Connection,
    entities: Iterable[str],
    datasets: Sequence[str],
    *,
    at: datetime | None = None,
) -> dict[str, list[FileRecord]]:
    """The records of some enterprises by code, now or as the registry held them at a moment, personal values whole.

    Raises PersonalKeysError.
    """
    wanted = list(entities)
    found: dict[str, list[FileRecord]] = {entity: [] for entity in wanted}
    query = _NOW if at is None else _AS_OF
    values = {"entities": wanted, "datasets": list(datasets), "at": at}
    for (
        entity,
        dataset_id,
        dataset,
        key,
        body,
        personal,
        version,
        published,
        confirmed,
        batch,
        connector,
        department,
        matched,
    ) in connection.execute(query.encode(), values):
        found[entity].append(
            FileRecord(
                dataset, key, opened(body, personal, dataset_id, key), version, china_day(published),
                china_day(confirmed or published), batch, connector, department, matched,
            )
        )  # fmt: skip
    return found


def enterprise_file(
    connection: psycopg.Connection,
    uscc: str,
    day: date,
    *,
    at: datetime | None = None,
    sources: Sources | None = None,
) -> EnterpriseFile:
    """The file of one enterprise for a day; ``at``: from the registry as it was then. Empty where nothing is known."""
    sources = sources or default_sources().on(day)
    records = read_records(connection, [uscc], sources.datasets, at=at)[uscc]
    return merged(uscc, records, day, sources)


def end_of(day: date) -> datetime:
    """The last moment of a day in China: what the registry held by its evening."""
    return datetime(day.year, day.month, day.day, tzinfo=CHINA) + timedelta(days=1, microseconds=-1)


def china_day(moment: datetime) -> date:
    """The day in China of a moment."""
    return moment.astimezone(CHINA).date()


def now() -> datetime:
    """The present moment."""
    return datetime.now(UTC)
