"""What clients may read: their standing grants."""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from registry.domain.grants.grant import Grant
from registry.storage.reads.pool import Pool, Row

_STANDING = """
SELECT id, client_id, dataset, fields, purposes, case_number, rows, schema, valid_until, daily_quota
FROM registry.access_grant WHERE client_id = $1 AND ended_at IS NULL
"""


async def standing(pool: Pool, client_id: str) -> Mapping[str, Grant]:
    """A client's grants by dataset: those that were neither changed nor revoked; their time may be over."""
    return {row["dataset"]: _grant(row) for row in await pool.rows(_STANDING, client_id)}


def _grant(row: Row) -> Grant:
    return Grant(
        id=row["id"],
        client=row["client_id"],
        dataset=row["dataset"],
        fields=None if row["fields"] is None else frozenset(row["fields"]),
        purposes=frozenset(row["purposes"]),
        rows={name: frozenset(values) for name, values in orjson.loads(row["rows"]).items()},
        schema=row["schema"],
        valid_until=row["valid_until"],
        daily_quota=row["daily_quota"],
        case_number=row["case_number"],
    )
