"""The enterprises of the demo city: a pure function of (seed, scale, number, day).

No enterprise needs another, so a million of them stream through in flat memory, and every department can make its own
records of the same enterprise without asking anyone.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from shuqiao.demo import words
from shuqiao.demo.codes import registration_number, uscc
from shuqiao.demo.draws import Draws
from shuqiao.demo.namesakes import Namesake, namesakes
from shuqiao.demo.rosters import MARKET, City, Life, Roster, roster

SHANGHAI = dt.timezone(dt.timedelta(hours=8))
FIRST_DAY = dt.date(2026, 6, 1)
"""Day 0 of the demo city."""


class Status(StrEnum):
    """Registration status, as market supervision words it."""

    ACTIVE = "开业"
    SUSPENDED = "停业"
    REVOKED = "吊销"
    DEREGISTERED = "注销"


class Event(StrEnum):
    """What can happen to an enterprise on one day of its life."""

    RENAMED = "renamed"
    MOVED = "moved"
    RECAPITALISED = "recapitalised"
    NEW_REPRESENTATIVE = "new_representative"
    REVOKED = "revoked"
    DEREGISTERED = "deregistered"
    SPOILED = "spoiled"
    """Its row at market supervision turns bad: a date that does not exist takes the place of a good one."""


EVENTS_IN_TURN = (
    *(Event.MOVED, Event.REVOKED, Event.DEREGISTERED, Event.SPOILED, Event.RENAMED, Event.RECAPITALISED),
    *(Event.NEW_REPRESENTATIVE, Event.MOVED, Event.RENAMED, Event.RECAPITALISED, Event.DEREGISTERED),
    *(Event.MOVED, Event.NEW_REPRESENTATIVE, Event.RENAMED, Event.RECAPITALISED, Event.MOVED),
)
"""The day's first event is the first of these, and so on, over and over: each kind happens even in a small city."""


@dataclass(frozen=True, slots=True)
class Enterprise:
    """One enterprise as it is in the evening of one day."""

    number: int
    main_id: str
    """主体身份代码: market supervision's own key, the same for ever."""
    uscc: str
    registration_number: str
    name: str
    kind: str
    kind_code: str
    representative: str
    capital: int
    """In 10,000 of the currency."""
    currency: str
    division: str
    district: str
    address: str
    industry_code: str
    industry: str
    scope: str
    established_on: dt.date
    approved_on: dt.date
    """Of the last registration, revocation or deregistration."""
    until: dt.date | None
    """End of the term of business; None: without end."""
    status: Status

    @property
    def registrar(self) -> str:
        """The office that registered it."""
        return f"{words.CITY}市{self.district}市场监督管理局"


def day_date(day: int) -> dt.date:
    """The date of a day of the demo city."""
    return FIRST_DAY + dt.timedelta(days=day)


def event(life: Life) -> Event | None:
    """The one event in the life of an enterprise's row at market supervision."""
    return EVENTS_IN_TURN[life.turn % len(EVENTS_IN_TURN)] if life.revised is not None else None


def enterprise(city: City, number: int, day: int = 0) -> Enterprise:
    """The enterprise with this number as it is in the evening of a day."""
    born = _born(city, number)
    life = roster(city, MARKET).life(number)
    if life is None or not life.revised_by(day):
        return born
    return _after(city, born, life)


def enterprises(city: City, day: int = 0) -> Iterator[Enterprise]:
    """All enterprises of the city as they are in the evening of a day, one by one."""
    for number in range(city.enterprises(day)):
        yield enterprise(city, number, day)


def person(draws: Draws) -> str:
    """Draw a person's name."""
    given = draws.pick(words.GIVEN)
    return draws.pick(words.SURNAMES) + (given + draws.pick(words.GIVEN) if draws.below(4) else given)


def market_roster(city: City) -> Roster:
    """Every enterprise's life at market supervision."""
    return roster(city, MARKET)


