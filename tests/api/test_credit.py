"""Enterprises' files, credit records and measures through the API: who sees what, and what nobody sees."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker

from registry.api.app import create_app
from registry.api.settings import ApiSettings
from tests import china, granting
from tests.api.conftest import Api, Reader
from tests.credit.enterprise_file.town import Town, body, enterprise, penalty, taxpayer, uscc

TODAY = china.today()  # what is visible follows the real clock here; days are chosen relative to it
RECENT = f"{TODAY - timedelta(days=20)}"
RESIDENT_ID = "11010519491231002X"


@pytest.fixture
def town(registry_url: str) -> Iterator[Town]:
    made = Town(registry_url)
    yield made
    made.connection.close()


@pytest.fixture
def office(api: Api) -> Reader:
    return api.client("credit:department")


@pytest.fixture
def anybody(api: Api) -> Reader:
    return api.client("credit:public")


def confiscation(number: int = 1, **fields: Any) -> dict[str, Any]:
    """A penalty that is published."""
    return penalty(number, **{"penalty_kinds": ["confiscation_of_income"], "decided_on": RECENT} | fields)


def listed(number: int = 1, **fields: Any) -> dict[str, Any]:
    return body(number, **{"listed_on": RECENT, "listed_reason": "未公示年度报告", "listed_by": "桥州市局"} | fields)


def rated(number: int = 1, **fields: Any) -> dict[str, Any]:
    return body(number, **{"year": f"{TODAY.year - 1}", "grade": "A", "rated_on": RECENT} | fields)


def keys(record: dict[str, Any]) -> list[str]:
    return sorted(each["key"] for each in record["records"])


def mark(town: Town, dataset: str, key: str, column: str) -> None:
    town.connection.execute(
        f"INSERT INTO registry.credit_mark (dataset_id, key, entity, {column})"
        " SELECT id, %s, %s, now() - interval '1 day' FROM registry.dataset WHERE name = %s",
        (key, uscc(1), dataset),
    )


def test_a_file_gives_each_field_from_its_one_source_with_its_age(town: Town, office: Reader) -> None:
    town.say("legal_entity", {"1": enterprise(1)})
    town.say("tax_registration", {"1": taxpayer(1, name="别的名字")})
    town.say("administrative_penalty", {"P1": confiscation()})
    town.follow()

    found = office.get(f"/enterprises/{uscc(1)}")

    name = found["fields"]["name"]
    assert (name["value"], name["authoritative"]) == (enterprise(1)["name"], True)
    assert name["source"]["department"] == "market-supervision"
    assert name["source"]["age_days"] == 0
    assert [each["body"]["decision_number"] for each in found["lists"]["penalties"]["entries"]] == [
        confiscation()["decision_number"]
    ]
    assert [(each["field"], each["department"]) for each in found["discrepancies"]] == [("name", "tax")]
    assert found["found_by"] == "uscc"
    assert "tax_registration" not in found["sources"]  # which is not granted
    for dataset in ("legal_entity", "administrative_penalty"):
        ((read_at, late),) = ((each["read_at"], each["late"]) for each in found["sources"][dataset])
        assert (read_at is not None, late) == (True, False)


def test_datasets_outside_the_catalogue_enter_a_file_only_by_their_own_grant(town: Town, api: Api) -> None:
    town.say("legal_entity", {"1": enterprise(1)})
    town.say("tax_registration", {"1": taxpayer(1)})

    without = api.client("credit:department").get(f"/enterprises/{uscc(1)}")
    granted = api.client("credit:department", "read:tax_registration").get(f"/enterprises/{uscc(1)}")

    assert "taxpayer_status" not in without["fields"]
    assert without["not_granted"] == ["tax_registration"]
    assert granted["fields"]["taxpayer_status"]["value"] == "normal"
    assert granted["not_granted"] == []


@pytest.mark.parametrize(
    "terms", [{"fields": ["uscc"]}, {"rows": {"status": ["deregistered"]}}, {"purposes": ["audit"]}], ids=str
)
def test_a_grant_of_a_part_of_a_dataset_brings_none_of_it_into_a_file(
    town: Town, api: Api, terms: dict[str, Any]
) -> None:
    town.say("legal_entity", {"1": enterprise(1)})
    town.say("tax_registration", {"1": taxpayer(1)})
    office = api.client("credit:department")
    assert office.client is not None
    granting.grant(api.settings.database_url, office.client.id, "tax_registration", **terms)

    found = api.signed_in(office.client).get(f"/enterprises/{uscc(1)}")

    assert found["not_granted"] == ["tax_registration"]
    assert "taxpayer_status" not in found["fields"]


@pytest.mark.parametrize("path", ["", "/credit", "/measures"])
def test_old_identifiers_lead_to_the_enterprise(town: Town, office: Reader, path: str) -> None:
    town.say("legal_entity", {"1": enterprise(1), "2": enterprise(2)})
    town.follow()

    by_number = office.get(f"/enterprises/{enterprise(1)['registration_number']}{path}")
    by_organisation_code = office.get(f"/enterprises/{uscc(2)[8:16]}-{uscc(2)[16]}{path}")

    assert (by_number["uscc"], by_number["found_by"]) == (uscc(1), "registration_number")
    assert (by_organisation_code["uscc"], by_organisation_code["found_by"]) == (uscc(2), "organisation_code")


def test_an_identifier_of_several_enterprises_is_answered_with_all_of_them(town: Town, office: Reader) -> None:
    town.say("legal_entity", {"1": enterprise(1), "2": enterprise(2, registration_number="330203000000001")})
    town.follow()

    answer = office.ask("/api/v1/enterprises/330203000000001")

    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/ambiguous-identifier")
    assert answer.json()["fault"] == "source"
    assert answer.json()["candidates"] == sorted([uscc(1), uscc(2)])


@pytest.mark.parametrize(
    ("identifier", "status", "kind"),
    [
        (uscc(9), 404, "not-found"),
        ("330203000000009", 404, "not-found"),
        ("---", 404, "not-found"),
        (uscc(1)[:-1] + ("0" if uscc(1)[-1] != "0" else "1"), 400, "invalid-entity-code"),
    ],
)
def test_an_enterprise_that_is_not_known_is_not_found(
    town: Town, office: Reader, identifier: str, status: int, kind: str
) -> None:
    town.say("legal_entity", {"1": enterprise(1)})

    for path in ("", "/credit"):
        answer = office.ask(f"/api/v1/enterprises/{identifier}{path}")
        assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{kind}")


def test_the_public_sees_what_is_publishable_and_departments_what_is_shared(
    town: Town, office: Reader, anybody: Reader
) -> None:
    town.say("legal_entity", {"1": enterprise(1)})
    town.say(
        "administrative_penalty",
        {
            "public": confiscation(),
            "minor": confiscation(penalty_kinds=["warning"], fine=None, content="警告"),
            "government": confiscation(use_scope="government"),
            "internal": confiscation(use_scope="internal"),
            "old": confiscation(decided_on="2015-01-05"),
            "withdrawn": confiscation(status="withdrawn"),
        },
    )
    town.say("utility_payment", {"U": body(1, period="2026-10", utility="water", account="1")})
    path = f"/enterprises/{uscc(1)}/credit"

    public, department = anybody.get(path), office.get(path)

    assert keys(public) == ["public"]
    assert keys(department) == ["government", "minor", "public"]
    assert keys(office.get(path, reader="public")) == ["public"]
    assert anybody.ask(f"/api/v1{path}", reader="department").status_code == 403
    (shown,) = public["records"]
    assert (shown["reason"]["code"], shown["class"]["code"]) == ("in_term", "administration")
    assert shown["since"] == RECENT
    assert shown["until"] > f"{TODAY}"
    assert public["name"] == enterprise(1)["name"]
    assert "evaluations" not in public
    assert "left_out" not in public


def test_personal_identifiers_never_leave(town: Town, office: Reader, anybody: Reader) -> None:
    town.say("legal_entity", {"1": enterprise(1)})
    town.say(
        "administrative_penalty",
        {
            f"{RESIDENT_ID}": confiscation(
                facts=f"王某（{RESIDENT_ID}，13800138000）经营超过保质期的食品",
                legal_representative="王某某",
                legal_representative_id=RESIDENT_ID,
                legal_representative_id_type="111",
            )
        },
    )

    for reader in (office, anybody):
        for path in ("/credit", "/measures", ""):
            text = reader.ask(f"/api/v1/enterprises/{uscc(1)}{path}").text
            assert RESIDENT_ID not in text
            assert "13800138000" not in text
    assert "王某某" not in anybody.ask(f"/api/v1/enterprises/{uscc(1)}/credit").text
    assert "王某某" in office.ask(f"/api/v1/enterprises/{uscc(1)}/credit").text


def test_a_disputed_record_carries_its_mark_and_a_repaired_one_is_gone_for_everyone(
    town: Town, office: Reader, anybody: Reader
) -> None:
    town.say("legal_entity", {"1": enterprise(1)})
    town.say("administrative_penalty", {"P1": confiscation(), "P2": confiscation(), "P3": confiscation()})
    mark(town, "administrative_penalty", "P1", "disputed_since")
    mark(town, "administrative_penalty", "P2", "repaired_at")
    mark(town, "administrative_penalty", "P3", "withdrawn_at")
    before = f"{TODAY - timedelta(days=5)}"

    for reader in (office, anybody):
        for asked in ({}, {"day": before}):
            (shown,) = reader.get(f"/enterprises/{uscc(1)}/credit", **asked)["records"]
            assert (shown["key"], shown["marks"]) == ("P1", ["disputed"])
    file = office.get(f"/enterprises/{uscc(1)}")
    assert len(file["lists"]["penalties"]["entries"]) == 1


def test_another_day_shows_only_what_may_be_seen_then_and_today(town: Town, anybody: Reader) -> None:
    town.say("legal_entity", {"1": enterprise(1)})
    town.say("administrative_penalty", {"now": confiscation(), "over": confiscation(decided_on="2021-03-01")})
    path = f"/enterprises/{uscc(1)}/credit"

    assert keys(anybody.get(path)) == ["now"]
    assert keys(anybody.get(path, day=f"{TODAY - timedelta(days=21)}")) == []
    assert keys(anybody.get(path, day="2021-04-01")) == []
    assert keys(anybody.get(path, day=f"{TODAY + timedelta(days=30)}")) == ["now"]
    assert keys(anybody.get(path, day=f"{TODAY + timedelta(days=4000)}")) == []
    for wrong in ("0001-01-01", "yesterday", ""):
        assert anybody.ask(f"/api/v1{path}", day=wrong).status_code == 400


def test_records_whose_publicity_cannot_be_judged_are_shown_to_nobody(town: Town, office: Reader) -> None:
    town.say("legal_entity", {"1": enterprise(1)})
    town.say("tax_credit_rating", {"R": rated(rated_on=None)})

    found = office.get(f"/enterprises/{uscc(1)}/credit")

    assert found["records"] == []
    assert found["left_out"] == ["tax_credit_rating"]


def test_measures_say_what_applies_and_why_in_one_scene_or_all(town: Town, office: Reader) -> None:
    town.say("legal_entity", {"1": enterprise(1)})
    town.say("abnormal_operation", {"A1": listed()})
    town.say("tax_credit_rating", {"R1": rated()})

    found = office.get(f"/enterprises/{uscc(1)}/measures", scene="inspection")

    (applies,) = found["applies"]
    assert applies["code"] == "inspection_more"
    assert applies["legal_basis"]
    (because,) = applies["because"]
    assert (because["list"], because["key"], because["since"]) == ("abnormal_operation", "A1", RECENT)
    (withheld,) = found["withheld"]
    assert [each["list"] for each in withheld["prevented_by"]] == ["abnormal_operation"]
    assert found["registered"] is True
    assert set(found["sources"]) == {"abnormal_operation", "tax_credit_rating"}
    assert found["missing"] == ["red_list", "serious_dishonesty"]
    everywhere = office.get(f"/enterprises/{uscc(1)}/measures")
    assert {each["scene"] for each in everywhere["applies"]} == {"bidding", "lending", "inspection"}


def test_a_repair_lifts_the_measures_at_once(town: Town, office: Reader) -> None:
    town.say("legal_entity", {"1": enterprise(1)})
    town.say("abnormal_operation", {"A1": listed()})
    path = f"/enterprises/{uscc(1)}/measures"
    assert office.get(path, scene="lending")["applies"]

    mark(town, "abnormal_operation", "A1", "repaired_at")

    assert office.get(path, scene="lending")["applies"] == []
    assert office.get(path)["lists"] == []


def test_an_enterprise_on_no_list_gets_an_answer_too(town: Town, office: Reader) -> None:
    town.say("legal_entity", {"1": enterprise(1)})

    found = [office.get(f"/enterprises/{uscc(number)}/measures", scene="bidding") for number in (1, 2)]

    assert [(each["registered"], each["applies"]) for each in found] == [(True, []), (False, [])]


def test_a_scene_that_there_is_not_is_refused_with_those_there_are(office: Reader) -> None:
    answer = office.ask(f"/api/v1/enterprises/{uscc(1)}/measures", scene="weather")

    assert (answer.status_code, answer.json()["type"]) == (400, "/problems/invalid-parameter")
    assert "bidding" in answer.json()["detail"]


def test_a_report_sums_up_says_how_old_it_is_and_can_be_checked(town: Town, office: Reader, anybody: Reader) -> None:
    town.say("legal_entity", {"1": enterprise(1)})
    town.say("administrative_penalty", {"P1": confiscation(), "P2": confiscation(use_scope="government")})
    town.say("abnormal_operation", {"A1": listed()})
    mark(town, "administrative_penalty", "P1", "disputed_since")
    path = f"/enterprises/{uscc(1)}/report"

    public, department = anybody.get(path), office.get(path)

    assert [(each["code"], each["records"], each["disputed"]) for each in public["summary"]] == [
        ("administration", 1, 1),
        ("abnormal_operation", 1, 0),
    ]
    assert department["summary"][0]["records"] == 2
    assert public["oldest_read_at"] == min(source["read_at"] for each in public["sources"].values() for source in each)
    assert "measures" not in public
    assert [each["code"] for each in department["measures"]] == [
        "bidding_attention",
        "lending_caution",
        "inspection_more",
    ]
    assert public["check"] == {"records": 2, "digest": f"sha256:{checked(public)}"}
    assert department["check"] == {"records": 3, "digest": f"sha256:{checked(department)}"}
    assert office.get(path, reader="public")["check"] == public["check"]
    town.say("administrative_penalty", {"P1": confiscation(facts="更正后的事实")})
    assert anybody.get(path)["check"] != public["check"]
    assert anybody.ask(f"/api/v1{path}", reader="department").status_code == 403
    assert anybody.ask(f"/api/v1/enterprises/{uscc(9)}/report").status_code == 404


def checked(report: dict[str, Any]) -> str:
    """The digest as docs/credit.md says."""
    lines = sorted(
        "\t".join([each["dataset"], each["key"], str(each["source"]["version"]), ",".join(each["marks"])]) + "\n"
        for each in report["records"]
    )
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def test_operators_read_what_departments_have_to_mend(town: Town, api: Api) -> None:
    town.say("legal_entity", {f"{number}": enterprise(number) for number in range(1, 6)})
    town.say("tax_registration", {f"{number}": taxpayer(number, name="别的名字") for number in range(1, 6)})
    slip = confiscation(content="罚款2000元", fine={**penalty(1)["fine"], "amount": "2000"})
    town.say("administrative_penalty", {"P1": slip})
    town.follow()
    operator = api.client("operate")

    found = operator.pages("/credit/discrepancies", "discrepancies", limit=2, department="tax")
    for path, datasets in {
        "/credit/discrepancies": {"legal_entity", "tax_registration"},
        "/credit/findings": {"administrative_penalty"},
    }.items():
        assert datasets <= operator.get(path)["sources"].keys()

    assert [each["entity"] for each in found] == [uscc(number) for number in range(1, 6)]
    assert {each["field"] for each in found} == {"name"}
    assert operator.get("/credit/discrepancies", department="water")["discrepancies"] == []
    assert operator.get("/credit/discrepancies", state="closed")["discrepancies"] == []
    assert len(operator.get("/credit/discrepancies", enterprise=uscc(3))["discrepancies"]) == 1
    (finding,) = operator.get("/credit/findings", kind="amount", department="credit")["findings"]
    assert (finding["dataset"], finding["key"], finding["entity"]) == ("administrative_penalty", "P1", uscc(1))
    town.say("tax_registration", {"3": taxpayer(3)})
    town.follow()
    (closed,) = operator.get("/credit/discrepancies", state="closed")["discrepancies"]
    assert (closed["entity"], closed["closed_because"]) == (uscc(3), "corrected")


def test_an_api_with_a_wrong_rule_file_does_not_start_and_says_where_it_is_wrong(tmp_path: Path) -> None:
    folder = tmp_path / "measures"
    folder.mkdir()
    (folder / "1.yaml").write_text('edition: "1"\n', "utf-8")
    environ = {"SHUQIAO_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none", "SHUQIAO_RUN_DIR": str(tmp_path)}
    environ |= {"SHUQIAO_CREDIT_RULES": str(tmp_path)}

    done = subprocess.run(
        [sys.executable, "-m", "registry.api", "--port", "0"],
        env=environ, cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    assert done.returncode == 2
    assert "measures/1.yaml" in done.stderr
    assert "Traceback" not in done.stderr


def test_answers_are_what_the_description_says(town: Town, api: Api, settings: ApiSettings) -> None:
    town.say("legal_entity", {"1": enterprise(1)})
    town.say("tax_registration", {"1": taxpayer(1, name="别的名字")})
    town.say("administrative_penalty", {"P1": confiscation(), "P2": confiscation(content="罚款1元")})
    town.say("abnormal_operation", {"A1": listed()})
    town.say("tax_credit_rating", {"R1": rated()})
    town.follow()
    mark(town, "administrative_penalty", "P1", "disputed_since")
    town.connection.execute(
        "INSERT INTO registry.evaluation VALUES"
        " ('enterprise_credit', 1, %s, %s, 870, 'B', '[]', gen_random_uuid(), NULL, now())",
        (uscc(1), TODAY),
    )
    town.connection.execute(
        "INSERT INTO registry.evaluation_card VALUES ('enterprise_credit', 1, '', now(), now(), '0', 0)"
    )
    description = create_app(settings).openapi()
    reader = api.client("credit:department", "operate")
    addresses = {
        "/api/v1/enterprises/{enterprise}": f"/api/v1/enterprises/{uscc(1)}",
        "/api/v1/enterprises/{enterprise}/credit": f"/api/v1/enterprises/{uscc(1)}/credit",
        "/api/v1/enterprises/{enterprise}/report": f"/api/v1/enterprises/{uscc(1)}/report",
        "/api/v1/enterprises/{enterprise}/measures": f"/api/v1/enterprises/{uscc(1)}/measures",
        "/api/v1/credit/discrepancies": "/api/v1/credit/discrepancies",
        "/api/v1/credit/findings": "/api/v1/credit/findings",
    }

    assert set(addresses) <= set(description["paths"])  # of the others their own tests say what they answer
    for path, address in addresses.items():
        answer = reader.ask(address)
        schema = description["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        assert answer.status_code == 200, answer.text
        whole = {"components": description["components"], **schema}
        found = Draft202012Validator(whole, format_checker=FormatChecker()).iter_errors(answer.json())
        assert [error.message for error in found] == [], path
        refused = reader.ask(address, nonsense="1")
        assert refused.json()["type"] == "/problems/unknown-parameter"
    (evaluation,) = reader.get(f"/enterprises/{uscc(1)}/credit")["evaluations"]
    assert (evaluation["grade"], evaluation["score"]) == ("B", 870)
