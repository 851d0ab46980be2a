"""Note the deadlines of repairs and objections that were missed, once: what the DAG does each day."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from registry.credit import cases
from registry.storage.database import connect
from shuqiao.registry_address import database_url


@dataclass(frozen=True, slots=True)
class DeadlineReport:
    """What was noted by one run, and what waits."""

    noted: Mapping[str, int]
    """Department -> its cases whose deadline was found missed now."""
    overdue: int
    """Open cases past their deadline, also those noted before."""


def run(now: datetime) -> DeadlineReport:
    """Note every deadline that has passed; one that was noted before is not noted again."""
    with connect(database_url(), application="shuqiao deadlines") as connection:
        noted = Counter(case.department for case in cases.note_overdue(connection, now=now))
        return DeadlineReport(dict(sorted(noted.items())), cases.overdue_now(connection, now=now))


def sentence(report: DeadlineReport) -> str:
    """What a run came to, in one line, in Chinese and English."""
    total = sum(report.noted.values())
    whose = ", ".join(f"{department} {count}" for department, count in report.noted.items())
    chinese, english = f"信用修复与异议：新增逾期 {total} 件", f"repairs and objections: {total} deadlines missed"
    if whose:
        chinese, english = f"{chinese}（{whose}）", f"{english} ({whose})"
    return f"{chinese}，在办逾期共 {report.overdue} 件 / {english}, {report.overdue} open cases are overdue"
