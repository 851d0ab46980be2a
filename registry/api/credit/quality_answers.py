"""How departments publish permits and penalties 双公示质量: coverage, lateness, contradictions, withdrawals."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from registry.api.credit.answers import Datasets, sources_of
from registry.domain.credit.double_publicity import TableName, default_formats
from registry.domain.credit.lateness import share
from registry.domain.credit.record_facts import default_record_rules
from registry.storage.reads import credit_quality
from registry.storage.reads.credit_quality import By
from registry.storage.reads.pool import Pool, Row


async def quality(
    pool: Pool,
    datasets: Datasets,
    *,
    department: str | None,
    by: By,
    decided: Mapping[TableName, int] | None,
    at: datetime,
) -> dict[str, Any]:
    """The figures. ``decided``: how many decisions the department's own ledger has; without, coverage is unknown."""
    tables = next(iter(default_formats().values())).tables
    names: dict[str, TableName] = {table.dataset: name for name, table in tables.items()}
    rows = await credit_quality.quality(pool, list(names), department, by)
    within = {default_record_rules().of(dataset).publish_within for dataset in names}
    return {
        "as_of": at,
        "sources": sources_of(datasets, names, at),
        "publish_within_working_days": max(days for days in within if days is not None),
        "by": by,
        "quality": [_figures(row, names[row["dataset"]], decided or {}) for row in rows],
    }


def _figures(row: Row, table: TableName, decided: Mapping[TableName, int]) -> dict[str, Any]:
    said = decided.get(table)
    coverage, late = None if said is None else share(row["records"], said), share(row["late"], row["records"])
    return {
        "department": row["department"],
        "authority": row["authority"] or None,
        "table": table,
        "records": row["records"],
        "decided": said,
        "coverage": None if coverage is None else float(coverage),
        "late": row["late"],
        "late_share": None if late is None else float(late),
        "median_days_late": row["median_days_late"],
        "longest_days_late": row["longest_days_late"],
        "amounts_contradicting": row["amounts_contradicting"],
        "missing_source_code": row["missing_source_code"],
        "not_withdrawn": row["not_withdrawn"],
        "withdrawn_late": row["withdrawn_late"],
    }
