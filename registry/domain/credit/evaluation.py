"""Evaluation of an enterprise by a scorecard: pure, the same for the same records, explained to the last point.

A record counts in a factor by the first of its rules that fits on the day. Each rule fits a record on one span of days,
which follows from the record alone: the days on which it may be shared, its age, its validity. So the day on which the
same records give another evaluation is known beforehand (``changes_on``).
"""

from __future__ import annotations

import hashlib
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import cache
from typing import Any

import orjson

from registry.domain.credit.publicity import NoRegime, Regimes, Title, add_months, default_regimes
from registry.domain.credit.readers import Reader, ReaderRules, default_reader_rules
from registry.domain.credit.record_facts import NoFacts, RecordRules, default_record_rules, facts_of, in_yuan
from registry.domain.credit.scorecard import Factor, Scorecard, ScoreRule
from registry.domain.credit.visibility import Facts, visibility

_ONE_DAY = timedelta(days=1)
_DIGEST_BYTES = 16
COUNTING = 1
"""How points are counted: raised with every change of it, and every evaluation is made anew."""


@dataclass(frozen=True, slots=True)
class Rulebook:
    """The rules besides the card that bear on an evaluation."""

    regimes: Regimes
    readers: ReaderRules
    records: RecordRules

    @property
    def digest(self) -> str:
        """Another digest, and evaluations may be others."""
        parts = [*(regime.digest for regime in self.regimes.all), self.readers.digest, self.records.digest]
        return hashlib.sha256("".join(parts).encode()).hexdigest()


@cache
def default_rulebook() -> Rulebook:
    """The rules that come with the hub, read once."""
    return Rulebook(default_regimes(), default_reader_rules(), default_record_rules())


@dataclass(frozen=True, slots=True)
class RecordMarks:
    """What the hub itself knows of a record."""

    repaired_on: date | None = None
    changed_on: date | None = None
    """The day on which it was withdrawn because its decision was changed or revoked."""
    disputed_since: date | None = None
    disputed_until: date | None = None
    """The day on which the objection was decided."""


NO_MARKS = RecordMarks()


@dataclass(frozen=True, slots=True)
class RecordToScore:
    """One record of an enterprise."""

    dataset: str
    key: str
    version: int
    body: Mapping[str, Any]
    """At least the fields that the card looks at (:meth:`Scorecard.fields`)."""
    marks: RecordMarks = NO_MARKS


@dataclass(frozen=True, slots=True)
class CountedRecord:
    """A record that counts in a factor."""

    dataset: str
    rule: str
    points: int
    key: str | None = None
    """None: one that may no longer be named, such as a repaired record."""
    version: int | None = None
    disputed: bool = False


