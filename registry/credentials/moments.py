"""Moments as credentials write them (XML Schema dateTime with a zone), and whole days in China."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta, timezone
from functools import lru_cache

CHINA = timezone(timedelta(hours=8))
# Thirty digits of a second are more than any clock has; without an end a date could be as long as a document.
_STAMP = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,30})?(?:Z|[+-][0-9]{2}:[0-9]{2})", re.ASCII
)


def text_of(moment: datetime) -> str:
    """``2026-11-23T01:02:03Z``; fractions of a second are dropped."""
    try:
        return moment.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat() + "Z"
    except OverflowError:  # the first and the last hours that there are, in a zone where UTC has no such year
        return moment.replace(microsecond=0).isoformat()


def moment_of(text: str) -> datetime:
    """The moment that a dateTimeStamp names; ValueError for anything else, a time without zone included."""
    if not _STAMP.fullmatch(text):
        raise ValueError("not a date and time with zone, like 2026-11-23T01:02:03Z")
    return _moment_of(text)


@lru_cache(maxsize=4096)
def _moment_of(text: str) -> datetime:
    """Only of texts whose length is bounded: what strangers send must not be kept."""
    return datetime.fromisoformat(text)


@lru_cache(maxsize=4096)
def first_moment(day: date) -> str:
    """The first second of a day in China."""
    return datetime.combine(day, time(0, 0, 0), CHINA).isoformat()


@lru_cache(maxsize=4096)
def last_moment(day: date) -> str:
    """The last second of a day in China."""
    return datetime.combine(day, time(23, 59, 59), CHINA).isoformat()