def _born(city: City, number: int) -> Enterprise:
    draws = Draws(city.seed, "enterprise", number)
    kind, kind_code, authority, ending = words.KINDS[words.KINDS_BY_PER_MILLE[draws.below(1000)]]
    division, district = draws.pick(words.DIVISIONS)
    industry_code, industry, word, scope = draws.pick(words.INDUSTRIES)
    trade = draws.pick(words.TRADE_NAMES) + draws.pick(words.TRADE_NAMES)
    if draws.below(2):
        trade += draws.pick(words.TRADE_NAMES)
    established = _established(city, number, draws)
    namesake = namesakes(city).get(number)
    if namesake is not None:
        kind, kind_code, authority, ending = words.KINDS[0]
        established = FIRST_DAY - dt.timedelta(days=3000 + number % 3000)
    return Enterprise(
        number=number,
        main_id=f"330200{city.seed % 10**4:04d}{number:010d}",
        uscc=uscc(authority, division, number),
        registration_number=registration_number(division, number),
        name=_name(draws.below(4), trade, district, word, ending)
        if namesake is None
        else _landmark(namesake, district),
        kind=kind,
        kind_code=kind_code,
        representative=person(draws),
        capital=draws.pick((1, 3, 5, 10, 50, 100, 200, 500, 1000, 2150, 6209, 10000)),
        currency="人民币" if draws.below(40) else draws.pick(("美元", "日元", "欧元", "港元")),
        division=division,
        district=district,
        address=f"{words.CITY}市{district}{draws.pick(words.STREETS)}{1 + draws.below(999)}号{1 + draws.below(40)}室",
        industry_code=industry_code,
        industry=industry,
        scope=_scope(draws, industry, scope),
        established_on=established,
        approved_on=established + dt.timedelta(days=draws.below((FIRST_DAY - established).days or 1)),
        until=established + dt.timedelta(days=365 * draws.pick((20, 30, 50))) if draws.below(3) == 0 else None,
        status=_status(draws, number < city.scale),
    )


def _after(city: City, born: Enterprise, life: Life) -> Enterprise:
    draws = Draws(city.seed, "event", born.number)
    new = replace(born, approved_on=day_date(life.revised or 0))
    match event(life):
        case Event.RENAMED:
            name = born.name.replace(words.CITY, words.CITY + draws.pick(words.TRADE_NAMES), 1)
            new = replace(new, name=name)
        case Event.MOVED:
            street = f"{draws.pick(words.STREETS)}{1000 + draws.below(999)}号"
            new = replace(new, address=f"{words.CITY}市{born.district}{street}")
        case Event.RECAPITALISED:
            new = replace(new, capital=born.capital * 2 + 1)
        case Event.NEW_REPRESENTATIVE:
            name = person(draws)
            new = replace(new, representative=name if name != born.representative else name + "华")
        case Event.REVOKED:
            new = replace(new, status=Status.REVOKED)
        case Event.DEREGISTERED:
            new = replace(new, status=Status.DEREGISTERED)
        case _:
            new = born
    return new


def _name(form: int, trade: str, district: str, word: str, ending: str) -> str:
    if ending in {"店", "中心", "专业合作社"}:
        return f"{words.CITY}市{district}{trade}{word}{ending}"
    return f"{trade}（{words.CITY}）{word}{ending}" if form == 0 else f"{words.CITY}{trade}{word}{ending}"


def _landmark(namesake: Namesake, district: str) -> str:
    ending = words.KINDS[0][3]
    if namesake.role in {"variant", "first"}:
        return f"{namesake.core}（{words.CITY}）{ending}"
    region = f"{words.CITY}市{district}" if namesake.role == "second" else words.CITY
    return f"{region}{namesake.core}{ending}"


def _established(city: City, number: int, draws: Draws) -> dt.date:
    if number < city.scale:
        return FIRST_DAY - dt.timedelta(days=30 + draws.below(25 * 365))
    return day_date(1 + (number - city.scale) // city.founded_a_day)


def _scope(draws: Draws, industry: str, scope: str) -> str:
    form = draws.below(40)
    if form == 0:  # one in forty runs to the 2,000 characters that the registers allow
        return (f"一般项目：{scope}；" * 60)[:2000]
    ending = "（除依法须经批准的项目外，凭营业执照依法自主开展经营活动）。"
    return f"一般项目：{scope}{ending}" if form % 2 else f"许可项目：{industry}。一般项目：{scope}{ending}"


def _status(draws: Draws, old: bool) -> Status:  # noqa: FBT001
    drawn = draws.below(100)
    if not old or drawn < 84:  # noqa: PLR2004
        return Status.ACTIVE
    if drawn < 86:  # noqa: PLR2004
        return Status.SUSPENDED
    return Status.REVOKED if drawn < 90 else Status.DEREGISTERED  # noqa: PLR2004