@dataclass(frozen=True, slots=True)
class FactorResult:
    """What one factor comes to: ``starts_at`` + its records' points + ``limited`` = ``points``."""

    name: str
    title: Title
    weight: int
    starts_at: int
    records: tuple[CountedRecord, ...]
    limited: int
    """What limits gave back or took away: the rules' ``at_most``, nothing and the weight."""
    points: int
    sentence: Title
    """How the points come about, in words."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """An enterprise by one card on one day."""

    scorecard: str
    """``enterprise_credit@1``."""
    day: date
    score: int
    best: int
    """The best score there is."""
    grade: str
    grade_title: Title
    grade_by_score: str
    """The grade that the score alone would have."""
    limited_by: tuple[str, ...]
    """Rules (``factor.rule``) that allow no better grade than this one; empty: the score alone decides."""
    factors: tuple[FactorResult, ...]
    input_digest: uuid.UUID
    """Of the card, the rules and everything of the records that bears on it."""
    changes_on: date | None
    """The next day on which the same records give another evaluation; None: never."""

    def as_dict(self) -> dict[str, Any]:
        """As JSON can say it, with the sentences."""
        return {
            "scorecard": self.scorecard,
            "day": self.day.isoformat(),
            "score": self.score,
            "best": self.best,
            "grade": self.grade,
            "grade_title": _both(self.grade_title),
            "grade_by_score": self.grade_by_score,
            "limited_by": list(self.limited_by),
            "factors": [
                {
                    "name": result.name,
                    "title": _both(result.title),
                    "points": result.points,
                    "weight": result.weight,
                    "starts_at": result.starts_at,
                    "limited": result.limited,
                    "records": [_record_dict(record) for record in result.records],
                    "sentence": _both(result.sentence),
                }
                for result in self.factors
            ],
            "input_digest": str(self.input_digest),
            "changes_on": self.changes_on and self.changes_on.isoformat(),
        }


@dataclass(slots=True)
class Score:
    """An evaluation without its words: what a million enterprises need."""

    day: date
    score: int
    grade: str
    factors: list[tuple[int, list[CountedRecord]]]
    """Of each factor of the card its points and the records that count in it."""
    input_digest: bytes
    changes_on: date | None

    def stored(self, card: Scorecard) -> bytes:
        """The factors as the table keeps them (JSON): name -> points and the records that count."""
        kept: dict[str, Any] = {}
        for factor, (points, counted) in zip(card.factors, self.factors, strict=True):
            kept[factor.name] = {"points": points}
            if counted:
                kept[factor.name]["records"] = [_record_dict(record) for record in counted]
        return orjson.dumps(kept)


@dataclass(frozen=True, slots=True)
class _Span:
    """The days, both included, on which a record counts by a rule of a factor."""

    first: date
    last: date
    rule: ScoreRule
    disputed: bool


@dataclass(frozen=True, slots=True)
class _Placed:
    """A record with its spans in one factor, in the order of the rules."""

    record: RecordToScore
    spans: tuple[_Span, ...]


@dataclass(slots=True)
class Evaluator:
    """Evaluates enterprises by one card; made once for many."""

    card: Scorecard
    rules: Rulebook = field(default_factory=default_rulebook)
    _places: dict[str, list[tuple[int, tuple[ScoreRule, ...]]]] = field(init=False, repr=False)
    _fields: dict[str, tuple[str, ...]] = field(init=False, repr=False)
    _begin: Any = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._places = {}
        for number, factor in enumerate(self.card.factors):
            for dataset in dict.fromkeys(rule.dataset for rule in factor.rules):
                mine = tuple(rule for rule in factor.rules if rule.dataset == dataset)
                self._places.setdefault(dataset, []).append((number, mine))
        self._fields = {
            dataset: tuple(sorted(self.card.fields(dataset, self.rules.records))) for dataset in self.card.datasets
        }
        stands_on = f"{COUNTING}{self.card.digest}{self.rules.digest}"
        self._begin = hashlib.blake2b(stands_on.encode(), digest_size=_DIGEST_BYTES)

    @property
    def digest(self) -> str:
        """Of the card, all rules and how they are applied: with another one every enterprise is evaluated anew."""
        return str(self._begin.hexdigest())

    def evaluate(self, records: Iterable[RecordToScore], day: date) -> Evaluation:
        """One enterprise on one day, explained."""
        score = self.score(records, day)
        return explained(self.card, score.day, score.factors, uuid.UUID(bytes=score.input_digest), score.changes_on)

    def score(self, records: Iterable[RecordToScore], day: date) -> Score:
        """One enterprise on one day."""
        ordered = sorted(
            (record for record in records if record.dataset in self._places),
            key=lambda record: (record.dataset, record.key, record.version),
        )
        placed: list[list[_Placed]] = [[] for _ in self.card.factors]
        for record in ordered:
            for number, spans in self._spans(record):
                placed[number].append(_Placed(record, spans))
        factors: list[tuple[int, list[CountedRecord]]] = []
        limits: list[str] = []
        changes_on: date | None = None
        for factor, mine in zip(self.card.factors, placed, strict=True):
            points, counted, caps = _count(factor, mine, day) if mine else (factor.starts_at, [], [])
            factors.append((points, counted))
            limits += caps
            change = _next_change(factor, mine, day) if mine else None
            if change is not None and (changes_on is None or change < changes_on):
                changes_on = change
        score = sum(points for points, _ in factors)
        grade = self.card.grade(score, limits).code
        return Score(day, score, grade, factors, self._digest_of(ordered), changes_on)

    def nameable(self, records: Iterable[RecordToScore], today: date) -> frozenset[tuple[str, str]]:
        """Dataset and key of those records that may be named today, whatever day an evaluation is of.

        ``records``: those that the registry holds now. Of datasets with publicity rules the card's reader must see
        the record today; of others the records that are there, not repaired and not withdrawn, are named.
        """
        found = set()
        for record in records:
            if record.marks.repaired_on is not None or record.marks.changed_on is not None:
                continue
            if record.dataset in self.rules.records.records:
                seen = _Shown(record, self.card.reader, self.rules).by()
                if seen is None or not seen[1] <= today <= seen[2]:
                    continue
            found.add((record.dataset, record.key))
        return frozenset(found)

    def _digest_of(self, records: Sequence[RecordToScore]) -> bytes:
        digest = self._begin.copy()
        said = []
        for record in records:
            body = record.body
            values = [body.get(name) for name in self._fields[record.dataset]]
            said.append([record.dataset, record.key, record.version, values])
            if record.marks != NO_MARKS:
                said[-1].append(record.marks)
        digest.update(orjson.dumps(said, option=orjson.OPT_SORT_KEYS))
        found: bytes = digest.digest()
        return found

    def _spans(self, record: RecordToScore) -> Iterator[tuple[int, tuple[_Span, ...]]]:
        """Of each factor that looks at the record: its number and the record's spans in it."""
        shown = _Shown(record, self.card.reader, self.rules)
        for number, rules in self._places[record.dataset]:
            spans: list[_Span] = []
            for rule in rules:
                if _fits(rule, record.body):
                    days = _days(rule, record, shown)
                    if days is not None and days[0] <= days[1]:
                        spans += self._with_dispute(rule, *days, shown)
            if spans:
                yield number, tuple(spans)

    def _with_dispute(self, rule: ScoreRule, first: date, last: date, shown: _Shown) -> list[_Span]:
        since, until = shown.disputed(rule)
        if since is None or since > last or (until is not None and until <= first):
            return [_Span(first, last, rule, disputed=False)]
        spans = [_Span(first, since - _ONE_DAY, rule, disputed=False)] if since > first else []
        if self.card.disputed == "count":
            end = last if until is None or until > last else until - _ONE_DAY
            spans.append(_Span(max(first, since), end, rule, disputed=True))
        if until is not None and until <= last:
            spans.append(_Span(until, last, rule, disputed=False))
        return spans


