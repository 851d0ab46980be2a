"""Which answers other sites' pages may read (CORS, the Fetch standard): those of verification, and nobody else's.

Anyone may verify, so a bank's own page may ask from the browser of whoever stands at its counter. No cookie and no
token goes with such a request. All other addresses answer without these headers, and browsers keep their answers to
themselves; signed public documents bring theirs along (:mod:`registry.api.licences.published`).
"""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import Response
from starlette.types import Scope

from registry.api.licences.published import CROSS_ORIGIN

PUBLIC = frozenset({"/credentials/verify", "/presentations/verify"})
"""Addresses that answer anyone, and change nothing."""
_ASKED = b"access-control-request-method"
_ALLOWED: Mapping[str, str] = {
    "Access-Control-Allow-Methods": "POST",
    "Access-Control-Allow-Headers": "Accept, Content-Type, X-Request-Id",
    "Access-Control-Max-Age": "86400",
    "Vary": "Access-Control-Request-Method, Access-Control-Request-Headers",
}


def headers_for(path: str) -> list[tuple[bytes, bytes]]:
    """What every answer of this address says to other sites' pages, refusals too."""
    if path not in PUBLIC:
        return []
    return [(name.lower().encode(), value.encode()) for name, value in CROSS_ORIGIN.items()]


def preflight(scope: Scope, path: str) -> Response | None:
    """The answer to a browser that asks whether a page may ask; None for any other request."""
    names = {name for name, _ in scope["headers"]}
    if path not in PUBLIC or scope["method"] != "OPTIONS" or not {b"origin", _ASKED} <= names:
        return None
    return Response(status_code=204, headers=dict(_ALLOWED))
