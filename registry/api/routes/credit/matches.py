"""Records without a code: which enterprise they may be about and why, and what an operator says of it.

A match is accepted by a rule or by a person, never by a score; every decision can be taken back.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import itemgetter
from typing import Annotated, Literal

import psycopg
from fastapi import APIRouter, Path, Query, Request, Response

from registry.api.access.security import Caller, Operator
from registry.api.credit import match_answers as credit_match_answers
from registry.api.credit import match_models as models
from registry.api.paging import digest, following, position
from registry.api.parameters import After, Limit
from registry.api.problems import NOT_FOUND, Problem
from registry.api.representations import answer, now
from registry.api.state import state_of
from registry.credit import matching
from registry.credit.matching import Match
from registry.storage.reads import credit_matches
from registry.storage.reads.credit_matches import Wanted

router = APIRouter(prefix="/credit/matches", tags=["credit matches"])

Number = Annotated[int, Path(alias="match", ge=1, lt=1 << 63, description="Number of the match 匹配编号")]


@router.get("", response_model=models.MatchPage)
async def listed(
    request: Request,
    caller: Operator,
    state: Annotated[
        Literal["candidate", "accepted", "rejected", "undone", "lapsed", "all"],
        Query(description="Those that wait for a person, or in another state 状态"),
    ] = "candidate",
    dataset: Annotated[str | None, Query(max_length=200, description="Records of this dataset 数据集")] = None,
    enterprise: Annotated[str | None, Query(max_length=64, description="统一社会信用代码")] = None,
    after: After = None,
    limit: Limit = 100,
) -> Response:
    """Matches in the order found, each with its score and what speaks for and against it. 匹配候选."""
    del caller
    pool = state_of(request).pool
    query = digest("credit matches", state, dataset, enterprise)
    wanted = Wanted(None if state == "all" else state, dataset, enterprise)
    begin = 0 if after is None else position(after, query, int)[0]
    found = await credit_match_answers.page(pool, wanted, after=begin, limit=limit + 1)
    more = following(query, found, limit, itemgetter("id"))
    return answer({"as_of": now(), "matches": found[:limit], "next": more})


@router.get("/{match}", response_model=models.CreditMatch)  # noqa: FAST003
async def shown(request: Request, caller: Operator, number: Number) -> Response:
    """One match with what was compared, and what else was matched with the same record. 匹配详情."""
    del caller
    return await _shown(request, number)


@router.post("/{match}/accept", response_model=models.CreditMatch)  # noqa: FAST003
async def accept(request: Request, caller: Operator, number: Number, decision: models.MatchDecision) -> Response:
    """Say that the record is about the enterprise: it enters its file; other candidates lapse. 确认归集."""
    return await _decide(request, caller, number, decision, matching.accept)


@router.post("/{match}/reject", response_model=models.CreditMatch)  # noqa: FAST003
async def reject(request: Request, caller: Operator, number: Number, decision: models.MatchDecision) -> Response:
    """Say that the record is not about the enterprise; it is not proposed again for the same words. 否定."""
    return await _decide(request, caller, number, decision, matching.reject)


@router.post("/{match}/undo", response_model=models.CreditMatch)  # noqa: FAST003
async def undo(request: Request, caller: Operator, number: Number, decision: models.MatchDecision) -> Response:
    """Take an accepted match back, a rule's too: the record leaves the enterprise's file. 撤销归集."""
    return await _decide(request, caller, number, decision, matching.undo)


@router.post("/{match}/reopen", response_model=models.CreditMatch)  # noqa: FAST003
async def reopen(request: Request, caller: Operator, number: Number, decision: models.MatchDecision) -> Response:
    """Take a rejection or an undoing back: the record is matched anew with the next run. 重新匹配."""
    return await _decide(request, caller, number, decision, matching.reopen)


async def _decide(
    request: Request, caller: Caller, number: int, decision: models.MatchDecision, work: Callable[..., Match]
) -> Response:
    """Enter a decision with who and why. Raises Problem, CreditRefused."""
    at = now()
    by = caller.client_id if decision.by is None else f"{decision.by} ({caller.client_id})"

    def done(connection: psycopg.Connection) -> Match:
        return work(connection, number, by=by, reason=decision.reason, now=at)

    await state_of(request).licensing.write(done)
    return await _shown(request, number)


async def _shown(request: Request, number: int) -> Response:
    pool = state_of(request).pool
    row = await credit_matches.one(pool, number)
    if row is None:
        raise Problem(NOT_FOUND, f"没有匹配 {number}。", f"There is no match {number}.")
    return answer(await credit_match_answers.whole(pool, row))
