"""Repairs and objections on the registry: each step is one transaction, with the record's mark and the change feed.

Whatever is killed or sent twice: a step has happened with all that follows from it, or not at all; a request that is
sent again is answered with the case as it stands.

Order of locks, the same everywhere: the record's cases (:func:`registry.credit.marks.lock`), then the case, then the
record.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import orjson
import psycopg
from psycopg.types.json import Jsonb

from registry.credit import case_reads, marks
from registry.credit.case_reads import Case
from registry.credit.marks import Place
from registry.domain.credit import cases, objection, repair
from registry.domain.credit.case_rules import CaseRules, Days, Due, KindRules, default_case_rules, due, extended
from registry.domain.credit.cases import Action, Actor, CreditRefused, Kind, Role, State
from registry.domain.credit.marks import china_day, with_mark
from registry.domain.credit.record_facts import NoFacts, facts_of
from registry.domain.credit.repair import Evidence
from registry.domain.credit.visibility import Reason
from registry.domain.credit.working_days import WorkingCalendar

STEP = 200
"""Cases whose missed deadline one transaction notes."""
HUB = "hub"
"""Who notes missed deadlines."""

_SHA256 = re.compile(r"[0-9a-f]{64}")
_EVIDENCE_KINDS = (repair.PERFORMANCE, repair.COMMITMENT, "other")


class CaseUnknown(CreditRefused):
    """There is no such case."""

    def __init__(self, case_id: int) -> None:
        super().__init__("case_unknown", f"没有编号为 {case_id} 的申请", f"there is no case {case_id}")


class ConditionsUnmet(CreditRefused):
    """A record cannot be repaired yet, or not at all; ``reasons`` has everything that is missing."""

    def __init__(self, reasons: tuple[Reason, ...]) -> None:
        self.reasons = reasons
        super().__init__(
            "conditions_unmet",
            "不符合信用修复条件：" + "；".join(reason.zh for reason in reasons),
            "the conditions of a repair are not met: " + "; ".join(reason.en for reason in reasons),
        )


@dataclass(frozen=True, slots=True)
class Filing:
    """What an enterprise hands in."""

    kind: Kind
    dataset: str
    key: str
    entity: str
    """Unified social credit code of the enterprise: it must be the record's."""
    applicant: str
    """Who applies, as it signs: the enterprise's name."""
    statement: str
    evidence: tuple[Evidence, ...] = ()
    reference: str = ""
    """The applicant's own number of the request; another number makes another request of the same words."""

    def digest(self, filed_by: str) -> bytes:
        """The same for the same request, however often it is sent."""
        said = {
            "kind": self.kind,
            "dataset": self.dataset,
            "key": self.key,
            "entity": self.entity,
            "applicant": self.applicant,
            "statement": self.statement,
            "evidence": case_reads.evidence_json(self.evidence),
            "reference": self.reference,
            "filed_by": filed_by,
        }
        return hashlib.sha256(orjson.dumps(said, option=orjson.OPT_SORT_KEYS)).digest()


@dataclass(frozen=True, slots=True)
class _Record:
    place: Place
    version: int
    body: Mapping[str, Any]
    entity: str | None
    department: str


@dataclass(frozen=True, slots=True)
class Handling:
    """By what cases are handled: rules, calendar, the place of the hub."""

    place: str = "national"
    rules: CaseRules | None = None
    """None: those that come with the hub."""
    calendar: WorkingCalendar | None = None
    """None: the one that comes with the hub; of a year that nobody has entered the weekdays count, as assumed."""

    @property
    def case_rules(self) -> CaseRules:
        """The rules in use."""
        return self.rules or default_case_rules()


DEFAULT = Handling()


