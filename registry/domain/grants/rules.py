"""How requests for grants are handled: periods, terms and what is reported, as data (``credit_rules/grants``)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from registry.domain.credit.rule_files import RULES, RuleFile, RuleFileError, RuleProblem, read_all
from registry.domain.credit.working_days import Deadline, default_calendar

GRANTS = RULES / "grants"
SCHEMA = GRANTS / "grants.schema.json"


@dataclass(frozen=True, slots=True)
class GrantRules:
    """One edition."""

    edition: str
    valid_from: date
    source: str
    conformity_days: int
    """Working days in which the hub looks whether a request is complete and as it should be."""
    decision_days: int
    """Working days after that in which it is answered."""
    usual: timedelta
    """How long a grant holds where nobody says."""
    longest: timedelta
    expiring: timedelta
    """How long before its end a grant is reported."""
    unused: timedelta
    """After how long without any use."""

    def conformity_due(self, filed: date) -> Deadline:
        """The last day of the check of a request filed on a day. Years without a calendar: plain weekdays."""
        return default_calendar(assume_weekdays=True).deadline(filed, self.conformity_days)

    def decision_due(self, checked: date) -> Deadline:
        """The last day of the answer to a request found good on a day."""
        return default_calendar(assume_weekdays=True).deadline(checked, self.decision_days)


def load_grant_rules(folder: Path = GRANTS) -> tuple[GrantRules, ...]:
    """Every edition, the newest last. Raises RuleFileError with every problem of every file."""
    return tuple(sorted(read_all(folder, SCHEMA, _read), key=lambda rules: rules.valid_from))


@cache
def default_grant_rules() -> tuple[GrantRules, ...]:
    """The editions that come with the hub, or the city's, read once."""
    return load_grant_rules()


def rules_on(day: date, editions: tuple[GrantRules, ...] | None = None) -> GrantRules:
    """The edition of a day; before the first one, the first."""
    known = default_grant_rules() if editions is None else editions
    return next((rules for rules in reversed(known) if rules.valid_from <= day), known[0])


def edition(name: str) -> GrantRules:
    """The edition of a name, by which a request was filed; where its file is gone, the newest."""
    known = default_grant_rules()
    return next((rules for rules in known if rules.edition == name), known[-1])


def _read(file: RuleFile) -> GrantRules:
    data: Mapping[str, Any] = file.data
    terms, report = data["terms"], data["report"]
    if terms["usual_days"] > terms["longest_days"]:
        raise RuleFileError(
            [RuleProblem(file.path, 0, "terms.usual_days", "is longer than the longest; expected longest_days at most")]
        )
    return GrantRules(
        edition=data["edition"],
        valid_from=date.fromisoformat(data["valid_from"]),
        source=data["source"],
        conformity_days=data["conformity"]["within"],
        decision_days=data["decision"]["within"],
        usual=timedelta(days=terms["usual_days"]),
        longest=timedelta(days=terms["longest_days"]),
        expiring=timedelta(days=report["expiring_days"]),
        unused=timedelta(days=report["unused_days"]),
    )
