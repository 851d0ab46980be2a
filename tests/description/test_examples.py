"""The examples of the description are sent to an API as they stand, and what is answered is what it says."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlencode

import orjson
import pytest
import requests
from fastapi.routing import APIRoute
from jsonschema import Draft202012Validator, FormatChecker
from openapi_spec_validator import OpenAPIV31SpecValidator

from registry.api import links
from registry.api.access import security
from registry.api.access_log.logged import UNLOGGED
from registry.api.app import create_app
from registry.api.idempotency import HEADER as NAMED
from registry.api.idempotency import NO_WRITES, REPLAYED
from registry.api.representations import AGE, AS_OF, READ_AT
from shuqiao.stack.postgres import EmbeddedPostgres
from tests import granting
from tests.conftest import _database
from tests.description.city import City, city
from tests.description.places import Place, Places

Rule = Callable[..., Any] | None
FORM = "application/x-www-form-urlencoded"


@pytest.fixture(scope="module")
def made(
    postgres: EmbeddedPostgres, registry_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[City]:
    """One city for all: whatever the examples do to it is part of it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SHUQIAO_SCHEMAS", str(granting.SCHEMAS))
        with (
            contextlib.contextmanager(_database)(postgres, registry_template) as url,
            city(url, tmp_path_factory.mktemp("city")) as found,
        ):
            yield found


@pytest.fixture(scope="module")
def places(made: City) -> Places:
    return Places(made)


@pytest.fixture(scope="module")
def description(made: City) -> dict[str, Any]:
    found: dict[str, Any] = create_app(made.api.settings).openapi()
    return found


@pytest.fixture(scope="module")
def rules(made: City) -> dict[str, Rule]:
    """Whom each address is for."""
    routes = create_app(made.api.settings).routes
    return {route.path: security.rule_of(route) for route in routes if isinstance(route, APIRoute)}


