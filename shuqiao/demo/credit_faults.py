"""Faults that every schema lets through and that only the keeping of public credit data can find.

Late reports, slips of the unit, missing source codes, decisions that should have been withdrawn, departments that
contradict each other, and records without a code whose name is spelt otherwise, or is nearly another's. Each is planted
in a row that is good and quiet otherwise, in its enterprise too, so that the numbers are exact; the department
corrects the first of each kind on day 1, the second on day 2, and so on.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from shuqiao.demo import words
from shuqiao.demo.generator import Enterprise, Status, enterprise
from shuqiao.demo.namesakes import OF_EACH_ROLE, number_of
from shuqiao.demo.rosters import MARKET, City, Life, roster

EACH = OF_EACH_ROLE
"""So many of each kind, in a city that is not too small for them."""
_QUIET_DAYS = 12
"""Nothing else happens to such a row, or to its enterprise, before that day."""
_ROWS_PER_FAULT = 4
"""No more than one row in so many has a fault of this module."""


class Kind(StrEnum):
    """What is wrong."""

    LATE = "late"
    YUAN_AS_WAN = "yuan_as_wan"
    NO_SOURCE_CODE = "no_source_code"
    NOT_WITHDRAWN = "not_withdrawn"
    OTHER_NAME = "other_name"
    OTHER_REPRESENTATIVE = "other_representative"
    OTHER_STATUS = "other_status"
    OTHER_ADDRESS = "other_address"
    NAME_VARIANT = "name_variant"
    ENDING_VARIANT = "ending_variant"
    NEAR_DUPLICATE = "near_duplicate"
    NAMESAKE = "namesake"


@dataclass(frozen=True, slots=True)
class KindOfFault:
    """One kind, in one connector's source."""

    kind: Kind
    zh: str
    en: str
    found_as: str
    """How the hub must report it."""


_LATE = KindOfFault(Kind.LATE, "决定后超过7个工作日才报送", "reported later than 7 working days", "finding late")
_NO_SOURCE = KindOfFault(
    Kind.NO_SOURCE_CODE, "数据来源单位代码为空", "source unit without its code", "finding missing_source_code"
)

CREDIT_FAULTS: Mapping[str, tuple[KindOfFault, ...]] = {
    "credit.permits": (_LATE, _NO_SOURCE),
    "credit.penalties": (
        _LATE,
        _NO_SOURCE,
        KindOfFault(Kind.YUAN_AS_WAN, "把以元计的罚款填成万元", "a fine in yuan entered as 万元", "finding amount"),
        KindOfFault(
            Kind.NAME_VARIANT,
            "无代码，名称的括号、空格写法不同",
            "no code; brackets and spaces of the name differ",
            "match accepted by rule",
        ),
        KindOfFault(
            Kind.ENDING_VARIANT,
            "无代码，名称的组织形式写法不同",
            "no code; the ending of the name differs",
            "one candidate",
        ),
        KindOfFault(
            Kind.NEAR_DUPLICATE,
            "无代码，名称与他企业仅一字之差",
            "no code; the name is another's but for one character",
            "one candidate, never matched by rule",
        ),
        KindOfFault(
            Kind.NAMESAKE,
            "无代码，两户企业的名称仅地域和括号不同",
            "no code; two enterprises differ by region and brackets only",
            "two candidates, never matched by rule",
        ),
    ),
    "credit.penalties-old-edition": (
        KindOfFault(
            Kind.NOT_WITHDRAWN,
            "决定已撤销，仍在公示",
            "revoked, and public still",
            "finding not_withdrawn on the fourth day",
        ),
    ),
    "tax.registration": (
        KindOfFault(Kind.OTHER_NAME, "名称与登记机关不一致", "another name than the register's", "discrepancy name"),
        KindOfFault(
            Kind.OTHER_REPRESENTATIVE,
            "法定代表人与登记机关不一致",
            "another representative than the register's",
            "discrepancy legal_representative",
        ),
        KindOfFault(
            Kind.OTHER_STATUS,
            "企业已吊销或注销，纳税人状态仍为正常",
            "revoked or deregistered, still a taxpayer in good standing",
            "discrepancy status",
        ),
    ),
    "licensing.food-business": (
        KindOfFault(
            Kind.OTHER_ADDRESS, "住所与登记机关不一致", "another address than the register's", "discrepancy address"
        ),
    ),
}

_ABOUT = {
    Kind.NAME_VARIANT: "variant",
    Kind.ENDING_VARIANT: "ending",
    Kind.NEAR_DUPLICATE: "near",
    Kind.NAMESAKE: "first",
}
"""Whom a record without a code is about, as far as it is about anybody."""


