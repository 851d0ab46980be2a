"""The documentation for consumers as pages: in the language asked for, else the one that the browser likes."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Header, Path, Query, Request, Response

from registry.api import manual
from registry.api.access.security import Public
from registry.api.manual import LANGUAGES, PAGES, Language
from registry.api.pages import rendering
from registry.api.parameters import IfNoneMatch
from registry.api.problems import NOT_FOUND, Problem
from registry.api.state import state_of

router = APIRouter(prefix="/docs", tags=["documentation"], dependencies=[Public], include_in_schema=False)

MAX_AGE = 300
"""Seconds for which anyone may keep a page."""
_WHATEVER = {"parameters": [{"in": "query", "name": "whatever", "schema": {"type": "string"}}]}
"""Apps through which people share addresses add parameters of their own: the pages let them be."""
Lang = Annotated[str, Query(max_length=20)]
Liked = Annotated[str, Header(alias="Accept-Language", max_length=1000)]


@router.get("", openapi_extra=_WHATEVER)
async def started(
    request: Request, lang: Lang = "", accept_language: Liked = "", if_none_match: IfNoneMatch = None
) -> Response:
    """The five-minute start. 五分钟上手."""
    return _page(request, PAGES[0], _language(lang, accept_language), if_none_match)


@router.get("/{page}", openapi_extra=_WHATEVER)
async def shown(
    request: Request,
    page: Annotated[str, Path(max_length=2000)],
    lang: Lang = "",
    accept_language: Liked = "",
    if_none_match: IfNoneMatch = None,
) -> Response:
    """One page of the documentation. 接口文档."""
    if page not in PAGES:
        raise Problem(
            NOT_FOUND, f"没有这一页；有：{', '.join(PAGES)}。", f"No such page; there are {', '.join(PAGES)}."
        )
    return _page(request, page, _language(lang, accept_language), if_none_match)


def _language(asked: str, liked: str) -> Language:
    """Chinese, unless English is asked for, or liked and Chinese not named before it."""
    wanted = [asked, *(part.partition(";")[0].strip() for part in liked.split(","))]
    named = (part.lower().partition("-")[0] for part in wanted)
    return next((language for name in named for language in LANGUAGES if name == language), "zh")


def _page(request: Request, name: str, language: Language, if_none_match: str | None) -> Response:
    public = urlsplit(state_of(request).licensing.base)
    found = manual.page(name, language)
    content = {
        "root": public.path,
        "host": public.netloc,
        "shown": found,
        "text": found.below(public.path),
        "pages": manual.contents(language),
    }
    made = rendering.kept(rendering.page("manual.html.jinja", content), if_none_match, max_age=MAX_AGE)
    made.headers["Vary"] = "Accept-Language"
    if made.status_code == 200:  # noqa: PLR2004
        made.headers["Content-Language"] = "zh-CN" if language == "zh" else "en"
    return made
