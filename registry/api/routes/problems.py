"""A page about each type of problem: where its ``type`` leads."""

from __future__ import annotations

from fastapi import APIRouter, Response

from registry.api import models
from registry.api.access.security import Public
from registry.api.problems import NOT_FOUND, TYPES, Problem, ProblemType
from registry.api.representations import answer

router = APIRouter(prefix="/problems", tags=["problems"], dependencies=[Public])


@router.get("", response_model=list[models.ProblemPage])
async def listed() -> Response:
    """Every type of problem. 全部问题类型."""
    return answer([_page(kind) for kind in TYPES.values()])


@router.get("/{name}", response_model=models.ProblemPage)
async def shown(name: str) -> Response:
    """What a type of problem means, and what to do. 问题类型说明."""
    kind = TYPES.get(name)
    if kind is None:
        raise Problem(NOT_FOUND, "没有这种问题类型。", "There is no such type of problem.")
    return answer(_page(kind))


def _page(kind: ProblemType) -> dict[str, object]:
    return {
        "type": kind.address,
        "status": kind.status,
        "fault": kind.fault,
        "title": {"zh": kind.zh, "en": kind.en},
        "advice": {"zh": kind.advice_zh, "en": kind.advice_en},
    }
