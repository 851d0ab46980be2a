"""Whether the database has the tables that this release reads."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import asyncpg
from alembic.script import ScriptDirectory

from registry.storage import migrations
from registry.storage.reads.pool import Pool


@lru_cache(maxsize=1)
def newest() -> str | None:
    """The revision that this release expects."""
    return ScriptDirectory(str(Path(next(iter(migrations.__path__))))).get_current_head()


async def current(pool: Pool) -> str | None:
    """The revision that the database has; None if it has no registry yet. Raises ReadError."""
    try:
        row = await pool.row("SELECT version_num FROM registry.alembic_version")
    except asyncpg.UndefinedTableError:
        return None
    return None if row is None else str(row["version_num"])
