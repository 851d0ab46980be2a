"""Evaluations from a terminal: kept, shown with every record, and two cards compared."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from registry.domain.credit import scorecard
from tests import china
from tests.cli.conftest import Desk
from tests.credit.enterprise_file.town import Town, body, enterprise, penalty, uscc
from tests.credit.evaluation.cards import changed_card

RECENT = f"{china.today() - timedelta(days=20)}"  # what is visible follows the real clock here
FINE = {"amount": "2", "unit": "万元", "currency": "CNY"}


@pytest.fixture
def town(desk: Desk) -> Iterator[Town]:
    made = Town(desk.registry)
    made.say("legal_entity", {str(each): enterprise(each) for each in range(1, 5)})
    made.say("administrative_penalty", {"P1": penalty(1, decided_on=RECENT, fine=FINE, content="罚款20000元")})
    made.say("tax_credit_rating", {"T2": body(2, year=f"{china.today().year - 1}", grade="D")})
    yield made
    made.connection.close()


@pytest.fixture
def draft(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A second version, by which penalties weigh more and nobody's rating caps the grade."""

    def change(data: dict[str, Any]) -> None:
        data["status"] = "draft"
        for factor in data["factors"]:
            for rule in factor["rules"]:
                if rule["name"] == "ordinary_recent":
                    rule |= {"points": -30, "at_most": 30}
                if factor["name"] == "tax_credit":
                    rule.pop("grade_at_most", None)

    changed_card(tmp_path / "city" / "scorecards", change, version=2)
    monkeypatch.setenv("SHUQIAO_CREDIT_RULES", str(tmp_path / "city"))
    scorecard.default_scorecards.cache_clear()
    yield
    scorecard.default_scorecards.cache_clear()


@pytest.mark.usefixtures("town")
def test_evaluating_counts_what_it_did_and_then_finds_nothing_to_do(desk: Desk) -> None:
    first = desk.shuqiao("credit", "evaluate", "--json")
    again = desk.shuqiao("credit", "evaluate", "--json").document

    assert first.document["cards"]["enterprise_credit@1"] == {
        "evaluated": 4, "written": 4, "removed": 0, "complete": True, "caught_up": True,
    }  # fmt: skip
    assert "evaluating" in first.err
    assert again["cards"]["enterprise_credit@1"]["evaluated"] == 0
    assert "enterprise_credit@1" in desk.shuqiao("credit", "evaluate").out


@pytest.mark.usefixtures("town")
def test_several_processes_evaluate_all_and_are_counted(desk: Desk) -> None:
    done = desk.shuqiao("credit", "evaluate", "--card", "enterprise_credit@1", "--processes", "2", "--json").document

    assert done["cards"]["enterprise_credit@1"]["evaluated"] == 4
    assert not desk.shuqiao("credit", "evaluate", "--json").document["cards"]["enterprise_credit@1"]["evaluated"]


@pytest.mark.usefixtures("town")
def test_an_evaluation_shows_every_factor_with_its_records(desk: Desk) -> None:
    found = desk.shuqiao("credit", "evaluation", uscc(1), "--json").document

    (penalties,) = [each for each in found["factors"] if each["name"] == "penalties"]
    assert (penalties["weight"], penalties["points"], penalties["records"][0]["key"]) == (25, 17, "P1")
    table = desk.shuqiao("credit", "evaluation", uscc(1), "--card", "enterprise_credit@1")
    assert (table.code, "P1" in table.out, "一年内的一般处罚" in table.out) == (0, True, True)
    assert "an example" in table.err


@pytest.mark.usefixtures("town", "draft")
def test_two_cards_are_compared_before_the_new_one_goes_live(desk: Desk) -> None:
    found = desk.shuqiao("credit", "compare", "enterprise_credit@1", "enterprise_credit@2", "--json").document

    assert (found["enterprises"], found["better"], found["worse"]) == (4, 1, 1)
    moved = {(each["from"], each["to"]): each["enterprises"] for each in found["moves"]}
    assert sum(moved.values()) == 4
    (worst,) = found["largest"]
    assert (worst["entity"], worst["difference"], worst["why"]) == (
        uscc(1), -17, [{"factor": "penalties", "points": -17}],
    )  # fmt: skip
    factors = {each["name"]: (each["up"], each["down"], each["points"]) for each in found["factors"]}
    assert factors["penalties"] == (0, 1, -17)
    assert factors["permits"] == (0, 0, 0)
    table = desk.shuqiao("credit", "compare", "enterprise_credit@1", "enterprise_credit@2", "--largest", "1")
    assert (table.code, "行政处罚 Administrative penalties -17" in table.out) == (0, True)


@pytest.mark.usefixtures("town", "draft")
def test_a_draft_that_was_taken_up_is_followed_and_shown_to_nobody_as_an_evaluation(desk: Desk, town: Town) -> None:
    desk.shuqiao("credit", "evaluate", "--card", "enterprise_credit@2")
    town.say("administrative_penalty", {"P3": penalty(3, decided_on=RECENT, fine=FINE, content="罚款20000元")})

    done = desk.shuqiao("credit", "evaluate", "--json").document["cards"]
    assert {name: (each["evaluated"], each["written"]) for name, each in done.items()} == {
        "enterprise_credit@1": (4, 4),
        "enterprise_credit@2": (1, 1),
    }
    shown = desk.shuqiao("credit", "record", uscc(3), "--reader", "department", "--json").document["evaluations"]
    assert [each["version"] for each in shown] == [1]


@pytest.mark.usefixtures("town")
@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("evaluation", uscc(9)), 1, "no registration"),
        (("evaluation", uscc(1), "--day", "2020-01-01", "--card", "enterprise_credit@1"), 1, "no registration"),
        (("evaluation", uscc(1), "--day", "2099-01-01"), 2, "has not come yet"),
        (("evaluation", uscc(1), "--card", "enterprise_credit@9"), 2, "enterprise_credit@1 (live)"),
        (("evaluate", "--card", "other"), 2, "no such scorecard"),
        (("compare", "enterprise_credit@1", "enterprise_credit@7"), 2, "no such scorecard"),
    ],
)
def test_what_cannot_be_done_ends_with_its_code_and_says_what_to_do(
    desk: Desk, words: tuple[str, ...], code: int, said: str
) -> None:
    found = desk.shuqiao("credit", *words)

    assert (found.code, said in found.err) == (code, True)
