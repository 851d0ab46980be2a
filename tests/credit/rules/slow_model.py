"""The slow, obviously right model of visibility: the law's sentences, asked anew for one day, with no end computed.

It shares no code with the product: terms and grades stand here as the tables of the law do, and whether a day is within
n months is told by counting months, not by computing the last day.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
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


DAY = timedelta(days=1)
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
    **{(regime, "red_list", "listed"): ("yes", 0, None) for regime in ("2019", "2023", "2026")},
    **{(regime, "tax_arrears", "announced"): ("yes", 0, None) for regime in ("2019", "2023", "2026")},
    **{(regime, "tax_rating", "a"): ("yes", 0, 12) for regime in ("2019", "2023", "2026")},
    **{(regime, "tax_rating", "other"): ("no", 0, 12) for regime in ("2019", "2023", "2026")},
}


def seen(case: Case, day: date, reader: str, *, continues: bool = False) -> bool:
    """Whether the reader sees the record on the day; ``continues``: unperformed duties outlast the maximum."""
    gone = any(event is not None and event <= day for event in (case.repaired_on, case.changed_on, case.removed_on))
    if case.withdrawn or day < case.decided_on or gone or not allowed(case, reader):
        return False
    if case.kind == "permit":
        return case.stated_until is None or day <= case.stated_until
    return in_term(case, day) or (continues and still_open(case, day))


def allowed(case: Case, reader: str) -> bool:
    """Whether the record is for this reader at all."""
    published = TERMS[case.regime, case.kind, case.grade][0]
    if reader == "public":
        shown = published == "yes" or (published == "if necessary" and case.necessary)
        return shown and case.use_scope == "public" and case.holder != "natural_person"
    return case.use_scope == "public" or (reader == "department" and case.use_scope == "government")


def in_term(case: Case, day: date) -> bool:
    """Never beyond the maximum; always within the minimum; between them as long as the department stated."""
    _, minimum, maximum = TERMS[case.regime, case.kind, case.grade]
    if maximum is not None and not within_months(case.decided_on, day, maximum):
        return False
    return within_months(case.decided_on, day, minimum) or case.stated_until is None or day <= case.stated_until


def still_open(case: Case, day: date) -> bool:
    """Beyond the maximum, in a sector that publishes on: the duty is not performed, and no end was stated before."""
    maximum = TERMS[case.regime, case.kind, case.grade][2]
    if maximum is None or within_months(case.decided_on, day, maximum):
        return False
    stated = case.stated_until
    if stated is not None and within_months(case.decided_on, stated + DAY, maximum):
        return False
    return case.performed_on is None or day < case.performed_on


def marked(case: Case, day: date) -> bool:
    """Whether an objection is open on the day."""
    if case.disputed_since is None or day < case.disputed_since:
        return False
    return case.disputed_until is None or day < case.disputed_until


def within_months(first: date, day: date, months: int) -> bool:
    """Whether a day is no later than the last day of so many months that begin with ``first``."""
    passed = (day.year - first.year) * 12 + day.month - first.month
    return passed < months or (passed == months and day.day <= first.day)