def file(
    connection: psycopg.Connection, filing: Filing, *, filed_by: str, now: datetime, handling: Handling = DEFAULT
) -> Case:
    """Enter a case; the same request again: the case that it made. Raises CreditRefused.

    ``filed_by``: the client through which it came. An objection marks the record as disputed in the same transaction,
    where the rule says that it is marked from its filing on.
    """
    _expect_sound(filing)
    digest = filing.digest(filed_by)
    with connection.transaction():
        dataset_id = _dataset(connection, filing.dataset)
        marks.lock(connection, Place(dataset_id, filing.key))
        known = case_reads.by_digest(connection, digest)
        if known is not None:
            return known
        record = _record(connection, dataset_id, filing.key)
        if record is None:
            raise _no_record(filing.dataset, filing.key)
        _expect_subject(filing, record)
        _expect_none_open(connection, filing, record.place)
        rules = handling.case_rules.of(filing.kind, handling.place, china_day(now))
        if filing.kind == "repair":
            _expect_repairable(connection, rules, filing.dataset, record, filing.evidence, now)
        case_id = _insert(connection, filing, filed_by, digest, record, rules, handling, now)
        case_reads.add_event(connection, case_id, "file", "applicant", filing.applicant, None, "filed", None, now)
        case = _expect_case(connection, case_id)
        _mark(connection, case, rules, now)
    return case


def accept(
    connection: psycopg.Connection, case_id: int, actor: Actor, *, now: datetime, handling: Handling = DEFAULT
) -> Case:
    """Take a case on: the hub, which forwards it next, or the department, which decides it. Raises CreditRefused."""
    return _act(connection, case_id, "accept", actor, None, now, handling)


def decline(
    connection: psycopg.Connection,
    case_id: int,
    actor: Actor,
    text: str,
    *,
    now: datetime,
    handling: Handling = DEFAULT,
) -> Case:
    """Not take a case on, and say why. Raises CreditRefused."""
    return _act(connection, case_id, "decline", actor, text, now, handling)


def forward(
    connection: psycopg.Connection,
    case_id: int,
    actor: Actor,
    text: str | None = None,
    *,
    now: datetime,
    handling: Handling = DEFAULT,
) -> Case:
    """Pass a case on to the department that recorded the item. Raises CreditRefused."""
    return _act(connection, case_id, "forward", actor, text, now, handling)


def extend(
    connection: psycopg.Connection,
    case_id: int,
    actor: Actor,
    text: str,
    *,
    now: datetime,
    handling: Handling = DEFAULT,
) -> Case:
    """Put the decision's deadline off, once, where the rule allows it; with the reason. Raises CreditRefused."""
    return _act(connection, case_id, "extend", actor, text, now, handling)


def decide(
    connection: psycopg.Connection,
    case_id: int,
    actor: Actor,
    text: str | None,
    *,
    granted: bool,
    remedy: str | None = None,
    now: datetime,
    handling: Handling = DEFAULT,
) -> Case:
    """The department's decision. ``remedy``: what is done about an objection that is granted. Raises CreditRefused.

    A granted repair takes the record out of publication and sharing in the same transaction; an objection, however it
    is decided, ends the dispute.
    """
    return _act(connection, case_id, "grant" if granted else "refuse", actor, text, now, handling, remedy)


def withdraw(
    connection: psycopg.Connection,
    case_id: int,
    actor: Actor,
    text: str | None = None,
    *,
    now: datetime,
    handling: Handling = DEFAULT,
) -> Case:
    """The applicant takes the case back. Raises CreditRefused."""
    return _act(connection, case_id, "withdraw", actor, text, now, handling)


def note_overdue(connection: psycopg.Connection, *, now: datetime) -> list[Case]:
    """Note every case whose deadline has passed, each missed deadline once; the cases noted by this call.

    The connection is in autocommit: what is noted is committed step by step. Two who do it at once take turns.
    """
    noted: list[Case] = []
    while True:
        with connection.transaction():
            found = case_reads.overdue(connection, china_day(now), STEP)
            for case in found:
                connection.execute(
                    "UPDATE registry.credit_case SET overdue_noted_at = %s WHERE id = %s", (now, case.id)
                )
                text = f"{case.due_step} {case.due_on}"
                case_reads.add_event(connection, case.id, "overdue", "hub", HUB, case.state, case.state, text, now)
        noted += [replace(case, overdue_noted_at=now) for case in found]
        if len(found) < STEP:
            return noted


