"""Versions of records: as they are, as they were, one record's history, everything of one entity."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from registry.storage.reads.arguments import Arguments
from registry.storage.reads.pool import Pool, Row


@dataclass(frozen=True, slots=True)
class Filter:
    """A top-level field that must equal a value (given as JSON), or an array that must hold it."""

    field: str
    value: str
    within_array: bool = False
    blind: str | None = None
    """What the value is looked for by, where it lies sealed."""


Rows = Mapping[str, Collection[str]]
"""Which records a grant covers: for each field its values; the record's is one of them, or one of an array's items."""


def within(rows: Rows, arguments: Arguments) -> list[str]:
    """Conditions on ``r.body`` that keep to the records that a grant covers."""
    return [
        f"(r.body -> {arguments.add(name)}::text) ?| {arguments.add(sorted(values))}::text[]"
        for name, values in sorted(rows.items())
    ]


STALE = """
LEFT JOIN LATERAL (
    SELECT min(f.first_seen) AS since, jsonb_agg(f.reasons) AS reasons FROM (
        SELECT id, first_seen, reasons FROM registry.refusal
        WHERE closed_at IS NULL AND connector_id = {version}.connector_id AND row_id = {version}.row_id
        UNION
        SELECT id, first_seen, reasons FROM registry.refusal
        WHERE closed_at IS NULL AND dataset_id = {version}.dataset_id AND key = {version}.key
    ) f{until}
) s ON {on}
"""
"""Open refusals of what is now at the source in the place of a version: found by the source's row, or by the key."""

_NOT_STALE = "LEFT JOIN (SELECT NULL::timestamptz AS since, NULL::jsonb AS reasons) s ON true"
_SHARED = """NOT EXISTS (
    SELECT FROM registry.credit_mark k WHERE k.dataset_id = r.dataset_id AND k.key = r.key
    AND (k.repaired_at IS NOT NULL OR k.withdrawn_at IS NOT NULL)
)"""
"""The record may be handed on."""

CURRENT = """
SELECT r.dataset_id, r.key, r.version, r.valid_from, NULL::timestamptz AS valid_to, r.body, r.personal, r.batch_id,
       r.connector_id, r.row_id, r.entity
FROM registry.record r WHERE {where}
"""
_ENDED = """
SELECT r.dataset_id, r.key, r.version, r.valid_from, r.valid_to, r.body, r.personal, r.batch_id,
       r.connector_id, r.row_id, r.entity
FROM registry.record_history r WHERE {where}
"""
_WITH_SOURCE = """
SELECT v.dataset_id, v.key, v.version, v.valid_from, v.valid_to, v.entity, v.batch_id, c.name AS connector,
       CASE WHEN m.repaired_at IS NULL AND m.withdrawn_at IS NULL THEN v.body END AS body,
       CASE WHEN m.repaired_at IS NULL AND m.withdrawn_at IS NULL THEN v.personal END AS personal,
       s.since AS stale_since, s.reasons AS stale_reasons, m.disputed_since, m.repaired_at, m.withdrawn_at
FROM ({versions}) v JOIN registry.connector c ON c.id = v.connector_id
LEFT JOIN registry.credit_mark m ON m.dataset_id = v.dataset_id AND m.key = v.key {stale} ORDER BY {order}
"""
"""With the mark that stands beside the record now, on every version; one that may no longer be shared has no body."""


async def page(
    pool: Pool,
    dataset_id: int,
    *,
    after: str | None,
    limit: int,
    as_of: datetime | None = None,
    entity: str | None = None,
    key: str | None = None,
    filters: Sequence[Filter] = (),
    rows: Rows = MappingProxyType({}),
) -> list[Row]:
    """Records of a dataset in the order of their keys, after a key; ``rows``: only those that a grant covers."""
    arguments = Arguments()
    where = [f"r.dataset_id = {arguments.add(dataset_id)}"]
    if after is not None:
        where.append(f"r.key > {arguments.add(after)}")
    if entity is not None:
        where.append(f"r.entity = {arguments.add(entity)}")
    if key is not None:
        where.append(f"r.key = {arguments.add(key)}")
    for wanted in filters:
        if wanted.blind is not None:
            where.append(f"r.blind @> ARRAY[{arguments.add(wanted.blind)}::uuid]")
            continue
        operator = "@>" if wanted.within_array else "="
        where.append(f"r.body -> {arguments.add(wanted.field)}::text {operator} {arguments.add(wanted.value)}::jsonb")
    if filters:
        where.append(_SHARED)  # what is not handed on is not found by what stands in it either
    where += within(rows, arguments)
    moment = None if as_of is None else arguments.add(as_of)
    versions = _versions(where, moment, f"ORDER BY r.key LIMIT {arguments.add(limit)}", "key")
    return await pool.rows(with_source(versions, "v.key", moment), *arguments)


