"""What each department's system says about an enterprise: pure functions of (city, number, day), one per connector."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain

from shuqiao.demo.credit_faults import corrected_on
from shuqiao.demo.rosters import City, roster
from shuqiao.demo.rows import credit, licensing, market, tax
from shuqiao.demo.rows.common import Row, Written

__all__ = ["MAKERS", "Row", "Written", "all_rows", "written_on"]

Maker = Callable[[City, int, int], Written]

MAKERS: dict[str, Maker] = {
    "market-supervision.enterprise": market.enterprise_row,
    "tax.registration": tax.registration,
    "tax.credit-rating": tax.credit_rating,
    "tax.arrears": tax.arrears,
    "licensing.food-business": licensing.food_business,
    "licensing.permits": licensing.permits,
    "licensing.construction": licensing.construction,
    "credit.permits": credit.permits,
    "credit.penalties": credit.penalties,
    "credit.permits-old-edition": credit.permits_old_edition,
    "credit.penalties-old-edition": credit.penalties_old_edition,
    "credit.abnormal-operation": credit.abnormal_operation,
    "credit.serious-dishonesty": credit.serious_dishonesty,
    "credit.red-list": credit.red_list,
}

FOLLOWS_THE_ENTERPRISE = frozenset({"tax.registration"})
"""Connectors whose rows change when market supervision registers a change; the others keep what was once decided."""


def all_rows(city: City, connector: str, day: int) -> Iterator[Row]:
    """Everything in one connector's source in the evening of a day, in flat memory."""
    make = MAKERS[connector]
    for number in roster(city, connector).members(day):
        yield from make(city, number, day).rows


def touched_on(city: City, connector: str, day: int) -> Iterator[int]:
    """Every enterprise whose row in this source may be another one than the evening before."""
    own = dict.fromkeys(chain(roster(city, connector).touched(day), corrected_on(city, connector, day)))
    if connector not in FOLLOWS_THE_ENTERPRISE:
        yield from own
        return
    yield from dict.fromkeys(chain(own, roster(city, "market-supervision.enterprise").touched(day)))


def written_on(city: City, connector: str, day: int) -> Iterator[tuple[int, Written, Written]]:
    """What changed in one source on a day: enterprise, before, after."""
    make = MAKERS[connector]
    for number in touched_on(city, connector, day):
        before, after = make(city, number, day - 1), make(city, number, day)
        if before.rows != after.rows:
            yield number, before, after