@dataclass(frozen=True, slots=True)
class Planted:
    """One faulty row."""

    kind: Kind
    index: int
    """Which one of its kind."""
    corrected: int
    """The day on which the department corrects it."""
    about: int
    """The number of the enterprise that the row is about, or seems to be."""

    def still_on(self, day: int) -> bool:
        """Whether the fault is there in the evening of a day."""
        return day < self.corrected


@lru_cache(maxsize=256)
def planted(city: City, connector: str) -> Mapping[int, Planted]:
    """The faulty rows of one source, by the number that the row has there."""
    kinds = CREDIT_FAULTS.get(connector, ())
    size = roster(city, connector).size
    found: dict[int, Planted] = {}
    each = min(EACH, size // (_ROWS_PER_FAULT * len(kinds))) if kinds else 0
    places = [(kind.kind, index) for kind in kinds for index in range(each)]
    quiet = _quiet_numbers(city, connector)
    left: list[int] = []
    for kind, index in places:
        number = _fitting(city, kind, left, quiet)
        about = number if kind not in _ABOUT else number_of(city, _ABOUT[kind], index)  # type: ignore[arg-type]
        if number is not None and about is not None:
            found[number] = Planted(kind, index, 1 + index, about)
    return found


def of_row(city: City, connector: str, number: int, day: int) -> Planted | None:
    """The fault that a row has in the evening of a day."""
    found = planted(city, connector).get(number)
    return found if found is not None and found.still_on(day) else None


def corrected_on(city: City, connector: str, day: int) -> Iterator[int]:
    """The rows that the department corrects on a day."""
    return (number for number, each in planted(city, connector).items() if each.corrected == day)


def last_corrected(city: City, connector: str, number: int, day: int) -> int:
    """The day up to ``day`` on which the row was corrected; 0: it was not."""
    found = planted(city, connector).get(number)
    return found.corrected if found is not None and found.corrected <= day else 0


def _fitting(city: City, kind: Kind, left: list[int], quiet: Iterator[int]) -> int | None:
    """The next quiet number that the kind can be planted in; those passed over are left for other kinds."""
    if kind is not Kind.OTHER_STATUS and left:
        return left.pop(0)
    for number in quiet:
        if kind is not Kind.OTHER_STATUS or enterprise(city, number).status in (Status.REVOKED, Status.DEREGISTERED):
            return number
        left.append(number)
    return None


def _quiet_numbers(city: City, connector: str) -> Iterator[int]:
    """The enterprises with a good row here, and a good one at market supervision, to which nothing happens for weeks.

    From the middle of the good rows on: those before it leave day by day, those at the end are revised.
    """
    own, market = roster(city, connector), roster(city, MARKET)
    good = own.size - own.faulty
    for rank in range(good // 2):
        number = own.places.number(own.faulty + good // 2 - 1 - rank)
        if _is_quiet(own.life(number)) and _is_quiet(market.life(number)):
            yield number


def _is_quiet(life: Life | None) -> bool:
    return (
        life is not None
        and life.fault is None
        and not life.joined
        and min(at for at in (life.left, life.revised, _QUIET_DAYS) if at is not None) >= _QUIET_DAYS
    )


def name_without_code(kind: Kind, index: int, party: Enterprise) -> str:
    """How a record without a code spells the name of whom it is, or seems to be, about."""
    match kind:
        case Kind.NAME_VARIANT:
            return (
                party.name.replace("（", " (").replace("）", ") "),
                party.name.replace("（", "〔").replace("）", "〕"),
                party.name.replace("（", "　（ ").replace("）", " ）"),
            )[index % 3]
        case Kind.ENDING_VARIANT:
            return party.name.replace("有限公司", "有限责任公司")
        case Kind.NEAR_DUPLICATE:
            return party.name.replace(party.name[-5], "社")
        case _:
            return party.name


def other_name(party: Enterprise) -> str:
    """A name that the enterprise does not bear."""
    return party.name.replace(words.CITY, f"{words.CITY}老", 1)


def other_address(party: Enterprise) -> str:
    """An address that the enterprise does not have."""
    return (
        f"{words.CITY}市{party.district}{words.STREETS[party.number % len(words.STREETS)]}{2000 + party.number % 900}号"
    )


def weeks_before(day: dt.date) -> dt.date:
    """A day so much earlier that a report in time becomes a late one."""
    return day - dt.timedelta(days=40)
