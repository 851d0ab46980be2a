"""What an upper-level platform is to be told of one decision: to publish it, to withdraw it, or nothing.

Publication follows what the public may see today. A decision that the platform may have been told of and that the
public may see no longer is withdrawn, with the reason and the day; where the decision was changed or revoked the law
wants that within some days (行政处罚法第四十八条; the number is in ``publicity/<regime>.yaml``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from registry.domain.credit.lateness import withdrawal_lateness
from registry.domain.credit.marks import Mark, china_day, with_mark
from registry.domain.credit.publicity import NoRegime, default_regimes
from registry.domain.credit.readers import shown_record
from registry.domain.credit.record_facts import NoFacts, default_record_rules, facts_of, holder_kind
from registry.domain.credit.visibility import CHANGED, REPAIRED, WITHDRAWN, Facts, Reason, Visibility, visibility

GONE = Reason("gone", "数据来源已不再提供", "its source no longer has it")
UNJUDGED = Reason("no_rule", "没有可适用的公示规则", "no rule says who may see it")
_REVOKED = (WITHDRAWN, CHANGED)
"""Reasons that are the decision's own change or revocation."""
_ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a record as the registry held it."""

    body: Mapping[str, Any]
    valid_from: datetime
    valid_to: datetime | None
    """None: it is the present one."""


@dataclass(frozen=True, slots=True)
class Publish:
    """The decision is to be public."""

    shown: Mapping[str, Any]
    """What the public may see of it."""
    version_time: datetime
    disputed: bool


@dataclass(frozen=True, slots=True)
class Withdraw:
    """The decision is to be public no longer."""

    shown: Mapping[str, Any]
    """Of its last version that was public; the platform needs no more than what identifies it."""
    version_time: datetime
    reason: Reason
    since: date
    """The first day on which it may no longer be public."""
    last_day: date | None
    """The last day to withdraw it; None: the law names none, for the decision itself stands."""
    days_late: int
    """Calendar days after that day, today."""


def publication(
    dataset: str,
    schema: str,
    versions: Sequence[Version],
    mark: Mark,
    now: datetime,
    *,
    since: datetime | None = None,
    touched: bool = False,
) -> Publish | Withdraw | None:
    """What to tell of a record today. Raises UnknownSchema.

    ``versions``: oldest first, the present one and, with ``since``, those that ended from then on. Without ``since``
    what is public is told, all of it; with it what has become public, changed or ended since then. ``touched``: an
    objection to it ended since then.
    """
    today = china_day(now)
    present = versions[-1] if versions and versions[-1].valid_to is None else None
    seen = None if present is None else _seen(dataset, present, mark, today)
    if present is not None and seen is not None and seen.visible:
        if since is not None and not (touched or _is_news(dataset, present, mark, since)):
            return None
        return Publish(_shown(dataset, schema, present), present.valid_from, bool(seen.marks))
    if since is None:
        return None
    last = next((each for each in reversed(versions) if _was_public(dataset, each, mark, since, today)), None)
    if last is None:
        return None
    reason = GONE if present is None else UNJUDGED if seen is None else seen.reason
    day = _ended_on(dataset, versions, mark, seen, reason)
    last_day, late = _deadline(dataset, last, reason, day, today)
    return Withdraw(_shown(dataset, schema, last), last.valid_from, reason, day, last_day, late)


def _is_news(dataset: str, present: Version, mark: Mark, since: datetime) -> bool:
    """Whether the present version was not public, or not so, at that moment."""
    if present.valid_from >= since or (mark.disputed_since is not None and mark.disputed_since >= since):
        return True
    before = _seen(dataset, present, mark, china_day(since))
    return before is None or not before.visible


def _was_public(dataset: str, version: Version, mark: Mark, since: datetime, today: date) -> bool:
    """Whether the public could see a version on any day from ``since`` on, while the registry held it."""
    first = china_day(max(version.valid_from, since))
    last = today if version.valid_to is None else china_day(version.valid_to)
    seen = _seen(dataset, version, _mark_at(mark, since), first)
    if seen is None or seen.since is None:
        return False
    return seen.since <= last and (seen.until is None or seen.until >= first)


def _mark_at(mark: Mark, since: datetime) -> Mark:
    """The mark without what came after that moment."""
    return replace(
        mark,
        repaired_at=_if_before(mark.repaired_at, since),
        withdrawn_at=_if_before(mark.withdrawn_at, since),
    )


def _if_before(moment: datetime | None, since: datetime) -> datetime | None:
    return moment if moment is not None and moment < since else None


def _ended_on(dataset: str, versions: Sequence[Version], mark: Mark, seen: Visibility | None, reason: Reason) -> date:
    """The first day on which the record may be public no longer."""
    ended = versions[-1].valid_to
    if ended is not None:
        return china_day(ended)
    if reason is REPAIRED and mark.repaired_at is not None:
        return china_day(mark.repaired_at)
    if reason is CHANGED and mark.withdrawn_at is not None:
        return china_day(mark.withdrawn_at)
    if seen is not None and seen.until is not None:
        return seen.until + _ONE_DAY
    began = versions[-1].valid_from
    for each in reversed(versions):
        if each.valid_to not in {None, began} or _ever_public(dataset, each):
            break
        began = each.valid_from
    return china_day(began)


def _ever_public(dataset: str, version: Version) -> bool:
    seen = _seen(dataset, version, Mark(), china_day(version.valid_from))
    return seen is not None and seen.since is not None


def _deadline(dataset: str, last: Version, reason: Reason, day: date, today: date) -> tuple[date | None, int]:
    if reason not in _REVOKED:
        return None, 0
    try:
        within = default_regimes().on(facts_of(dataset, last.body).decided_on).withdraw_within_days
    except (NoFacts, NoRegime):
        return None, 0
    lateness = withdrawal_lateness(day, today, within)
    return lateness.deadline, lateness.late_by


def _seen(dataset: str, version: Version, mark: Mark, day: date) -> Visibility | None:
    """What the public sees of a version; None: no rule can say it."""
    try:
        facts: Facts = with_mark(facts_of(dataset, version.body), mark)
        return visibility(facts, day, "public")
    except (NoFacts, NoRegime):
        return None


def _shown(dataset: str, schema: str, version: Version) -> dict[str, Any]:
    holder = holder_kind(default_record_rules().of(dataset), version.body)
    return shown_record(version.body, schema, holder, "public")
