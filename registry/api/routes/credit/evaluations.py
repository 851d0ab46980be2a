"""An enterprise's evaluation by a scorecard, on today or a past day, with every factor, weight and record."""

from __future__ import annotations

from datetime import date
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from registry.api.access.security import CreditOffice
from registry.api.credit import answers as credit_answers
from registry.api.credit import evaluation_answers
from registry.api.credit.answers import AmbiguousIdentifier, UnknownEnterprise
from registry.api.credit.evaluation_answers import SeveralScorecards
from registry.api.credit.evaluation_models import EnterpriseEvaluation
from registry.api.problems import (
    AMBIGUOUS_IDENTIFIER,
    INVALID_PARAMETER,
    NOT_FOUND,
    Problem,
    parameter_error,
)
from registry.api.representations import answer, now
from registry.api.routes.credit.enterprises import Enterprise
from registry.api.state import state_of
from registry.domain.credit.marks import china_day
from registry.domain.credit.scorecard import Scorecard, UnknownScorecard, default_scorecards

router = APIRouter(tags=["credit"])

_FIRST_DAY = date(1949, 10, 1)


@router.get("/enterprises/{enterprise}/evaluation", response_model=EnterpriseEvaluation)
async def evaluation(
    request: Request,
    caller: CreditOffice,
    enterprise: Enterprise,
    card: Annotated[
        str | None,
        Query(
            max_length=100,
            description="A scorecard in force by its name, or a version; without: the only one in force 评价指标卡",
            examples=["enterprise_credit", "enterprise_credit@1"],
        ),
    ] = None,
    day: Annotated[
        date | None, Query(description="A day gone by, from what the registry held then; without: today 日期")
    ] = None,
) -> Response:
    """Score and grade, each factor with its weight and the records that count in it. 公共信用综合评价."""
    del caller
    app, at = state_of(request), now()
    today = china_day(at)
    wanted = day or today
    if not _FIRST_DAY <= wanted <= today:
        zh, en = f"日期应在 {_FIRST_DAY} 至 {today} 之间。", f"Expected a day from {_FIRST_DAY} to {today}."
        raise Problem(INVALID_PARAMETER, zh, en, errors=[parameter_error("day", zh, en)])
    chosen = _card(card, wanted)
    try:
        found = await credit_answers.find(app.pool, enterprise)
        work = partial(
            evaluation_answers.evaluation, datasets=await app.datasets(), found=found, card=chosen, day=wanted, at=at
        )
        return answer(await app.licensing.write(work))
    except AmbiguousIdentifier as error:
        raise Problem(AMBIGUOUS_IDENTIFIER, members={"candidates": error.candidates}) from error
    except UnknownEnterprise as error:
        zh, en = "该日没有该企业的登记。", "No registration of this enterprise is held for that day."
        raise Problem(NOT_FOUND, zh, en) from error


def _card(name: str | None, day: date) -> Scorecard:
    """The card that is asked for. Raises Problem."""
    cards = default_scorecards()
    live = ", ".join(card.reference for card in cards.all if card.status == "live")
    try:
        return evaluation_answers.chosen(cards, name, day)
    except UnknownScorecard as error:
        zh, en = (
            f"该日没有这一评价指标卡在用；现有 {live}。",
            f"No such scorecard is in force on that day; there are {live}.",
        )
        raise Problem(INVALID_PARAMETER, zh, en, errors=[parameter_error("card", zh, en)]) from error
    except SeveralScorecards as error:
        zh, en = f"有多个指标卡在用，请指定 card：{error}。", f"Several scorecards are in force, name one: {error}."
        raise Problem(INVALID_PARAMETER, zh, en, errors=[parameter_error("card", zh, en)]) from error
