"""Status lists: the signed bits that say which licences are revoked, suspended, or in which of the eight states."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response

from registry.api.access.security import Public
from registry.api.licences.published import document, media
from registry.api.parameters import IfNoneMatch
from registry.api.problems import NOT_FOUND, Problem
from registry.api.state import state_of
from registry.storage.reads import trust

router = APIRouter(tags=["trust"], dependencies=[Public])

MEDIA_TYPE = "application/vc"
MAX_AGE = 60
"""Seconds: whoever keeps a list sees a change of state within a minute."""
RESPONSES: dict[int | str, dict[str, Any]] = media(MEDIA_TYPE, "BitstringStatusListCredential (W3C)")


@router.get("/status/{group}/{purpose}", response_class=Response, responses=RESPONSES)
async def status_list(
    request: Request,
    group: Annotated[int, Path(ge=1, lt=1 << 63)],
    purpose: Annotated[str, Path(pattern="^(revocation|suspension|message)$")],
    if_none_match: IfNoneMatch = None,
) -> Response:
    """A Bitstring Status List, signed by the issuer whose licences have their positions in it. 状态列表."""
    found = await trust.status_list(state_of(request).pool, group, purpose)
    if found is None:
        raise Problem(NOT_FOUND, "没有该状态列表。", "There is no such status list.")
    return document(found.document, MEDIA_TYPE, if_none_match, max_age=MAX_AGE)