def overdue_now(connection: psycopg.Connection, *, now: datetime) -> int:
    """How many open cases are past their deadline, noted or not."""
    row = connection.execute(
        "SELECT count(*) FROM registry.credit_case WHERE decided_at IS NULL AND due_on < %s", (china_day(now),)
    ).fetchone()
    assert row is not None  # noqa: S101  (an aggregate gives one row)
    return int(row[0])


def _act(
    connection: psycopg.Connection,
    case_id: int,
    action: Action,
    actor: Actor,
    text: str | None,
    now: datetime,
    handling: Handling,
    remedy: str | None = None,
) -> Case:
    with connection.transaction():
        case = _locked(connection, case_id)
        if _done_already(connection, case, action, actor, text):
            return case
        to_state = cases.transition(case.standing, action, actor, text)
        rules = handling.case_rules.by_reference(case.rules)
        if action == "extend":
            changed = _extended(case, rules, now, handling.calendar)
        else:
            changed = _moved(case, to_state, actor, text, now)
            if action == "grant":
                changed = _granted(connection, changed, rules, remedy, now)
            changed = _with_deadline(changed, rules, actor.role, handling.calendar)
        _update(connection, changed)
        case_reads.add_event(connection, case_id, action, actor.role, actor.name, case.state, to_state, text, now)
        _mark(connection, changed, rules, now)
    return changed


def _locked(connection: psycopg.Connection, case_id: int) -> Case:
    found = connection.execute("SELECT dataset_id, key FROM registry.credit_case WHERE id = %s", (case_id,)).fetchone()
    if found is None:
        raise CaseUnknown(case_id)
    marks.lock(connection, Place(*found))
    return _expect_case(connection, case_id, locked=True)


def _expect_case(connection: psycopg.Connection, case_id: int, *, locked: bool = False) -> Case:
    case = case_reads.one(connection, case_id, locked=locked)
    if case is None:
        raise CaseUnknown(case_id)
    return case


def _done_already(connection: psycopg.Connection, case: Case, action: Action, actor: Actor, text: str | None) -> bool:
    """Whether this very request was the last thing that happened: its answer was lost, and it is sent again."""
    last = case_reads.last_event(connection, case.id)
    return last is not None and (last.action, last.role, last.actor, last.text) == (
        action,
        actor.role,
        actor.name,
        text,
    )


def _moved(case: Case, to_state: State, actor: Actor, text: str | None, now: datetime) -> Case:
    if to_state == "accepted":
        return replace(case, state=to_state, accepted_at=now)
    if to_state == "forwarded":
        return replace(case, state=to_state, forwarded_at=now)
    return replace(case, state=to_state, decided_at=now, decided_by=actor.name, decision=text)


def _granted(connection: psycopg.Connection, case: Case, rules: KindRules, remedy: str | None, now: datetime) -> Case:
    if case.kind == "objection":
        return replace(case, remedy=objection.remedy(remedy))
    record = _record(connection, case.dataset_id, case.key)
    if record is not None:  # corrected since the filing? then its term may be another
        _expect_repairable(connection, rules, case.dataset, record, case.evidence, now, still_public=False)
    return case


def _with_deadline(case: Case, rules: KindRules, role: Role, calendar: WorkingCalendar | None) -> Case:
    """The deadline of the next step, which has not been missed yet; none of a closed case."""
    if not cases.is_open(case.state):
        return replace(case, due_on=None, due_step=None, due_assumed=False)
    found = due(rules, _days(case), accepted_by=role, calendar=calendar)
    return _due_by(case, found)


