"""A process that evaluates enterprises, in small steps; to be killed."""

from __future__ import annotations

from datetime import timedelta

from registry.credit import evaluation_cards, evaluations, following
from registry.domain.credit.scorecard import Scorecards
from registry.storage.database import connect
from tests.credit.enterprise_file.town import NOW
from tests.credit.evaluation.cards import CARD

STEP = 10
LATER = NOW + timedelta(days=10)


def keep(url: str) -> None:
    """Once, to the end."""
    following.STEP = evaluations.STEP = evaluations.FIRST_STEP = STEP
    evaluations.PARTS = 4
    with connect(url) as connection:
        evaluation_cards.keep_all(connection, Scorecards((CARD,)), now=LATER, wait=5)
