"""Who is in which connector's source, since when, until when, revised when, with which fault, corrected when.

A roster answers for any enterprise by itself, in no memory: positions of a :class:`~shuqiao.demo.draws.Scatter` are
counted off. The first positions are the members of day 0; among these, first the faulty, then the good, of which
those at the front leave day by day and those at the back are revised. After the members come those who join later.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from shuqiao.demo.draws import Draws, Scatter, scatter
from shuqiao.demo.faults import FAULTS, Fault, planned

MARKET = "market-supervision.enterprise"
"""The connector in whose source every enterprise is."""
DEFAULT_SEED = 20260601
DEFAULT_SCALE = 5000
CORRECTION_DAYS = 10
"""After so many days the departments have corrected every row that was refused on day 0."""


@dataclass(frozen=True, slots=True)
class City:
    """Which demo city: everything in it follows from these two numbers."""

    seed: int = DEFAULT_SEED
    scale: int = DEFAULT_SCALE
    """Number of enterprises on day 0."""

    @property
    def founded_a_day(self) -> int:
        """How many enterprises are founded each day."""
        return max(1, self.scale // 500)

    def enterprises(self, day: int) -> int:
        """How many enterprises have ever been registered by the evening of a day."""
        return self.scale + day * self.founded_a_day


@dataclass(frozen=True, slots=True)
class Shares:
    """How full a source is and how fast it changes, per mille."""

    members: int
    """Of all enterprises, on day 0."""
    joined: float = 0
    """Of the members of day 0, each day."""
    left: float = 0
    revised: float = 0
    founded: int = 0
    """Of the enterprises founded later."""


SHARES: dict[str, Shares] = {
    "market-supervision.enterprise": Shares(1000, left=0.5, revised=9, founded=1000),
    "tax.registration": Shares(920, joined=0, left=0.5, revised=3, founded=1000),
    "tax.credit-rating": Shares(600, joined=4, revised=6),
    "tax.arrears": Shares(60, joined=20, left=20, revised=20),
    "licensing.food-business": Shares(250, joined=6, left=2, revised=6),
    "licensing.permits": Shares(150, joined=8, left=2, revised=4),
    "licensing.construction": Shares(80, joined=8, left=2, revised=6),
    "credit.permits": Shares(150, joined=8, left=2, revised=4),
    "credit.penalties": Shares(80, joined=10, left=6, revised=4),
    "credit.permits-old-edition": Shares(50),
    "credit.penalties-old-edition": Shares(40, left=2),
    "credit.abnormal-operation": Shares(60, joined=15, left=15),
    "credit.serious-dishonesty": Shares(12, joined=20, left=20),
    "credit.red-list": Shares(20, joined=10, left=10),
}


@dataclass(frozen=True, slots=True)
class Life:
    """What happens to one enterprise's row in one source; days count from 0, the day the city is made."""

    joined: int = 0
    left: int | None = None
    revised: int | None = None
    turn: int = 0
    """Which of the day's revisions this one is, counted from 0."""
    fault: Fault | None = None
    corrected: int | None = None

    def fault_on(self, day: int) -> Fault | None:
        """The fault that the row still has in the evening of a day."""
        return None if self.corrected is not None and self.corrected <= day else self.fault

    def revised_by(self, day: int) -> bool:
        """Whether the row has been revised by the evening of a day."""
        return self.revised is not None and self.revised <= day

    def left_by(self, day: int) -> bool:
        """Whether the row has left the source by the evening of a day."""
        return self.left is not None and self.left <= day


