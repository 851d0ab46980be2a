"""The slow, obviously right model of visibility: the law's sentences, asked anew for one day, with no end computed.

It shares no code with the product: terms and grades stand here as the tables of the law do, and whether a day is within
n months is told by counting months, not by computing the last day.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal


@dataclass(frozen=True)
class Case:
    """One record as a person would describe it."""

    regime: str
    kind: str
    grade: str
    decided_on: date
    holder: str = "legal_person"
    use_scope: str = "public"
    stated_until: date | None = None
    removed_on: date | None = None
    necessary: bool = False
    performed_on: date | None = None
    repaired_on: date | None = None
    changed_on: date | None = None
    withdrawn: bool = False
    disputed_since: date | None = None
    disputed_until: date | None = None


Publication = Literal["yes", "if necessary", "no"]

TERMS: dict[tuple[str, str, str], tuple[Publication, int, int | None]] = {
    # regime, kind, grade: published, minimum and maximum in months
    ("2019", "penalty", "minor"): ("no", 0, 3),
    ("2019", "penalty", "ordinary"): ("yes", 3, 12),
    ("2019", "penalty", "serious"): ("yes", 6, 36),
    ("2019", "penalty", "special"): ("yes", 36, 36),
    ("2023", "penalty", "minor"): ("no", 0, 3),
    ("2023", "penalty", "ordinary"): ("yes", 3, 36),
    ("2023", "penalty", "safety"): ("yes", 12, 36),
    ("2026", "penalty", "minor"): ("if necessary", 0, 3),
    ("2026", "penalty", "ordinary"): ("yes", 3, 12),
    ("2026", "penalty", "serious"): ("yes", 12, 36),
    **{(regime, "serious_dishonesty", "serious"): ("yes", 12, 36) for regime in ("2019", "2023", "2026")},
    **{(regime, "abnormal_operation", "listed"): ("yes", 0, None) for regime in ("2019", "2023", "2026")},
    **{(regime, "permit", "valid"): ("yes", 0, None) for regime in ("2019", "2023", "2026")},
}


def seen(case: Case, day: date, reader: str, *, continues: bool = False) -> bool:
    """Whether the reader sees the record on the day; ``continues``: unperformed duties outlast the maximum."""
    published, minimum, maximum = TERMS[case.regime, case.kind, case.grade]
    if case.withdrawn or day < case.decided_on:
        return False
    for event in (case.repaired_on, case.changed_on, case.removed_on):
        if event is not None and event <= day:
            return False
    if reader == "public":
        if case.use_scope != "public" or case.holder == "natural_person":
            return False
        if published == "no" or (published == "if necessary" and not case.necessary):
            return False
    elif reader == "department":
        if case.use_scope == "internal":
            return False
    elif case.use_scope != "public":
        return False
    if case.kind == "permit":
        return case.stated_until is None or day <= case.stated_until
    if maximum is not None and not within_months(case.decided_on, day, maximum):
        stated_ended_it = case.stated_until is not None and within_months(case.decided_on, case.stated_until, maximum)
        return (
            continues
            and not (stated_ended_it and not is_last_day_of(case.decided_on, case.stated_until, maximum))
            and (case.performed_on is None or day < case.performed_on)
        )
    return within_months(case.decided_on, day, minimum) or case.stated_until is None or day <= case.stated_until


def marked(case: Case, day: date) -> bool:
    """Whether an objection is open on the day."""
    if case.disputed_since is None or day < case.disputed_since:
        return False
    return case.disputed_until is None or day < case.disputed_until


def within_months(first: date, day: date, months: int) -> bool:
    """Whether a day is no later than the last day of so many months that begin with ``first``."""
    passed = (day.year - first.year) * 12 + day.month - first.month
    return passed < months or (passed == months and day.day <= first.day)


def is_last_day_of(first: date, day: date | None, months: int) -> bool:
    """Whether the day is the last of the term: it is within, and the next one is not."""
    if day is None:
        return False
    return within_months(first, day, months) and not within_months(first, date.fromordinal(day.toordinal() + 1), months)