def evaluate(card: Scorecard, records: Iterable[RecordToScore], day: date, rules: Rulebook | None = None) -> Evaluation:
    """One enterprise on one day, by its records; their order does not matter."""
    return Evaluator(card, rules or default_rulebook()).evaluate(records, day)


def explained(
    card: Scorecard,
    day: date,
    factors: Sequence[tuple[int, Sequence[CountedRecord]]],
    input_digest: uuid.UUID,
    changes_on: date | None,
) -> Evaluation:
    """An evaluation in words, from each factor's points and the records that count."""
    score = sum(points for points, _ in factors)
    caps = [
        (f"{factor.name}.{rule.name}", rule.grade_at_most)
        for factor, (_, counted) in zip(card.factors, factors, strict=True)
        for rule in factor.rules
        if rule.grade_at_most is not None and any(record.rule == rule.name for record in counted)
    ]
    alone = card.grade(score)
    grade = card.grade(score, [cap for _, cap in caps])
    return Evaluation(
        scorecard=card.reference,
        day=day,
        score=score,
        best=card.best,
        grade=grade.code,
        grade_title=grade.title,
        grade_by_score=alone.code,
        limited_by=tuple(name for name, cap in caps if grade is not alone and cap == grade.code),
        factors=tuple(
            _result(factor, points, counted) for factor, (points, counted) in zip(card.factors, factors, strict=True)
        ),
        input_digest=input_digest,
        changes_on=changes_on,
    )


