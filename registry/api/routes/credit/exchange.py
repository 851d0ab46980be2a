"""Permits and penalties made public 双公示: for the upper-level platform, and how departments do with them."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Path, Query, Request, Response

from registry.api.access.security import CreditPlatform, Operator
from registry.api.credit import double_publicity_answers, quality_answers
from registry.api.credit import exchange_models as models
from registry.api.credit.double_publicity_answers import CSV
from registry.api.negotiation import not_acceptable, preferred
from registry.api.paging import cursor, digest, position
from registry.api.parameters import After, Limit
from registry.api.problems import INVALID_PARAMETER, NOT_FOUND, Problem, parameter_error
from registry.api.representations import AGE, answer, now, spoken
from registry.api.state import state_of
from registry.domain.credit.double_publicity import TableName, default_formats

router = APIRouter(prefix="/credit", tags=["credit"])

_JSON = "application/json"
_FIRST_DAY = date(2014, 1, 1)
_FORMS: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {CSV: {"schema": {"type": "string"}}},
        "headers": {
            "Link": {"description": 'of CSV: the next page, rel="next" 下一页', "schema": {"type": "string"}},
            **AGE,
        },
    }
}


@router.get("/double-publicity/{table}", response_model=models.ExchangePage, responses=_FORMS)
async def exchange(
    request: Request,
    caller: CreditPlatform,
    table: Annotated[TableName, Path(description="penalties 行政处罚, permits 行政许可")],
    edition: Annotated[str, Query(max_length=63, description="Of the columns: new 现行版, old 2015版")] = "new",
    since: Annotated[
        date | None,
        Query(
            description="Only what became public, changed or ended from this day on; without: all that is public 起始日"
        ),
    ] = None,
    part: Annotated[
        Literal["publish", "withdraw"], Query(description="Of CSV, which has one of both; JSON has both 公示或撤回")
    ] = "publish",
    after: After = None,
    limit: Limit = 1000,
) -> Response:
    """What to publish and what to withdraw, in the columns of an edition; only what the public may see. 双公示上报."""
    del caller
    app, at = state_of(request), now()
    known = await app.datasets()
    if edition not in default_formats():
        names = ", ".join(default_formats())
        raise _invalid("edition", f"没有该版本；应为 {names}。", f"There is no such edition; expected one of {names}.")
    if since is not None and since < _FIRST_DAY:
        raise _invalid("since", f"日期早于 {_FIRST_DAY}。", f"Expected a day from {_FIRST_DAY} on.")
    wanted = preferred(request.headers.get("accept"), [_JSON, CSV])
    if wanted is None:
        raise not_acceptable([_JSON, CSV])
    query = digest("double publicity", table, edition, since)
    start = None if after is None else position(after, query, str)[0]
    try:
        said = await double_publicity_answers.page(
            app.pool, known, edition, table, since=since, after=start, limit=limit, at=at
        )
    except LookupError as error:
        raise Problem(NOT_FOUND, "登记库没有该数据集。", "The registry does not hold the dataset.") from error
    last = said.pop("last")
    following = None if last is None else cursor(query, [last])
    headers = {"Vary": "Accept", **spoken(at, known[said["dataset"]])}
    if wanted == _JSON:
        return answer(said | {"next": following}, headers=headers)
    if following is not None:
        asked = dict(request.query_params) | {"after": following}
        headers["Link"] = f'<{request.url.path}?{urlencode(asked)}>; rel="next"'
    text = double_publicity_answers.as_csv(said, withdrawals=part == "withdraw")
    return Response(text, headers=headers, media_type=f"{CSV}; charset=utf-8; header=present")


@router.get("/quality", response_model=models.Quality)
async def quality(
    request: Request,
    caller: Operator,
    department: Annotated[str | None, Query(max_length=200, description="Only this one 部门")] = None,
    by: Annotated[
        Literal["department", "authority"], Query(description="Also by deciding authority 按部门或处罚（许可）机关")
    ] = "department",
    decided_penalties: Annotated[
        int | None, Query(ge=0, le=10**9, description="By the department's own ledger, for coverage 应公示处罚数")
    ] = None,
    decided_permits: Annotated[int | None, Query(ge=0, le=10**9, description="As before 应公示许可数")] = None,
) -> Response:
    """Per department: how many decisions, how late, what contradicts itself, what was withdrawn late. 双公示质量."""
    del caller
    given: dict[TableName, int | None] = {"penalties": decided_penalties, "permits": decided_permits}
    decided = {name: number for name, number in given.items() if number is not None}
    if decided and (department is None or by != "department"):
        zh, en = "应公示数须与部门一起给出。", "A ledger's number needs its department."
        raise _invalid("department", zh, en)
    app = state_of(request)
    said = await quality_answers.quality(
        app.pool, await app.datasets(), department=department, by=by, decided=decided, at=now()
    )
    return answer(said)


def _invalid(name: str, zh: str, en: str) -> Problem:
    return Problem(INVALID_PARAMETER, zh, en, errors=[parameter_error(name, zh, en)])
