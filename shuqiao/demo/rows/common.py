"""What the departments' row makers share: the shape of their answer, and stamps of time."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from shuqiao.demo import words
from shuqiao.demo.codes import uscc
from shuqiao.demo.draws import Draws
from shuqiao.demo.faults import Fault, Outcome
from shuqiao.demo.generator import SHANGHAI, day_date, market_roster
from shuqiao.demo.rosters import City, Life, roster

Row = dict[str, Any]
"""Source column -> value, in the order of the source's columns."""

BOOKKEEPING = frozenset({"write_time", "op_flag", "updated_at", "deleted_at", "操作标志"})
"""Columns that say when and how a row was written, not what it says."""

OFFICE_NUMBER = 31**6
"""Bodies of codes from here on belong to offices, not to enterprises."""


@dataclass(frozen=True, slots=True)
class Written:
    """What one connector's source says about one enterprise in the evening of a day."""

    rows: Sequence[Row] = ()
    """None (not there), one, or two where the row stands twice."""
    fault: Fault | None = None
    deleted: bool = False
    """The source marks the row as deleted (flag, tombstone)."""

    @property
    def state(self) -> str:
        """``absent``, ``deleted``, ``refused`` or ``good``."""
        if not self.rows:
            return "absent"
        if self.deleted:
            return "deleted"
        return "refused" if self.fault is not None and self.fault.refused else "good"

    def says_the_same(self, other: Written) -> bool:
        """Whether only the columns of bookkeeping differ."""
        return [_content(row) for row in self.rows] == [_content(row) for row in other.rows]

    @property
    def repeated(self) -> bool:
        """Whether the row stands twice."""
        return self.fault is not None and self.fault.outcome in {Outcome.REPEATED, Outcome.OVERTAKEN}


def _content(row: Row) -> Row:
    return {column: value for column, value in row.items() if column not in BOOKKEEPING}


def life_of(city: City, connector: str, number: int, day: int) -> Life | None:
    """The life of an enterprise's row in a source, if it has one there by the evening of the day."""
    life = roster(city, connector).life(number)
    return life if life is not None and life.joined <= day else None


def draws_for(city: City, connector: str, number: int) -> Draws:
    """Draws for one row of one source."""
    return Draws(city.seed, connector, number)


def fault_kind(life: Life, day: int) -> str:
    """The kind of fault that the row has in the evening of a day; empty for a good one."""
    fault = life.fault_on(day)
    return fault.kind if fault is not None else ""


def last_touched(life: Life, day: int) -> int:
    """The last day up to ``day`` on which something happened to the row."""
    days = (life.joined, life.left, life.revised, life.corrected)
    return max(at for at in days if at is not None and at <= day)


def touched_with_market(city: City, life: Life, number: int, day: int) -> int:
    """The same for a row that also follows what happens to the enterprise at market supervision."""
    market = market_roster(city).life(number)
    return max(last_touched(life, day), last_touched(market, day) if market is not None else 0)


def stamp(number: int, day: int) -> dt.datetime:
    """When, on that day, the row was written (local time of the city); rows of day 0 over the month before."""
    morning = dt.datetime.combine(day_date(day), dt.time(8))
    if day == 0:
        seconds = number * 7919 % (30 * 86_400)
        return morning - dt.timedelta(seconds=seconds, microseconds=number % 997)
    return morning + dt.timedelta(seconds=number % 36_000, microseconds=number % 997)


def stamp_text(number: int, day: int) -> str:
    """The same as text with its offset."""
    return stamp(number, day).replace(tzinfo=SHANGHAI).isoformat(timespec="milliseconds")


def drawn_date(draws: Draws, since: dt.date, days: int) -> dt.date:
    """Draw a date from ``since`` on."""
    return since + dt.timedelta(days=draws.below(max(days, 1)))


def years_later(date: dt.date, years: int) -> dt.date:
    """The day before the same day some years later, as terms of licences end."""
    return date + dt.timedelta(days=365 * years + years // 4 - 1)


def impossible(date: dt.date) -> str:
    """A date that does not exist, in the same year."""
    return f"{date.year}-02-30"


def office_code(number: int) -> str:
    """The unified social credit code of a municipal office."""
    return uscc("11", "330200", OFFICE_NUMBER + number)


def authority_code(name: str) -> str:
    """The one code of a municipal authority that gives permits."""
    if name == words.AGRICULTURE_OFFICE:
        return office_code(20)
    return office_code(1 + [permit[2] for permit in words.PERMITS].index(name))
