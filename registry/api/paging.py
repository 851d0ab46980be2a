"""Opaque cursors of paged answers: where the next page starts, bound to the query they belong to."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import orjson

from registry.api.problems import INVALID_CURSOR, Problem

LIMIT = 1000
"""The most that one page holds."""
_Row = TypeVar("_Row")


def digest(*query: Any) -> str:
    """A few characters that differ between queries."""
    return hashlib.sha256(orjson.dumps(query)).hexdigest()[:12]


def cursor(query: str, position: list[Any]) -> str:
    """The cursor that goes on after a position in a query of a digest."""
    return base64.urlsafe_b64encode(orjson.dumps([query, *position])).rstrip(b"=").decode()


def following(query: str, rows: Sequence[_Row], limit: int, place: Callable[[_Row], Any]) -> str | None:
    """The cursor to the next page, if more rows were found than one holds; ``place`` tells where a row stands."""
    return cursor(query, [place(rows[limit - 1])]) if len(rows) > limit else None


def position(text: str, query: str, *types: type) -> list[Any]:
    """The position that a cursor holds. Raises Problem if it was altered or belongs to another query."""
    try:
        found = orjson.loads(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError) as error:
        raise _refused() from error
    if not isinstance(found, list) or [type(value) for value in found[1:]] != list(types):
        raise _refused()
    if not all(_can_stand(value) for value in found[1:]):
        raise _refused()
    if found[0] != query:
        raise Problem(INVALID_CURSOR, "游标属于另一查询。", "The cursor belongs to another query.")
    return found[1:]


def _can_stand(value: Any) -> bool:
    """Whether the database can have such a number or text at all."""
    return 0 <= value < 1 << 63 if isinstance(value, int) else "\0" not in value


def _refused() -> Problem:
    return Problem(INVALID_CURSOR, "这不是本接口发出的游标。", "This is no cursor that the hub gave out.")
