"""Counts that tell of nobody in particular.

Groups of fewer than ``smallest`` records are not shown. They are counted together, and with the smallest groups that
would be shown, until that sum has ``smallest`` records and hides which group they are in: so no group can be had by
taking the others from the total. Every number also has noise: a two-sided geometric variable (the discrete form of
Laplace's), made from a secret and from the set of records that is counted. The same records always give the same
number, so asking again tells nothing more; two numbers that differ by a few records tell nothing certain of those few,
whichever fields they are grouped by. For one number, one record more or less changes no answer's odds by more than
``exp(EPSILON)``.
"""

from __future__ import annotations

import hmac
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

EPSILON = 0.5
"""How much one number may tell of one record: with 0.5, noise of 2.8 in the mean square."""
_WORD = 1 << 64


@dataclass(frozen=True, slots=True)
class Group:
    """Some records and the values that they have in common."""

    values: Mapping[str, Any] | None
    """None: all the small groups together."""
    count: int
    mark: int
    """Of the set of its records: the exclusive or of 64 bits of each."""


def shown(groups: Sequence[Group], smallest: int) -> list[Group]:
    """The groups as they are shown, the largest first, with those too small as one; none has fewer than ``smallest``.

    Where all records together are fewer, nothing is shown.
    """
    largest_first = sorted(groups, key=lambda group: (-group.count, str(group.values)))
    whole = [group for group in largest_first if group.count >= smallest]
    small = [group for group in largest_first if group.count < smallest]
    while small and whole and (len(small) < 2 or sum(group.count for group in small) < smallest):  # noqa: PLR2004
        small.append(whole.pop())
    together = merged(small)
    return whole if together.count < smallest else [*whole, together]


def merged(groups: Sequence[Group]) -> Group:
    """Several groups as one."""
    mark = 0
    for group in groups:
        mark ^= group.mark
    return Group(None, sum(group.count for group in groups), mark)


def noise(secret: bytes, dataset: str) -> Callable[[Group], int]:
    """What is added to a count, by the records that are counted."""

    def of(group: Group) -> int:
        said = f"{dataset} {group.count} {group.mark % _WORD:016x}".encode()
        digest = hmac.new(secret, said, sha256).digest()
        return _geometric(digest[:8]) - _geometric(digest[8:16])

    return of


def _geometric(drawn: bytes) -> int:
    """How often in a row something happens whose odds are exp(-EPSILON), by 64 random bits."""
    uniform = (int.from_bytes(drawn, "big") + 1) / _WORD
    return math.floor(math.log(uniform) / -EPSILON)