def _extended(case: Case, rules: KindRules, now: datetime, calendar: WorkingCalendar | None) -> Case:
    if case.extended_at is not None:
        raise CreditRefused(
            "extended_already",
            f"办理期限已于 {china_day(case.extended_at)} 延长过，不能再次延长",
            f"the deadline was extended on {china_day(case.extended_at)}; that is done once",
        )
    if case.due_on is None or case.due_step is None or case.due_step == "forward":
        raise CreditRefused(
            "nothing_to_extend",
            "申请尚未转办，没有可延长的办理期限",
            "the case has not been forwarded: there is no deadline of a decision to extend",
        )
    current = Due(case.due_on, case.due_step, case.due_assumed)
    return replace(_due_by(case, extended(rules, _days(case), current, calendar)), extended_at=now)


def _due_by(case: Case, found: Due) -> Case:
    return replace(case, due_on=found.day, due_step=found.step, due_assumed=found.assumed, overdue_noted_at=None)


def _days(case: Case) -> Days:
    return Days(
        china_day(case.filed_at),
        None if case.accepted_at is None else china_day(case.accepted_at),
        None if case.forwarded_at is None else china_day(case.forwarded_at),
    )


def _mark(connection: psycopg.Connection, case: Case, rules: KindRules, now: datetime) -> None:
    """Bring the record's mark into agreement with the case."""
    place = Place(case.dataset_id, case.key)
    mark = marks.one(connection, place)
    if case.kind == "repair":
        if case.state == "granted" and mark.repaired_at is None:
            mark = replace(mark, repaired_at=now)
    elif objection.is_marked(case.state, rules.mark_from):
        mark = replace(mark, disputed_since=mark.disputed_since or now)
    else:
        mark = replace(mark, disputed_since=None)
        if case.remedy == "withdraw":
            mark = replace(mark, withdrawn_at=mark.withdrawn_at or now)
    marks.write(connection, place, case.entity, mark, case.id)


def _dataset(connection: psycopg.Connection, name: str) -> int:
    row = connection.execute("SELECT id FROM registry.dataset WHERE name = %s", (name,)).fetchone()
    if row is None:
        raise CreditRefused("dataset_unknown", f"没有数据集 {name}", f"there is no dataset {name}")
    dataset_id: int = row[0]
    return dataset_id


def _record(connection: psycopg.Connection, dataset_id: int, key: str) -> _Record | None:
    """The record as it is now, held for this transaction; its enterprise may come from an accepted match."""
    row = connection.execute(
        """
        SELECT r.version, r.body, coalesce(r.entity, (
                SELECT m.entity FROM registry.entity_match m
                WHERE m.dataset_id = r.dataset_id AND m.key = r.key AND m.state = 'accepted')), c.department
        FROM registry.record r JOIN registry.connector c ON c.id = r.connector_id
        WHERE r.dataset_id = %s AND r.key = %s FOR SHARE OF r
        """,
        (dataset_id, key),
    ).fetchone()
    return None if row is None else _Record(Place(dataset_id, key), *row)


def _insert(
    connection: psycopg.Connection,
    filing: Filing,
    filed_by: str,
    digest: bytes,
    record: _Record,
    rules: KindRules,
    handling: Handling,
    now: datetime,
) -> int:
    first = due(rules, Days(china_day(now)), calendar=handling.calendar)
    row = connection.execute(
        """
        INSERT INTO registry.credit_case (kind, dataset_id, key, record_version, entity, department, place, rules,
            state, filed_by, applicant, statement, evidence, request_digest, filed_at, due_on, due_step, due_assumed)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s, 'filed', %s, %s, %s, %s, %s, %s, %s, %s, %s) RETURNING id
        """,
        (
            filing.kind,
            record.place.dataset_id,
            filing.key,
            record.version,
            filing.entity,
            record.department,
            handling.place,
            rules.reference,
            filed_by,
            filing.applicant,
            filing.statement,
            Jsonb(case_reads.evidence_json(filing.evidence)),
            digest,
            now,
            first.day,
            first.step,
            first.assumed,
        ),
    ).fetchone()
    assert row is not None  # noqa: S101  (RETURNING gives one row)
    case_id: int = row[0]
    return case_id


