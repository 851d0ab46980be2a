"""Requests for grants: filed by clients, checked by the hub, answered by departments, by a clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from registry.api.clients import clients
from registry.domain.credit.working_days import default_calendar
from registry.intake.batches import DatasetEntry
from registry.storage.database import connect
from registry.storage.grant_uses import day_of
from tests import granting
from tests.api.conftest import Api, Reader
from tests.api.feeding import Feed, enterprise, enterprises, permit, permits, uscc

ASKED = {
    "dataset": "legal_entity",
    "fields": ["name", "status"],
    "purposes": ["credit_lending"],
    "case_number": True,
    "rows": {"status": ["active"]},
    "daily_quota": 100,
    "legal_basis": "国办发〔2021〕52号",
    "statement": "授信审批时核对企业登记信息",
}
LENDING = {"Access-Purpose": "credit_lending", "Case-Number": "L-1"}


def post(reader: Reader, path: str, **body: Any) -> requests.Response:
    return reader.session.post(
        f"{reader.address}/api/v1/grants{path}",
        json=body,
        headers={"Authorization": f"Bearer {reader.token}"},
        timeout=60,
    )


def done(reader: Reader, path: str, **body: Any) -> dict[str, Any]:
    answer = post(reader, path, **body)
    assert answer.status_code in {200, 201}, answer.text
    found: dict[str, Any] = answer.json()
    return found


class Office:
    """Everyone who has to do with a request."""

    def __init__(self, api: Api, url: str) -> None:
        enterprises(url).publish([enterprise(1), enterprise(2, status="revoked")])
        permits(url).publish([permit(1, "A")])
        self.api = api
        self.bank = api.client()
        self.other = api.client()
        self.hub = api.client("operate")
        self.owner = api.client("grants:decide:market-supervision")
        self.stranger = api.client("grants:decide:licensing")

    def filed(self, **changes: Any) -> int:
        return int(done(self.bank, "/requests", **{**ASKED, **changes})["id"])


@pytest.fixture
def office(api: Api, registry_url: str) -> Office:
    return Office(api, registry_url)


def test_what_is_asked_for_checked_and_approved_can_be_read(office: Office) -> None:
    number = office.filed()
    assert done(office.hub, f"/requests/{number}/check")["state"] == "checked"
    assert office.bank.get("/grants")["grants"] == []
    approved = done(office.owner, f"/requests/{number}/approve", reason="同意")
    assert (approved["state"], approved["due"]) == ("approved", None)

    assert office.bank.client is not None
    reader = office.api.signed_in(office.bank.client)
    answer = reader.ask("/api/v1/datasets/legal_entity/records", headers=LENDING)
    grants = reader.get("/grants")["grants"]

    assert [found["body"] for found in answer.json()["records"]] == [
        {"uscc": uscc(1), "name": "第1号公司", "status": "active"}
    ]
    assert [(grant["id"], grant["approval"], grant["uses_today"]) for grant in grants] == [
        (approved["grant"], f"request {number}", 1)
    ]
    shown = office.bank.get(f"/grants/requests/{number}")
    assert [(event["action"], event["by"]) for event in shown["events"]] == [
        ("file", office.bank.client.id),
        ("check", office.hub.client and office.hub.client.id),
        ("approve", office.owner.client and office.owner.client.id),
    ]


def test_the_clock_runs_in_working_days_and_begins_anew_with_each_step(office: Office) -> None:
    today, calendar = day_of(datetime.now(UTC)), default_calendar(assume_weekdays=True)
    number = office.filed()

    filed = office.bank.get(f"/grants/requests/{number}")["due"]
    checked = done(office.hub, f"/requests/{number}/check")["due"]

    assert (filed["on"], filed["overdue"]) == (calendar.add(today, 2).isoformat(), False)
    assert checked["on"] == calendar.add(today, 5).isoformat()


def test_everybody_may_do_their_own_step_only(office: Office) -> None:
    number = office.filed()
    reason = {"reason": "不完整"}

    for reader, action in ((office.bank, "check"), (office.owner, "check"), (office.bank, "approve")):
        assert post(reader, f"/requests/{number}/{action}", **reason).status_code == 403, action
    for reader in (office.owner, office.hub):
        early = post(reader, f"/requests/{number}/approve")
        assert (early.status_code, early.json()["reason"]) in {
            (409, "request_state"), (403, "not_for_this_role"),
        }  # fmt: skip
    done(office.hub, f"/requests/{number}/check")
    assert post(office.hub, f"/requests/{number}/approve").json()["reason"] == "not_for_this_role"
    for reader in (office.stranger, office.other):
        assert reader.ask(f"/api/v1/grants/requests/{number}").status_code == 404
    assert post(office.stranger, f"/requests/{number}/approve").status_code == 404
    assert post(office.owner, f"/requests/{number}/refuse").status_code == 400
    refused = done(office.owner, f"/requests/{number}/refuse", reason="用途不明")
    assert refused["state"] == "refused"
    assert post(office.owner, f"/requests/{number}/approve").status_code == 409
    assert office.bank.get("/grants")["grants"] == []


def test_a_client_takes_back_only_what_it_asked_for(office: Office) -> None:
    number = office.filed()

    assert post(office.other, f"/requests/{number}/withdraw").status_code == 404
    assert office.other.get("/grants/requests")["requests"] == []
    for nasty in ("\0", "a\0b"):
        assert office.other.ask("/api/v1/grants", dataset=nasty).status_code == 400
        assert office.other.ask("/api/v1/grants", client=nasty).status_code == 400
    assert post(office.hub, f"/requests/{number}/withdraw").status_code == 403
    assert done(office.bank, f"/requests/{number}/withdraw")["state"] == "withdrawn"
    assert post(office.hub, f"/requests/{number}/check").status_code == 409


def test_a_department_may_give_less_but_not_more_than_was_asked_for(office: Office) -> None:
    number = office.filed()
    done(office.hub, f"/requests/{number}/check")
    less = {key: ASKED[key] for key in ("fields", "purposes", "case_number", "rows", "daily_quota")}

    too_much: tuple[dict[str, Any], ...] = (
        {"fields": None},
        {"fields": ["name", "address"]},
        {"purposes": ["credit_lending", "marketing"]},
        {"rows": {}},
        {"rows": {"status": ["active", "revoked"]}},
        {"daily_quota": None},
        {"daily_quota": 101},
        {"case_number": False},
    )
    for wider in too_much:
        answer = post(office.owner, f"/requests/{number}/approve", terms={**less, **wider})
        assert (answer.status_code, answer.json()["reason"]) == (400, "wider_than_asked"), wider
    given = done(office.owner, f"/requests/{number}/approve", terms={**less, "fields": ["name"], "daily_quota": 5})

    grant = office.owner.get(f"/grants/{given['grant']}")
    assert (grant["fields"], grant["daily_quota"]) == (["name", "uscc"], 5)
    assert office.stranger.ask(f"/api/v1/grants/{given['grant']}").status_code == 404


def test_personal_values_in_clear_are_more_than_all_fields_which_are_masked(office: Office, registry_url: str) -> None:
    entry = DatasetEntry("outlet", "outlet@1", "经营网点", "Outlets", "commerce", ("number",), "uscc", "conditional")
    Feed(registry_url, "commerce.outlet", entry).publish([{"uscc": uscc(1), "number": "1", "kind": "shop"}])
    owner = office.api.client("grants:decide:commerce")
    number = office.filed(dataset="outlet", fields=None, rows={})
    done(office.hub, f"/requests/{number}/check")
    terms = {key: ASKED[key] for key in ("purposes", "case_number", "daily_quota")}

    answer = post(owner, f"/requests/{number}/approve", terms={**terms, "fields": ["kind", "manager"]})

    assert (answer.status_code, answer.json()["reason"]) == (400, "wider_than_asked")
    assert done(owner, f"/requests/{number}/approve", terms={**terms, "fields": ["kind"]})["state"] == "approved"


def test_who_answers_depends_on_how_a_dataset_is_shared(office: Office, registry_url: str) -> None:
    free = office.filed(dataset="permit", fields=None, rows={})
    done(office.hub, f"/requests/{free}/check")
    assert post(office.stranger, f"/requests/{free}/approve").json()["reason"] == "not_for_this_role"
    assert done(office.hub, f"/requests/{free}/approve")["state"] == "approved"

    with connect(registry_url) as connection:
        connection.execute("UPDATE registry.dataset SET sharing = 'none' WHERE name = 'legal_entity'")
    assert post(office.bank, "/requests", **{**ASKED, "legal_basis": " "}).status_code == 400
    secret = office.filed()
    done(office.hub, f"/requests/{secret}/check")
    assert post(office.owner, f"/requests/{secret}/approve").json()["reason"] == "not_for_this_role"
    assert done(office.hub, f"/requests/{secret}/approve")["state"] == "approved"
    client = clients.add(registry_url, "x", [])
    with pytest.raises(granting.GrantError, match="name the law"):
        granting.grant(registry_url, client.id, "legal_entity")


def test_a_department_revokes_and_the_next_request_is_refused(office: Office) -> None:
    assert office.bank.client is not None
    grant = granting.grant(office.api.settings.database_url, office.bank.client.id, "legal_entity")
    reader = office.api.signed_in(office.bank.client)
    assert reader.ask("/api/v1/datasets/legal_entity/records").status_code == 200

    assert post(office.stranger, f"/{grant.id}/revoke", reason="x").status_code == 404
    assert post(office.bank, f"/{grant.id}/revoke", reason="x").status_code == 403
    ended = done(office.owner, f"/{grant.id}/revoke", reason="用途已终止")

    assert (ended["in_force"], ended["ended_because"], ended["ended_reason"]) == (False, "revoked", "用途已终止")
    assert reader.ask("/api/v1/datasets/legal_entity/records").status_code == 403
    assert post(office.owner, f"/{grant.id}/revoke", reason="x").status_code == 409


def test_the_report_names_what_ends_what_nobody_uses_and_what_is_late(office: Office, registry_url: str) -> None:
    now = datetime.now(UTC)
    assert office.bank.client is not None
    assert office.other.client is not None
    ending = granting.grant(
        registry_url, office.bank.client.id, "legal_entity", valid_until=now + timedelta(days=10)
    ).id
    idle = granting.grant(registry_url, office.other.client.id, "legal_entity").id
    number = office.filed()
    with connect(registry_url) as connection:
        connection.execute("SET session_replication_role = replica")  # as if it had been long ago
        connection.execute("UPDATE registry.access_grant SET valid_from = now() - interval '100 days'")
        connection.execute("UPDATE registry.access_grant_request SET due_on = '2026-01-05'")
    office.api.signed_in(office.bank.client).get("/datasets/legal_entity/records")

    report = office.owner.get("/grants/report")
    brief = office.hub.get("/grants/report", expiring_days=5, unused_days=365)

    assert [grant["id"] for grant in report["expiring"]] == [ending]
    assert [grant["id"] for grant in report["unused"]] == [idle]
    assert [(each["id"], each["due"]["overdue"]) for each in report["overdue"]] == [(number, True)]
    assert (brief["expiring"], brief["unused"]) == ([], [])
    assert office.stranger.get("/grants/report")["overdue"] == []
    listed = office.hub.get("/grants/requests", state="open", overdue=True)["requests"]
    assert [each["id"] for each in listed] == [number]


@pytest.mark.parametrize(
    "changes",
    [
        {"dataset": "nothing"},
        {"fields": ["nothing"]},
        {"rows": {"status": ["asleep"]}},
        {"purposes": []},
        {"legal_basis": ""},
        {"statement": ""},
        {"valid_until": "2020-01-01T00:00:00Z"},
        {"valid_until": "2027-01-01T00:00:00"},
        {"valid_until": "9999-12-31T23:59:59-23:59"},
        {"statement": "a\u0000b"},
        {"rows": {"a\u0000b": ["x"]}},
        {"fields": ["\ud800"]},
        {"unknown": 1},
    ],
    ids=str,
)
def test_a_request_that_cannot_stand_is_refused(office: Office, changes: dict[str, Any]) -> None:
    answer = post(office.bank, "/requests", **{**ASKED, **changes})

    assert (answer.status_code, answer.json()["type"]) == (400, "/problems/invalid-body")


def test_what_is_wrong_with_terms_is_told_in_both_languages(office: Office) -> None:
    found = post(office.bank, "/requests", **{**ASKED, "fields": ["nam"], "daily_quota": None}).json()

    assert found["detail"].startswith("legal_entity@1 has no field 'nam'; expected some of address, ")
    assert found["detail_zh"] == "legal_entity@1 没有字段 'nam'。"


def test_what_was_asked_and_decided_cannot_be_rewritten(office: Office, registry_url: str) -> None:
    number = office.filed()
    done(office.hub, f"/requests/{number}/return", reason="不完整")

    with connect(registry_url) as connection:
        for statement in (
            "UPDATE registry.access_grant_request SET fields = NULL",
            "UPDATE registry.access_grant_request SET state = 'filed', due_on = '2030-01-01'",
            "UPDATE registry.access_grant_event SET reason = 'x'",
            "DELETE FROM registry.access_grant_event",
            "DELETE FROM registry.access_grant_request",
        ):
            with pytest.raises(Exception, match="append-only"):
                connection.execute(statement)
