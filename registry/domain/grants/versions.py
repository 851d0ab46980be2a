"""Older versions of schemas: since when a later one is there, and until when readers still get theirs."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

SERVED = timedelta(days=365)
"""How long an old version is served after a later one took its place."""


def superseded_at(schema: str, current: str, since: Mapping[str, datetime], registered_at: datetime) -> datetime | None:
    """When a later version took the place of one; None if it is the one that records have now.

    ``since``: when the dataset's records came to be of each of its versions; ``registered_at``: since when it is there.
    """
    if schema == current:
        return None
    begun = since.get(schema, registered_at)
    return min((at for at in since.values() if at > begun), default=registered_at)