def operations(description: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


def errors(description: Mapping[str, Any], schema: Mapping[str, Any], value: Any) -> list[str]:
    whole = {"components": description["components"], **schema}
    return [error.message for error in Draft202012Validator(whole, format_checker=FormatChecker()).iter_errors(value)]


def test_everything_is_described_in_both_languages_with_examples(description: dict[str, Any]) -> None:
    OpenAPIV31SpecValidator(description).validate()
    names, lacking = set(), []
    for method, path, operation in operations(description):
        where = f"{method} {path}"
        names.add(operation["operationId"])
        if not (
            re.search(r"[A-Za-z]{3}", operation["summary"]) and re.search(r"[\u4e00-\u9fff]", operation["summary"])
        ):
            lacking.append(f"{where}: a summary in both languages, not {operation['summary']!r}")
        lacking += [
            f"{where}: an example of {parameter['name']}"
            for parameter in operation.get("parameters", ())
            if parameter.get("required") and not examples_of(parameter)
        ]
        for media_type, body in operation.get("requestBody", {}).get("content", {}).items():
            if media_type in {"application/json", FORM} and not examples_of(body):
                lacking.append(f"{where}: an example of the body")
        for status, answer in operation["responses"].items():
            content = answer.get("content", {}).get("application/json")
            if content and content.get("schema") and not examples_of(content):
                lacking.append(f"{where}: an example of the answer {status}")
    assert not lacking, "\n".join(lacking)
    assert len(names) == len(list(operations(description)))


def test_every_example_fits_its_schema(description: dict[str, Any]) -> None:
    seen, wrong = 0, []
    for method, path, operation in operations(description):
        bodies = [operation.get("requestBody", {}), *operation["responses"].values()]
        held = [(content.get("schema", {}), content) for each in bodies for content in each.get("content", {}).values()]
        held += [(parameter["schema"], parameter) for parameter in operation.get("parameters", ())]
        for schema, holder in held:
            for example in examples_of(holder):
                wrong += [f"{method} {path}: {error}" for error in errors(description, schema, example)]
                seen += 1
    assert not wrong, "\n".join(wrong)
    assert seen > 500


def test_every_example_request_succeeds_as_described_and_a_named_write_sent_again_is_answered_again(
    places: Places, description: dict[str, Any], rules: Mapping[str, Rule]
) -> None:
    wrong = []
    for method, path, operation in operations(description):
        place = places.of(f"{method} {path}")
        answer = send(place, method, path, operation)
        found = (
            differences(description, operation, answer) + lacking(rules[path], path, answer) + timeless(path, answer)
        )
        if NAMED in answer.request.headers:  # what is done is not done again, and answered as the first time
            again = send(place, method, path, operation)
            if (again.status_code, again.content, again.headers.get(REPLAYED)) != (
                answer.status_code, answer.content, "true",
            ):  # fmt: skip
                found.append(f"sent again with its name: {again.status_code} {again.text[:300]}")
        if found or answer.status_code >= 400:
            wrong.append(f"{method} {answer.url}: {answer.status_code} {found} {answer.text[:300]}")
    assert not wrong, "\n".join(wrong)


def test_what_is_made_is_found_by_the_links_of_the_answer(places: Places, description: dict[str, Any]) -> None:
    paths = {
        operation["operationId"]: (path, operation)
        for method, path, operation in operations(description)
        if method == "get"
    }
    followed = 0
    for made, name in links.MADE.items():
        place = places.of(f"post {made}")
        answer = send(place, "post", made, description["paths"][made]["post"])
        assert answer.ok, (made, answer.text)
        linked = description["paths"][made]["post"]["responses"][str(answer.status_code)]["links"]
        there = {paths[link["operationId"]][0] for link in linked.values()}
        assert any(path.endswith(f"{{{name}}}") for path in there), made
        for link in linked.values():
            path, operation = paths[link["operationId"]]
            assert link["parameters"].pop(name) == "$response.body#/id"
            assert set(link["parameters"].values()) <= {f"$request.path.{each}" for each in link["parameters"]}
            target = path.replace(f"{{{name}}}", quote(str(answer.json()["id"]), safe=""))
            found = send(place, "get", target, operation)
            assert found.status_code == 200, (target, found.text)
            followed += 1
    assert followed > len(links.MADE)


def test_a_read_by_post_says_nothing_of_a_name_and_has_no_answer_kept_under_it(
    places: Places, description: dict[str, Any]
) -> None:
    for path, methods in description["paths"].items():
        operation = methods.get("post")
        if path in NO_WRITES and operation is not None:
            place = places.of(f"post {path}")
            assert NAMED not in {each["name"] for each in operation.get("parameters", ())}, path
            for _ in range(2):
                answer = send(place, "post", path, operation, **{NAMED: "k-1"})
                assert REPLAYED not in answer.headers, path


def test_every_optional_parameter_is_taken_as_in_its_example(places: Places, description: dict[str, Any]) -> None:
    wrong = []
    for method, path, operation in operations(description):
        for parameter in operation.get("parameters", ()):
            if (
                method == "get"
                and parameter["in"] == "query"
                and not parameter.get("required")
                and examples_of(parameter)
            ):
                answer = send(places.of(f"{method} {path}"), method, path, operation, parameter["name"])
                found = differences(description, operation, answer)
                if found or answer.status_code not in {200, 404}:
                    wrong.append(f"{method} {answer.url}: {answer.status_code} {found} {answer.text[:300]}")
    assert not wrong, "\n".join(wrong)


def test_whatever_else_a_known_client_is_answered_carries_its_receipt_and_allowance(
    made: City, places: Places, description: dict[str, Any], rules: Mapping[str, Rule]
) -> None:
    wrong, seen = [], set()
    for method, path, operation in operations(description):
        if rules[path] in {security.public, security.sharing_client}:  # who asks is said in a body
            continue
        nowhere = re.sub(r"\{\w+\}", "none", path)
        answers = [made.nothing.ask(nowhere, method=method), made.everything.ask(nowhere, method=method)]
        if method == "get":
            answers.append(made.everything.ask(nowhere, no_such_parameter="1"))
            place = places.of(f"{method} {path}")
            mark = send(place, method, path, operation).headers.get("ETag")
            if mark is not None:
                answers.append(send(place, method, path, operation, **{"If-None-Match": mark}))
        seen |= {answer.status_code for answer in answers}
        wrong += [
            f"{method} {answer.url}: {answer.status_code} {found}"
            for answer in answers
            if (found := lacking(rules[path], path, answer))
        ]
    assert not wrong, "\n".join(wrong)
    assert {304, 400, 403, 404} <= seen


def test_what_is_not_described_is_not_logged_either_and_says_why(
    rules: Mapping[str, Rule], description: dict[str, Any]
) -> None:
    assert rules.keys() - description["paths"].keys() <= UNLOGGED.keys()


def lacking(rule: Rule, path: str, answer: requests.Response) -> list[str]:
    """What an answer to a known client should carry and does not; and a receipt where nothing is logged."""
    logged, identified = path not in UNLOGGED, rule is not security.public or path == "/api/v1/token"
    expected = {"Shuqiao-Receipt": logged, "RateLimit": identified, "RateLimit-Policy": identified}
    return [
        f"{name}: {name in answer.headers}" for name, there in expected.items() if (name in answer.headers) != there
    ]


DOCUMENT = "a document that says itself from when to when it is good, or of a version that does not change"
OWN = "what the hub did or was asked itself; it was read from no source"
NO_MOMENT = {
    "/.well-known/did.json": DOCUMENT,
    "/.well-known/jwks.json": DOCUMENT,
    "/api/v1/audit/checkpoint": DOCUMENT,
    "/api/v1/audit/keys": DOCUMENT,
    "/catalogue.": DOCUMENT,
    "/contexts/": DOCUMENT,
    "/issuers/": DOCUMENT,
    "/licences/": "sends on to where the licence is shown",
    "/root.pem": DOCUMENT,
    "/schemas/": DOCUMENT,
    "/status/": DOCUMENT,
    "/trust-list.json": DOCUMENT,
}
"""Where an answer does not say for when it speaks, and why."""
NO_AGE = NO_MOMENT | {
    "/.well-known/": OWN,
    "/api/v1/audit/": OWN,
    "/api/v1/batches": "what was pulled, and when: the ages themselves",
    "/api/v1/credit/cases": OWN,
    "/api/v1/credit/consents": OWN,
    "/api/v1/credit/matches": OWN,
    "/api/v1/credit/reports/": "says what was printed once",
    "/api/v1/enterprises/{enterprise}/consent-uses": OWN,
    "/api/v1/grants": OWN,
    "/api/v1/quarantine": "what was refused, with the batch and the day it came with",
    "/api/v1/subscriptions": OWN,
    "/api/v1/token": OWN,
    "/credentials/": OWN,
    "/healthz": OWN,
    "/presentations/": OWN,
    "/problems": OWN,
    "/readyz": OWN,
}
"""Where an answer does not say how old the data is, and why."""


def timeless(path: str, answer: requests.Response) -> list[str]:
    """Of when the answer is, and how old the data: what of this is not said, or said against the lists above."""
    if not answer.content and answer.ok:
        return []
    text = answer.text if "json" in answer.headers["Content-Type"] else ""
    says_moment = AS_OF in answer.headers or '"as_of":' in text
    says_age = READ_AT in answer.headers or re.search(r'"(oldest_)?read_at":', text) is not None
    return [
        f"says {what}: {said}"
        for what, said, unsaid in (("of when it is", says_moment, NO_MOMENT), ("how old it is", says_age, NO_AGE))
        if said == any(path.startswith(start) for start in unsaid)
    ]


def examples_of(holder: Mapping[str, Any]) -> list[Any]:
    listed = holder.get("examples", {})
    found = [each["value"] for each in listed.values()] if isinstance(listed, Mapping) else list(listed)
    return [*found, holder["example"]] if "example" in holder else found


def differences(description: Mapping[str, Any], operation: Mapping[str, Any], answer: requests.Response) -> list[str]:
    """What of an answer is not as described: its status, its media type, its shape."""
    declared = operation["responses"].get(str(answer.status_code))
    if declared is None:
        return [f"the status {answer.status_code} is not declared"]
    wrong = headers_amiss(description, declared, answer)
    if not answer.content:
        return wrong
    media_type = answer.headers["Content-Type"].partition(";")[0]
    content = declared.get("content", {}).get(media_type)
    if content is None:
        return [*wrong, f"{media_type} is not declared"]
    shaped = media_type.endswith("json") and content.get("schema")
    return [*wrong, *errors(description, content["schema"], answer.json())] if shaped else wrong


SOMETIMES = {"Deprecation", "Sunset", REPLAYED}
"""Headers that stand over an answer only where there is something to say."""


def headers_amiss(description: Mapping[str, Any], declared: Mapping[str, Any], answer: requests.Response) -> list[str]:
    """What is sent and not declared, or declared and not sent with a good answer."""
    known, said = description["components"]["headers"].keys() | AGE.keys(), declared.get("headers", {})
    sent = {name for name in known if name in answer.headers}
    expected = {name for name in said if name in known} - SOMETIMES if answer.ok else set()
    return [f"{name} is not declared" for name in sent - set(said)] + [
        f"{name} is not sent" for name in expected - sent
    ]


def send(
    place: Place, method: str, path: str, operation: Mapping[str, Any], optional: str | None = None, **more: str
) -> requests.Response:
    """The example request of an operation, with one of its optional parameters and more headers."""
    target, query, headers = path, {}, {"Accept": "*/*", "Authorization": f"Bearer {place.reader.token}", **more}
    for parameter in operation.get("parameters", ()):
        wanted = parameter.get("required") or parameter["name"] == optional or parameter["in"] == "header"
        if not wanted or not examples_of(parameter):
            continue
        value = put(str(examples_of(parameter)[0]), place.values)
        if parameter["in"] == "path":
            target = target.replace("{" + parameter["name"] + "}", quote(value, safe=""))
        elif parameter["in"] == "query":
            query[parameter["name"]] = value
        elif parameter["name"] == NAMED:  # as a client would, one for each request
            headers[NAMED] = re.sub(r"\W", "-", f"{method}{path}")
        elif parameter["name"].lower() != "accept":
            headers[parameter["name"]] = value
    content = body(place, operation, headers)
    if path == "/api/v1/token":
        del headers["Authorization"]
    address = place.reader.address + target + (f"?{urlencode(query)}" if query else "")
    return place.reader.session.request(
        method.upper(), address, headers=headers, data=content, timeout=60, allow_redirects=False
    )


def body(place: Place, operation: Mapping[str, Any], headers: dict[str, str]) -> bytes | None:
    content = operation.get("requestBody", {}).get("content", {})
    if "application/json" in content:
        headers["Content-Type"] = "application/json"
        listed = examples_of(content["application/json"]) or [{}]
        return put(orjson.dumps(listed[0]).decode(), place.values).encode()
    if FORM in content:
        client = place.reader.client
        assert client is not None
        headers["Content-Type"] = FORM
        own = {"client_id": client.id, "client_secret": client.secret}
        return urlencode({**examples_of(content[FORM])[0], **own}).encode()
    return None


def put(text: str, values: Mapping[str, str]) -> str:
    for literal, value in values.items():
        text = text.replace(literal, value)
    return text