@dataclass(frozen=True, slots=True)
class Roster:
    """The rows of one connector's source."""

    city: City
    connector: str
    size: int
    """Enterprises with a row on day 0."""
    faults: tuple[tuple[Fault, int], ...]
    faulty: int
    """Rows with any fault on day 0."""
    refusable: int
    """Rows that must be refused on day 0."""
    joined_a_day: int
    left_a_day: int
    revised_a_day: int
    places: Scatter = field(repr=False)

    @property
    def corrected_a_day(self) -> int:
        """Refused rows that the department corrects each day, until none is left."""
        return -(-self.refusable // CORRECTION_DAYS)

    def life(self, number: int) -> Life | None:
        """What happens to the row of an enterprise; None if it never has one here."""
        if number >= self.city.scale:
            return self._founded_later(number)
        place = self.places.position(number)
        if place >= self.size:
            day = 1 + (place - self.size) // self.joined_a_day if self.joined_a_day else 0
            return Life(joined=day) if day else None
        if place < self.faulty:
            return self._faulty(place)
        return self._good(place - self.faulty)

    def members(self, day: int) -> Iterator[int]:
        """Everyone who has a row by the evening of a day, also those who have left again; in order of joining."""
        for place in range(min(self.size + day * self.joined_a_day, self.city.scale)):
            yield self.places.number(place)
        for number in range(self.city.scale, self.city.enterprises(day)):
            if self.life(number):
                yield number

    def touched(self, day: int) -> Iterator[int]:
        """Everyone to whose row something happens on a day."""
        good = self.size - self.faulty
        first_correction = (day - 1) * self.corrected_a_day
        for rank in range(first_correction, min(day * self.corrected_a_day, self.refusable)):
            yield self.places.number(self._corrections.number(rank))
        for rank in range((day - 1) * self.left_a_day, min(day * self.left_a_day, good // 2)):
            yield self.places.number(self.faulty + rank)
        for rank in range((day - 1) * self.revised_a_day, min(day * self.revised_a_day, good - good // 2)):
            yield self.places.number(self.size - 1 - rank)
        newcomers = range((day - 1) * self.joined_a_day, min(day * self.joined_a_day, self.city.scale - self.size))
        for rank in newcomers:
            yield self.places.number(self.size + rank)
        for number in range(self.city.enterprises(day - 1), self.city.enterprises(day)):
            if self.life(number):
                yield number

    @property
    def _corrections(self) -> Scatter:
        return scatter(self.city.seed, f"corrections {self.connector}", self.refusable)

    def _faulty(self, place: int) -> Life:
        corrected = None
        if place < self.refusable:
            corrected = 1 + self._corrections.position(place) // self.corrected_a_day
        rank = place
        for fault, count in self.faults:
            if rank < count:
                return Life(fault=fault, corrected=corrected)
            rank -= count
        raise AssertionError(place)

    def _good(self, rank: int) -> Life:
        good = self.size - self.faulty
        if self.left_a_day and rank < good // 2:
            return Life(left=1 + rank // self.left_a_day)
        if self.revised_a_day and rank >= good // 2:
            back = good - 1 - rank
            return Life(revised=1 + back // self.revised_a_day, turn=back % self.revised_a_day)
        return Life()

    def _founded_later(self, number: int) -> Life | None:
        share = SHARES[self.connector].founded
        if not share or not Draws(self.city.seed, f"founded {self.connector}", number).happens(share):
            return None
        return Life(joined=1 + (number - self.city.scale) // self.city.founded_a_day)


@lru_cache(maxsize=256)
def roster(city: City, connector: str) -> Roster:
    """Draw up the roster of one connector's source."""
    shares = SHARES[connector]
    size = city.scale * shares.members // 1000

    def a_day(per_mille: float) -> int:
        return max(1, round(size * per_mille / 1000)) if per_mille and size else 0

    faults = planned(connector, size)
    return Roster(
        city=city,
        connector=connector,
        size=size,
        faults=faults,
        faulty=sum(count for _, count in faults),
        refusable=sum(count for fault, count in faults if fault.refused),
        joined_a_day=a_day(shares.joined),
        left_a_day=a_day(shares.left),
        revised_a_day=a_day(shares.revised),
        places=scatter(city.seed, f"places {connector}", city.scale),
    )


CONNECTORS = tuple(FAULTS)
