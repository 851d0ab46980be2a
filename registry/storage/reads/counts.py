"""How many records of a dataset have which values, as of a time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import orjson

from registry.domain.bulk.counts import Group
from registry.storage.reads.arguments import Arguments
from registry.storage.reads.pool import Pool
from registry.storage.reads.records import Rows, within

_VERSIONS = """
SELECT r.key, r.body FROM registry.{table} r WHERE {where}
AND NOT EXISTS (
    SELECT FROM registry.credit_mark k WHERE k.dataset_id = r.dataset_id AND k.key = r.key
    AND least(k.repaired_at, k.withdrawn_at) <= {moment})
"""


async def grouped(
    pool: Pool, dataset_id: int, by: Sequence[str], *, rows: Rows, as_of: datetime, most: int
) -> list[Group]:
    """The records that held at a time and could be shared, by the values of some fields; at most so many groups."""
    arguments = Arguments()
    where = [f"r.dataset_id = {arguments.add(dataset_id)}", *within(rows, arguments)]
    moment = arguments.add(as_of)
    where.append(f"r.valid_from <= {moment}")
    current = _VERSIONS.format(table="record", where=" AND ".join(where), moment=moment)
    where.append(f"r.valid_to > {moment}")
    ended = _VERSIONS.format(table="record_history", where=" AND ".join(where), moment=moment)
    values = ", ".join(f"v.body -> {arguments.add(name)}::text" for name in by)
    statement = f"""
        SELECT jsonb_build_array({values}) AS values, count(*) AS count, bit_xor(hashtextextended(v.key, 0)) AS mark
        FROM ({current} UNION ALL {ended}) v GROUP BY 1 LIMIT {arguments.add(most)}
    """
    return [
        Group(dict(zip(by, orjson.loads(row["values"]), strict=True)), row["count"], row["mark"])
        for row in await pool.rows(statement, *arguments)
    ]


async def secret(pool: Pool) -> bytes:
    """What noise is made from."""
    row = await pool.row("SELECT secret FROM registry.count_noise")
    assert row is not None  # noqa: S101  (entered with the table)
    return bytes(row["secret"])
