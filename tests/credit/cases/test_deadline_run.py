"""What the daily run says of missed deadlines."""

from __future__ import annotations

import pytest

from shuqiao import deadline_run
from tests.credit.cases.town import DEPARTMENT, HUB, Town, filing


def test_a_run_says_what_it_noted_and_what_waits(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHUQIAO_DATABASE_URL", town.url)
    case = town.file()
    town.file(filing(key="P2", number=2))
    assert deadline_run.run(town.now) == deadline_run.DeadlineReport({}, 0)
    town.later(days=30)

    report = deadline_run.run(town.now)

    assert report == deadline_run.DeadlineReport({DEPARTMENT: 2}, 2)
    said = deadline_run.sentence(report)
    assert "新增逾期 2 件（credit 2），在办逾期共 2 件" in said
    assert "2 deadlines missed (credit 2), 2 open cases are overdue" in said
    assert deadline_run.run(town.now) == deadline_run.DeadlineReport({}, 2)
    town.act("decline", case, HUB, "与本记录无关")
    assert deadline_run.run(town.now) == deadline_run.DeadlineReport({}, 1)
