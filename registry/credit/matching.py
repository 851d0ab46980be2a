"""Records without a code in the registry: whom they may be about, and what a rule or a person decided.

A match never changes a record: an accepted one puts it into the enterprise's file, an undone one takes it out again. A
decision holds as long as the record says the same of whom it is about; then it lapses, and the record is matched anew.
What a person rejected or undid is never proposed again for the same words, unless a person reopens it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

import psycopg
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from registry.credit import following
from registry.credit.following import RecordKey, columns
from registry.credit.names import Wanted, enterprises, named_alike, named_by_identifier, subject_digest
from registry.domain.credit import matching as rules
from registry.domain.credit.cases import CreditRefused
from registry.domain.credit.matching import Candidate, Subject
from registry.domain.credit.sources import Sources
from registry.sealing.records import opened

RULE = "rule:"
"""Before the name of the rule, in ``decided_by``."""
STATES = {
    "candidate": ("待确认", "a candidate"),
    "accepted": ("已归集", "accepted"),
    "rejected": ("已否定", "rejected"),
    "undone": ("已撤销", "undone"),
    "lapsed": ("已失效", "lapsed"),
}
"""In both languages."""


class MatchDecided(CreditRefused):
    """The match is not in a state in which this can be decided; the message says which."""

    def __init__(self, zh: str, en: str) -> None:
        super().__init__("match_decided", zh, en)


class UnknownMatch(CreditRefused):
    """There is no match of this number."""

    def __init__(self, number: int) -> None:
        super().__init__("match_unknown", f"没有匹配 {number}", f"there is no match {number}")


@dataclass(frozen=True, slots=True)
class Match:
    """A record without a code and an enterprise that it may be about."""

    id: int
    dataset: str
    key: str
    entity: str
    score: float
    features: Mapping[str, Any]
    state: str
    """``candidate``, ``accepted``, ``rejected``, ``undone``, ``lapsed``."""
    decided_by: str | None
    decided_at: datetime | None
    reason: str | None
    found_at: datetime
    accepted_at: datetime | None
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class Decision:
    """What a rule or a person said of a match."""

    at: datetime
    decision: str
    """``accepted``, ``rejected``, ``undone``, ``reopened``."""
    decided_by: str
    reason: str | None


_COLUMNS: LiteralString = """
SELECT m.id, d.name AS dataset, m.key, m.entity, m.score, m.features, m.state, m.decided_by, m.decided_at, m.reason,
    m.found_at, m.accepted_at, m.ended_at
