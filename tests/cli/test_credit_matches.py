"""Matches and counts of discrepancies from a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from registry.domain.credit.marks import china_day
from tests.cli.conftest import Desk
from tests.credit.enterprise_file.test_matching import listed
from tests.credit.enterprise_file.town import Town, enterprise, taxpayer, uscc

VARIANT = "桥州天成1餐饮有限责任公司"
WHY = ("--by", "归集科", "--reason", "登记档案一致")


@pytest.fixture
def town(desk: Desk) -> Iterator[Town]:
    made = Town(desk.registry, now=datetime.now(UTC))
    made.say("legal_entity", {"1": enterprise(1)})
    made.say("tax_registration", {"1": taxpayer(1, name="别名")})
    made.say("serious_dishonesty", {"s": listed(1, name=VARIANT)})
    made.follow()
    yield made
    made.connection.close()


@pytest.mark.usefixtures("town")
def test_a_person_accepts_a_match_and_takes_it_back(desk: Desk) -> None:
    (found,) = desk.shuqiao("credit", "match", "list", "--json").lines
    number = str(found["id"])
    assert (found["entity"], found["features"]["name"]) == (uscc(1), "ending")
    table = desk.shuqiao("credit", "match", "list").out
    assert "name: ending" in table
    assert "representative: same" in table
    shown = desk.shuqiao("credit", "match", "show", number).out
    assert VARIANT in shown
    assert "nothing decided yet" in shown

    accepted = desk.shuqiao("credit", "match", "accept", number, *WHY, "--json").document
    assert (accepted["state"], accepted["decided_by"]) == ("accepted", "归集科")
    file = desk.shuqiao("credit", "file", uscc(1), "--json").document
    assert len(file["lists"]["serious_dishonesty"]["entries"]) == 1
    assert desk.shuqiao("credit", "match", "undo", number, *WHY).code == 0
    reopened = desk.shuqiao("credit", "match", "reopen", number, *WHY, "--json").document
    assert [each["decision"] for each in reopened["decisions"]] == ["accepted", "undone", "reopened"]
    file = desk.shuqiao("credit", "file", uscc(1), "--json").document
    assert file["lists"]["serious_dishonesty"]["entries"] == []
    assert "登记档案一致" in desk.shuqiao("credit", "match", "show", number).out


def test_a_match_is_rejected_for_good(desk: Desk, town: Town) -> None:
    (found,) = desk.shuqiao("credit", "match", "list", "--dataset", "serious_dishonesty", "--json").lines
    assert desk.shuqiao("credit", "match", "reject", str(found["id"]), *WHY).code == 0
    town.follow()

    assert desk.shuqiao("credit", "match", "list", "--json").lines == []
    assert len(desk.shuqiao("credit", "match", "list", "--state", "all", "--enterprise", uscc(1), "--json").lines) == 1
    assert "no match in this state" in desk.shuqiao("credit", "match", "list").out


@pytest.mark.usefixtures("town")
@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("show", "99"), 2, "there is no match 99"),
        (("accept", "99", *WHY), 1, "there is no match 99"),
        (("undo", "1", *WHY), 1, "expected accepted"),
        (("accept", "1", "--by", "rule:mine", "--reason", "一致"), 1, "cannot begin with rule:"),
        (("accept", "1", "--by", "归集科", "--reason", ""), 1, "say why"),
        (("list", "--state", "perhaps"), 2, "expected one of candidate"),
    ],
)
def test_what_cannot_be_decided_ends_with_its_code_and_says_why(
    desk: Desk, words: tuple[str, ...], code: int, said: str
) -> None:
    answer = desk.shuqiao("credit", "match", *words)

    assert answer.code == code
    assert said in answer.err


@pytest.mark.usefixtures("town")
def test_discrepancies_are_counted_by_day_department_and_field(desk: Desk) -> None:
    today = china_day(datetime.now(UTC))
    counts = ("credit", "discrepancies", "--counts")

    (found,) = desk.shuqiao(*counts, "--department", "tax", "--json").lines

    assert (found["department"], found["field"], found["opened"], found["open_in_the_evening"]) == ("tax", "name", 1, 1)
    assert "tax" in desk.shuqiao(*counts).out
    assert desk.shuqiao(*counts, "--department", "water", "--json").lines == []
    assert desk.shuqiao(*counts, "--until", f"{today - timedelta(days=1)}", "--json").lines == []
    assert desk.shuqiao(*counts, "--since", "2001-01-01").code == 2
    assert desk.shuqiao(*counts, "--since", "yesterday").code == 2