def from_stored(
    card: Scorecard, day: date, factors: Mapping[str, Any], input_digest: uuid.UUID, changes_on: date | None
) -> Evaluation:
    """An evaluation in words, from what the table keeps. ``card``: the one it was made by."""
    kept = [factors[factor.name] for factor in card.factors]
    return explained(
        card,
        day,
        [(part["points"], [CountedRecord(**record) for record in part.get("records", ())]) for part in kept],
        input_digest,
        changes_on,
    )


def without_names(evaluation: Evaluation, named: frozenset[tuple[str, str]]) -> Evaluation:
    """The same evaluation, in which only some records (dataset and key) stand with their key and version."""
    return replace(
        evaluation,
        factors=tuple(
            replace(
                factor,
                records=tuple(
                    record if (record.dataset, record.key) in named else replace(record, key=None, version=None)
                    for record in factor.records
                ),
            )
            for factor in evaluation.factors
        ),
    )


class _Shown:
    """Who sees a record when; found out at most once, and only if a rule asks."""

    __slots__ = ("_facts", "_known", "_reader", "_record", "_rules", "_spans")

    def __init__(self, record: RecordToScore, reader: Reader, rules: Rulebook) -> None:
        self._record = record
        self._reader = reader
        self._rules = rules
        self._facts: Facts | None = None
        self._known = False
        self._spans: dict[Reader, tuple[str, date, date] | None] = {}

    def facts(self) -> Facts | None:
        """What bears on its visibility; None where its publicity cannot be judged, as for want of its day."""
        if not self._known:
            self._known = True
            marks = self._record.marks
            try:
                facts = facts_of(self._record.dataset, self._record.body, self._rules.records)
            except NoFacts:
                return None
            if marks is not NO_MARKS:
                facts = replace(
                    facts,
                    repaired_on=marks.repaired_on,
                    changed_on=marks.changed_on,
                    disputed_since=marks.disputed_since or facts.disputed_since,
                    disputed_until=marks.disputed_until if marks.disputed_since else facts.disputed_until,
                )
            self._facts = facts
        return self._facts

    def disputed(self, rule: ScoreRule) -> tuple[date | None, date | None]:
        """Since when, and the day on which it was decided, as far as a rule asks."""
        if rule.counts == "after_repair":
            return None, None
        source = self._record.marks if rule.counts == "always" else self.facts() or self._record.marks
        return source.disputed_since, source.disputed_until

    def by(self, reader: Reader | None = None) -> tuple[str, date, date] | None:
        """Its grade, and the first and last day on which a reader (the card's) sees it; None: on no day."""
        reader = reader or self._reader
        if reader not in self._spans:
            self._spans[reader] = self._seen(reader)
        return self._spans[reader]

    def _seen(self, reader: Reader) -> tuple[str, date, date] | None:
        facts = self.facts()
        if facts is None:
            return None
        try:
            found = visibility(facts, facts.decided_on, reader, self._rules.regimes, self._rules.readers)
        except NoRegime:
            return None
        return None if found.since is None else (found.grade, found.since, found.until or date.max)

    def repaired(self) -> tuple[str, date, date] | None:
        """Its grade, and the days since its repair; None: not repaired, or the decision itself is gone."""
        facts = self.facts()
        if facts is None or facts.repaired_on is None or facts.withdrawn:
            return None
        try:
            grade = self._rules.regimes.on(facts.decided_on).kind(facts.kind).grade(facts.inputs)
        except NoRegime:
            return None
        return grade.code, facts.repaired_on, _before(facts.changed_on)


