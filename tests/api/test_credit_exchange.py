"""双公示 over HTTP: what the upper-level platform gets, page by page, and how departments do."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker

from registry.api.app import create_app
from registry.api.settings import ApiSettings
from registry.domain.credit.double_publicity import default_formats
from registry.domain.credit.working_days import default_calendar
from tests import china
from tests.api.conftest import Api, Reader
from tests.credit.enterprise_file.town import Town, enterprise, penalty

TODAY = china.today()  # what is visible follows the real clock here; days are chosen relative to it
YESTERDAY = f"{TODAY - timedelta(days=1)}"
PENALTIES = "/credit/double-publicity/penalties"


def offence(number: int = 1, **fields: Any) -> dict[str, Any]:
    said = {"penalty_kinds": ["confiscation_of_income"], "decided_on": YESTERDAY, "content": "没收违法所得2000元"}
    return penalty(number, **said | {"fine": None, "decision_number": f"桥市监罚〔2026〕{number}号"} | fields)


@pytest.fixture
def town(registry_url: str) -> Iterator[Town]:
    made = Town(registry_url, datetime.now(UTC))
    made.say("legal_entity", {"1": enterprise(1)})
    made.say("administrative_penalty", {f"P{number}": offence(number) for number in range(1, 6)})
    made.say("administrative_penalty", {"P9": offence(9, use_scope="government")})
    yield made
    made.connection.close()


@pytest.fixture
def platform(api: Api) -> Reader:
    return api.client("credit:exchange")


def test_a_page_has_what_the_public_may_see_in_the_columns_of_the_edition(town: Town, platform: Reader) -> None:
    town.say("administrative_penalty", {"P1": offence(1, legal_representative="司马仲达", remark="内部")})

    new, old = platform.get(PENALTIES, edition="new"), platform.get(PENALTIES, edition="old")

    assert [each["key"] for each in new["publish"]] == [each["key"] for each in old["publish"]]
    assert [each["key"] for each in new["publish"]] == ["P1", "P2", "P3", "P4", "P5"]
    first = new["publish"][0]["columns"]
    assert list(first) == new["columns"] == [each.name for each in default_formats()["new"].tables["penalties"].columns]
    assert (first["CF_WSH"], first["CF_JDRQ"], first["CF_CFLB"]) == ("桥市监罚〔2026〕1号", YESTERDAY, "没收违法所得")
    assert old["publish"][0]["columns"]["CF_JDRQ"] == YESTERDAY.replace("-", "/")
    assert old["publish"][0]["left_behind"] == ["holder_kind"]
    assert "司马仲达" not in f"{new}{old}"
    assert new["withdraw"] == []


def test_what_is_public_no_longer_is_withdrawn(town: Town, platform: Reader) -> None:
    town.end("administrative_penalty", "P2")
    town.say("administrative_penalty", {"P3": offence(3, status="withdrawn"), "P4": offence(4, content="没收300元")})
    town.connection.execute(
        "INSERT INTO registry.credit_mark (dataset_id, key, entity, repaired_at)"
        " SELECT id, 'P5', '', now() FROM registry.dataset WHERE name = 'administrative_penalty'"
    )

    found = platform.get(PENALTIES, since=YESTERDAY)

    assert [each["key"] for each in found["publish"]] == ["P1", "P4"]
    assert {each["key"]: each["reason"]["code"] for each in found["withdraw"]} == {
        "P2": "gone", "P3": "withdrawn", "P5": "repaired",
    }  # fmt: skip
    (revoked,) = (each for each in found["withdraw"] if each["key"] == "P3")
    assert (revoked["since"], revoked["last_day"], revoked["days_late"]) == (
        f"{TODAY}", f"{TODAY + timedelta(days=3)}", 0,
    )  # fmt: skip
    assert set(revoked["identity"]) == {"CF_WSH", "CF_JDRQ", "CF_CFJG", "CF_CFJGDM"}
    assert platform.get(PENALTIES)["withdraw"] == []
    tomorrow = f"{TODAY + timedelta(days=2)}"
    assert platform.get(PENALTIES, since=tomorrow)["publish"] == []


@pytest.mark.usefixtures("town")
def test_pages_follow_each_other_as_json_and_as_csv(platform: Reader) -> None:
    assert [each["key"] for each in platform.pages(PENALTIES, "publish", limit=2)] == ["P1", "P2", "P3", "P4", "P5"]

    (source,) = platform.get(PENALTIES)["sources"]["administrative_penalty"]
    path, rows = f"/api/v1{PENALTIES}?limit=4&since={YESTERDAY}&edition=old", []
    while path:
        answer = platform.ask(path, headers={"Accept": "text/csv"})
        assert answer.headers["Content-Type"] == "text/csv; charset=utf-8; header=present"
        assert datetime.fromisoformat(answer.headers["Shuqiao-As-Of"]) <= datetime.now(UTC)
        read_at = datetime.fromisoformat(answer.headers["Shuqiao-Read-At"])
        assert read_at == datetime.fromisoformat(source["read_at"])
        rows += list(csv.DictReader(io.StringIO(answer.content.decode())))
        path = answer.links.get("next", {}).get("url", "")
    assert [row["CF_WSH"] for row in rows] == [f"桥市监罚〔2026〕{number}号" for number in range(1, 6)]


def test_withdrawals_as_csv_have_what_identifies_the_decision(town: Town, platform: Reader) -> None:
    town.end("administrative_penalty", "P2")

    path = f"/api/v1{PENALTIES}"
    answer = platform.ask(path, headers={"Accept": "text/csv"}, since=YESTERDAY, part="withdraw")

    (row,) = csv.DictReader(io.StringIO(answer.content.decode()))
    assert (row["CF_WSH"], row["撤回原因代码"], row["撤回起始日"]) == ("桥市监罚〔2026〕2号", "gone", f"{TODAY}")


@pytest.mark.usefixtures("town")
def test_what_cannot_be_asked_is_refused(api: Api, platform: Reader) -> None:
    for scope in ("credit:public", "credit:department", "credit:bank", "operate", "read:*"):
        assert api.client(scope).ask(f"/api/v1{PENALTIES}").status_code == 403
    wrongs: tuple[dict[str, Any], ...] = (
        {"edition": "2015"},
        {"since": "2001-01-01"},
        {"since": "soon"},
        {"part": "all"},
    )
    for wrong in wrongs:
        assert platform.ask(f"/api/v1{PENALTIES}", **wrong).status_code == 400
    assert platform.ask("/api/v1/credit/double-publicity/permits").status_code == 404
    assert platform.ask("/api/v1/credit/double-publicity/fines").status_code == 400
    assert platform.ask(f"/api/v1{PENALTIES}", headers={"Accept": "application/xml"}).status_code == 406
    cursor = platform.get(PENALTIES, limit=1)["next"]
    assert platform.ask(f"/api/v1{PENALTIES}", after=cursor, edition="old").status_code == 400


def long_ago(working_days: int) -> str:
    """The day of a decision that is late today by so many working days."""
    calendar, day = default_calendar(assume_weekdays=True), TODAY
    while calendar.between(calendar.deadline(day, 7).day, TODAY) < working_days:
        day -= timedelta(days=1)
    return f"{day}"


def test_quality_counts_what_was_found_per_department(town: Town, api: Api) -> None:
    hub = api.client("operate")
    slip = {"content": "罚款2000元", "penalty_kinds": ["fine"]}
    town.say("administrative_penalty", {
        "L1": offence(11, decided_on=long_ago(1)),
        "L2": offence(12, decided_on=long_ago(4), authority="桥州市生态环境局"),
        "L3": offence(13, decided_on=long_ago(20)),
        "A1": offence(14, fine={"amount": "2000", "unit": "万元", "currency": "CNY"}, **slip),
    })  # fmt: skip
    town.follow()

    said = hub.get("/credit/quality")
    (found,) = said["quality"]

    assert said["sources"]["administrative_penalty"][0]["read_at"]
    assert (found["department"], found["authority"], found["table"]) == ("credit", None, "penalties")
    assert (found["records"], found["late"], found["late_share"]) == (10, 3, 0.3)
    assert found["median_days_late"] == 4
    assert found["longest_days_late"] >= 20
    assert found["amounts_contradicting"] == 1
    assert (found["coverage"], found["not_withdrawn"], found["withdrawn_late"]) == (None, 0, 0)
    by_authority = {each["authority"]: each for each in hub.get("/credit/quality", by="authority")["quality"]}
    assert by_authority["桥州市生态环境局"]["late_share"] == 1
    assert by_authority["桥州市市场监督管理局"]["late"] == 2
    (covered,) = hub.get("/credit/quality", department="credit", decided_penalties=20)["quality"]
    assert (covered["decided"], covered["coverage"]) == (20, 0.5)
    assert hub.get("/credit/quality", department="tax")["quality"] == []
    assert hub.ask("/api/v1/credit/quality", decided_penalties=20).status_code == 400
    assert api.client("credit:exchange").ask("/api/v1/credit/quality").status_code == 403


def test_quality_tells_what_was_withdrawn_late_and_what_is_not(town: Town, api: Api) -> None:
    town.say("administrative_penalty", {name: offence(20, status="withdrawn") for name in ("W1", "W2")})
    town.later(days=4)
    town.follow()
    late = town.connection.execute(
        "SELECT count(*) FROM registry.credit_finding WHERE kind = 'not_withdrawn'"
    ).fetchone()
    assert late == (2,)
    town.end("administrative_penalty", "W1")
    town.follow()

    (found,) = api.client("operate").get("/credit/quality")["quality"]

    assert (found["not_withdrawn"], found["withdrawn_late"]) == (1, 1)


@pytest.mark.usefixtures("town")
def test_the_answers_are_what_the_description_says(api: Api, platform: Reader, settings: ApiSettings) -> None:
    description = create_app(settings).openapi()
    answers = {
        "/api/v1/credit/double-publicity/{table}": platform.ask(f"/api/v1{PENALTIES}", since=YESTERDAY),
        "/api/v1/credit/quality": api.client("operate").ask("/api/v1/credit/quality"),
    }
    for path, answer in answers.items():
        assert answer.status_code == 200, answer.text
        schema = description["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        whole = {"components": description["components"], **schema}
        problems = Draft202012Validator(whole, format_checker=FormatChecker()).iter_errors(answer.json())
        assert [error.message for error in problems] == [], path
