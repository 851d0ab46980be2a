"""Who sees a record on which day: computed when it is read, from its facts, the day and the reader.

Everything that bears on a record ends or begins with a day, so a reader sees it in one span of days, or never:

* from the day of the deciding document to the last day of its term (:mod:`registry.domain.credit.publicity`);
* the department's own last day (公示截止期) counts where it lies between the minimum and the maximum;
* from the day of the repair, of the change or revocation, or of the removal from the list, nobody sees it any more:
  the law allows some days for that withdrawal, the hub needs none;
* the uses that the source allows, natural persons and grades that are not published keep readers out altogether.

While an objection is open the record carries the mark ``disputed``; it stays visible.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from registry.domain.credit.publicity import Ends, Grade, GradeInputs, Regimes, add_months, default_regimes
from registry.domain.credit.readers import Reader, ReaderRule, ReaderRules, default_reader_rules

UseScope = Literal["public", "government", "internal"]
Mark = Literal["disputed"]

_ONE_DAY = timedelta(days=1)
_DISPUTED: tuple[Mark, ...] = ("disputed",)


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of one record, as far as its visibility goes. Days are those of the facts, not of their entry."""

    kind: str
    """``penalty``, ``permit``, ``serious_dishonesty`` and what else the regimes have."""
    decided_on: date
    inputs: GradeInputs
    use_scope: UseScope = "public"
    stated_until: date | None = None
    """The last day by the department's own statement: 公示截止期, a permit's last day of validity."""
    ended_on: date | None = None
    """The day of the removal from the list."""
    publication_requested: bool = False
    """Whether the department found it necessary to publish a record of a grade that is published on request only."""
    duty_performed_on: date | None = None
    repaired_on: date | None = None
    changed_on: date | None = None
    """The day on which the decision was changed or revoked; the changed decision is a record of its own."""
    withdrawn: bool = False
    """Whether the source says that the decision no longer holds, without a day."""
    disputed_since: date | None = None
    disputed_until: date | None = None
    """The day on which the objection was decided: from then on there is no mark."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a record is, or is not, visible; the code is stable."""

    code: str
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Visibility:
    """What a reader sees of a record on a day."""

    visible: bool
    since: date | None
    """The first day on which this reader sees it, by the facts given; None: never."""
    until: date | None
    """The last such day; None: no end is known, or never."""
    marks: tuple[Mark, ...]
    """What must be shown with it wherever it is shown; empty where it is not visible."""
    reason: Reason
    grade: str
    rule: str
    """The rule that was applied: ``publicity/2026#penalty.ordinary``, ``readers/1#public``."""


NOT_YET = Reason("before_decision", "尚未作出决定", "before the day of the decision")
IN_TERM = Reason("in_term", "公示期内", "within its publicity term")
LISTED = Reason("listed", "列入名录（名单）期间", "while it is listed")
VALID = Reason("valid", "许可有效期内", "while the permit is valid")
UNPERFORMED = Reason(
    "unperformed",
    "最长公示期届满但义务未履行，按行业规定继续公示",
    "beyond the maximum term, the duty not being performed",
)
INTERNAL = Reason("use_scope", "信息使用范围不包括此类读者", "its use scope leaves this reader out")
NATURAL_PERSON = Reason(
    "holder_kind", "自然人的信息不向此类读者提供", "records of natural persons are not for this reader"
)
NOT_PUBLISHED = Reason("grade_not_published", "此类失信信息不予公示", "records of this grade are not published")
NOT_REQUESTED = Reason(
    "publication_not_requested", "轻微失信信息原则上不予公示", "records of this grade are published only if necessary"
)
REPAIRED = Reason("repaired", "已完成信用修复，停止公示和共享", "repaired: neither published nor shared")
CHANGED = Reason("changed", "决定已变更或者撤销，已撤回", "the decision was changed or revoked, so it is withdrawn")
WITHDRAWN = Reason("withdrawn", "决定已失效或者撤回", "the source has withdrawn it")
REMOVED = Reason("removed", "已移出名录（名单）", "removed from the list")
STATED_OVER = Reason("stated_term_over", "公示截止期已过", "the department's own last day has passed")
EXPIRED = Reason("permit_expired", "许可有效期已届满", "the permit's validity has ended")
MAXIMUM_OVER = Reason(
    "maximum_term_over", "最长公示期届满，自动停止公示", "the maximum term has ended: it stopped by itself"
)
PERFORMED = Reason("performed", "最长公示期届满且义务已履行", "beyond the maximum term the duty was performed")