FROM registry.entity_match m JOIN registry.dataset d ON d.id = m.dataset_id
"""


def concerning(connection: psycopg.Connection, entities: Sequence[str]) -> list[RecordKey]:
    """The records that are matched with one of some enterprises, or may be."""
    rows = connection.execute(
        "SELECT DISTINCT dataset_id, key FROM registry.entity_match"
        " WHERE entity = ANY(%s) AND state IN ('candidate', 'accepted')",
        (list(entities),),
    )
    return [RecordKey(*row) for row in rows]


def accept(connection: psycopg.Connection, number: int, *, by: str, reason: str, now: datetime) -> Match:
    """A person says that the record is about the enterprise. Raises UnknownMatch, MatchDecided, CreditRefused.

    The last without who and why: nobody's word is no decision.
    """
    _expect_person(by, reason)
    with connection.transaction():
        found = _for_decision(connection, number, "candidate")
        _end_others(connection, found)
        return _decide(connection, found, "accepted", by, reason, now)


def reject(connection: psycopg.Connection, number: int, *, by: str, reason: str, now: datetime) -> Match:
    """A person says that the record is not about the enterprise.

    Raises UnknownMatch, MatchDecided, CreditRefused as :func:`accept` does.
    """
    _expect_person(by, reason)
    with connection.transaction():
        return _decide(connection, _for_decision(connection, number, "candidate"), "rejected", by, reason, now)


def undo(connection: psycopg.Connection, number: int, *, by: str, reason: str, now: datetime) -> Match:
    """A person takes an accepted match back, whoever accepted it: the record leaves the enterprise's file.

    Raises UnknownMatch, MatchDecided, CreditRefused as :func:`accept` does.
    """
    _expect_person(by, reason)
    with connection.transaction():
        return _decide(connection, _for_decision(connection, number, "accepted"), "undone", by, reason, now)


def reopen(connection: psycopg.Connection, number: int, *, by: str, reason: str, now: datetime) -> Match:
    """A person takes a rejection or an undoing back: the match lapses, and the record is matched anew.

    Raises UnknownMatch, MatchDecided, CreditRefused as :func:`accept` does.
    """
    _expect_person(by, reason)
    with connection.transaction():
        found = _for_decision(connection, number, "rejected", "undone")
        connection.execute(
            "UPDATE registry.entity_match SET state = 'lapsed', decided_by = %s, decided_at = %s, reason = %s"
            " WHERE id = %s",
            (by, now, reason, number),
        )
        _put_down(connection, number, "reopened", by, reason, now)
        following.announce(connection, [_record_of(connection, found)])
        return _select(connection, "WHERE m.id = %s", (number,))[0]


def decisions(connection: psycopg.Connection, number: int) -> list[Decision]:
    """Everything that was decided about a match, in order."""
    with connection.cursor(row_factory=class_row(Decision)) as cursor:
        return cursor.execute(
            "SELECT at, decision, decided_by, reason FROM registry.entity_match_decision WHERE match_id = %s"
            " ORDER BY number",
            (number,),
        ).fetchall()


def keep(
    connection: psycopg.Connection, records: Iterable[RecordKey], sources: Sources, *, now: datetime
) -> Counter[str]:
    """Match some records without a code anew, in the caller's transaction; those that are none lose their matches."""
    counted: Counter[str] = Counter()
    wanted = sorted(set(records))
    if not wanted:
        return counted
    subjects = _subjects(connection, wanted, sources)
    standing: dict[RecordKey, list[_Standing]] = {record: [] for record in wanted}
    for row in connection.execute(
        "SELECT m.id, m.dataset_id, m.key, m.entity, m.subject, m.state, m.decided_by, m.score, m.features"
        " FROM unnest(%s::smallint[], %s::text[]) AS t(dataset_id, key) JOIN registry.entity_match m"
        " USING (dataset_id, key) WHERE m.state <> 'lapsed' ORDER BY m.id",
        columns(wanted),
    ):
        standing[RecordKey(row[1], row[2])].append(_Standing(row[0], *row[3:]))
    found = _found(connection, subjects, sources)
    for record in wanted:
        verdict = found.get(record, _Verdict((), {}))
        counted.update(_agree(connection, record, subjects.get(record), verdict, standing[record], now))
    return counted


@dataclass(frozen=True, slots=True)
class _Standing:
    id: int
    entity: str
    subject: UUID
    state: str
    decided_by: str | None
    score: float
    features: Mapping[str, Any]

    @property
    def by_rule(self) -> bool:
        return (self.decided_by or "").startswith(RULE)


@dataclass(frozen=True, slots=True)
class _Verdict:
    """What the rules say of one record."""

    candidates: Sequence[Candidate]
    accepted: Mapping[str, str]
    """Enterprise -> the rule that accepts it."""


def _subjects(
    connection: psycopg.Connection, records: Sequence[RecordKey], sources: Sources
) -> dict[RecordKey, Subject]:
    """The records that carry no code and are about an enterprise."""
    found = {}
    for dataset, dataset_id, key, body, personal in connection.execute(
        "SELECT d.name, r.dataset_id, r.key, r.body, r.personal"
        " FROM unnest(%s::smallint[], %s::text[]) AS t(dataset_id, key)"
        " JOIN registry.record r USING (dataset_id, key) JOIN registry.dataset d ON d.id = r.dataset_id"
        " WHERE r.entity IS NULL",
        columns(records),
    ):
        rule = sources.matching.rules.get(dataset)
        subject = rules.subject(rule, opened(body, personal, dataset_id, key)) if rule is not None else None
        if subject is not None:
            found[RecordKey(dataset_id, key)] = subject
    return found


