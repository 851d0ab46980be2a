"""What stands beside a record wherever it is shown: disputed, repaired, withdrawn by the hub."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta, timezone

from registry.domain.credit.visibility import Facts

CHINA = timezone(timedelta(hours=8))
"""China has had one time without summer time since 1992; days of cases are its days."""


@dataclass(frozen=True, slots=True)
class Mark:
    """The mark of one record; times with zone."""

    disputed_since: datetime | None = None
    """An objection is open since then."""
    repaired_at: datetime | None = None
    """A repair was granted: neither published nor shared from then on, measures are lifted."""
    withdrawn_at: datetime | None = None
    """The department annulled it on an objection."""

    @property
    def shared(self) -> bool:
        """Whether the record may still be handed on."""
        return self.repaired_at is None and self.withdrawn_at is None


NO_MARK = Mark()


def with_mark(facts: Facts, mark: Mark) -> Facts:
    """The facts of a record together with what the hub knows of it; what the source says first stays."""
    return replace(
        facts,
        disputed_since=_earlier(facts.disputed_since, mark.disputed_since),
        repaired_on=_earlier(facts.repaired_on, mark.repaired_at),
        changed_on=_earlier(facts.changed_on, mark.withdrawn_at),
    )


def china_day(moment: datetime) -> date:
    """The day in China."""
    return moment.astimezone(CHINA).date()


def _earlier(day: date | None, moment: datetime | None) -> date | None:
    if moment is None:
        return day
    return china_day(moment) if day is None else min(day, china_day(moment))
