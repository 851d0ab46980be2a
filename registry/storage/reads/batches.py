"""What runs of connectors pulled and published, for the operator."""

from __future__ import annotations

from registry.storage.reads.arguments import Arguments
from registry.storage.reads.pool import Pool, Row

_BATCHES = """
SELECT b.id, c.name AS connector, d.name AS dataset, c.department, b.state, b.mode, b.dry_run, b.schema, b.run_id,
       b.started_at, b.ended_at, b.pulled, b.accepted, b.refused, b.duplicates, b.delete_flags, b.new, b.changed,
       b.unchanged, b.deleted, b.held_reasons, b.approved_by, b.superseded_by
FROM registry.batch b
JOIN registry.connector c ON c.id = b.connector_id
JOIN registry.dataset d ON d.id = c.dataset_id
WHERE {where} ORDER BY b.id DESC LIMIT {limit}
"""
_PARTS = """
SELECT number, label, attempts, staged_at, pulled, accepted, refused, delete_flags, unchanged, missing_columns
FROM registry.batch_part WHERE batch_id = $1 ORDER BY number LIMIT 10000
"""


async def page(
    pool: Pool,
    *,
    before: int | None,
    limit: int,
    connector: str | None = None,
    dataset: str | None = None,
    department: str | None = None,
    state: str | None = None,
) -> list[Row]:
    """Batches, the newest first."""
    arguments = Arguments()
    where = ["true"]
    if before is not None:
        where.append(f"b.id < {arguments.add(before)}")
    wanted = {"c.name": connector, "d.name": dataset, "c.department": department, "b.state": state}
    where += [f"{column} = {arguments.add(value)}" for column, value in wanted.items() if value is not None]
    statement = _BATCHES.format(where=" AND ".join(where), limit=arguments.add(limit))
    return await pool.rows(statement, *arguments)


async def one(pool: Pool, batch_id: int) -> Row | None:
    """One batch, without its parts."""
    return await pool.row(_BATCHES.format(where="b.id = $1", limit="1"), batch_id)


async def parts(pool: Pool, batch_id: int) -> list[Row]:
    """The parts of a batch, in their order."""
    return await pool.rows(_PARTS, batch_id)