def _found(
    connection: psycopg.Connection, subjects: Mapping[RecordKey, Subject], sources: Sources
) -> dict[RecordKey, _Verdict]:
    """Look for the enterprises of some records, all at once."""
    order = list(subjects)
    identified = named_by_identifier(connection, [subjects[record].identifiers for record in order], sources)
    alike = named_alike(connection, [Wanted.of(subjects[record], sources.matching) for record in order], sources)
    looked_for = {entity for names in alike for entity in names.entities}
    looked_for |= {entity for each in identified for named in each.values() for entity in named}
    known = enterprises(connection, sorted(looked_for), sources)
    verdicts = {}
    for number, record in enumerate(order):
        named_by = identified[number]
        entities = alike[number].entities | {entity for named in named_by.values() for entity in named}
        fitting = [
            rules.candidate(
                subjects[record], known[entity], {kind: frozenset(named) for kind, named in named_by.items()},
                sources.matching,
            )
            for entity in sorted(entities & known.keys())
        ]  # fmt: skip
        accepted = {}
        for each in fitting:
            named = named_by.get(each.features.identifier or "", {})
            bearers = len(named) if named.get(each.uscc) else 0
            rule = rules.rule_that_accepts(each, alike[number].bearers, bearers, sources.matching)
            if rule is not None:
                accepted[each.uscc] = rule
        worth = rules.best(fitting, sources.matching)
        worth += [each for each in fitting if each.uscc in accepted and each not in worth]
        verdicts[record] = _Verdict(worth, accepted)
    return verdicts


def _agree(
    connection: psycopg.Connection,
    record: RecordKey,
    subject: Subject | None,
    verdict: _Verdict,
    standing: Sequence[_Standing],
    now: datetime,
) -> Counter[str]:
    """Bring the matches of one record to what the rules say of it and to what persons decided."""
    digest = subject_digest(subject) if subject is not None else None
    decided = {each.entity for each in standing if each.state in ("rejected", "undone") and each.subject == digest}
    accepts = {uscc: rule for uscc, rule in verdict.accepted.items() if uscc not in decided}
    chosen = next(iter(accepts)) if len(accepts) == 1 else None
    held = next((each for each in standing if each.state == "accepted" and _holds(each, digest, chosen)), None)
    open_to = None if held is None and chosen is None else held.entity if held is not None else chosen
    proposed = {each.uscc: each for each in verdict.candidates if each.uscc not in decided}
    counted: Counter[str] = Counter()
    there: dict[str, _Standing] = {}
    for each in standing:
        if each is held or each.state not in ("candidate", "accepted"):
            continue
        stays = each.subject == digest and each.entity in proposed and open_to in (None, each.entity)
        if each.state == "candidate" and stays:
            there[each.entity] = each
        else:
            _lapse(connection, record, each, now)
            counted["matches_lapsed"] += 1
    if held is not None or digest is None:
        return counted
    if chosen is not None:
        _accept_by_rule(connection, record, digest, proposed[chosen], there.get(chosen), accepts[chosen], now)
        counted["matches_accepted"] += 1
        return counted
    for uscc, candidate in proposed.items():
        if uscc in there:
            _refresh(connection, there[uscc], candidate)
        else:
            _insert(connection, record, digest, candidate, now)
            counted["matches_found"] += 1
    return counted


def _holds(accepted: _Standing, digest: UUID | None, chosen: str | None) -> bool:
    """Whether an accepted match still is one: a rule's only as long as the rule fits."""
    return accepted.subject == digest and (not accepted.by_rule or accepted.entity == chosen)


def _insert(
    connection: psycopg.Connection, record: RecordKey, digest: UUID, candidate: Candidate, now: datetime
) -> int:
    row = connection.execute(
        "INSERT INTO registry.entity_match (dataset_id, key, entity, score, features, subject, state, found_at)"
        " VALUES (%s, %s, %s, %s, %s, %s, 'candidate', %s) RETURNING id",
        (
            *(record.dataset_id, record.key, candidate.uscc, candidate.score, Jsonb(asdict(candidate.features))),
            *(digest, now),
        ),
    ).fetchone()
    assert row is not None  # noqa: S101  (RETURNING of one row)
    return int(row[0])


def _refresh(connection: psycopg.Connection, there: _Standing, candidate: Candidate) -> None:
    features = asdict(candidate.features)
    if there.features != features:
        connection.execute(
            "UPDATE registry.entity_match SET score = %s, features = %s WHERE id = %s",
            (candidate.score, Jsonb(features), there.id),
        )


def _accept_by_rule(
    connection: psycopg.Connection,
    record: RecordKey,
    digest: UUID,
    candidate: Candidate,
    there: _Standing | None,
    rule: str,
    now: datetime,
) -> None:
    number = there.id if there is not None else _insert(connection, record, digest, candidate, now)
    connection.execute(
        "UPDATE registry.entity_match SET state = 'accepted', decided_by = %s, decided_at = %s, accepted_at = %s,"
        " score = %s, features = %s WHERE id = %s",
        (RULE + rule, now, now, candidate.score, Jsonb(asdict(candidate.features)), number),
    )
    _put_down(connection, number, "accepted", RULE + rule, None, now)
    following.announce(connection, [record])


