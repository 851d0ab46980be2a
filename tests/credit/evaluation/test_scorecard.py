"""Cards: the shipped one is right, and every fault of a wrong one is said at once, with its place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from registry.domain.credit.rule_files import RuleFileError
from registry.domain.credit.scorecard import default_scorecards, load_scorecard
from tests.credit.evaluation.cards import CARD, card_text, write_card

Change = Callable[[dict[str, Any]], None]


def rule(number: int, place: int, **changes: Any) -> Change:
    """Change one rule; a value of None takes the key away."""

    def change(data: dict[str, Any]) -> None:
        found = data["factors"][number]["rules"][place]
        for name, value in changes.items():
            if value is None:
                del found[name]
            else:
                found[name] = value

    return change


def test_the_shipped_card_adds_up_and_is_marked_as_an_example() -> None:
    assert CARD.best == 100
    assert CARD.example
    assert "example" in CARD.title.en
    assert [grade.code for grade in CARD.grades] == ["A", "B", "C", "D"]
    assert sum(factor.starts_at for factor in CARD.factors) <= 100
    assert {"legal_entity", "administrative_penalty", "serious_dishonesty"} <= set(CARD.datasets)


def test_only_fields_that_bear_on_the_evaluation_are_read() -> None:
    assert CARD.fields("legal_entity") == {"status", "established_on"}
    assert CARD.fields("tax_arrears") == {"balance", "announced_on", "cleared_on"}
    assert "penalty_kinds" in CARD.fields("administrative_penalty")
    assert CARD.fields("utility_payment") == frozenset()


@pytest.mark.parametrize(
    ("score", "limits", "grade"),
    [(100, [], "A"), (85, [], "A"), (84, [], "B"), (50, [], "C"), (49, [], "D"), (0, [], "D"),
     (100, ["C"], "C"), (100, ["C", "D"], "D"), (40, ["C"], "D"), (72, ["A"], "B")],
)  # fmt: skip
def test_grades_begin_at_their_thresholds_and_are_limited(score: int, limits: list[str], grade: str) -> None:
    assert CARD.grade(score, limits).code == grade


WRONG: dict[str, tuple[Change, str, str]] = {
    "the card has another name than its folder": (
        lambda data: data.update(scorecard="other"), "scorecard", "expected the name of its folder, enterprise_credit",
    ),
    "it ends before it begins": (
        lambda data: data.update(valid_to="2026-03-01"), "valid_to", "expected no day before valid_from",
    ),
    "a day that does not exist": (
        lambda data: data.update(valid_from="2026-02-30"), "valid_from", "expected a day that exists",
    ),
    "enterprises of an unknown dataset": (
        lambda data: data.update(enterprises="legal_entitty"), "enterprises", 'did you mean "legal_entity"?',
    ),
    "an unknown key": (lambda data: data.update(weights=[1]), "weights", "unknown key"),
    "grades that do not fall": (
        lambda data: data["grades"][1].update({"from": 90}), "grades[1].from", "expected less than 85 before it",
    ),
    "a last grade that leaves scores without one": (
        lambda data: data["grades"][3].update({"from": 10}), "grades[3].from", "expected 0",
    ),
    "a grade beyond the best score": (
        lambda data: data["grades"][0].update({"from": 101}), "grades[0].from", "sum of the weights, 100",
    ),
    "a grade twice": (lambda data: data["grades"][1].update(grade="A"), "grades[1].grade", "stands twice"),
    "a factor twice": (lambda data: data["factors"][1].update(name="registration"), "factors[1].name", "stands twice"),
    "a factor that starts above its weight": (
        lambda data: data["factors"][0].update(starts_at=16), "factors[0].starts_at", "expected at most the weight, 15",
    ),
    "a rule twice": (rule(0, 1, name="active"), "factors[0].rules[1].name", "stands twice"),
    "a rule on an unknown dataset": (
        rule(4, 1, dataset="administrative_penaltie"), "factors[4].rules[1].dataset",
        'did you mean "administrative_penalty"?',
    ),
    "a condition on an unknown field": (
        rule(0, 0, where={"state": ["active"]}), "factors[0].rules[0].where.state", 'did you mean "status"?',
    ),
    "a condition on a value that the schema does not have": (
        rule(0, 0, where={"status": ["aktive"]}), "factors[0].rules[0].where.status[0]", 'did you mean "active"?',
    ),
    "a condition on something that is no text": (
        rule(0, 0, where={"registered_capital": ["1"]}), "factors[0].rules[0].where.registered_capital",
        "expected a field with a text",
    ),
    "an age since something that is no day": (
        rule(1, 0, age={"since": "registered_capital", "from_months": 1}), "factors[1].rules[0].age.since",
        "expected a field with a day",
    ),
    "an age without a day to count from": (
        rule(1, 0, age={"from_months": 1}), "factors[1].rules[0].age.since", "is missing",
    ),
    "an age that no record has": (
        rule(1, 0, age={"since": "established_on", "from_months": 12, "below_months": 12}),
        "factors[1].rules[0].age.below_months", "expected more than from_months, 12",
    ),
    "an amount that is none": (
        rule(6, 0, amount={"field": "announced_on", "from": 1}), "factors[6].rules[0].amount.field",
        "expected a field with an amount of money",
    ),
    "an amount without bounds": (rule(6, 0, amount={"field": "balance"}), "factors[6].rules[0].amount", "got"),
    "publicity of a dataset without rules of publicity": (
        rule(6, 0, dataset="utility_payment", counts="while_shared"),
        "factors[6].rules[0].counts",
        "no publicity rules for records of utility_payment",
    ),
    "a publicity grade that no regime has": (
        rule(4, 1, grade=["seriuos"]), "factors[4].rules[1].grade[0]", "expected one of minor, ordinary",
    ),
    "a publicity grade of records that always count": (
        rule(0, 0, grade=["serious"]), "factors[0].rules[0].grade", "needs counts",
    ),
    "a limit of an unknown grade": (
        rule(0, 3, grade_at_most="E"), "factors[0].rules[3].grade_at_most", "expected one of A, B, C, D",
    ),
    "a limit below one record's points": (
        rule(2, 1, at_most=5), "factors[2].rules[1].at_most", "at least the points of one record, 10",
    ),
    "points that are no whole number": (rule(0, 0, points=1.5), "factors[0].rules[0].points", "expected"),
    "newest by a field that a dataset does not have": (
        lambda data: data["factors"][5].update(only_newest="date"), "factors[5].rules[0].dataset", "only_newest",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_card_is_refused(name: str, tmp_path: Path) -> None:
    change, key, words = WRONG[name]
    path = write_card(tmp_path, change)

    with pytest.raises(RuleFileError) as caught:
        load_scorecard(path)

    problem = next(problem for problem in caught.value.problems if problem.key == key)
    assert words in problem.message
    assert problem.path == path
    assert problem.line > 0


def test_every_fault_is_said_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    def change(data: dict[str, Any]) -> None:
        rule(0, 0, where={"status": ["aktive"]})(data)
        rule(4, 1, grade=["seriuos"])(data)
        data["grades"][3]["from"] = 1
        data["factors"][2]["starts_at"] = 99

    with pytest.raises(RuleFileError) as caught:
        load_scorecard(write_card(tmp_path, change))

    assert [problem.key for problem in caught.value.problems] == [
        "grades[3].from", "factors[0].rules[0].where.status[0]", "factors[2].starts_at", "factors[4].rules[1].grade[0]",
    ]  # fmt: skip
    lines = [problem.line for problem in caught.value.problems]
    assert lines == sorted(lines)


def test_a_card_that_is_no_yaml_says_where(tmp_path: Path) -> None:
    path = tmp_path / "enterprise_credit" / "1.yaml"
    path.parent.mkdir()
    path.write_text("scorecard: [", "utf-8")
    with pytest.raises(RuleFileError, match="no valid YAML"):
        load_scorecard(path)


@pytest.fixture
def city(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A city's own folder of cards, which nobody has read yet."""
    monkeypatch.setenv("SHUQIAO_CREDIT_RULES", str(tmp_path))
    default_scorecards.cache_clear()
    yield tmp_path / "scorecards"
    default_scorecards.cache_clear()


