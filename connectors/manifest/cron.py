"""Whether a text is a cron expression of five fields, as Airflow's timetable will read it."""

from __future__ import annotations

import re

_FIELDS = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of month", 1, 31, ()),
    ("month", 1, 12, ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")),
    ("day of week", 0, 7, ("sun", "mon", "tue", "wed", "thu", "fri", "sat")),
)
_EXAMPLE = 'expected five fields such as "*/30 * * * *" or "0 6 * * 1-5"'


def cron_fault(text: str) -> str | None:
    """What is wrong with ``text``; ``None`` if it can be run."""
    parts = text.split()
    if len(parts) != len(_FIELDS):
        return f"got {text!r} with {len(parts)} field(s); {_EXAMPLE}"
    for part, (name, low, high, names) in zip(parts, _FIELDS, strict=True):
        for item in part.split(","):
            if not _is_item(item.lower(), low, high, names):
                return f"got {item!r} for the {name}; expected {low}-{high}, *, */n, a-b or a list of them"
    return None


def _is_item(item: str, low: int, high: int, names: tuple[str, ...]) -> bool:
    span, _, step = item.partition("/")
    if "/" in item and not (re.fullmatch(r"[0-9]{1,2}", step) and int(step) > 0):
        return False
    if span == "*":
        return True
    ends = [names.index(end) + low if end in names else end for end in span.split("-")]
    if len(ends) not in {1, 2} or not all(re.fullmatch(r"[0-9]{1,2}", str(end)) for end in ends):
        return False
    numbers = [int(end) for end in ends]
    return numbers == sorted(numbers) and low <= numbers[0] and numbers[-1] <= high