def _lapse(connection: psycopg.Connection, record: RecordKey, each: _Standing, now: datetime) -> None:
    connection.execute(
        "UPDATE registry.entity_match SET state = 'lapsed',"
        " ended_at = CASE WHEN accepted_at IS NULL THEN NULL ELSE %s END WHERE id = %s",
        (now, each.id),
    )
    if each.state == "accepted":
        following.announce(connection, [record])


def _put_down(
    connection: psycopg.Connection, number: int, decision: str, by: str, reason: str | None, now: datetime
) -> None:
    """Put a decision down for good; the caller holds the match."""
    connection.execute(
        "INSERT INTO registry.entity_match_decision (match_id, number, at, decision, decided_by, reason)"
        " SELECT %s, count(*) + 1, %s, %s, %s, %s FROM registry.entity_match_decision WHERE match_id = %s",
        (number, now, decision, by, reason, number),
    )


def _record_of(connection: psycopg.Connection, found: Match) -> RecordKey:
    row = connection.execute("SELECT id FROM registry.dataset WHERE name = %s", (found.dataset,)).fetchone()
    assert row is not None  # noqa: S101  (the match refers to it)
    return RecordKey(row[0], found.key)


def _for_decision(connection: psycopg.Connection, number: int, *states: str) -> Match:
    """The match, locked together with its record's other ones."""
    connection.execute(
        "SELECT FROM registry.entity_match m JOIN registry.entity_match o USING (dataset_id, key)"
        " WHERE m.id = %s ORDER BY o.id FOR UPDATE OF o",
        (number,),
    )
    found = _select(connection, "WHERE m.id = %s", (number,))
    if not found:
        raise UnknownMatch(number)
    if found[0].state not in states:
        now_zh, now_en = STATES[found[0].state]
        expected_zh = "或".join(STATES[state][0] for state in states)
        expected_en = " or ".join(STATES[state][1] for state in states)
        raise MatchDecided(
            f"匹配 {number} 当前为{now_zh}，应为{expected_zh}", f"match {number} is {now_en}; expected {expected_en}"
        )
    return found[0]


def _end_others(connection: psycopg.Connection, found: Match) -> None:
    """A record belongs to one enterprise: its other candidates lapse. Raises MatchDecided if another is accepted."""
    matched = "WHERE d.name = %s AND m.key = %s ORDER BY m.id"
    for other in _select(connection, matched, (found.dataset, found.key)):
        if other.state == "accepted":
            raise MatchDecided(
                f"该记录已归入 {other.entity}（匹配 {other.id}），须先撤销该匹配",
                f"the record is matched with {other.entity} (match {other.id}); undo that first",
            )
        if other.state == "candidate" and other.id != found.id:
            connection.execute("UPDATE registry.entity_match SET state = 'lapsed' WHERE id = %s", (other.id,))


def _decide(connection: psycopg.Connection, found: Match, state: str, by: str, reason: str, now: datetime) -> Match:
    connection.execute(
        "UPDATE registry.entity_match SET state = %(state)s, decided_by = %(by)s, decided_at = %(now)s,"
        " reason = %(reason)s, accepted_at = CASE %(state)s WHEN 'accepted' THEN %(now)s ELSE accepted_at END,"
        " ended_at = CASE %(state)s WHEN 'undone' THEN %(now)s END WHERE id = %(id)s",
        {"state": state, "by": by, "reason": reason, "now": now, "id": found.id},
    )
    _put_down(connection, found.id, state, by, reason, now)
    following.announce(connection, [_record_of(connection, found)])
    return _select(connection, "WHERE m.id = %s", (found.id,))[0]


def _expect_person(by: str, reason: str) -> None:
    if not by.strip() or by.startswith(RULE):
        raise CreditRefused(
            "by_missing",
            f"须写明由谁决定，且不能以 {RULE} 开头",
            f"say who decides; a name cannot begin with {RULE}, by which rules are told from persons",
        )
    if not reason.strip():
        raise CreditRefused("reason_missing", "须说明理由", "say why")


def _select(connection: psycopg.Connection, where: LiteralString, values: Sequence[object]) -> list[Match]:
    with connection.cursor(row_factory=class_row(Match)) as cursor:
        return cursor.execute(_COLUMNS + where, values).fetchall()
