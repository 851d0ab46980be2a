"""What is answered about an enterprise's evaluation: every factor with its weight, its points and its records.

It is computed when it is asked for, from what the registry holds: what was repaired a moment ago counts no longer and
is named no more. The command line says the same by the same function.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import psycopg

from registry.api.credit.answers import Datasets, Found, UnknownEnterprise, sources_of
from registry.credit import evaluations
from registry.domain.credit.evaluation import Evaluation
from registry.domain.credit.readers import without_identifiers
from registry.domain.credit.scorecard import Scorecard, Scorecards, UnknownScorecard


class SeveralScorecards(LookupError):  # noqa: N818  (named for what the caller meets)
    """More than one card is in force; the caller has to name one."""


def chosen(cards: Scorecards, name: str | None, day: date, *, drafts: bool = False) -> Scorecard:
    """The card that is asked for: a version (``enterprise_credit@1``), or that of a name in force on a day.

    Without a name: the only one in force. ``drafts``: those that are not live may be named too. Raises
    UnknownScorecard, SeveralScorecards.
    """
    if name is None:
        live = cards.live(day)
        if len(live) > 1:
            raise SeveralScorecards(", ".join(card.name for card in live))
        if not live:
            raise UnknownScorecard(f"no scorecard is in force on {day}")
        return live[0]
    card = cards.one(name) if "@" in name else cards.live_one(name, day)
    if card.status != "live" and not drafts:
        raise UnknownScorecard(f"{name} is not live")
    return card


def evaluation(
    connection: psycopg.Connection, datasets: Datasets, found: Found, card: Scorecard, day: date, at: datetime
) -> dict[str, Any]:
    """One enterprise by a card on a day up to today. Raises UnknownEnterprise: it was not registered then."""
    made = evaluations.shown_as_of(connection, card, found.uscc, day, now=at)
    if made is None:
        raise UnknownEnterprise(found.uscc)
    return said(made, card, found, at) | {"sources": sources_of(datasets, card.datasets, at)}


def said(made: Evaluation, card: Scorecard, found: Found, at: datetime) -> dict[str, Any]:
    """An evaluation with whom it is of, the card's titles and nothing that identifies a person."""
    content = made.as_dict()
    for factor, shown in zip(card.factors, content["factors"], strict=True):
        titles = {rule.name: rule.title for rule in factor.rules}
        shown["legal_basis"] = factor.legal_basis
        for record in shown["records"]:
            title = titles[record["rule"]]
            record["title"] = {"zh": title.zh, "en": title.en}
            record.setdefault("disputed", False)
            if "key" in record:
                record["key"] = without_identifiers(record["key"])
    return {
        "uscc": found.uscc,
        "found_by": found.by,
        "as_of": at,
        "title": {"zh": card.title.zh, "en": card.title.en},
        "example": card.example,
        **content,
    }
