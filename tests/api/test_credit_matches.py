"""Records without a code over HTTP: candidates and what speaks for them, decisions with who and why, the way back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker

from registry.api.app import create_app
from registry.api.settings import ApiSettings
from tests.api.conftest import Api, Reader
from tests.credit.enterprise_file.test_matching import listed
from tests.credit.enterprise_file.town import Town, enterprise, uscc

VARIANT = "桥州天成1餐饮有限责任公司"
CORES = ("鸿达物流", "锦绣纺织", "蓝海电子", "松柏建材", "银河软件")
"""Names of enterprises that nobody takes for each other."""


@pytest.fixture
def town(registry_url: str) -> Iterator[Town]:
    """One entry that a rule matches, one that waits for a person."""
    made = Town(registry_url)
    made.say("legal_entity", {"1": enterprise(1), "2": enterprise(2, name=f"{CORES[0]}有限公司")})
    made.say("serious_dishonesty", {"rule": listed(2, name=f"{CORES[0]}有限公司"), "person": listed(1, name=VARIANT)})
    made.follow()
    yield made
    made.connection.close()


@pytest.fixture
def hub(api: Api) -> Reader:
    return api.client("operate")


def send(reader: Reader, match: dict[str, Any], action: str, **content: Any) -> Any:
    headers = {"Authorization": f"Bearer {reader.token}"}
    address = f"{reader.address}/api/v1/credit/matches/{match['id']}/{action}"
    return reader.session.post(address, json=content, headers=headers, timeout=60)


def the_candidate(hub: Reader) -> dict[str, Any]:
    (found,) = hub.get("/credit/matches")["matches"]
    return dict(found)


def entries(api: Api) -> list[str]:
    file = api.client("credit:department").get(f"/enterprises/{uscc(1)}")
    return [each["body"]["name"] for each in file["lists"]["serious_dishonesty"]["entries"]]


@pytest.mark.usefixtures("town")
def test_a_candidate_says_what_speaks_for_it(hub: Reader) -> None:
    found = the_candidate(hub)

    assert (found["entity"], found["key"], found["state"]) == (uscc(1), "person", "candidate")
    assert (found["features"]["name"], found["features"]["legal_representative"]) == ("ending", "same")
    assert 0 < found["score"] < 1
    whole = hub.get(f"/credit/matches/{found['id']}")
    assert whole["record"]["name"] == VARIANT
    assert whole["enterprise"]["names"] == [enterprise(1)["name"]]
    assert (whole["decisions"], whole["others"]) == ([], [])
    assert "王某" not in str(whole)
    (by_rule,) = hub.get("/credit/matches", state="accepted")["matches"]
    assert by_rule["decided_by"] == "rule:same_name_division_and_representative"


def test_an_accepted_match_puts_the_record_into_the_file_and_undone_takes_it_out(
    town: Town, api: Api, hub: Reader
) -> None:
    assert entries(api) == []
    accepted = send(hub, the_candidate(hub), "accept", reason="档案一致", by="归集科").json()
    assert (accepted["state"], accepted["reason"]) == ("accepted", "档案一致")
    assert accepted["decided_by"].startswith("归集科 (client-")
    assert entries(api) == [VARIANT]
    undone = send(hub, accepted, "undo", reason="另一企业").json()
    assert (undone["state"], entries(api)) == ("undone", [])
    assert [each["decision"] for each in undone["decisions"]] == ["accepted", "undone"]
    assert send(hub, undone, "reopen", reason="补正档案").json()["state"] == "lapsed"
    town.follow()
    again = the_candidate(hub)
    assert send(hub, again, "reject", reason="另一企业").json()["state"] == "rejected"
    (other,) = hub.get(f"/credit/matches/{again['id']}")["others"]
    assert (other["id"], other["state"], other["reason"]) == (accepted["id"], "lapsed", "补正档案")
    town.follow()
    assert hub.get("/credit/matches")["matches"] == []


@pytest.mark.usefixtures("town")
def test_a_decision_that_cannot_be_made_says_why(hub: Reader) -> None:
    found = the_candidate(hub)

    for action in ("undo", "reopen"):
        problem = send(hub, found, action, reason="看错了").json()
        assert (problem["status"], problem["reason"]) == (409, "match_decided")
        assert "待确认" in problem["detail_zh"]
    assert send(hub, {"id": 99}, "accept", reason="一致").json()["type"] == "/problems/not-found"
    assert hub.ask("/api/v1/credit/matches/99").status_code == 404
    for content in ({}, {"reason": " "}, {"reason": "一致", "by": ""}, {"reason": "a\0"}, {"reason": "一致", "x": 1}):
        assert send(hub, found, "accept", **content).json()["type"] == "/problems/invalid-body"
    assert the_candidate(hub) == found


def test_matches_come_in_pages_and_by_filters(town: Town, hub: Reader) -> None:
    numbers = dict(enumerate(CORES[1:], 3))
    town.say("legal_entity", {f"{n}": enterprise(n, name=f"{core}有限公司") for n, core in numbers.items()})
    town.say("serious_dishonesty", {f"s{n}": listed(n, name=f"{core}有限责任公司") for n, core in numbers.items()})
    town.follow()

    found = hub.pages("/credit/matches", "matches", limit=2, state="all")

    assert len(found) == 6
    assert [each["id"] for each in found] == sorted(each["id"] for each in found)
    assert len(hub.get("/credit/matches", state="all", enterprise=uscc(4))["matches"]) == 1
    assert hub.get("/credit/matches", dataset="administrative_penalty")["matches"] == []
    assert len(hub.get("/credit/matches", dataset="serious_dishonesty")["matches"]) == 5, "those that wait"
    assert hub.ask("/api/v1/credit/matches", state="perhaps").status_code == 400


@pytest.mark.usefixtures("town")
def test_answers_are_what_the_description_says(hub: Reader, settings: ApiSettings) -> None:
    description = create_app(settings).openapi()
    found = the_candidate(hub)
    answers = {
        ("", "get"): [hub.ask("/api/v1/credit/matches", state="all")],
        ("/{match}", "get"): [hub.ask(f"/api/v1/credit/matches/{found['id']}")],
        ("/{match}/accept", "post"): [send(hub, found, "accept", reason="档案一致") for _ in range(2)],
        ("/{match}/undo", "post"): [send(hub, found, "undo", reason="另一企业"), send(hub, found, "undo")],
    }
    for (path, method), given in answers.items():
        for answer in given:
            responses = description["paths"][f"/api/v1/credit/matches{path}"][method]["responses"]
            ((_, content),) = responses[f"{answer.status_code}"]["content"].items()
            whole = {"components": description["components"], **content["schema"]}
            faults = Draft202012Validator(whole, format_checker=FormatChecker()).iter_errors(answer.json())
            assert [fault.message for fault in faults] == [], path
