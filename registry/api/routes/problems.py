"""A page about each type of problem: where its ``type`` leads. JSON for programs, a page for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Header, Request, Response

from registry.api import models
from registry.api.access.security import Public
from registry.api.negotiation import preferred
from registry.api.pages import rendering
from registry.api.problems import NOT_FOUND, TYPES, Problem, ProblemType
from registry.api.representations import answer
from registry.api.state import state_of

router = APIRouter(prefix="/problems", tags=["problems"], dependencies=[Public])

FAULTS = {
    "caller": ("请求方：请更正请求", "The caller's: correct the request"),
    "hub": ("平台：请稍后重试，或告知运营方", "The hub's: try again later, or tell its operator"),
    "source": ("来源部门：其数据有误，重试无用", "A department's: its data is wrong, trying again is of no use"),
}
"""Whose fault it is, in words."""
_MAX_AGE = 300
_JSON, _HTML = "application/json", "text/html"
_FORMS: dict[int | str, dict[str, Any]] = {200: {"content": {_HTML: {"schema": {"type": "string"}}}}}
Accept = Annotated[str | None, Header(max_length=1000, include_in_schema=False)]


@router.get("", response_model=list[models.ProblemPage], responses=_FORMS)
async def listed(request: Request, accept: Accept = None) -> Response:
    """Every type of problem. 全部问题类型."""
    kinds = list(TYPES.values())
    if _wants_page(accept):
        return _page(request, kinds, one=False)
    return answer([_described(kind) for kind in kinds], headers={"Vary": "Accept"})


@router.get("/{name}", response_model=models.ProblemPage, responses=_FORMS)
async def shown(request: Request, name: str, accept: Accept = None) -> Response:
    """What a type of problem means, whose fault it is, and what to do. 问题类型说明."""
    kind = TYPES.get(name)
    if kind is None:
        raise Problem(NOT_FOUND, "没有这种问题类型。", "There is no such type of problem.")
    if _wants_page(accept):
        return _page(request, [kind], one=True)
    return answer(_described(kind), headers={"Vary": "Accept"})


def _wants_page(accept: str | None) -> bool:
    """A browser names HTML; who likes anything gets JSON."""
    return preferred(accept, (_JSON, _HTML)) == _HTML


def _described(kind: ProblemType) -> dict[str, object]:
    return {
        "type": kind.address,
        "status": kind.status,
        "fault": kind.fault,
        "title": {"zh": kind.zh, "en": kind.en},
        "advice": {"zh": kind.advice_zh, "en": kind.advice_en},
    }


def _page(request: Request, kinds: Sequence[ProblemType], *, one: bool) -> Response:
    public = urlsplit(state_of(request).licensing.base)
    shown_kinds = [{"kind": kind, "fault": dict(zip(("zh", "en"), FAULTS[kind.fault], strict=True))} for kind in kinds]
    content = {"root": public.path, "host": public.netloc, "kinds": shown_kinds, "one": one}
    made = rendering.page("problems.html.jinja", content)
    made.headers["Vary"], made.headers["Cache-Control"] = "Accept", f"public, max-age={_MAX_AGE}"
    return made
