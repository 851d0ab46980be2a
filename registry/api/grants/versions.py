"""Older versions of schemas: for how long clients still get records in them, and what they are told meanwhile.

``Deprecation`` (RFC 9745) says since when a later version is there, ``Sunset`` (RFC 8594) until when the client's is
served, and a link where to read on.
"""

from __future__ import annotations

from datetime import datetime
from email.utils import format_datetime

from starlette.requests import Request

from registry.api.problems import VERSION_ENDED, Problem
from registry.api.representations import now
from registry.api.state import state_of
from registry.domain.grants.grant import Grant
from registry.domain.grants.versions import SERVED
from registry.storage.reads.datasets import DatasetState


def announce(request: Request, dataset: DatasetState, grant: Grant) -> None:
    """Tell a client that its version is an old one. Raises Problem when it is not served any more."""
    deprecated = dataset.superseded_at(grant.schema)
    if deprecated is None:
        return
    sunset = deprecated + SERVED
    if now() >= sunset:
        day = f"{sunset:%Y-%m-%d}"
        raise Problem(
            VERSION_ENDED,
            f"{grant.schema} 自 {day} 起停止提供；现行版本为 {dataset.schema}。",
            f"{grant.schema} is not served since {day}; the version now is {dataset.schema}.",
            members={"dataset": dataset.name, "version": grant.schema, "current": dataset.schema},
        )
    state = request.scope["state"]
    before: tuple[datetime, datetime] | None = state.get("deprecated")
    if before is not None:  # several datasets in one answer: the first that was deprecated, the first that ends
        deprecated, sunset = min(before[0], deprecated), min(before[1], sunset)
    state["deprecated"] = deprecated, sunset
    page = f"{state_of(request).settings.base}/docs/grants"
    state["notices"] = [
        (b"deprecation", f"@{int(deprecated.timestamp())}".encode()),
        (b"sunset", format_datetime(sunset, usegmt=True).encode()),
        (b"link", f'<{page}>; rel="deprecation", <{page}>; rel="sunset"'.encode()),
    ]
