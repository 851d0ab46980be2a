"""Whom an answer in bulk is about, for the access log: said, for it cannot be read off a table of columns."""

from __future__ import annotations

from collections.abc import Iterable

from starlette.requests import Request

from schemas.identifiers import is_uscc

ABOUT = "about"
"""Where the request's state has it."""


def name_entities(request: Request, entities: Iterable[str | None]) -> None:
    """Put the enterprises down that the answer is about; codes of people do not go into the log."""
    found = {code for code in entities if code is not None and is_uscc(code)}
    setattr(request.state, ABOUT, tuple(sorted(found)))
