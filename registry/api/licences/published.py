"""Signed and public documents: anyone may keep them for a while, and any web page may read them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

CROSS_ORIGIN: Mapping[str, str] = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "ETag, X-Request-Id",
    "Cross-Origin-Resource-Policy": "cross-origin",
}


def entity_tag(body: bytes) -> str:
    """A strong tag: the same for the same bytes only."""
    return f'"{hashlib.sha256(body).hexdigest()[:32]}"'


def is_known(mark: str, if_none_match: str | None) -> bool:
    """Whether the caller has what the tag stands for."""
    if if_none_match is None:
        return False
    weak = mark.removeprefix("W/")
    return any(part.strip().removeprefix("W/") in {weak, "*"} for part in if_none_match.split(","))


def document(body: bytes, media_type: str, if_none_match: str | None, *, max_age: int) -> Response:
    """A public document, or 304 for one that the caller has. ``max_age`` in seconds."""
    mark = entity_tag(body)
    headers = {**CROSS_ORIGIN, "ETag": mark, "Cache-Control": f"public, max-age={max_age}"}
    if is_known(mark, if_none_match):
        return Response(status_code=304, headers=headers)
    return Response(body, headers=headers, media_type=media_type)


def media(media_type: str, description: str) -> dict[int | str, dict[str, Any]]:
    """How the OpenAPI description has such a document."""
    return {
        200: {"description": description, "content": {media_type: {"schema": {}}}},
        304: {"description": "Not changed 未变化"},
    }
