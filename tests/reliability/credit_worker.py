"""A process that follows the registry for enterprises' files, in small steps; to be killed."""

from __future__ import annotations

from datetime import timedelta

from registry.credit import following, keeping
from registry.storage.database import connect
from tests.credit.enterprise_file.town import NOW

STEP = 20
LATER = NOW + timedelta(days=10)


def follow(url: str) -> None:
    """Once, to the end."""
    following.STEP = STEP
    with connect(url) as connection:
        keeping.follow(connection, now=LATER, wait=5)
