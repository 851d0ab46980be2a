"""How far a SQL source has been read: one column's value, typed so that JSON keeps it.

::

    {"column": "write_time", "type": "datetime",
     "value": "2026-11-20T08:00:00+08:00", "clock": "2026-11-20T08:00:03+08:00"}

``clock`` is the source's own clock when the read was planned. A value beyond it (a writer whose clock runs ahead) never
becomes the cursor: the rows written until then would be skipped. If the clock is found to stand before an earlier
``clock``, it was set back, and rows may have been written with times long passed: then everything is read once more.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from connectors.errors import SourceMisconfigured
from connectors.quantities import duration

DEFAULT_LOOKBACK = timedelta(minutes=10)
"""For writers that commit some time after the time they write down."""


TIMES = frozenset({"datetime", "date"})
"""Kinds of cursor that a clock can be compared with."""


def kind_of(value: Any) -> str:
    """The type of a cursor column's values. Raises SourceMisconfigured for what has no order that JSON keeps."""
    if isinstance(value, datetime):
        return "datetime"
    for kind, name in ((bool, ""), (date, "date"), (int, "int"), (Decimal, "decimal"), (str, "str")):
        if isinstance(value, kind) and name:
            return name
    raise SourceMisconfigured(f"a cursor column must hold times, whole numbers or texts, not {type(value).__name__}")


def encode(value: Any) -> Any:
    """JSON-able."""
    if isinstance(value, date):
        return value.isoformat()
    return str(value) if isinstance(value, Decimal) else value


def decode(kind: str, value: Any) -> Any:
    """The inverse of :func:`encode`."""
    readers: Mapping[str, Any] = {"datetime": datetime.fromisoformat, "date": date.fromisoformat, "decimal": Decimal}
    return readers[kind](value) if kind in readers else value


def looked_back(kind: str, value: Any, lookback: str | int | None) -> Any:
    """Where to begin: some time (or count) before what was reached. The comparison itself is inclusive."""
    if kind in TIMES:
        if isinstance(lookback, int):
            raise SourceMisconfigured(f"cursor.lookback: got {lookback} for times; expected a duration such as 10m")
        back = duration(lookback) if lookback is not None else DEFAULT_LOOKBACK
        if kind == "date":
            back = timedelta(days=math.ceil(back / timedelta(days=1)))
        try:
            return value - back
        except OverflowError:
            return value
    if lookback is None:
        return value
    if isinstance(lookback, str) or kind == "str":
        raise SourceMisconfigured(
            f"cursor.lookback: got {lookback!r} for a column of type {kind}, which it cannot be taken from"
        )
    return value - lookback


def set_back(kind: str, clock: Any, earlier: Any) -> bool:
    """Whether the source's clock stands before where it stood at an earlier plan."""
    if earlier is None or kind not in TIMES:
        return False
    before = decode(kind, earlier)
    comparable = not isinstance(clock, datetime) or (clock.tzinfo is None) == (before.tzinfo is None)
    return not comparable or clock < before


def newest(since: Mapping[str, Any] | None, reached: Sequence[Mapping[str, Any] | None]) -> Mapping[str, Any] | None:
    """The furthest of what the partitions reached; each is at most the clock of the plan that they share."""
    found = [cursor for cursor in reached if cursor is not None]
    if not found:
        return since
    return max(found, key=lambda cursor: decode(cursor["type"], cursor["value"]))
