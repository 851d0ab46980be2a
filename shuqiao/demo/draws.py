"""Chance that can be repeated: draws for one thing, and scatters that put an exact number of faults anywhere."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

T = TypeVar("T")


class Draws:
    """A row of draws that depends on nothing but the seed, a purpose and a number: 512 bits, spent draw by draw."""

    __slots__ = ("_bits",)

    def __init__(self, seed: int, purpose: str, number: int) -> None:
        text = f"{seed}/{purpose}/{number}".encode()
        self._bits = int.from_bytes(hashlib.blake2b(text).digest(), "big")

    def below(self, bound: int) -> int:
        """Draw a number from 0 to ``bound`` - 1."""
        self._bits, drawn = divmod(self._bits, bound)
        return drawn

    def pick(self, choices: Sequence[T]) -> T:
        """Draw one of the choices."""
        self._bits, drawn = divmod(self._bits, len(choices))
        return choices[drawn]

    def happens(self, per_mille: int) -> bool:
        """Draw whether something that happens ``per_mille`` times in a thousand happens now."""
        return self.below(1000) < per_mille


@dataclass(frozen=True, slots=True)
class Scatter:
    """A reshuffling of 0 .. size-1 that can be asked for one place at a time, and backwards.

    Counting off positions (the first 15 are broken in this way, the next 10 in that) gives exact numbers of faults, and
    the reshuffling spreads them, with nothing kept in memory.
    """

    size: int
    factor: int
    shift: int
    inverse: int

    def position(self, number: int) -> int:
        """Where ``number`` has gone."""
        return (number * self.factor + self.shift) % self.size

    def number(self, position: int) -> int:
        """Which number has gone to ``position``."""
        return (position - self.shift) * self.inverse % self.size


@lru_cache(maxsize=256)
def scatter(seed: int, purpose: str, size: int) -> Scatter:
    """Make the reshuffling of ``size`` numbers for one purpose: affine, with a factor that has no common divisor."""
    size = max(size, 1)
    draws = Draws(seed, f"scatter {purpose}", size)
    factor = draws.below(size) | 1
    while math.gcd(factor, size) != 1:
        factor += 1
    return Scatter(size, factor, draws.below(size), pow(factor, -1, size) if size > 1 else 0)
