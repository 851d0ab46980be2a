"""A grant: one client, one dataset, and the terms under which it is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Grant:
    """One version of a grant. Nothing is allowed that it does not say."""

    id: int
    client: str
    dataset: str
    fields: frozenset[str] | None
    """Top-level fields, and paths of personal values within (``party/phone``). None: all, personal ones masked."""
    purposes: frozenset[str]
    """One of these must be stated with each request. Empty: none needs to be."""
    rows: Mapping[str, frozenset[str]] = field(hash=False)
    """Values that a top-level field may have, or, for an array, one of its items. ``{}``: every record."""
    schema: str
    """The version in which the client gets records: ``legal_entity@1``."""
    valid_until: datetime
    daily_quota: int | None
    """Answers a day, by China Standard Time. None: as many as it asks for."""
    case_number: bool = False
    """Whether each request must name the client's own case."""

    def is_in_force(self, at: datetime) -> bool:
        """Whether its time is not over."""
        return at < self.valid_until

    def allows_purpose(self, purpose: str | None) -> bool:
        """Whether records may be read for what a request says it is for."""
        return not self.purposes or purpose in self.purposes

    def names(self, name: str) -> bool:
        """Whether a top-level field is shown at all."""
        return self.fields is None or name in self.fields

    def has_row(self, body: Mapping[str, object]) -> bool:
        """Whether a record is among those granted: the reference for what the reads do in SQL."""
        return all(_is_one_of(body.get(name), allowed) for name, allowed in self.rows.items())


def _is_one_of(value: object, allowed: frozenset[str]) -> bool:
    if isinstance(value, list):
        return any(isinstance(item, str) and item in allowed for item in value)
    return isinstance(value, str) and value in allowed
