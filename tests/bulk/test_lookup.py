"""A thousand keys at once: in the order of the question, as far as the grant goes, each on record."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from typing import Any

from registry.storage.database import connect
from tests import granting
from tests.api.conftest import Api, Reader
from tests.api.feeding import enterprise, enterprises, permit, permits, uscc
from tests.bulk.conftest import post


def asked(reader: Reader, dataset: str = "legal_entity", **wanted: Any) -> dict[str, Any]:
    answer = post(reader, f"/datasets/{dataset}/records/lookup", wanted)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def refused(reader: Reader, wanted: Any) -> tuple[int, str]:
    answer = post(reader, "/datasets/legal_entity/records/lookup", wanted)
    return answer.status_code, answer.json()["type"].removeprefix("/problems/")


def test_a_thousand_keys_are_answered_in_the_order_of_the_question_missing_ones_too(
    api: Api, registry_url: str
) -> None:
    enterprises(registry_url).publish([enterprise(n) for n in range(700)])
    reader = api.client("read:legal_entity")
    keys = [uscc(n) for n in range(999)]
    random.Random(3).shuffle(keys)
    keys.append(keys[0])  # asked twice, answered twice

    answer = asked(reader, keys=keys)

    assert [each["asked"] for each in answer["results"]] == keys
    there = {uscc(n) for n in range(700)}
    for each in answer["results"]:
        assert each["found"] is (each["asked"] in there)
        assert [found["key"] for found in each["records"]] == ([each["asked"]] if each["found"] else [])
    assert answer["found"] + answer["missing"] == 1000
    assert answer["sources"][0]["read_at"]
    with connect(registry_url) as connection:
        row = connection.execute("SELECT entities, action FROM registry.access_log ORDER BY index DESC").fetchone()
    assert row is not None
    assert (set(row[0]), row[1]) == (there, "POST /api/v1/datasets/{dataset}/records/lookup")

    assert refused(reader, {"keys": [uscc(1)] * 1001}) == (400, "invalid-body")
    assert refused(reader, {"keys": []}) == (400, "invalid-body")
    assert refused(reader, {}) == (400, "invalid-body")
    assert refused(reader, {"keys": ["a"], "entities": ["b"]}) == (400, "invalid-body")
    assert refused(reader, {"keys": ["a"], "more": 1}) == (400, "invalid-body")
    assert refused(reader, {"keys": ["x" * 1900] * 200}) == (413, "request-too-long")


def test_entities_have_all_their_records_and_rows_and_fields_are_those_of_the_grant(
    api: Api, registry_url: str
) -> None:
    permits(registry_url).publish([permit(1, "A"), permit(1, "B"), permit(2, "C")])
    feed = enterprises(registry_url)
    feed.publish([enterprise(1), enterprise(2)])
    then = datetime.now(UTC).isoformat()
    feed.publish([enterprise(1, status="revoked")], deleted=[enterprise(2)])
    reader = api.client("read:permit", "read:legal_entity")

    found = asked(reader, "permit", entities=[uscc(2), uscc(3), uscc(1)])
    assert [[each["key"] for each in one["records"]] for one in found["results"]] == [["C"], [], ["A", "B"]]
    before = asked(reader, keys=[uscc(1), uscc(2)], as_of=then)
    assert [each["records"][0]["body"]["status"] for each in before["results"]] == ["active", "active"]
    assert [each["found"] for each in asked(reader, keys=[uscc(1), uscc(2)])["results"]] == [True, False]

    client = granting.enter(registry_url, "a bank", [])
    granting.grant(registry_url, client.id, "legal_entity", fields=["status"], rows={"status": ["active"]})
    bank = api.signed_in(client)
    assert asked(bank, keys=[uscc(1)])["missing"] == 1  # it is revoked now: not among the rows
    assert set(asked(bank, keys=[uscc(1)], as_of=then)["results"][0]["records"][0]["body"]) == {"uscc", "status"}
    assert post(bank, "/datasets/permit/records/lookup", {"keys": ["A"]}).status_code == 403


def test_each_key_of_a_look_up_is_one_answer_of_the_daily_quota(api: Api, registry_url: str) -> None:
    enterprises(registry_url).publish([enterprise(1), enterprise(2)])
    client = granting.enter(registry_url, "a bank", [])
    granting.grant(registry_url, client.id, "legal_entity", daily_quota=5)
    bank = api.signed_in(client)

    assert refused(bank, {"keys": [uscc(n) for n in range(6)]}) == (429, "quota-used-up")
    assert asked(bank, keys=[uscc(1), uscc(2), uscc(3)])["found"] == 2
    assert refused(bank, {"entities": [uscc(1), uscc(2), uscc(3)]}) == (429, "quota-used-up")
    assert asked(bank, entities=[uscc(1), uscc(2)])["found"] == 2
    assert refused(bank, {"keys": [uscc(1)]}) == (429, "quota-used-up")
