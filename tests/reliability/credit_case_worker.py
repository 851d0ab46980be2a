"""Processes that file, decide and time repairs and objections; to be killed. Run again, each goes on where it was."""

from __future__ import annotations

from datetime import timedelta

from registry.credit import case_reads, cases
from registry.credit.case_reads import Case
from registry.credit.cases import ConditionsUnmet, Handling
from registry.domain.credit.cases import is_open
from registry.storage.database import connect
from registry.storage.reads import credit_cases
from registry.storage.reads.credit_cases import Wanted
from registry.storage.reads.within import Within, answered
from tests.credit.cases.town import HUB, NOW, OFFICER, filing

RECORDS = 8
HANDLING = Handling("zhejiang")
OVERDUE = NOW + timedelta(days=20)


def file(url: str) -> None:
    """An objection to every record, and a repair of every second one, unless it was annulled meanwhile."""
    with connect(url) as connection:
        for number in range(1, RECORDS + 1):
            for kind in ("objection", "repair")[: 1 + number % 2]:
                made = filing(kind, f"P{number}", number)  # type: ignore[arg-type]
                try:
                    cases.file(connection, made, filed_by="portal", now=NOW, handling=HANDLING)
                except ConditionsUnmet as refused:
                    if [reason.code for reason in refused.reasons] != ["nothing_to_repair"]:
                        raise


def decide(url: str) -> None:
    """Every open case to its end: repairs are granted, objections granted, refused and annulled in turn."""
    with connect(url) as connection:
        wanted = Wanted(department=OFFICER.department, is_open=True)
        for row in answered(credit_cases.page(Within(connection), wanted, None, after=0, limit=1000)):
            case = case_reads.one(connection, row["id"])
            assert case is not None
            current = case
            while is_open(current.state):
                if current.state == "filed":
                    current = cases.accept(connection, case.id, HUB, now=NOW)
                elif current.state == "accepted":
                    current = cases.forward(connection, case.id, HUB, now=NOW)
                else:
                    granted, remedy = outcome(case)
                    current = cases.decide(
                        connection, case.id, OFFICER, "经核实", granted=granted, remedy=remedy, now=NOW
                    )


def outcome(case: Case) -> tuple[bool, str | None]:
    """How a case is to end."""
    if case.kind == "repair":
        return True, None
    number = int(case.key[1:]) % 3
    return number > 0, "correct" if number == 1 else "withdraw"


def note_overdue(url: str) -> None:
    """The nightly run, some cases in each transaction."""
    cases.STEP = 3
    with connect(url) as connection:
        cases.note_overdue(connection, now=OVERDUE)
