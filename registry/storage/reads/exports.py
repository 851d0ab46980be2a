"""Exports and what was given of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import orjson

from registry.storage.reads.pool import Pool, Row

_EXPORT = """
SELECT id, format, byte_order_mark, part_records, as_of, batches, feed_xid::text AS feed_xid, terms, expires_at
FROM registry.export WHERE client_id = $1 AND dataset_id = $2
"""
_PARTS = """
SELECT number, after_key, last_key, is_last, records, bytes AS length, sha256, given_at FROM registry.export_part
WHERE export_id = $1 {narrower} ORDER BY number LIMIT 100000
"""


@dataclass(frozen=True, slots=True)
class Export:
    """A moment of a dataset that a client fetches in parts."""

    id: str
    format: str
    byte_order_mark: bool
    part_records: int
    as_of: datetime
    batches: Mapping[int, int]
    """By connector the newest batch that belongs to it."""
    feed_xid: int
    """The change feed goes on after it from this transaction."""
    terms: bytes
    """Digest of the grant's terms under which it was begun."""
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Part:
    """A part as it was given last."""

    number: int
    after_key: str | None
    last_key: str | None
    is_last: bool
    records: int
    length: int
    """In bytes, before any compression on the way."""
    sha256: bytes
    given_at: datetime


async def one(pool: Pool, export_id: str, client: str, dataset_id: int) -> Export | None:
    """A client's own export of a dataset."""
    row = await pool.row(f"{_EXPORT} AND id = $3", client, dataset_id, export_id)
    return row and _export(row)


async def of_client(pool: Pool, client: str, dataset_id: int, now: datetime, limit: int) -> list[Export]:
    """Those that are not over, the newest first."""
    rows = await pool.rows(
        f"{_EXPORT} AND expires_at > $3 ORDER BY as_of DESC, id LIMIT $4", client, dataset_id, now, limit
    )
    return [_export(row) for row in rows]


async def parts(pool: Pool, export_id: str) -> list[Part]:
    """What was given of an export."""
    return [Part(**row) for row in await pool.rows(_PARTS.format(narrower=""), export_id)]


async def part(pool: Pool, export_id: str, number: int) -> Part | None:
    """One part, if it was given."""
    row = await pool.row(_PARTS.format(narrower="AND number = $2"), export_id, number)
    return row and Part(**row)


def _export(row: Row) -> Export:
    found = dict(row)
    batches = {int(name): batch for name, batch in orjson.loads(found.pop("batches")).items()}
    return Export(**{**found, "batches": batches, "feed_xid": int(found["feed_xid"]), "terms": bytes(found["terms"])})