def _fits(rule: ScoreRule, body: Mapping[str, Any]) -> bool:
    """Whether what a record says fits, whatever the day."""
    for name, values in rule.where.items():
        if not _is_one_of(body.get(name), values):
            return False
    for name, values in rule.where_not.items():
        if _is_one_of(body.get(name), values):
            return False
    amount = rule.amount
    if amount is not None:
        yuan = in_yuan(body.get(amount.field))
        if yuan is None or (amount.least is not None and yuan < amount.least):
            return False
        return amount.below is None or yuan < amount.below
    return True


def _is_one_of(value: Any, values: frozenset[str]) -> bool:
    return not values.isdisjoint(value) if isinstance(value, list | tuple) else value in values


def _days(rule: ScoreRule, record: RecordToScore, shown: _Shown) -> tuple[date, date] | None:
    """The first and last day on which the rule's days and terms fit; None: none."""
    first, last = date.min, date.max
    since_repair: date | None = None
    if rule.counts != "always":
        if rule.counts == "after_repair":
            seen = shown.repaired()
        else:
            seen = shown.by("public" if rule.counts == "while_public" else None)
        if seen is None or (rule.grades and seen[0] not in rule.grades):
            return None
        _, first, last = seen
        since_repair = first
    else:
        # Whatever the dataset: what was repaired or withdrawn may no longer be used.
        last = min(_before(record.marks.repaired_on), _before(record.marks.changed_on))
    body = record.body
    if rule.age is not None:
        since = since_repair if rule.age.since is None else _day(body, rule.age.since)
        if since is None:
            return None
        first = max(first, _months_after(since, rule.age.from_months))
        if rule.age.below_months is not None:
            last = min(last, _before(_months_after(since, rule.age.below_months)))
    if rule.valid_from is not None:
        first = max(first, _day(body, rule.valid_from) or first)
    if rule.valid_to is not None:
        last = min(last, _day(body, rule.valid_to) or last)
    if rule.ended_on is not None:
        last = min(last, _before(_day(body, rule.ended_on)))
    return first, last


def _day(body: Mapping[str, Any], name: str) -> date | None:
    text = body.get(name)
    return _parsed(text) if isinstance(text, str) and text else None


_PARSED: dict[str, date] = {}
_MOST_PARSED = 1 << 16


def _parsed(text: str) -> date:
    """Remembered: a city's records share their days."""
    found = _PARSED.get(text)
    if found is None:
        if len(_PARSED) >= _MOST_PARSED:
            _PARSED.clear()
        found = _PARSED[text] = date.fromisoformat(text)
    return found


def _months_after(day: date, months: int) -> date:
    """The last day there is where the calendar ends before."""
    try:
        return add_months(day, months)
    except (ValueError, OverflowError):
        return date.max


def _before(day: date | None) -> date:
    """The day before; without a day, the last one there is."""
    if day is None or day == date.max:
        return date.max
    return day - _ONE_DAY if day > date.min else day


def _at(spans: Sequence[_Span], day: date) -> _Span | None:
    for span in spans:
        if span.first <= day <= span.last:
            return span
    return None


def _counting(factor: Factor, placed: Sequence[_Placed], day: date) -> list[tuple[RecordToScore, _Span]]:
    """The records that count on a day, each with its span."""
    found = []
    for each in placed:
        span = _at(each.spans, day)
        if span is not None:
            found.append((each.record, span))
    newest = factor.only_newest
    if newest is not None and len(found) > 1:
        return [max(found, key=lambda pair: (str(pair[0].body.get(newest) or ""), pair[0].version, pair[0].key))]
    return found


