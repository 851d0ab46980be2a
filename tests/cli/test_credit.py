"""Enterprises and their public credit data from a terminal."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from registry.licences import issuers
from tests import china
from tests.cli.conftest import Desk
from tests.credit.enterprise_file.town import Town, body, enterprise, penalty, taxpayer, uscc
from tests.licences.issue.town import BASE, BUREAU, BUREAU_CODE, MASTER_KEY

RECENT = f"{china.today() - timedelta(days=20)}"  # what is visible follows the real clock here
CONFISCATED = {"penalty_kinds": ["confiscation_of_income"], "decided_on": RECENT}


@pytest.fixture
def town(desk: Desk) -> Iterator[Town]:
    made = Town(desk.registry)
    made.say("legal_entity", {"1": enterprise(1, legal_representative="诸葛孔明"), "2": enterprise(2)})
    made.say("tax_registration", {"1": taxpayer(1, legal_representative="司马仲达")})
    minor = penalty(1, decided_on=RECENT, penalty_kinds=["warning"], fine=None, content="警告")
    made.say("administrative_penalty", {"P1": penalty(1, **CONFISCATED), "P2": minor})
    made.say("abnormal_operation", {"A1": body(1, listed_on=RECENT, listed_reason="失联", listed_by="桥州市局")})
    made.follow()
    yield made
    made.connection.close()


@pytest.mark.usefixtures("town")
def test_a_file_shows_its_sources_and_masks_persons(desk: Desk) -> None:
    found = desk.shuqiao("credit", "file", uscc(1), "--json")

    assert found.code == 0
    fields = found.document["fields"]
    assert fields["name"]["value"] == enterprise(1)["name"]
    assert fields["name"]["source"]["department"] == "market-supervision"
    assert "诸葛孔明" not in found.out
    assert "诸葛孔明" in desk.shuqiao("credit", "file", uscc(1), "--json", "--unmasked").out
    table = desk.shuqiao("credit", "file", uscc(1))
    assert "market-supervision" in table.out
    assert "诸葛孔明" not in table.out
    assert "departments disagree" in table.err


@pytest.mark.usefixtures("town")
def test_an_old_identifier_leads_to_the_file(desk: Desk) -> None:
    found = desk.shuqiao("credit", "file", enterprise(2)["registration_number"], "--json").document

    assert (found["uscc"], found["found_by"]) == (uscc(2), "registration_number")


@pytest.mark.usefixtures("town")
def test_a_record_is_shown_as_the_public_sees_it_unless_said_otherwise(desk: Desk) -> None:
    public = desk.shuqiao("credit", "record", uscc(1), "--json").document
    department = desk.shuqiao("credit", "record", uscc(1), "--reader", "department", "--json").document

    assert sorted(each["key"] for each in public["records"]) == ["A1", "P1"]
    assert sorted(each["key"] for each in department["records"]) == ["A1", "P1", "P2"]
    table = desk.shuqiao("credit", "record", uscc(1))
    assert (table.code, "P1" in table.out, "P2" in table.out) == (0, True, False)
    before = f"{date.fromisoformat(RECENT) - timedelta(days=1)}"
    assert desk.shuqiao("credit", "record", uscc(1), "--day", before, "--json").document["records"] == []
    assert "no record" in desk.shuqiao("credit", "record", uscc(2)).out


@pytest.mark.usefixtures("town")
def test_measures_say_what_applies_and_why(desk: Desk) -> None:
    found = desk.shuqiao("credit", "measures", uscc(1), "--scene", "inspection", "--json").document

    assert [each["code"] for each in found["applies"]] == ["inspection_more"]
    table = desk.shuqiao("credit", "measures", uscc(1))
    assert "Inspected more often" in table.out
    assert "does not hold these lists: red_list, serious_dishonesty" in table.err
    assert "no measure applies" in desk.shuqiao("credit", "measures", uscc(2)).out


@pytest.mark.usefixtures("town")
def test_a_report_sums_up_the_record(desk: Desk) -> None:
    found = desk.shuqiao("credit", "report", uscc(1), "--json").document
    assert (found["check"]["records"], [each["records"] for each in found["summary"]]) == (2, [1, 1])
    assert desk.shuqiao("credit", "report", uscc(1), "--reader", "department", "--json").document["measures"]
    assert found["check"]["digest"] in desk.shuqiao("credit", "report", uscc(1)).out.replace("\n", "")
    assert desk.shuqiao("credit", "report", uscc(1), "--reader", "bank").code == 2


def test_discrepancies_and_findings_are_listed_by_department(desk: Desk, town: Town) -> None:
    slip = {**CONFISCATED, "content": "罚款2000元", "fine": {"amount": "2000", "unit": "万元", "currency": "CNY"}}
    town.say("administrative_penalty", {"P3": penalty(2, **slip)})
    town.follow()

    (found,) = desk.shuqiao("credit", "discrepancies", "--department", "tax", "--json").lines
    assert (found["entity"], found["field"]) == (uscc(1), "legal_representative")
    assert "司马仲达" not in desk.shuqiao("credit", "discrepancies").out
    assert desk.shuqiao("credit", "discrepancies", "--department", "water", "--json").lines == []
    findings = desk.shuqiao("credit", "findings", "--kind", "amount", "--json").lines
    assert [(each["kind"], each["key"]) for each in findings] == [("amount", "P3")]
    assert "P3" in desk.shuqiao("credit", "findings").out
    town.say("tax_registration", {"1": taxpayer(1, legal_representative="诸葛孔明")})
    town.follow()
    assert desk.shuqiao("credit", "discrepancies", "--json").lines == []
    assert desk.shuqiao("credit", "discrepancies", "--all", "--json").lines[0]["closed_because"] == "corrected"


@pytest.mark.usefixtures("town")
@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("file", uscc(9)), 1, "nothing may be told"),
        (("record", uscc(9)), 1, "nothing may be told"),
        (("measures", "330203000000009"), 1, "nothing may be told"),
        (("record", uscc(1), "--reader", "bank"), 2, "public or department"),
        (("record", uscc(1), "--day", "yesterday"), 2, "expected 2026-11-01"),
        (("measures", uscc(1), "--scene", "weather"), 2, "expected one of bidding"),
        (("findings", "--kind", "wrong"), 2, "expected one of late"),
    ],
)
def test_what_cannot_be_answered_ends_with_its_code_and_says_what_to_do(
    desk: Desk, words: tuple[str, ...], code: int, said: str
) -> None:
    answer = desk.shuqiao("credit", *words)

    assert answer.code == code
    assert said in answer.err


def test_an_identifier_of_several_enterprises_names_them_all(desk: Desk, town: Town) -> None:
    town.say("legal_entity", {"3": enterprise(3, registration_number=enterprise(2)["registration_number"])})
    town.follow()

    answer = desk.shuqiao("credit", "record", enterprise(2)["registration_number"])

    assert answer.code == 1
    assert uscc(2) in answer.err
    assert uscc(3) in answer.err


def test_a_wrong_rule_file_is_named_with_its_line(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "city" / "measures"
    folder.mkdir(parents=True)
    (folder / "1.yaml").write_text('edition: "1"\n', "utf-8")
    monkeypatch.setenv("SHUQIAO_CREDIT_RULES", str(folder.parent))

    answer = desk.process("credit", "measures", uscc(1), SHUQIAO_CREDIT_RULES=str(folder.parent))

    assert answer.code == 4
    assert "measures/1.yaml" in answer.err


def test_a_repaired_record_is_listed_without_what_it_said(desk: Desk, town: Town) -> None:
    town.connection.execute(
        "INSERT INTO registry.credit_mark (dataset_id, key, entity, repaired_at)"
        " SELECT id, 'P1', %s, now() FROM registry.dataset WHERE name = 'administrative_penalty'",
        (uscc(1),),
    )

    lines = {each["key"]: each for each in desk.shuqiao("records", "administrative_penalty", "--json").lines}
    assert lines["P1"]["body"] is None
    assert lines["P1"]["marks"]["repaired_at"]
    assert lines["P2"]["body"]
    assert desk.shuqiao("records", "administrative_penalty").code == 0
    assert desk.shuqiao("entity", uscc(1)).code == 0


def test_a_report_is_written_as_a_numbered_and_sealed_document(town: Town, desk: Desk, tmp_path: Path) -> None:
    issuers.enter(
        town.connection, BUREAU_CODE, BUREAU, "Bureau", base=BASE, master_key=MASTER_KEY, now=datetime.now(UTC)
    )
    environ = {"SHUQIAO_MASTER_KEY": base64.b64encode(b"m" * 32).decode(), "SHUQIAO_PUBLIC_URL": BASE}
    file = tmp_path / "report.pdf"

    desk.environ |= environ
    made = desk.shuqiao("credit", "report", uscc(1), "--pdf", str(file))

    assert (made.code, made.out) == (0, "")
    ((number, asked_by),) = town.rows("SELECT number, asked_by FROM registry.credit_report")
    assert (number in made.err, asked_by) == (True, "command line")
    assert file.read_bytes().startswith(b"%PDF-")
    assert b"/ETSI.CAdES.detached" in file.read_bytes()
    assert desk.shuqiao("credit", "report", uscc(9), "--pdf", str(file)).code == 1
