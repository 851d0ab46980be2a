"""The catalogue for people: pages without scripts, in both languages, open to anyone."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Path, Request, Response

from registry.api.access.security import Public
from registry.api.catalogue import entries
from registry.api.pages import catalogue_words, rendering
from registry.api.pages.catalogue_words import MESSAGES, Said
from registry.api.parameters import IfNoneMatch
from registry.api.problems import Problem
from registry.api.representations import now
from registry.api.routes.catalogue.listing import MAX_AGE, all_entries, one_entry
from registry.api.state import state_of
from registry.storage.reads.pool import ReadError

router = APIRouter(prefix="/catalogue", tags=["catalogue"], dependencies=[Public], include_in_schema=False)

_WHATEVER = {"parameters": [{"in": "query", "name": "whatever", "schema": {"type": "string"}}]}
"""Apps through which people share addresses add parameters of their own: the pages let them be."""


@router.get("", openapi_extra=_WHATEVER)
async def listed(request: Request, if_none_match: IfNoneMatch = None) -> Response:
    """Every dataset. 资源目录."""
    try:
        found = await all_entries(request, now())
    except (ReadError, Problem):
        return _say(request, Said.UNAVAILABLE)
    cards = [catalogue_words.card(entry) for entry in found]
    return _page(request, if_none_match, outcome="listed", cards=cards)


@router.get("/{dataset}", openapi_extra=_WHATEVER)
async def shown(
    request: Request, dataset: Annotated[str, Path(max_length=2000)], if_none_match: IfNoneMatch = None
) -> Response:
    """One dataset. 资源目录项."""
    try:
        entry = await one_entry(request, dataset, now())
    except (ReadError, Problem):
        return _say(request, Said.UNAVAILABLE)
    if entry is None:
        return _say(request, Said.UNKNOWN, dataset)
    _, _, how_zh, how_en = entries.SHARING[entry["sharing"]]
    content = {
        "dataset": entry,
        "head": catalogue_words.head(entry),
        "apply": {"zh": how_zh, "en": how_en},
        "sources": catalogue_words.sources(entry),
        "quality": catalogue_words.quality(entry),
        "fields": catalogue_words.rows(entry),
        "sampled": entry["sampled_records"],
        "versions": entry["versions"],
    }
    return _page(request, if_none_match, outcome="shown", **content)


def _say(request: Request, said: Said, subject: str = "") -> Response:
    message = MESSAGES[said]
    made = _page(request, None, outcome=said.value, status=message.status, message=message, subject=subject[:200])
    if said is Said.UNAVAILABLE:
        made.headers["Retry-After"] = "10"
    return made


def _page(request: Request, if_none_match: str | None, *, outcome: str, status: int = 200, **more: Any) -> Response:
    public = urlsplit(state_of(request).licensing.base)
    content = {
        "root": public.path, "host": public.netloc, "outcome": outcome, "cards": (), "dataset": None, "message": None,
        "subject": "", "facts": (), "choices": (), **more,
    }  # fmt: skip
    made = rendering.page("catalogue.html.jinja", content, status=status)
    return rendering.kept(made, if_none_match, max_age=MAX_AGE) if status < 400 else made  # noqa: PLR2004
