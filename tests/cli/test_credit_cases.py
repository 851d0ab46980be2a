"""Repairs and objections from a terminal: the window of the hub, and what departments write to it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests import china
from tests.cli.conftest import Answer, Desk
from tests.credit.cases.town import disagreements
from tests.credit.enterprise_file.town import Town, enterprise, penalty, uscc

TODAY = china.today()  # terms and deadlines follow the real clock here
LONG_AGO = f"{TODAY - timedelta(days=200)}"
PERFORMED = f"{TODAY - timedelta(days=100)}"
PENALTY = "administrative_penalty"
RECEIPT = "缴款凭证"


@pytest.fixture
def town(desk: Desk) -> Iterator[Town]:
    made = Town(desk.registry)
    fields = {"penalty_kinds": ["confiscation_of_income"], "decided_on": LONG_AGO}
    made.say("legal_entity", {"1": enterprise(1)})
    made.say(PENALTY, {"P1": penalty(1, **fields), "P2": penalty(1, **fields)})
    yield made
    found = disagreements(made.connection)
    made.connection.close()
    assert found == []


@pytest.fixture
def papers(tmp_path: Path) -> list[str]:
    (tmp_path / "receipt.pdf").write_text(RECEIPT)
    (tmp_path / "commitment.pdf").write_text("承诺")
    return [
        *("--performance", str(tmp_path / "receipt.pdf"), "--performed-on", PERFORMED),
        *("--commitment", str(tmp_path / "commitment.pdf")),
    ]


def filed(desk: Desk, key: str = "P1", *words: str, kind: str = "objection") -> Answer:
    given = ["--kind", kind, "--enterprise", uscc(1), "--applicant", enterprise(1)["name"], "--by", "窗口"]
    return desk.shuqiao("credit", "case", "file", PENALTY, key, *given, "--statement", "金额有误", *words, "--json")


@pytest.mark.usefixtures("town")
def test_a_repair_goes_its_way_and_the_record_is_no_longer_shown(desk: Desk, papers: list[str]) -> None:
    answer = filed(desk, "P1", *papers, kind="repair")
    assert answer.code == 0, answer.err
    case = answer.document
    number = str(case["id"])
    assert (case["state"], case["place"]) == ("filed", "national")
    evidence = {each["kind"]: each for each in case["evidence"]}
    assert evidence["performance"]["sha256"] == hashlib.sha256(RECEIPT.encode()).hexdigest()
    assert (evidence["performance"]["title"], evidence["performance"]["dated"]) == ("receipt.pdf", PERFORMED)
    assert filed(desk, "P1", *papers, kind="repair").document == case

    for action in ("accept", "forward"):
        assert desk.shuqiao("credit", "case", action, number, "--by", "窗口").code == 0
    granted = desk.shuqiao("credit", "case", "grant", number, "--by", "法制科", "--reason", "已履行", "--json").document

    assert (granted["state"], granted["decided_by"]) == ("granted", "法制科")
    assert [(each["action"], each["role"]) for each in granted["events"]] == [
        ("file", "applicant"), ("accept", "hub"), ("forward", "hub"), ("grant", "department"),
    ]  # fmt: skip
    record = desk.shuqiao("credit", "record", uscc(1), "--json").document
    assert [each["key"] for each in record["records"]] == ["P2"]
    shown = desk.shuqiao("credit", "case", "show", number).out
    assert "已履行" in shown
    assert "予以支持 granted" in shown


@pytest.mark.usefixtures("town")
def test_an_objection_is_decided_by_the_department_that_took_it_on(desk: Desk) -> None:
    number = str(filed(desk).document["id"])
    taken = desk.shuqiao("credit", "case", "accept", number, "--as", "department", "--by", "法制科", "--json").document
    assert (taken["due"]["step"], taken["events"][-1]["role"]) == ("decide", "department")
    assert desk.shuqiao("credit", "case", "grant", number, "--by", "法制科").code == 1
    done = desk.shuqiao("credit", "case", "grant", number, "--by", "法制科", "--remedy", "correct", "--json").document
    assert (done["state"], done["remedy"]) == ("granted", "correct")


@pytest.mark.usefixtures("town")
def test_cases_are_listed_with_what_is_due_and_can_be_refused_declined_or_taken_back(desk: Desk, town: Town) -> None:
    numbers = [filed(desk, key, "--reference", str(turn)).document["id"] for turn, key in enumerate(("P1", "P2"))]
    town.rows("UPDATE registry.credit_case SET due_on = %s WHERE id = %s RETURNING id", LONG_AGO, numbers[1])

    def listed(*words: str) -> list[int]:
        return [each["id"] for each in desk.shuqiao("credit", "case", "list", *words, "--json").lines]

    assert listed() == listed("--department", "credit") == listed("--enterprise", uscc(1)) == numbers
    assert listed("--overdue") == numbers[1:]
    assert listed("--department", "tax") == listed("--kind", "repair") == []
    assert "逾期 overdue" in desk.shuqiao("credit", "case", "list").out
    assert "more than 1" in desk.shuqiao("credit", "case", "list", "--limit", "1").err
    assert desk.shuqiao("credit", "case", "withdraw", str(numbers[0])).code == 0
    reason = ("--by", "窗口", "--reason", "与本记录无关")
    assert desk.shuqiao("credit", "case", "decline", str(numbers[1]), *reason).code == 0
    assert listed() == []
    assert listed("--state", "closed") == numbers
    assert listed("--state", "declined") == numbers[1:]
    third = str(filed(desk, "P1", "--reference", "3").document["id"])
    desk.shuqiao("credit", "case", "accept", third, "--by", "窗口")
    assert desk.shuqiao("credit", "case", "refuse", third, *reason, "--json").document["state"] == "refused"
    assert "no case" in desk.shuqiao("credit", "case", "list").out


@pytest.mark.usefixtures("town")
def test_the_place_decides_whether_a_deadline_can_be_extended(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHUQIAO_CREDIT_PLACE", "zhejiang")
    number = str(filed(desk).document["id"])
    desk.shuqiao("credit", "case", "accept", number, "--as", "department", "--by", "法制科")
    words = ("--by", "法制科", "--reason", "需核实")

    extended = desk.shuqiao("credit", "case", "extend", number, *words, "--json").document

    assert (extended["rules"], extended["extended_at"] is None) == ("cases/zhejiang#objection", False)
    monkeypatch.setenv("SHUQIAO_CREDIT_PLACE", "zhejang")
    slip = filed(desk, "P2")
    assert (slip.code, "'zhejang'; there are for" in slip.err) == (4, True)


@pytest.mark.usefixtures("town")
@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("show", "99"), 2, "there is no case 99"),
        (("accept", "99", "--by", "窗口"), 1, "there is no case 99"),
        (("list", "--state", "lost"), 2, "expected one of open"),
        (("list", "--kind", "appeal"), 2, "expected one of repair, objection"),
        (("accept", "1", "--by", "窗口", "--as", "bank"), 2, "expected one of hub, department"),
        (("grant", "1", "--by", "法制科", "--remedy", "forget"), 2, "expected one of correct, withdraw"),
        (("grant", "1", "--by", "法制科", "--remedy", "correct"), 1, "one cannot grant it now"),
        (("refuse", "1", "--by", "法制科", "--reason", " "), 1, "one cannot refuse it now"),
    ],
)
def test_what_cannot_be_done_ends_with_its_code_and_says_why(
    desk: Desk, words: tuple[str, ...], code: int, said: str
) -> None:
    filed(desk)

    answer = desk.shuqiao("credit", "case", *words)

    assert answer.code == code
    assert said in answer.err


@pytest.mark.usefixtures("town")
def test_everything_that_a_filing_lacks_is_said(desk: Desk, papers: list[str], tmp_path: Path) -> None:
    lacking = filed(desk, kind="repair")
    assert lacking.code == 1
    for word in ("履行义务", "信用承诺书", "duty was performed", "public credit commitment"):
        assert word in lacking.err
    for words, said in (
        (papers[:2], "expected --performed-on"),
        ([*papers[:3], "yesterday"], "is no day"),
        (["--evidence", str(tmp_path / "none.pdf")], "cannot read the document"),
    ):
        answer = filed(desk, "P1", *words)
        assert (answer.code, said in answer.err) == (2, True), answer.err
    assert filed(desk, "P1", kind="appeal").code == 2
    assert "record_unknown" not in filed(desk, "P9").err
    assert "has no record with the key P9" in filed(desk, "P9").err
