"""Whether the process lives, and whether it can serve: not the same thing."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from registry.api import models
from registry.api.access.security import Public
from registry.api.problems import NOT_READY, Problem
from registry.api.representations import answer
from registry.api.state import state_of
from registry.storage.reads import revision
from registry.storage.reads.pool import ReadError

router = APIRouter(tags=["health"], dependencies=[Public])


@router.get("/healthz", response_model=models.Health)
async def alive() -> Response:
    """The process lives; it says nothing of the database. 进程存活."""
    return answer({"status": "alive"})


@router.get("/readyz", response_model=models.Ready)
async def ready(request: Request) -> Response:
    """The database answers and has the tables that this release reads; else 503 with reasons. 服务就绪."""
    try:
        found = await revision.current(state_of(request).pool)
    except ReadError as error:
        raise _not_ready("database", "登记库没有应答。", "The registry's database does not answer.") from error
    expected = revision.newest()
    if found != expected:
        zh = f"登记库的结构版本为 {found or '无'}，应为 {expected}；请运行迁移。"
        en = f"The registry's tables are at revision {found or 'none'}, expected {expected}; run the migrations."
        raise _not_ready("migrations", zh, en)
    return answer({"status": "ready", "revision": expected})


def _not_ready(part: str, zh: str, en: str) -> Problem:
    return Problem(NOT_READY, zh, en, members={"reasons": [{"part": part, "zh": zh, "en": en}]})
