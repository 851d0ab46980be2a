"""The datasets and how old their data is, as one small picture of the whole catalogue."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import orjson

from registry.domain.grants.versions import superseded_at
from registry.storage.reads.pool import Pool


@dataclass(frozen=True, slots=True)
class SourceState:
    """One connector that feeds a dataset, and when its source was last read to the end."""

    connector: str
    department: str
    title_zh: str
    title_en: str
    records: int
    read_at: datetime | None
    published_at: datetime | None
    freshness: timedelta | None


@dataclass(frozen=True, slots=True)
class DatasetState:
    """A dataset with everything that feeds it."""

    id: int
    name: str
    schema: str
    title_zh: str
    title_en: str
    department: str
    key: tuple[str, ...]
    entity_field: str | None
    sharing: str
    registered_at: datetime
    sources: tuple[SourceState, ...]
    schema_since: Mapping[str, datetime] = field(default_factory=dict)
    """Since when its records are of a version of its schema; the newest is the one that they have now."""

    def superseded_at(self, schema: str) -> datetime | None:
        """When a later version took the place of one; None if it is the one that records have."""
        return superseded_at(schema, self.schema, self.schema_since, self.registered_at)


_DATASETS = """
SELECT d.id AS dataset_id, d.name AS dataset, d.schema, d.title_zh AS dataset_zh, d.title_en AS dataset_en,
       d.department AS owner, d.key, d.entity_field, d.sharing, d.registered_at,
       c.name, c.department, c.title_zh, c.title_en, c.records, c.read_at, c.published_at, c.freshness,
       (SELECT jsonb_object_agg(s.schema, s.since) FROM registry.dataset_schema s WHERE s.dataset_id = d.id) AS schemas
FROM registry.dataset d LEFT JOIN registry.connector c ON c.dataset_id = d.id
ORDER BY d.name, c.name
"""

_OPEN_REFUSALS = """
SELECT c.name, count(*) AS refusals FROM registry.refusal f JOIN registry.connector c ON c.id = f.connector_id
WHERE f.closed_at IS NULL AND f.dataset_id = $1 GROUP BY c.name
"""


async def all_datasets(pool: Pool) -> Mapping[str, DatasetState]:
    """Every dataset by name."""
    states: dict[str, DatasetState] = {}
    sources: dict[str, list[SourceState]] = {}
    rows = await pool.rows(_DATASETS)
    for row in rows:
        if row["name"] is not None:
            sources.setdefault(row["dataset"], []).append(
                SourceState(
                    connector=row["name"],
                    department=row["department"],
                    title_zh=row["title_zh"],
                    title_en=row["title_en"],
                    records=row["records"],
                    read_at=row["read_at"],
                    published_at=row["published_at"],
                    freshness=row["freshness"],
                )
            )
    for row in rows:
        states[row["dataset"]] = DatasetState(
            id=row["dataset_id"],
            name=row["dataset"],
            schema=row["schema"],
            title_zh=row["dataset_zh"],
            title_en=row["dataset_en"],
            department=row["owner"],
            key=tuple(row["key"]),
            entity_field=row["entity_field"],
            sharing=row["sharing"],
            registered_at=row["registered_at"],
            sources=tuple(sources.get(row["dataset"], ())),
            schema_since=_moments(row["schemas"]),
        )
    return states


def _moments(found: str | None) -> Mapping[str, datetime]:
    return {} if found is None else {name: datetime.fromisoformat(at) for name, at in orjson.loads(found).items()}


async def open_refusals(pool: Pool, dataset_id: int) -> Mapping[str, int]:
    """How many records each connector's department still has to correct, by connector."""
    return {row["name"]: row["refusals"] for row in await pool.rows(_OPEN_REFUSALS, dataset_id)}
