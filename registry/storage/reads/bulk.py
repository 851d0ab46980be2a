"""A dataset as of one moment, read for as long as it takes, and many records by their keys.

A moment is not a time but the newest batch of each connector that had been published when one statement looked. Batches
of a connector are published one after the other, in the order of their numbers (one that was planned before another was
published is superseded), and a batch commits whole. So what was there at that moment is what these and earlier batches
brought, and later ones ended if at all: no transaction has to stay open, nothing keeps vacuum or the feed waiting, and
it is as exact a day later.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import orjson

from registry.storage.reads.arguments import Arguments
from registry.storage.reads.pool import Pool, Row
from registry.storage.reads.records import Rows, with_source, within

_MOMENT = """
SELECT clock_timestamp() AS at, pg_snapshot_xmin(pg_current_snapshot())::text AS xid,
       (SELECT jsonb_object_agg(id, cursor_batch_id) FROM registry.connector
        WHERE dataset_id = $1 AND cursor_batch_id IS NOT NULL) AS batches
"""
_COLUMNS = (
    "r.dataset_id, r.key, r.version, r.valid_from, {valid_to} AS valid_to, r.body, r.personal, r.batch_id,"
    " r.connector_id, r.row_id, r.entity"
)
_THEN = """
SELECT {columns} FROM registry.{table} r
JOIN unnest({connectors}::int[], {batches}::bigint[]) AS b (connector_id, batch_id)
    ON b.connector_id = r.connector_id AND r.batch_id <= b.batch_id{ended}
WHERE {where} ORDER BY r.key LIMIT {limit}
"""
_OPEN_REFUSALS = "SELECT FROM registry.refusal WHERE dataset_id = $1 AND closed_at IS NULL LIMIT 1"


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment of a dataset."""

    at: datetime
    """About when it was, for people."""
    xid: int
    """Every change of the feed below this transaction is in it; from here on the feed goes on."""
    batches: Mapping[int, int]
    """By connector the newest batch that had been published."""


async def moment(pool: Pool, dataset_id: int) -> Moment:
    """This moment of a dataset. Raises ReadError."""
    row = await pool.row(_MOMENT, dataset_id)
    assert row is not None  # noqa: S101  (it has no FROM)
    batches = {} if row["batches"] is None else orjson.loads(row["batches"])
    return Moment(row["at"], int(row["xid"]), {int(name): batch for name, batch in batches.items()})


async def then(
    pool: Pool, dataset_id: int, batches: Mapping[int, int], *, after: str | None, limit: int, rows: Rows
) -> list[Row]:
    """Records as they were at a moment, in the order of their keys, after a key; ``rows``: those a grant covers.

    What stands beside them (``marks``, ``stale``) is that of now. ``valid_to`` is empty: they held at that moment.
    """
    arguments = Arguments()
    where = [f"r.dataset_id = {arguments.add(dataset_id)}"]
    if after is not None:
        where.append(f"r.key > {arguments.add(after)}")
    where += within(rows, arguments)
    parts = {
        "columns": _COLUMNS.format(valid_to="NULL::timestamptz"),
        "connectors": arguments.add(list(batches)),
        "batches": arguments.add(list(batches.values())),
        "where": " AND ".join(where),
        "limit": arguments.add(limit),
    }
    current = _THEN.format(table="record", ended="", **parts)
    ended = _THEN.format(table="record_history", ended=" AND r.ended_batch_id > b.batch_id", **parts)
    versions = f"({current}) UNION ALL ({ended}) ORDER BY key LIMIT {parts['limit']}"
    stale = await pool.row(_OPEN_REFUSALS, dataset_id) is not None  # most datasets have none: then nobody looks
    return await pool.rows(with_source(versions, "v.key", None, stale=stale), *arguments)


async def by_keys(
    pool: Pool, dataset_id: int, keys: Sequence[str], *, rows: Rows, as_of: datetime | None
) -> dict[str, Row]:
    """The records of some keys, by key; what is not there is left out."""
    found = await _of(pool, dataset_id, "key", keys, rows=rows, as_of=as_of, most=len(keys))
    return {row["key"]: row for row in found}


async def by_entities(
    pool: Pool, dataset_id: int, entities: Sequence[str], *, rows: Rows, as_of: datetime | None, most: int
) -> list[Row]:
    """The records of some entities, in the order of their keys, at most so many altogether."""
    return await _of(pool, dataset_id, "entity", entities, rows=rows, as_of=as_of, most=most)


async def _of(
    pool: Pool, dataset_id: int, column: str, values: Sequence[str], *, rows: Rows, as_of: datetime | None, most: int
) -> list[Row]:
    arguments = Arguments()
    where = [f"r.dataset_id = {arguments.add(dataset_id)}", f"r.{column} = ANY({arguments.add(list(values))}::text[])"]
    where += within(rows, arguments)
    shape = "SELECT {columns} FROM registry.{table} r WHERE {where}"
    held = None if as_of is None else arguments.add(as_of)
    began = [] if held is None else [f"r.valid_from <= {held}"]
    versions = shape.format(
        columns=_COLUMNS.format(valid_to="NULL::timestamptz"), table="record", where=" AND ".join([*where, *began])
    )
    if held is not None:
        versions += " UNION ALL " + shape.format(
            columns=_COLUMNS.format(valid_to="r.valid_to"),
            table="record_history",
            where=" AND ".join([*where, *began, f"r.valid_to > {held}"]),
        )
    return await pool.rows(
        with_source(f"{versions} ORDER BY key LIMIT {arguments.add(most)}", "v.key", held), *arguments
    )
