"""Permits and penalties whose publication went wrong: late, with amounts their text contradicts, and more.

A finding is opened for the department whose record it is and closes when the record is mended or gone. What becomes a
finding only because a day passes waits in ``registry.credit_due`` until :func:`enter_due`.

A record is late by the day on which the hub first had it. Those of a connector's first batch were published before the
hub was there: they are judged by the source's own time stamp, or not at all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from registry.credit.enterprise_file import china_day
from registry.credit.following import RecordKey, columns
from registry.domain.credit.amounts import amount_findings
from registry.domain.credit.lateness import publication_lateness, withdrawal_lateness
from registry.domain.credit.publicity import NoRegime, default_regimes
from registry.domain.credit.record_facts import RecordRule, default_record_rules
from registry.domain.credit.sources import Sources
from registry.domain.credit.working_days import default_calendar

LONGEST_PAGE = 1000
NO_SOURCE_CODE = "missing_source_code"
"""A record that names its source unit 数据来源单位 without the unit's unified social credit code."""


def keep(
    connection: psycopg.Connection, records: Sequence[RecordKey], sources: Sources, *, now: datetime
) -> Counter[str]:
    """Bring the findings of some records to what these say, in the caller's transaction."""
    looked_at = _published(connection, records, sources)
    wanted: dict[tuple[str, RecordKey], _Wrong] = {}
    due: dict[RecordKey, date] = {}
    for each in looked_at:
        for kind, detail in _judged(each, sources).items():
            wanted[kind, each.record] = _Wrong(each, detail)
    for record, (each, changed_on, last_day) in _revoked(connection, looked_at, sources).items():
        if china_day(now) > last_day:
            wanted["not_withdrawn", record] = _Wrong(each, _not_withdrawn(changed_on, last_day))
        else:
            due[record] = last_day
    _keep_due(connection, records, due)
    return _keep_findings(connection, records, wanted, now)


def enter_due(connection: psycopg.Connection, sources: Sources, *, now: datetime) -> Counter[str]:
    """Open what has become a finding because its last day has passed; doing it again does nothing."""
    counted: Counter[str] = Counter()
    more = True
    while more:
        with connection.transaction():
            rows = connection.execute(
                "SELECT dataset_id, key FROM registry.credit_due WHERE due_on < %s ORDER BY due_on, dataset_id, key"
                " LIMIT %s FOR UPDATE SKIP LOCKED",
                (china_day(now), LONGEST_PAGE),
            ).fetchall()
            done = keep(connection, [RecordKey(*row) for row in rows], sources, now=now) if rows else Counter()
        counted.update(done)
        more = len(rows) == LONGEST_PAGE
    return counted


@dataclass(frozen=True, slots=True)
class _Published:
    """A record that is there, and since when."""

    record: RecordKey
    dataset: str
    entity: str | None
    body: Mapping[str, Any]
    department: str
    since: datetime
    """Of this version."""
    first: datetime
    """Of the first version."""
    in_first_batch: bool


@dataclass(frozen=True, slots=True)
class _Wrong:
    of: _Published
    detail: Mapping[str, Any]


def _published(connection: psycopg.Connection, records: Sequence[RecordKey], sources: Sources) -> list[_Published]:
    datasets = sorted(sources.examined)
    rows = connection.execute(
        """
        WITH touched AS (SELECT * FROM unnest(%s::smallint[], %s::text[]) AS t(dataset_id, key)),
        first_batch AS MATERIALIZED (
            SELECT connector_id, min(id) AS id FROM registry.batch WHERE state = 'published' GROUP BY 1)
        SELECT r.dataset_id, r.key, d.name, r.entity, r.body, c.department, r.valid_from,
            coalesce(f.valid_from, r.valid_from), coalesce(f.batch_id, r.batch_id) = b.id
        FROM touched t JOIN registry.record r USING (dataset_id, key) JOIN registry.dataset d ON d.id = r.dataset_id
        JOIN registry.connector c ON c.id = r.connector_id
        LEFT JOIN LATERAL (
            SELECT valid_from, batch_id, connector_id FROM registry.record_history h
            WHERE h.dataset_id = r.dataset_id AND h.key = r.key ORDER BY version LIMIT 1
        ) f ON true
        LEFT JOIN first_batch b ON b.connector_id = coalesce(f.connector_id, r.connector_id)
        WHERE d.name = ANY(%s)
        """,
        (*columns(records), datasets),
    )
    return [
        _Published(RecordKey(row[0], row[1]), row[2], row[3], row[4], row[5], row[6], row[7], bool(row[8]))
        for row in rows
    ]


def _judged(each: _Published, sources: Sources) -> dict[str, Mapping[str, Any]]:
    """What is wrong with a record by itself: kind -> detail."""
    rule = default_record_rules().records.get(each.dataset)
    if rule is None:
        return {}
    found: dict[str, Mapping[str, Any]] = {}
    late = _late(each, rule) if each.dataset in sources.findings.get("late", ()) else None
    if late is not None:
        found["late"] = late
    unit = each.body.get(rule.source_unit or "") if each.dataset in sources.findings.get(NO_SOURCE_CODE, ()) else None
    if unit and not each.body.get(rule.source_unit_code or ""):
        found[NO_SOURCE_CODE] = {"source_unit": unit}
    amounts = amount_findings(each.body, rule) if each.dataset in sources.findings.get("amount", ()) else []
    if amounts:
        found["amount"] = {
            "amounts": [
                {
                    "field": amount.field,
                    "suspicion": amount.suspicion,
                    "given_yuan": f"{amount.given:f}",
                    "stated_yuan": f"{amount.stated:f}",
                    "written": amount.written,
                    "zh": amount.zh,
                    "en": amount.en,
                }
                for amount in amounts
            ]
        }
    return found


