"""The check of every night: on from where the last one ended, and the whole log once a week."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import psycopg

from registry.audit import check, proofs
from registry.audit.check import Report
from registry.audit.notes import LogKey
from registry.domain.audit.export import Finding

WHOLE_EVERY = timedelta(days=6, hours=12)
"""So that of seven nights one goes through everything, whatever the minute at which it starts."""


def run(connection: psycopg.Connection, keys: Sequence[LogKey], *, now: datetime, whole: bool = False) -> Report:
    """Check, and write down what was found; ``connection`` must not be in a transaction.

    After a check that found something the next goes through everything again: it is told every night until somebody
    has put the log right.
    """
    since, expected = (0, None) if whole else _from(connection, now)
    report = check.check(connection, keys, since=since)
    if expected is not None and (finding := _not_as_then(connection, *expected)):
        report = replace(report, findings=(finding, *report.findings))
    with connection.transaction():
        connection.execute(
            "INSERT INTO registry.access_log_check (checked_at, first, until, root, findings)"
            " VALUES (%s, %s, %s, %s, %s)",
            (now, report.first, report.size, report.root, len(report.findings)),
        )
    return report


def _from(connection: psycopg.Connection, now: datetime) -> tuple[int, tuple[int, bytes] | None]:
    """Where to begin, and the size and root that were found there; the whole log where it is time for that."""
    with connection.transaction():
        last = connection.execute(
            "SELECT until, root, findings FROM registry.access_log_check ORDER BY number DESC LIMIT 1"
        ).fetchone()
        recent = connection.execute(
            "SELECT FROM registry.access_log_check WHERE first = 0 AND checked_at > %s LIMIT 1", (now - WHOLE_EVERY,)
        ).fetchone()
    if last is None or last[2] or recent is None:
        return 0, None
    return last[0], (last[0], last[1])


def _not_as_then(connection: psycopg.Connection, size: int, root: bytes) -> Finding | None:
    """Whether the log still begins with what the last check went through."""
    with connection.transaction():
        try:
            if proofs.frontier(connection, size).root == root:
                return None
        except (LookupError, ValueError):
            pass
    zh = f"前 {size} 条与上次检查时不同"
    return Finding("checkpoint", 0, max(size - 1, 0), zh, f"the first {size} entries are not those of the last check")
