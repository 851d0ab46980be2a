"""How many discrepancies each department had, day by day. For operators."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from registry.api.access.security import Operator
from registry.api.credit import models
from registry.api.credit.answers import sources_of
from registry.api.problems import INVALID_PARAMETER, Problem, parameter_error
from registry.api.representations import answer, now
from registry.api.state import state_of
from registry.domain.credit.marks import china_day
from registry.domain.credit.sources import default_sources
from registry.storage.reads import credit_counts
from registry.storage.reads.credit_counts import MOST_DAYS

router = APIRouter(tags=["credit"])


@router.get("/credit/discrepancies/counts", response_model=models.DiscrepancyCounts)
async def discrepancies(
    request: Request,
    caller: Operator,
    department: Annotated[str | None, Query(max_length=200, description="Of this department 部门")] = None,
    since: Annotated[date | None, Query(description="First day; without: 30 days in all 起始日")] = None,
    until: Annotated[date | None, Query(description="Last day; without: today, in China 截止日")] = None,
) -> Response:
    """Discrepancies opened, closed and still open in the evening, per day, department and field. 数据差异按日统计."""
    del caller
    at = now()
    days = credit_counts.period(since, until, china_day(at))
    if days is None:
        zh = f"期间应不超过 {MOST_DAYS} 天，且起始日不晚于截止日。"
        en = f"Expected at most {MOST_DAYS} days, the first not after the last."
        raise Problem(INVALID_PARAMETER, zh, en, errors=[parameter_error("since", zh, en)])
    app = state_of(request)
    rows = await credit_counts.discrepancies(app.pool, *days, department)
    content = {
        "as_of": at,
        "sources": sources_of(await app.datasets(), default_sources().on(china_day(at)).compared, at),
        "since": days[0],
        "until": days[1],
        "counts": [dict(row) for row in rows],
    }
    return answer(content)