def _late(each: _Published, rule: RecordRule) -> Mapping[str, Any] | None:
    decided_on, published_on = _day(each.body.get(rule.decided_on)), china_day(each.first)
    if each.in_first_batch:
        stamp = each.body.get("source_time")
        if not isinstance(stamp, str):
            return None
        published_on = china_day(datetime.fromisoformat(stamp))
    if decided_on is None or rule.publish_within is None:
        return None
    calendar = default_calendar(assume_weekdays=True)
    lateness = publication_lateness(decided_on, published_on, rule.publish_within, calendar)
    if not lateness.late:
        return None
    return {
        "decided_on": decided_on.isoformat(),
        "published_on": published_on.isoformat(),
        "deadline": lateness.deadline.isoformat(),
        "working_days_late": lateness.late_by,
        "assumed": lateness.assumed,
    }


def _revoked(
    connection: psycopg.Connection, looked_at: Iterable[_Published], sources: Sources
) -> dict[RecordKey, tuple[_Published, date, date]]:
    """Records that say they were revoked and are published still: since which day, and the last day to withdraw."""
    found = {}
    for each in looked_at:
        rule = default_record_rules().records.get(each.dataset)
        decided_on = _day(each.body.get(rule.decided_on)) if rule is not None else None
        if (
            rule is None
            or decided_on is None
            or each.dataset not in sources.findings.get("not_withdrawn", ())
            or each.body.get(rule.status or "") not in rule.withdrawn
            or each.body.get(rule.use_scope or "", "public") != "public"
        ):
            continue
        try:
            within = default_regimes().on(decided_on).withdraw_within_days
        except NoRegime:
            continue
        changed_on = _revoked_since(connection, each, rule)
        found[each.record] = (each, changed_on, withdrawal_lateness(changed_on, changed_on, within).deadline)
    return found


def _revoked_since(connection: psycopg.Connection, each: _Published, rule: RecordRule) -> date:
    """The day on which the record first said so, without a break since."""
    since = each.since
    for valid_from, valid_to, status in connection.execute(
        "SELECT valid_from, valid_to, body ->> %s FROM registry.record_history"
        " WHERE dataset_id = %s AND key = %s ORDER BY version DESC",
        (rule.status, each.record.dataset_id, each.record.key),
    ):
        if status not in rule.withdrawn or valid_to != since:
            break
        since = valid_from
    return china_day(since)


def _not_withdrawn(changed_on: date, last_day: date) -> Mapping[str, Any]:
    return {"revoked_on": changed_on.isoformat(), "last_day": last_day.isoformat()}


def _keep_due(connection: psycopg.Connection, records: Sequence[RecordKey], due: Mapping[RecordKey, date]) -> None:
    connection.execute(
        "DELETE FROM registry.credit_due q USING unnest(%s::smallint[], %s::text[]) AS t(dataset_id, key)"
        " WHERE q.dataset_id = t.dataset_id AND q.key = t.key",
        columns(records),
    )
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO registry.credit_due (kind, dataset_id, key, due_on) VALUES ('not_withdrawn', %s, %s, %s)",
            [(record.dataset_id, record.key, last_day) for record, last_day in due.items()],
        )


def _keep_findings(
    connection: psycopg.Connection,
    records: Sequence[RecordKey],
    wanted: Mapping[tuple[str, RecordKey], _Wrong],
    now: datetime,
) -> Counter[str]:
    counted: Counter[str] = Counter()
    there = {
        (kind, RecordKey(dataset_id, key)): (number, rest)
        for number, kind, dataset_id, key, *rest in connection.execute(
            "SELECT f.id, f.kind, f.dataset_id, f.key, f.department, f.entity, f.detail"
            " FROM unnest(%s::smallint[], %s::text[]) AS t(dataset_id, key)"
            " JOIN registry.credit_finding f USING (dataset_id, key) WHERE f.closed_at IS NULL",
            columns(records),
        )
    }
    closed = [number for place, (number, _) in there.items() if place not in wanted]
    if closed:
        connection.execute("UPDATE registry.credit_finding SET closed_at = %s WHERE id = ANY(%s)", (now, closed))
        counted["findings_closed"] = len(closed)
    for (kind, record), wrong in wanted.items():
        said = [wrong.of.department, wrong.of.entity, dict(wrong.detail)]
        if (kind, record) not in there:
            connection.execute(
                "INSERT INTO registry.credit_finding (kind, department, dataset_id, key, entity, detail, opened_at)"
                " VALUES (%s, %s, %s, %s, %s, %s, %s)",
                (kind, said[0], record.dataset_id, record.key, said[1], Jsonb(said[2]), now),
            )
            counted["findings_opened"] += 1
        elif there[kind, record][1] != said:
            connection.execute(
                "UPDATE registry.credit_finding SET department = %s, entity = %s, detail = %s WHERE id = %s",
                (said[0], said[1], Jsonb(said[2]), there[kind, record][0]),
            )
    return counted


def _day(value: Any) -> date | None:
    try:
        return date.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
