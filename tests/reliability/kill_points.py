"""Where runs are killed: a few places in every run of the suite, all of them in ``make soak``.

A kill at any place leads through the same test. The suite keeps the places that differ in kind: before anything is
written, in the middle, at the commit.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

import pytest


def kill_points(places: Iterable[Any], always: Collection[str]) -> list[Any]:
    """Parameters of a test; those whose id is not among ``always`` are ``long``. Tuples are several parameters each."""
    found, names = [], set()
    for place in places:
        values = place if isinstance(place, tuple) else (place,)
        name = "-".join(str(value) for value in values)
        names.add(name)
        found.append(pytest.param(*values, id=name, marks=() if name in always else pytest.mark.long))
    assert set(always) <= names, f"there are no such places: {sorted(set(always) - names)}"
    return found
