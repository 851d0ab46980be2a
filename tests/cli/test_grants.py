"""``shuqiao grants``: given at the desk, asked for, answered, reported."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from registry.api.clients import clients
from registry.storage.database import connect
from tests.api.feeding import enterprise, enterprises
from tests.cli.conftest import Desk


@pytest.fixture
def bank(desk: Desk) -> str:
    enterprises(desk.registry).publish([enterprise(1)])
    return clients.add(desk.registry, "桥州银行", []).id


def test_a_grant_is_given_changed_listed_and_revoked(desk: Desk, bank: str) -> None:
    give = ("grants", "give", bank, "legal_entity")

    refused = desk.shuqiao(*give)
    assert refused.code != 0
    assert "有条件共享" in refused.err
    first = desk.shuqiao(*give, "-f", "name", "--approval", "市监函12号", "--json").document
    second = desk.shuqiao(
        *give, "-f", "name", "-f", "status", "-p", "credit_lending", "-r", "status=active", "-r", "status=revoked",
        "--quota", "5", "--until", f"{datetime.now(UTC) + timedelta(days=40):%Y-%m-%d}", "--approval", "市监函12号",
        "--json",
    ).document  # fmt: skip

    assert (first["version"], first["fields"]) == (1, ["name", "uscc"])
    assert (second["version"], second["rows"]) == (2, {"status": ["active", "revoked"]})
    assert [each["id"] for each in desk.shuqiao("grants", "list", "--json").document] == [second["id"]]
    assert len(desk.shuqiao("grants", "list", "--ended", "--json").document) == 2
    assert "credit_lending" in desk.shuqiao("grants", "show", str(second["id"])).out
    ended = desk.shuqiao("grants", "revoke", str(second["id"]), "--reason", "用途已终止", "--json").document
    assert (ended["ended_because"], ended["ended_reason"]) == ("revoked", "用途已终止")
    assert desk.shuqiao("grants", "list", "--json").document == []
    for wrong in (
        (*give, "-f", "nothing", "--approval", "x"),
        (*give, "--row", "status", "--approval", "x"),
        (*give, "--until", "soon", "--approval", "x"),
        ("grants", "give", "nobody", "legal_entity", "--approval", "x"),
        ("grants", "give", bank, "nothing"),
    ):
        assert desk.shuqiao(*wrong).code != 0, wrong


def test_a_request_is_filed_checked_and_approved_for_less(desk: Desk, bank: str) -> None:
    filed = desk.shuqiao(
        "grants", "file", bank, "legal_entity", "-p", "credit_lending", "-f", "name", "-f", "status",
        "--legal-basis", "国办发〔2021〕52号", "--statement", "授信审批", "--case-number", "--quota", "500",
        "--until", "2027-06-30", "--json",
    ).document  # fmt: skip
    number = str(filed["id"])
    shown = desk.shuqiao("grants", "requests", number).out
    assert all(said in shown for said in ("须给出 required", "500", "2027-07-01 00:00:00")), "all that is to be decided"
    early = desk.shuqiao("grants", "approve", number, "--by", "信用科")
    assert early.code != 0
    assert desk.shuqiao("grants", "check", number, "--json").document["state"] == "checked"
    approved = desk.shuqiao("grants", "approve", number, "--by", "信用科", "-f", "name", "--json").document

    grant = desk.shuqiao("grants", "show", str(approved["grant_id"]), "--json").document
    assert (grant["fields"], grant["approval"], grant["given_by"]) == (["name", "uscc"], f"request {number}", "信用科")
    assert [event["action"] for event in approved["events"]] == ["file", "check", "approve"]
    assert desk.shuqiao("grants", "requests", "--json").document == []
    assert "信用科" in desk.shuqiao("grants", "requests", number).out


def test_the_report_tells_what_ends_what_lies_idle_and_what_is_late(desk: Desk, bank: str) -> None:
    until = f"{datetime.now(UTC) + timedelta(days=10):%Y-%m-%d}"
    grant = desk.shuqiao(
        "grants", "give", bank, "legal_entity", "--until", until, "--approval", "x", "--json"
    ).document["id"]
    desk.shuqiao(
        "grants", "file", bank, "legal_entity", "-p", "credit_lending", "--legal-basis", "x", "--statement", "y"
    )
    with connect(desk.registry) as connection:
        connection.execute("SET session_replication_role = replica")  # as if it had been long ago
        connection.execute("UPDATE registry.access_grant SET valid_from = now() - interval '100 days'")
        connection.execute("UPDATE registry.access_grant_request SET due_on = '2026-01-05'")

    found = desk.shuqiao("grants", "report", "--json").document
    brief = desk.shuqiao("grants", "report", "--expiring", "2", "--unused", "200", "--json").document

    assert [each["id"] for each in found["expiring"]] == [each["id"] for each in found["unused"]] == [grant]
    assert len(found["overdue"]) == 1
    assert (brief["expiring"], brief["unused"]) == ([], [])
    assert "逾期申请" in desk.shuqiao("grants", "report").out
    assert desk.shuqiao("grants", "requests", "--overdue", "--json").document[0]["dataset"] == "legal_entity"