async def one_as_of(pool: Pool, dataset_id: int, key: str, as_of: datetime, rows: Rows) -> Row | None:
    """The version of a record that was valid at a time; None too where ``rows`` does not cover it."""
    found = await page(pool, dataset_id, after=None, limit=1, as_of=as_of, key=key, rows=rows)
    return found[0] if found else None


async def history(
    pool: Pool, dataset_id: int, key: str, *, before: int | None, limit: int, rows: Rows = MappingProxyType({})
) -> list[Row]:
    """Every version of a record, the newest first; ``rows``: only versions that a grant covers."""
    arguments = Arguments()
    where = [f"r.dataset_id = {arguments.add(dataset_id)}", f"r.key = {arguments.add(key)}"]
    if before is not None:
        where.append(f"r.version < {arguments.add(before)}")
    where += within(rows, arguments)
    condition = " AND ".join(where)
    versions = (
        f"{CURRENT.format(where=condition)} UNION ALL {_ENDED.format(where=condition)}"
        f" ORDER BY version DESC LIMIT {arguments.add(limit)}"
    )
    stale = STALE.format(version="v", until="", on="v.valid_to IS NULL")
    return await pool.rows(_WITH_SOURCE.format(versions=versions, stale=stale, order="v.version DESC"), *arguments)


async def of_entity(
    pool: Pool, entity: str, datasets: Mapping[int, Rows], *, limit: int, as_of: datetime | None = None
) -> list[Row]:
    """What the datasets know of an entity, as far as a grant of each covers it: at most ``limit`` records of each."""
    arguments = Arguments()
    where = [f"r.dataset_id = d.id AND r.entity = {arguments.add(entity)}"]
    for dataset_id, rows in datasets.items():
        if rows:
            covered = " AND ".join(within(rows, arguments))
            where.append(f"(r.dataset_id <> {arguments.add(dataset_id)} OR ({covered}))")
    moment = None if as_of is None else arguments.add(as_of)
    inner = _versions(where, moment, f"ORDER BY r.key LIMIT {arguments.add(limit)}", "key")
    versions = f"""
        SELECT each.* FROM unnest({arguments.add(list(datasets))}::smallint[]) AS d (id)
        CROSS JOIN LATERAL ({inner}) each
    """
    return await pool.rows(with_source(versions, "v.dataset_id, v.key", moment), *arguments)


def _versions(where: Sequence[str], moment: str | None, order: str, outer_key: str) -> str:
    if moment is None:
        return f"{CURRENT.format(where=' AND '.join(where))} {order}"
    current = " AND ".join([*where, f"r.valid_from <= {moment}"])
    ended = " AND ".join([*where, f"r.valid_from <= {moment}", f"r.valid_to > {moment}"])
    limit = order.removeprefix("ORDER BY r.key ")
    return (
        f"({CURRENT.format(where=current)} {order}) UNION ALL ({_ENDED.format(where=ended)} {order})"
        f" ORDER BY {outer_key} {limit}"
    )


def with_source(versions: str, order: str, moment: str | None, *, stale: bool = True) -> str:
    """Some versions with their connector and what stands beside them; without ``stale`` nobody looks for refusals."""
    if not stale:
        return _WITH_SOURCE.format(versions=versions, stale=_NOT_STALE, order=order)
    until = "" if moment is None else f" WHERE f.first_seen <= {moment}"
    refusals = STALE.format(version="v", until=until, on="true")
    return _WITH_SOURCE.format(versions=versions, stale=refusals, order=order)
