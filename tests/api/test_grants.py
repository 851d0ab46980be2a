"""Grants as clients meet them: fields, rows, purposes, time, quota, versions."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from registry.api.clients import clients
from registry.storage.database import connect
from registry.storage.grant_uses import day_of
from tests import granting
from tests.api.conftest import Api, Reader
from tests.api.feeding import enterprise, enterprises, permit, permits, uscc

RECORDS = "/api/v1/datasets/legal_entity/records"


def granted(api: Api, dataset: str = "legal_entity", **terms: Any) -> Reader:
    """A client with one grant, signed in."""
    client = clients.add(api.settings.database_url, "bank", [])
    granting.grant(api.settings.database_url, client.id, dataset, **terms)
    return api.signed_in(client)


def test_only_granted_fields_are_there_and_the_key_always(api: Api, registry_url: str) -> None:
    enterprises(registry_url).publish([enterprise(1)])
    reader = granted(api, fields=["status"])

    bodies = [
        reader.get("/datasets/legal_entity/records")["records"][0]["body"],
        reader.get(f"/datasets/legal_entity/records/{uscc(1)}")["record"]["body"],
        reader.get(f"/datasets/legal_entity/records/{uscc(1)}/history")["versions"][0]["body"],
        reader.get(f"/entities/{uscc(1)}")["datasets"][0]["records"][0]["body"],
        reader.get("/changes")["changes"][0]["body"],
    ]

    assert bodies == [{"uscc": uscc(1), "status": "active"}] * 5


def test_records_are_not_found_by_a_field_that_is_not_granted(api: Api, registry_url: str) -> None:
    enterprises(registry_url).publish([enterprise(1)])
    reader = granted(api, fields=["status"])

    assert reader.ask(RECORDS, status="active").json()["records"]
    for name, value in (("name", "第1号公司"), ("established_on", "2020-01-02")):
        answer = reader.ask(f"{RECORDS}?{name}={value}")
        assert (answer.status_code, answer.json()["type"]) == (400, "/problems/unknown-parameter")


def test_personal_values_are_masked_unless_they_are_named(api: Api, registry_url: str) -> None:
    enterprises(registry_url).publish([enterprise(1, legal_representative="张建国")])

    def shown(reader: Reader) -> dict[str, Any]:
        body: dict[str, Any] = reader.get(f"/datasets/legal_entity/records/{uscc(1)}")["record"]["body"]
        return body

    masked = granted(api)
    assert shown(masked)["legal_representative"] == "张**"
    assert masked.ask(RECORDS, legal_representative="张建国").status_code == 400
    assert "legal_representative" not in shown(granted(api, fields=["name"]))
    named = granted(api, fields=["legal_representative"])
    assert shown(named) == {"uscc": uscc(1), "legal_representative": "张建国"}
    assert named.ask(RECORDS, legal_representative="张建国").status_code == 400  # sealed, and not in a blind index


def test_a_record_outside_the_granted_rows_is_not_there(api: Api, registry_url: str) -> None:
    feed = enterprises(registry_url)
    feed.publish([enterprise(1), enterprise(2, status="revoked")])
    feed.publish([enterprise(1, status="revoked"), enterprise(3)])
    reader = granted(api, rows={"status": ["active"]})

    assert [found["key"] for found in reader.get("/datasets/legal_entity/records")["records"]] == [uscc(3)]
    for number in (1, 2):
        missing = reader.ask(f"{RECORDS}/{uscc(number)}")
        assert (missing.status_code, missing.json()["type"]) == (404, "/problems/not-found")
    assert reader.ask(f"{RECORDS}/{uscc(2)}/history").status_code == 404
    versions = reader.get(f"/datasets/legal_entity/records/{uscc(1)}/history")["versions"]
    assert [found["body"]["status"] for found in versions] == ["active"]
    assert reader.ask(f"/api/v1/entities/{uscc(2)}").status_code == 404
    assert reader.get(f"/entities/{uscc(3)}")["datasets"]


def test_the_purpose_and_the_case_must_be_those_that_the_grant_names(api: Api, registry_url: str) -> None:
    enterprises(registry_url).publish([enterprise(1)])
    reader = granted(api, purposes=["credit_lending"], case_number=True)

    for headers, wanting in (
        ({}, "purposes"),
        ({"Access-Purpose": "marketing", "Case-Number": "L-1"}, "purposes"),
        ({"Access-Purpose": "credit_lending"}, "case_number"),
    ):
        for path in (RECORDS, f"{RECORDS}/{uscc(1)}", f"/api/v1/entities/{uscc(1)}", "/api/v1/changes"):
            refused = reader.ask(path, headers=headers)
            assert (refused.status_code, refused.json()["type"]) == (403, "/problems/purpose-not-granted"), path
            assert refused.json()["dataset"] == "legal_entity"
            assert wanting in refused.json()
    good = {"Access-Purpose": "credit_lending", "Case-Number": "L-1"}
    assert reader.ask(f"{RECORDS}/{uscc(1)}", headers=good).status_code == 200
    assert reader.ask("/api/v1/datasets/legal_entity").status_code == 200


def test_a_grant_that_is_over_or_revoked_opens_nothing_with_any_token(api: Api, registry_url: str) -> None:
    enterprises(registry_url).publish([enterprise(1)])
    reader = granted(api)
    assert reader.client is not None
    assert reader.ask(RECORDS).status_code == 200

    with connect(registry_url) as connection:  # a year has passed
        connection.execute("ALTER TABLE registry.access_grant DISABLE TRIGGER ALL")
        connection.execute(
            "UPDATE registry.access_grant SET valid_from = now() - interval '1 year', valid_until = now()"
        )
    over = reader.ask(RECORDS)
    assert (over.status_code, over.json()["type"]) == (403, "/problems/not-granted")
    assert "ended on" in over.json()["detail"]
    again = granting.grant(registry_url, reader.client.id, "legal_entity")
    assert again.version == 2
    assert reader.ask(RECORDS).status_code == 200
    granting.revoke(registry_url, again.id)
    assert reader.ask(RECORDS).status_code == 403
    assert reader.ask("/api/v1/changes").status_code == 403


def test_a_quota_is_kept_exactly_while_many_ask_at_once(api: Api, registry_url: str) -> None:
    enterprises(registry_url).publish([enterprise(1)])
    reader = granted(api, daily_quota=25)
    assert reader.client is not None

    def ask(_: int) -> tuple[int, str]:
        answer = api.anyone.ask(f"{RECORDS}/{uscc(1)}", headers={"Authorization": f"Bearer {reader.token}"})
        return answer.status_code, answer.headers.get("Retry-After", "")

    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(ask, range(60)))

    assert sorted(status for status, _ in found) == [200] * 25 + [429] * 35
    assert all(0 < int(after) <= 86_400 for status, after in found if status == 429)
    refused = reader.ask(RECORDS)
    assert refused.json()["type"] == "/problems/quota-used-up"
    with connect(registry_url) as connection:
        uses = connection.execute("SELECT day, uses FROM registry.access_grant_use").fetchall()
        good = connection.execute(
            "SELECT count(*) FROM registry.access_log WHERE client = %s AND dataset = 'legal_entity' AND status = 200",
            (reader.client.id,),
        ).fetchone()
    assert uses == [(day_of(datetime.now(UTC)), 25)]
    assert good == (25,)


def test_uses_are_counted_per_grant_and_refusals_are_not(api: Api, registry_url: str) -> None:
    enterprises(registry_url).publish([enterprise(1)])
    permits(registry_url).publish([permit(1, "A")])
    reader = granted(api)
    assert reader.client is not None
    granting.grant(registry_url, reader.client.id, "permit")
    both = api.signed_in(reader.client)

    both.get(f"/entities/{uscc(1)}")
    both.get("/datasets/permit/records")
    assert both.ask("/api/v1/datasets/permit/records/nothing").status_code == 404

    with connect(registry_url) as connection:
        uses = connection.execute(
            "SELECT g.dataset, u.uses FROM registry.access_grant_use u JOIN registry.access_grant g ON g.id = grant_id"
        ).fetchall()
    assert dict(uses) == {"legal_entity": 1, "permit": 2}


def test_the_access_log_names_the_granted_fields(api: Api, registry_url: str) -> None:
    enterprises(registry_url).publish([enterprise(1)])
    reader = granted(api, fields=["status"], purposes=["credit_lending"])
    reader.ask(RECORDS, headers={"Access-Purpose": "credit_lending"})

    with connect(registry_url) as connection:
        found = connection.execute(
            "SELECT fields, purpose FROM registry.access_log WHERE dataset = 'legal_entity'"
        ).fetchall()
    assert found == [(["status", "uscc"], "credit_lending")]


@pytest.mark.parametrize(
    "terms",
    [
        pytest.param({"fields": ["nothing"]}, id="a field that there is not"),
        pytest.param({"fields": []}, id="no field"),
        pytest.param({"rows": {"nothing": ["a"]}}, id="records by a field that there is not"),
        pytest.param({"rows": {"status": ["asleep"]}}, id="records of a status that there is not"),
        pytest.param({"rows": {"status": []}}, id="no record"),
        pytest.param({"purposes": ["Credit Lending"]}, id="a purpose in capitals"),
        pytest.param({"daily_quota": 0}, id="no answer a day"),
        pytest.param({"valid_until": datetime.now(UTC) - timedelta(days=1)}, id="over yesterday"),
        pytest.param({"valid_until": datetime.now(UTC) + timedelta(days=4000)}, id="for ten years"),
        pytest.param({"valid_until": datetime.now().replace(tzinfo=None)}, id="a moment of no zone"),  # noqa: DTZ005
    ],
)
def test_terms_that_cannot_hold_are_refused(registry_url: str, terms: dict[str, Any]) -> None:
    client = clients.add(registry_url, "bank", [])

    with pytest.raises(granting.GrantError):
        granting.grant(registry_url, client.id, "legal_entity", **terms)


def test_what_a_grant_once_said_stays_and_cannot_be_rewritten(registry_url: str) -> None:
    client = clients.add(registry_url, "bank", [])
    first = granting.grant(registry_url, client.id, "legal_entity", fields=["name"])
    second = granting.grant(registry_url, client.id, "legal_entity", fields=["status"])

    with connect(registry_url) as connection:
        rows = connection.execute(
            "SELECT id, version, fields, ended_because FROM registry.access_grant ORDER BY version"
        ).fetchall()
        assert rows == [(first.id, 1, ["name"], "changed"), (second.id, 2, ["status"], None)]
        for statement in (
            "UPDATE registry.access_grant SET fields = NULL",
            "UPDATE registry.access_grant SET ended_at = now(), ended_by = 'x', ended_because = 'revoked', version = 9",
            "DELETE FROM registry.access_grant",
            "TRUNCATE registry.access_grant CASCADE",
        ):
            with pytest.raises(Exception, match="append-only"):
                connection.execute(statement)
