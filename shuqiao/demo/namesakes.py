"""Enterprises of the demo city whose names are like nobody else's, so that records without a code can be about them.

Each has a name of characters that no other name of the city has: whoever looks for such a name finds the enterprises
meant here, and no others. They stay in the register and keep their names for the city's first weeks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from shuqiao.demo.rosters import MARKET, City, roster

Role = Literal["variant", "ending", "near", "first", "second"]

_OF_A_ROLE: tuple[tuple[Role, tuple[str, ...]], ...] = (
    ("variant", ("鹭渚栖霞茶业", "琥珀澜庭酿造", "竹影听涛陶瓷")),
    ("ending", ("麦浪晴川面粉", "松烟古墨文具", "橘颂清溪果业")),
    ("near", ("砚台荷风笔庄", "蔷薇雨巷花卉", "灯塔渔歌水产")),
    ("first", ("稻香蛙鸣农机", "枕河梨雪琴行", "驿马霜桥皮革")),
    ("second", ("稻香蛙鸣农机", "枕河梨雪琴行", "驿马霜桥皮革")),
)
OF_EACH_ROLE = 3


@dataclass(frozen=True, slots=True)
class Namesake:
    """What is special about one of these enterprises."""

    role: Role
    """``variant``: its name will be spelt otherwise; ``ending``: with another ending; ``near``: one character away from
    a name that nobody bears; ``first`` and ``second``: two whose names differ by region and brackets only."""
    index: int
    """Which one of its role."""
    core: str
    """Its name without region, brackets and ending."""


@lru_cache(maxsize=64)
def namesakes(city: City) -> Mapping[int, Namesake]:
    """These enterprises by number; none where the city is too small to have them beside its daily life."""
    market = roster(city, MARKET)
    good = market.size - market.faulty
    wanted = [Namesake(role, index, core) for role, cores in _OF_A_ROLE for index, core in enumerate(cores)]
    if good < 4 * len(wanted):
        return {}
    last = market.faulty + good // 2 - 1  # of those who leave some day, these are the last
    return {market.places.number(last - rank): each for rank, each in enumerate(wanted)}


def number_of(city: City, role: Role, index: int) -> int | None:
    """The number of the enterprise with this part; None where the city has none."""
    return next(
        (number for number, each in namesakes(city).items() if (each.role, each.index) == (role, index)),
        None,
    )