def _update(connection: psycopg.Connection, case: Case) -> None:
    connection.execute(
        """
        UPDATE registry.credit_case SET state = %s, accepted_at = %s, forwarded_at = %s, extended_at = %s, due_on = %s,
            due_step = %s, due_assumed = %s, overdue_noted_at = %s, decided_at = %s, decided_by = %s, decision = %s,
            remedy = %s
        WHERE id = %s
        """,
        (
            case.state,
            case.accepted_at,
            case.forwarded_at,
            case.extended_at,
            case.due_on,
            case.due_step,
            case.due_assumed,
            case.overdue_noted_at,
            case.decided_at,
            case.decided_by,
            case.decision,
            case.remedy,
            case.id,
        ),
    )


def _expect_sound(filing: Filing) -> None:
    if filing.kind not in cases.KINDS:
        expected = ", ".join(cases.KINDS)
        raise CreditRefused(
            "kind_unknown",
            f"申请类型：收到 {filing.kind!r}，应为 {expected}",
            f"kind of case: got {filing.kind!r}, expected one of {expected}",
        )
    if not filing.statement.strip() or not filing.applicant.strip():
        raise CreditRefused(
            "statement_missing", "须写明申请人和申请理由", "say who applies and why: both stand in the case"
        )
    for each in filing.evidence:
        if each.kind not in _EVIDENCE_KINDS or _SHA256.fullmatch(each.sha256) is None or not each.title.strip():
            kinds = ", ".join(_EVIDENCE_KINDS)
            raise CreditRefused(
                "evidence_unsound",
                f"证明材料须有名称、类型（{kinds}）和 SHA-256 摘要（64 位小写十六进制）",
                f"evidence has a title, a kind ({kinds}) and a SHA-256 digest (64 lower-case hexadecimal characters)",
            )


def _expect_subject(filing: Filing, record: _Record) -> None:
    if record.entity != filing.entity:
        raise CreditRefused(
            "not_the_subject",
            f"该记录不属于主体 {filing.entity}，只有信息主体可以申请",
            f"the record is not about {filing.entity}: only its subject can file",
        )


def _expect_none_open(connection: psycopg.Connection, filing: Filing, place: Place) -> None:
    found = case_reads.open_case(connection, filing.kind, place.dataset_id, place.key)
    if found is not None:
        zh, en = cases.KINDS[filing.kind]
        raise CreditRefused(
            "case_open",
            f"该记录已有在办的{zh}申请（编号 {found.id}）",
            f"there is an open {en} about this record already (case {found.id})",
        )


def _expect_repairable(
    connection: psycopg.Connection,
    rules: KindRules,
    dataset: str,
    record: _Record,
    evidence: tuple[Evidence, ...],
    now: datetime,
    *,
    still_public: bool = True,
) -> None:
    """Raises ConditionsUnmet. ``still_public`` False: a term that ended while the case was open does not matter."""
    try:
        facts = facts_of(dataset, record.body)
    except NoFacts as error:
        raise CreditRefused(
            "not_repairable", f"数据集 {dataset} 的记录不适用信用修复", f"this record cannot be repaired: {error}"
        ) from None
    facts = with_mark(facts, marks.one(connection, record.place))
    reasons = repair.unmet(rules.conditions, facts, evidence, china_day(now))
    if not still_public:
        reasons = tuple(reason for reason in reasons if reason.code != "nothing_to_repair")
    if reasons:
        raise ConditionsUnmet(reasons)


def _no_record(dataset: str, key: str) -> CreditRefused:
    return CreditRefused(
        "record_unknown", f"数据集 {dataset} 没有主键为 {key} 的记录", f"{dataset} has no record with the key {key}"
    )