def _count(factor: Factor, placed: Sequence[_Placed], day: date) -> tuple[int, list[CountedRecord], list[str]]:
    """The factor's points, the records that count, and the grades that they allow at most."""
    counted: list[CountedRecord] = []
    caps: list[str] = []
    by_rule: Counter[int] = Counter()
    rules: dict[int, ScoreRule] = {}
    for record, span in _counting(factor, placed, day):
        rule = span.rule
        named = rule.counts != "after_repair"
        counted.append(
            CountedRecord(
                record.dataset,
                rule.name,
                rule.points,
                record.key if named else None,
                record.version if named else None,
                span.disputed,
            )
        )
        by_rule[id(rule)] += 1
        rules[id(rule)] = rule
        if rule.grade_at_most is not None:
            caps.append(rule.grade_at_most)
    total = factor.starts_at + sum(_of_rule(rules[number], count) for number, count in by_rule.items())
    return min(max(total, 0), factor.weight), counted, caps


def _of_rule(rule: ScoreRule, count: int) -> int:
    points = rule.points * count
    if rule.at_most is None:
        return points
    return max(min(points, rule.at_most), -rule.at_most)


def _next_change(factor: Factor, placed: Sequence[_Placed], day: date) -> date | None:
    """The first later day on which the factor counts other records, or counts them otherwise."""
    days = sorted({boundary for each in placed for boundary in _boundaries(each.spans, day)})
    if not days:
        return None
    now = [(record, span.rule, span.disputed) for record, span in _counting(factor, placed, day)]
    for later in days:
        then = [(record, span.rule, span.disputed) for record, span in _counting(factor, placed, later)]
        if len(then) != len(now) or any(
            a[0] is not b[0] or a[1] is not b[1] or a[2] is not b[2] for a, b in zip(now, then, strict=True)
        ):
            return later
    return None


def _boundaries(spans: Sequence[_Span], day: date) -> Iterator[date]:
    for span in spans:
        if span.first > day:
            yield span.first
        if day <= span.last < date.max:
            yield span.last + _ONE_DAY


def _result(factor: Factor, points: int, counted: Sequence[CountedRecord]) -> FactorResult:
    limited = points - factor.starts_at - sum(record.points for record in counted)
    return FactorResult(
        name=factor.name,
        title=factor.title,
        weight=factor.weight,
        starts_at=factor.starts_at,
        records=tuple(counted),
        limited=limited,
        points=points,
        sentence=_sentence(factor, points, counted, limited),
    )


def _sentence(factor: Factor, points: int, counted: Sequence[CountedRecord], limited: int) -> Title:
    by_rule = Counter(record.rule for record in counted)
    disputed = Counter(record.rule for record in counted if record.disputed)
    zh = [f"起评{factor.starts_at}分"]
    en = [f"starts at {factor.starts_at}"]
    for rule in factor.rules:
        count = by_rule[rule.name]
        if count:
            mark_zh = f"，其中{disputed[rule.name]}条异议处理中" if disputed[rule.name] else ""
            mark_en = f", {disputed[rule.name]} of them disputed" if disputed[rule.name] else ""
            zh.append(f"{rule.title.zh}{count}条{mark_zh}，{_signed(rule.points * count)}分")
            en.append(f"{rule.title.en} ({count} record{'s' * (count > 1)}{mark_en}): {_signed(rule.points * count)}")
    if not counted:
        zh.append("无计分记录")
        en.append("no record counts")
    if limited:
        zh.append(f"限额调整{_signed(limited)}分")
        en.append(f"by the limits: {_signed(limited)}")
    return Title(
        zh=f"{factor.title.zh}：{'；'.join(zh)}；得{points}分（满分{factor.weight}分）。",
        en=f"{factor.title.en}: {'; '.join(en)}; {points} of {factor.weight} points.",
    )


def _signed(points: int) -> str:
    return f"+{points}" if points > 0 else f"−{-points}" if points < 0 else "0"


def _record_dict(record: CountedRecord) -> dict[str, Any]:
    found: dict[str, Any] = {"dataset": record.dataset}
    if record.key is not None:
        found |= {"key": record.key, "version": record.version}
    found |= {"rule": record.rule, "points": record.points}
    return found | {"disputed": True} if record.disputed else found


def _both(title: Title) -> dict[str, str]:
    return {"zh": title.zh, "en": title.en}
