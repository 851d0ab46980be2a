"""Which scorecards are kept up to the registry: those in force, and those that were taken up to be compared.

A card that another version has replaced keeps its evaluations until those by the new one are complete, so that there
is always one that holds. A past day is computed anew by any card, so nothing is lost with them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

import psycopg

from registry.credit import evaluations
from registry.credit.enterprise_file import china_day
from registry.credit.evaluations import EvaluationReport, Told
from registry.domain.credit.scorecard import Scorecard, Scorecards, UnknownScorecard


@dataclass(frozen=True, slots=True)
class CardsKept:
    """What keeping all cards came to."""

    cards: Mapping[str, EvaluationReport] = field(default_factory=dict)
    """By reference: ``enterprise_credit@1``."""
    dropped: Mapping[str, int] = field(default_factory=dict)
    """Cards that another version has replaced, and how many evaluations went with each."""
    without_file: tuple[str, ...] = ()
    """Cards in use of which there is no file any more: nothing is done about them."""

    @property
    def counts(self) -> Counter[str]:
        """Of all cards together."""
        total: Counter[str] = Counter()
        for report in self.cards.values():
            total.update(report.counts)
        return total

    @property
    def complete(self) -> bool:
        """Whether all enterprises have been evaluated by every card."""
        return all(report.complete for report in self.cards.values())

    @property
    def caught_up(self) -> bool:
        """Whether everything has been followed that was committed when it began."""
        return all(report.caught_up for report in self.cards.values())


def in_use(connection: psycopg.Connection) -> dict[str, bool]:
    """The cards that have been taken up, by reference, and whether all enterprises are evaluated by them."""
    rows = connection.execute(
        "SELECT scorecard, version, complete_at IS NOT NULL FROM registry.evaluation_card ORDER BY scorecard, version"
    )
    return {f"{name}@{version}": complete for name, version, complete in rows}


def keep_all(
    connection: psycopg.Connection, cards: Scorecards, *, now: datetime, wait: float = 0.0, told: Told | None = None
) -> CardsKept:
    """Bring the evaluations by every card in force, and every other one that was taken up, up to the registry.

    The connection is in autocommit. Doing it again does nothing. ``wait``, ``told``: see
    :func:`registry.credit.evaluations.keep`. Raises OtherRules.
    """
    day = china_day(now)
    used = in_use(connection)
    known = {card.reference: card for card in cards.all}
    wanted = {card.reference: card for card in cards.live(day)}
    wanted |= {name: known[name] for name in used if name in known and not _replaced(known[name], cards, day)}
    reports = {
        name: evaluations.keep(connection, card, now=now, wait=wait, told=told) for name, card in sorted(wanted.items())
    }
    dropped = {}
    for name in used:
        card = known.get(name)
        if card is not None and name not in wanted and reports[cards.live_one(card.name, day).reference].complete:
            dropped[name] = evaluations.drop(connection, card)
    return CardsKept(reports, dropped, tuple(name for name in used if name not in known))


def _replaced(card: Scorecard, cards: Scorecards, day: date) -> bool:
    """Whether a card was live and another version of it is in force in its place."""
    try:
        holds = cards.live_one(card.name, day)
    except UnknownScorecard:
        return False
    return card.status == "live" and card.valid_from <= day and holds is not card
