"""Whatever a caller sends: an answer, never a failure of the hub."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import quote

import orjson
import pytest

from registry.api.access_log import logged
from registry.api.paging import digest
from schemas import formats
from tests.api.conftest import Api
from tests.api.feeding import enterprise, enterprises, uscc
from tests.bulk.conftest import post

NASTY = [
    "",
    " ",
    "'",
    "$1",
    "%",
    "%2F",
    "\x7f\x01",
    "-1",
    "0",
    "1e400",
    "NaN",
    "1_0",
    "9" * 30,
    "true",
    "null",
    "[]",
    '{"a": 1}',
    "0001-01-01T00:00:00+23:59",
    "9999-12-31T23:59:59-23:59",
    "2026-02-30T00:00:00Z",
    "1700000000",
    "\u202e\U0001f600",
    "\u0661\u0662",
    "../../etc/passwd",
    "a" * 1999,
]
PARAMETERS = {
    "/api/v1/datasets/legal_entity/records": [
        "after",
        "limit",
        "as_of",
        "entity",
        "name",
        "status",
        "uscc",
        "established_on",
    ],
    "/api/v1/datasets/legal_entity": [],
    f"/api/v1/datasets/legal_entity/records/{uscc(1)}": ["as_of"],
    f"/api/v1/datasets/legal_entity/records/{uscc(1)}/history": ["after", "limit"],
    f"/api/v1/entities/{uscc(1)}": ["as_of", "code_type"],
    "/api/v1/changes": ["after", "limit", "dataset", "wait"],
    "/api/v1/batches": ["after", "limit", "connector", "dataset", "department", "state"],
    "/api/v1/quarantine": ["after", "limit", "connector", "dataset", "department", "state"],
}
PATHS = [
    "/api/v1/datasets/{}",
    "/api/v1/datasets/{}/records",
    "/api/v1/datasets/legal_entity/records/{}",
    "/api/v1/datasets/legal_entity/records/{}/history",
    "/api/v1/entities/{}",
    "/api/v1/batches/{}",
    "/api/v1/quarantine/{}",
    "/problems/{}",
]


def test_no_parameter_makes_the_hub_fail(api: Api, registry_url: str) -> None:
    enterprises(registry_url).publish([enterprise(1)])
    reader = api.client("read:*", "operate")
    given: dict[str, Any]
    for path, names in PARAMETERS.items():
        for name in names:
            for value in NASTY:
                given = {name: value}
                answer = reader.ask(path, **given)
                allowed = {200, 400, 403, 404} if name == "dataset" else {200, 400, 404}
                assert answer.status_code in allowed, (path, name, value, answer.text)


def test_no_path_makes_the_hub_fail(api: Api, registry_url: str) -> None:
    enterprises(registry_url).publish([enterprise(1)])
    reader = api.client("read:*", "operate")
    for path in PATHS:
        for value in NASTY:
            answer = reader.ask(path.format(quote(value, safe="")))
            allowed = {200, 400, 403, 404} if path.startswith("/api/v1/datasets/{}") else {200, 400, 404}
            assert answer.status_code in allowed, (path, value, answer.text)
        for raw in ("%00", "%ff%fe", "%ed%a0%80", "%"):
            answer = reader.ask(path.format(raw))
            assert answer.status_code in allowed - {200}, (path, raw, answer.text)


def test_no_nul_in_a_body_makes_the_hub_fail(api: Api, registry_url: str) -> None:
    enterprises(registry_url).publish([enterprise(1)])
    reader = api.client("read:legal_entity", "credit:consent", "credit:cases")
    consent = {
        "subject": uscc(1), "grantee": "a\0b", "purpose": "credit_lending", "items": ["registration"],
        "valid_from": "2026-01-01T00:00:00Z", "valid_until": "2026-02-01T00:00:00Z", "evidence_digest": "0f" * 32,
    }  # fmt: skip
    case = {
        "kind": "objection",
        "dataset": "a\0b",
        "key": "a\0b",
        "entity": uscc(1),
        "applicant": "a",
        "statement": "a",
    }
    for path, body in (
        ("/datasets/legal_entity/records/lookup", {"keys": ["a\0b"]}),
        ("/datasets/legal_entity/records/lookup", {"entities": ["a\0b"]}),
        ("/subscriptions", {"dataset": "a\0b", "url": "https://bank.example.com/events"}),
        ("/credit/consents", consent),
        ("/credit/cases", case),
        ("/grants/requests", {"a\0": [{"b": "\\\0"}]}),
    ):
        answer = post(reader, path, body)
        assert (answer.status_code, answer.json()["type"]) == (400, "/problems/invalid-body"), (path, answer.text)


def test_a_backslash_before_u0000_is_no_nul(api: Api, registry_url: str) -> None:
    enterprises(registry_url).publish([enterprise(1)])
    reader = api.client("read:legal_entity")

    answer = post(reader, "/datasets/legal_entity/records/lookup", {"keys": ["a\\u0000b"]})

    assert (answer.status_code, answer.json()["found"]) == (200, 0)


def test_what_callers_send_is_not_kept_however_long_it_is(api: Api, registry_url: str) -> None:
    enterprises(registry_url).publish([enterprise(1)])
    reader = api.client("read:legal_entity")
    remembering = (formats._is_day, logged._is_code)
    before = [each.cache_info().currsize for each in remembering]

    for length in range(20, 25):
        reader.ask("/api/v1/datasets/legal_entity/records", established_on="2" * length, entity="9" * length)

    assert [each.cache_info().currsize for each in remembering] == before


def test_no_header_makes_the_hub_fail(api: Api, registry_url: str) -> None:
    enterprises(registry_url).publish([enterprise(1)])
    reader = api.client("read:*")
    for value in ("*", "W/", 'W/"1', ",,,", "\xff" * 100):
        path = f"/api/v1/datasets/legal_entity/records/{uscc(1)}"
        assert reader.ask(path, headers={"If-None-Match": value}).status_code == (304 if value == "*" else 200)
        assert reader.ask(path, headers={"Authorization": value}).status_code == 401
        assert reader.ask(path, headers={"X-Request-Id": value}).status_code == 200


@pytest.mark.parametrize(
    ("path", "query", "position"),
    [
        ("changes", "feed", [2**64, 1]),
        ("changes", "feed", [1, 2**63]),
        ("changes", "feed", [-1, 0]),
        ("changes", "feed", [1]),
        ("changes", "feed", ["1", "2"]),
        ("changes", "feed", [True, 1]),
        ("batches", digest("batches", None, None, None, None), [2**63]),
        ("batches", digest("batches", None, None, None, None), [None]),
        ("datasets/legal_entity/records", digest("records", "legal_entity", None, None, []), ["a\0b"]),
        ("datasets/legal_entity/records", digest("records", "legal_entity", None, None, []), [1]),
    ],
    ids=str,
)
def test_forged_cursors_are_refused(api: Api, registry_url: str, path: str, query: str, position: list[object]) -> None:
    enterprises(registry_url).publish([enterprise(1)])
    reader = api.client("read:*", "operate")
    forged = base64.urlsafe_b64encode(
        orjson.dumps([query, *position], option=0) if _fits(position) else _plain(query, position)
    )

    answer = reader.ask(f"/api/v1/{path}", after=forged.rstrip(b"=").decode())

    assert (answer.status_code, answer.json()["type"]) == (400, "/problems/invalid-cursor")


def _fits(position: list[object]) -> bool:
    return not any(isinstance(value, int) and value >= 2**63 for value in position)


def _plain(query: str, position: list[object]) -> bytes:
    return str([query, *position]).replace("'", '"').encode()