def test_of_two_live_versions_the_later_one_holds_from_its_day_on(city: Path) -> None:
    write_card(city, lambda data: data.update(valid_from="2027-01-01"), version=2)
    write_card(city, lambda data: data.update(status="draft", valid_from="2026-05-01"), version=3)
    cards = default_scorecards()

    assert cards.live_one("enterprise_credit", date(2026, 12, 31)).reference == "enterprise_credit@1"
    assert cards.live_one("enterprise_credit", date(2027, 1, 1)).reference == "enterprise_credit@2"
    assert cards.one("enterprise_credit@3").status == "draft"


def test_versions_that_are_live_from_the_same_day_on_are_named(city: Path) -> None:
    for version in (2, 3):
        write_card(city, lambda data: data.update(valid_from="2027-01-01"), version=version)

    with pytest.raises(RuleFileError) as caught:
        default_scorecards()

    assert [problem.message for problem in caught.value.problems] == [
        "enterprise_credit@2 is live from 2027-01-01 on, too"
    ]


def test_another_text_has_another_digest(tmp_path: Path) -> None:
    path = tmp_path / "enterprise_credit" / "1.yaml"
    path.parent.mkdir()
    path.write_text(card_text(), "utf-8")
    assert load_scorecard(path).digest != CARD.digest


def test_a_citys_card_takes_the_place_of_the_hubs_and_others_are_added(city: Path) -> None:
    write_card(city, lambda data: data.update(status="draft", source="市政府文件"), version=1)
    write_card(city, lambda _: None, version=2)
    cards = default_scorecards()

    assert [(card.reference, card.status) for card in cards.all] == [
        ("enterprise_credit@1", "draft"),
        ("enterprise_credit@2", "live"),
    ]
    assert cards.one("enterprise_credit@1").source == "市政府文件"
