"""Credit repair 信用修复: the conditions, each looked at by itself so that all that is missing is said at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from registry.domain.credit.case_rules import Condition
from registry.domain.credit.publicity import NoRegime, Regimes, Term, default_regimes
from registry.domain.credit.visibility import Facts, Reason, last_day

PERFORMANCE = "performance"
"""Evidence that the duty was performed 履行义务证明材料."""
COMMITMENT = "commitment"
"""The public credit commitment 信用承诺书."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """One document that an applicant hands in; the hub keeps its digest, not the document."""

    kind: str
    """``performance``, ``commitment``, ``other``."""
    title: str
    sha256: str
    """Hexadecimal."""
    dated: date | None = None
    """Of a performance: the day on which the duty was performed."""


def unmet(
    conditions: Sequence[Condition],
    facts: Facts,
    evidence: Sequence[Evidence],
    day: date,
    regimes: Regimes | None = None,
) -> tuple[Reason, ...]:
    """Why a record cannot be repaired on a day; empty: it can.

    ``facts``: of the record with the hub's own marks on it (repaired, withdrawn).
    """
    try:
        term = (regimes or default_regimes()).term(facts.kind, facts.decided_on, facts.inputs)
    except NoRegime:
        return (_no_rule(facts),)
    return tuple(_unmet(conditions, facts, evidence, day, term))


def _unmet(
    conditions: Sequence[Condition], facts: Facts, evidence: Sequence[Evidence], day: date, term: Term
) -> Iterator[Reason]:
    until, over = last_day(facts, term.grade)
    if facts.withdrawn or (until is not None and day > until):
        code = "withdrawn" if facts.withdrawn else over.code
        yield Reason(
            "nothing_to_repair",
            f"该信息已不再公示（{code}），无需修复",
            f"the item is no longer public ({code}): there is nothing to repair",
        )
        return
    if term.repair_from is None:
        yield Reason(
            "not_repairable",
            f"按公示规则 {term.grade.rule}，该类信息不予修复",
            f"by {term.grade.rule} an item of this kind is not repaired",
        )
        return
    if "minimum_term_reached" in conditions and day < term.repair_from:
        yield Reason(
            "minimum_term_not_reached",
            f"最短公示期至 {term.minimum_until}（{term.grade.rule}），{term.repair_from} 起可申请修复",
            f"the minimum term runs until {term.minimum_until} ({term.grade.rule}); repair from {term.repair_from} on",
        )
    if "duty_performed" in conditions and not _performed(facts, evidence, day):
        yield Reason(
            "duty_not_performed",
            "未提交履行义务、纠正失信行为的证明材料（performance，注明履行日期，不得晚于当日）",
            "there is no evidence that the duty was performed (kind performance, dated, not later than today)",
        )
    if "commitment_given" in conditions and all(each.kind != COMMITMENT for each in evidence):
        yield Reason(
            "commitment_missing",
            "未提交信用承诺书（commitment）",
            "there is no public credit commitment (kind commitment)",
        )


def _performed(facts: Facts, evidence: Sequence[Evidence], day: date) -> bool:
    if facts.duty_performed_on is not None and facts.duty_performed_on <= day:
        return True
    return any(
        each.kind == PERFORMANCE and each.dated is not None and facts.decided_on <= each.dated <= day
        for each in evidence
    )


def _no_rule(facts: Facts) -> Reason:
    return Reason(
        "not_repairable",
        f"没有适用于 {facts.kind} 的公示规则，不能修复",
        f"no rule of publicity covers {facts.kind}: it cannot be repaired",
    )
