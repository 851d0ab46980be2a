"""The quarantine: refused records, each one once, as tickets to their departments."""

from __future__ import annotations

from registry.storage.reads.arguments import Arguments
from registry.storage.reads.pool import Pool, Row

_REFUSALS = """
SELECT f.id, c.name AS connector, d.name AS dataset, f.department, f.row_id, f.key, f.place, f.reasons, f.first_seen,
       f.last_seen, f.first_batch_id, f.last_batch_id, f.times_seen, f.closed_at, f.closed_batch_id,
       f.closed_because{raw}
FROM registry.refusal f
JOIN registry.connector c ON c.id = f.connector_id
JOIN registry.dataset d ON d.id = f.dataset_id
WHERE {where} ORDER BY f.id DESC LIMIT {limit}
"""


async def page(
    pool: Pool,
    *,
    before: int | None,
    limit: int,
    department: str | None = None,
    connector: str | None = None,
    dataset: str | None = None,
    is_open: bool | None = True,
) -> list[Row]:
    """Refusals, the newest first, without what the department sent; ``is_open`` None: open and closed ones."""
    arguments = Arguments()
    where = ["true"]
    if before is not None:
        where.append(f"f.id < {arguments.add(before)}")
    wanted = {"f.department": department, "c.name": connector, "d.name": dataset}
    where += [f"{column} = {arguments.add(value)}" for column, value in wanted.items() if value is not None]
    if is_open is not None:
        where.append("f.closed_at IS NULL" if is_open else "f.closed_at IS NOT NULL")
    statement = _REFUSALS.format(raw="", where=" AND ".join(where), limit=arguments.add(limit))
    return await pool.rows(statement, *arguments)


async def one(pool: Pool, refusal_id: int) -> Row | None:
    """One refusal with the row: masked, and sealed as the department sent it."""
    return await pool.row(
        _REFUSALS.format(raw=", f.raw, f.personal, f.dataset_id", where="f.id = $1", limit="1"), refusal_id
    )