_BY_GRADE = (NOT_PUBLISHED, NOT_REQUESTED, WITHDRAWN)
"""Reasons that the regime or the record itself gives; the others come from the reader's rule."""
_WHILE: dict[Ends, Reason] = {"term": IN_TERM, "removal": LISTED, "validity": VALID}


def visibility(
    facts: Facts,
    day: date,
    reader: Reader,
    regimes: Regimes | None = None,
    readers: ReaderRules | None = None,
) -> Visibility:
    """What ``reader`` sees of a record on ``day``. Raises NoRegime where no rule covers its day or kind."""
    grade = (regimes or default_regimes()).on(facts.decided_on).kind(facts.kind).grade(facts.inputs)
    rules = readers or default_reader_rules()
    never = _never(facts, grade, rules.of(reader))
    if never is not None:
        return _unseen(None, None, never, grade, grade.rule if never in _BY_GRADE else rules.reference(reader))
    since = facts.decided_on
    until, over = last_day(facts, grade)
    if until is not None and until < since:
        return _unseen(None, None, over, grade, grade.rule)
    if day < since:
        return _unseen(since, until, NOT_YET, grade, grade.rule)
    if until is not None and day > until:
        return _unseen(since, until, over, grade, grade.rule)
    marks = _DISPUTED if is_disputed(facts, day) else ()
    reason = UNPERFORMED if grade.continues_unperformed and _beyond_maximum(grade, since, day) else _WHILE[grade.ends]
    return Visibility(
        visible=True, since=since, until=until, marks=marks, reason=reason, grade=grade.code, rule=grade.rule
    )


def is_disputed(facts: Facts, day: date) -> bool:
    """Whether an objection is open on that day."""
    since, until = facts.disputed_since, facts.disputed_until
    return since is not None and since <= day and (until is None or day < until)


def last_day(facts: Facts, grade: Grade) -> tuple[date | None, Reason]:
    """The last day on which anybody may see the record, and what ends it; None: no end is known."""
    until, over = _term_ends(facts, grade)
    for day, reason in ((facts.ended_on, REMOVED), (facts.repaired_on, REPAIRED), (facts.changed_on, CHANGED)):
        if day is not None and (until is None or day <= until + _ONE_DAY):
            until, over = day - _ONE_DAY, reason
    return until, over


def _term_ends(facts: Facts, grade: Grade) -> tuple[date | None, Reason]:
    """The last day by the term alone."""
    stated = facts.stated_until
    if grade.ends == "validity":
        return stated, EXPIRED
    maximum = None
    if grade.maximum_months is not None:
        maximum = add_months(facts.decided_on, grade.maximum_months)
    if stated is not None and (maximum is None or stated < maximum):
        return max(stated, add_months(facts.decided_on, grade.minimum_months)), STATED_OVER
    if maximum is None or not grade.continues_unperformed:
        return maximum, MAXIMUM_OVER
    performed = facts.duty_performed_on
    if performed is None:
        return None, PERFORMED
    return (performed - _ONE_DAY, PERFORMED) if performed > maximum else (maximum, MAXIMUM_OVER)


def _beyond_maximum(grade: Grade, decided_on: date, day: date) -> bool:
    return grade.maximum_months is not None and day > add_months(decided_on, grade.maximum_months)


def _never(facts: Facts, grade: Grade, rule: ReaderRule) -> Reason | None:
    """Why this reader sees the record on no day; None: on some days."""
    if facts.withdrawn:
        return WITHDRAWN
    if facts.use_scope not in rule.scopes:
        return INTERNAL
    if facts.inputs.holder not in rule.holders:
        return NATURAL_PERSON
    if grade.published == "always" or rule.unpublished_grades:
        return None
    if grade.published == "never":
        return NOT_PUBLISHED
    return None if facts.publication_requested else NOT_REQUESTED


def _unseen(since: date | None, until: date | None, reason: Reason, grade: Grade, rule: str) -> Visibility:
    return Visibility(visible=False, since=since, until=until, marks=(), reason=reason, grade=grade.code, rule=rule)
