"""How requests are handled is data: day counts with their source, which a city may replace."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from registry.domain.credit.rule_files import RuleFileError
from registry.domain.grants.rules import GRANTS, default_grant_rules, load_grant_rules, rules_on

LOCAL = (GRANTS / "2025.yaml").read_text("utf-8")


def test_the_rules_name_their_source_and_what_was_not_read_from_it() -> None:
    (rules,) = default_grant_rules()

    assert "政务数据共享条例" in rules.source
    assert "were not at hand" in LOCAL
    assert (rules.conformity_days, rules.decision_days) == (2, 5)
    assert (rules.usual, rules.longest) == (timedelta(days=365), timedelta(days=1096))


def test_deadlines_are_working_days_over_holidays() -> None:
    rules = rules_on(date(2026, 9, 29))

    assert rules.conformity_due(date(2026, 9, 29)).day == date(2026, 10, 8)  # 1 to 7 October are holidays
    assert not rules.conformity_due(date(2026, 9, 29)).assumed
    assert rules.decision_due(date(2028, 12, 28)).assumed


def test_a_citys_own_file_takes_the_place_of_the_hubs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "grants"
    folder.mkdir()
    (folder / "2025.yaml").write_text(LOCAL.replace("within: 5", "within: 10"), "utf-8")
    monkeypatch.setenv("SHUQIAO_CREDIT_RULES", str(tmp_path))

    assert [rules.decision_days for rules in load_grant_rules()] == [10]


@pytest.mark.parametrize(
    ("was", "wrong"),
    [
        ("within: 5", "within: 0"),
        ("usual_days: 365", "usual_days: 2000"),
        ("source:", "sources:"),
        ("2025-08-01", "2025-02-30"),
    ],
)
def test_a_file_that_is_wrong_is_refused(tmp_path: Path, was: str, wrong: str) -> None:
    (tmp_path / "2025.yaml").write_text(LOCAL.replace(was, wrong, 1), "utf-8")

    with pytest.raises(RuleFileError):
        load_grant_rules(tmp_path)
