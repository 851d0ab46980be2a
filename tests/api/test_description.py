"""The OpenAPI description is valid, its examples are true, and answers are what it says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker
from openapi_spec_validator import OpenAPIV31SpecValidator

from registry.api import problems
from registry.api.app import create_app
from registry.api.problems import TYPES
from registry.api.routes.problems import FAULTS
from registry.api.settings import ApiSettings
from tests.api.conftest import Api
from tests.api.feeding import enterprise, enterprises, permit, permits, uscc


def described(settings: ApiSettings) -> dict[str, Any]:
    return create_app(settings).openapi()


def errors(description: dict[str, Any], schema: dict[str, Any], value: Any) -> list[str]:
    whole = {"components": description["components"], **schema}
    return [error.message for error in Draft202012Validator(whole, format_checker=FormatChecker()).iter_errors(value)]


def test_the_description_is_valid_openapi(settings: ApiSettings) -> None:
    description = described(settings)

    assert description["openapi"] == "3.1.0"
    OpenAPIV31SpecValidator(description).validate()


def test_every_shape_has_examples_that_fit_it(settings: ApiSettings) -> None:
    description = described(settings)
    seen = 0
    for name, schema in description["components"]["schemas"].items():
        for example in schema.get("examples", ()):
            assert errors(description, {"$ref": f"#/components/schemas/{name}"}, example) == [], name
            seen += 1
    assert seen > 15


def integers(description: dict[str, Any], shape: Any, seen: frozenset[str] = frozenset()) -> Iterator[dict[str, Any]]:
    """Every shape of a whole number within one, through references."""
    if isinstance(shape, list):
        for each in shape:
            yield from integers(description, each, seen)
    elif isinstance(shape, dict):
        name = shape.get("$ref", "").rpartition("/")[2]
        if name and name not in seen:
            yield from integers(description, description["components"]["schemas"][name], seen | {name})
        if shape.get("type") == "integer":
            yield shape
        for word, each in shape.items():
            if word not in {"example", "examples"}:
                yield from integers(description, each, seen)


def test_every_number_that_may_be_sent_has_bounds(settings: ApiSettings) -> None:
    description = described(settings)
    seen = 0
    for path, operations in description["paths"].items():
        for operation in operations.values():
            sent = [*operation.get("parameters", ()), operation.get("requestBody")]
            for shape in integers(description, sent):
                assert {"minimum", "exclusiveMinimum"} & set(shape), (path, shape)
                assert {"maximum", "exclusiveMaximum"} & set(shape), (path, shape)
                seen += 1
    assert seen > 10


def test_answers_are_what_the_description_says(api: Api, registry_url: str, settings: ApiSettings) -> None:
    description = described(settings)
    feed = enterprises(registry_url)
    feed.publish([enterprise(1), enterprise(2)], refused=[enterprise(3)])
    feed.publish([enterprise(1, status="revoked")], refused=[enterprise(2)])
    permits(registry_url).publish([permit(1, "A")])
    reader = api.client("read:*", "operate")
    addresses = {
        "/api/v1/datasets": {},
        "/api/v1/datasets/{dataset}": {"dataset": "legal_entity"},
        "/api/v1/datasets/{dataset}/records": {"dataset": "legal_entity"},
        "/api/v1/datasets/{dataset}/records/{key}": {"dataset": "legal_entity", "key": uscc(2)},
        "/api/v1/datasets/{dataset}/records/{key}/history": {"dataset": "legal_entity", "key": uscc(1)},
        "/api/v1/entities/{entity}": {"entity": uscc(1)},
        "/api/v1/changes": {},
        "/api/v1/batches": {},
        "/api/v1/batches/{batch}": {"batch": "1"},
        "/api/v1/quarantine": {},
        "/api/v1/quarantine/{refusal}": {"refusal": "1"},
        "/healthz": {},
        "/readyz": {},
        "/problems": {},
        "/problems/{name}": {"name": "busy"},
    }
    for path, values in addresses.items():
        answer = reader.ask(path.format(**values))
        schema = description["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        assert answer.status_code == 200, answer.text
        assert errors(description, schema, answer.json()) == [], path
        refused = reader.ask(path.format(**values), nonsense="1")
        problem = description["paths"][path]["get"]["responses"]["400"]["content"]["application/problem+json"]["schema"]
        assert refused.headers["Content-Type"] == "application/problem+json"
        assert refused.json()["type"] == "/problems/unknown-parameter"
        assert errors(description, problem, refused.json()) == [], path
    client = reader.client
    assert client is not None
    token = api.token(auth=(client.id, client.secret)).json()
    assert errors(description, {"$ref": "#/components/schemas/Token"}, token) == []


def test_the_description_is_served(api: Api, settings: ApiSettings) -> None:
    answer = api.anyone.ask("/api/v1/openapi.json")

    assert answer.json() == described(settings)
    problems_are = next(
        line for line in answer.json()["info"]["description"].split("\n* ") if line.startswith("Problems")
    )
    assert all(f"`{fault}`" in problems_are for fault in FAULTS)


def test_every_type_of_problem_leads_to_its_page(api: Api) -> None:
    for kind in TYPES.values():
        page = api.anyone.ask(kind.address).json()
        assert (page["type"], page["status"], page["fault"]) == (kind.address, kind.status, kind.fault)
        assert page["advice"]["zh"]
    assert api.anyone.ask("/problems/nothing").status_code == 404


def test_people_get_a_page_where_programs_get_json(api: Api) -> None:
    for path in ("/problems", "/problems/busy"):
        page = api.anyone.ask(path, headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
        assert page.headers["Content-Type"] == "text/html; charset=utf-8"
        assert "系统繁忙" in page.text
        assert "/problems/busy" in page.text
        assert "Accept" in page.headers["Vary"]
        for accept in ("application/json", "*/*"):
            assert api.anyone.ask(path, headers={"Accept": accept}).headers["Content-Type"] == "application/json"


def test_every_type_of_problem_says_in_both_languages_whose_fault_it_is_and_what_to_do() -> None:
    for name, kind in TYPES.items():
        assert kind.address == f"/problems/{name}"
        assert kind.fault in FAULTS
        for zh, en in ((kind.zh, kind.en), (kind.advice_zh, kind.advice_en)):
            assert re.search(r"[\u4e00-\u9fff]", zh), name
            assert re.search(r"[A-Za-z]{3}", en), name
        if kind.fault == "hub" and kind.status == 503:
            assert kind.retry_after, name
    raised = {each for each in vars(problems).values() if isinstance(each, problems.ProblemType)}
    assert raised == set(TYPES.values())


def test_every_type_of_problem_is_declared_somewhere(settings: ApiSettings) -> None:
    text = str(described(settings)["paths"])

    assert [name for name in TYPES if f"'/problems/{name}'" not in text] == ["method-not-allowed"]
