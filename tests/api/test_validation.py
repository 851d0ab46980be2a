"""What is wrong in a request is told by its place in it, in both languages."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from tests.api.conftest import Api
from tests.api.feeding import enterprise, enterprises

LOOKUP, EXPORTS = "/datasets/legal_entity/records/lookup", "/datasets/legal_entity/exports"


@pytest.mark.parametrize(
    ("path", "body", "pointer", "zh", "en"),
    [
        (LOOKUP, b'{"keys": ["a", 3]}', "#/keys/1", "应为文本", "Input should be a valid string"),
        (LOOKUP, b'{"keys": ["a"], "x/y": 1}', "#/x~1y", "没有该成员", "Extra inputs are not permitted"),
        (LOOKUP, b'{"keys": [', "#", "从第 11 个字符起不是有效的 JSON", "No JSON from character 11 on"),
        (LOOKUP, b'"keys"', "#", "应为对象", "Input should be a valid dictionary or object to extract fields from"),
        (EXPORTS, b'{"format": "xml"}', "#/format", "应为 'ndjson', 'csv' or 'parquet'", None),
        (EXPORTS, b'{"part_records": 5001}', "#/part_records", "应不大于 5000", None),
        ("/grants/requests/1/approve", b'{"terms": {"fields": ["name"]}}', "#/terms/purposes", "缺少该项", None),
    ],
)
def test_a_body_is_wrong_at_a_place(
    api: Api, registry_url: str, path: str, body: bytes, pointer: str, zh: str, en: str | None
) -> None:
    enterprises(registry_url).publish([enterprise(1)])
    reader = api.client("read:legal_entity", "grants:decide:market-supervision")
    headers = {"Authorization": f"Bearer {reader.token}", "Content-Type": "application/json"}

    answer = requests.post(f"{reader.address}/api/v1{path}", data=body, headers=headers, timeout=30)
    problem: dict[str, Any] = answer.json()

    assert (answer.status_code, problem["type"]) == (400, "/problems/invalid-body")
    (error,) = problem["errors"]
    assert (error["in"], error["pointer"]) == ("body", pointer)
    assert error["detail_zh"] == f"参数值无效：{zh}。"
    assert en is None or error["detail"] == en
    assert problem["detail"] == f"Not valid: {pointer.removeprefix('#/').replace('~1', '/').replace('#', 'body')}."


def test_a_parameter_is_wrong_by_its_name(api: Api) -> None:
    problem = api.client("read:legal_entity").ask("/api/v1/changes", wait=31, limit=0).json()

    assert {(each["in"], each["pointer"], each["detail_zh"]) for each in problem["errors"]} == {
        ("query", "#/wait", "参数值无效：应不大于 30。"),
        ("query", "#/limit", "参数值无效：应不小于 1。"),
    }
