"""Every route that gives out records of datasets x every way in which a grant may not cover it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from registry.api.access import security
from registry.grants import giving
from registry.storage.database import connect
from tests.security.city import DATASET, PURPOSE, City, method
from tests.security.table import body_for


def of_datasets(city: City) -> list[APIRoute]:
    return city.routes(security.dataset_reader)


def calls(dependant: Dependant) -> list[Any]:
    return [found for inner in dependant.dependencies for found in (inner.call, *calls(inner))]


def with_records(city: City) -> list[APIRoute]:
    """Those that ask what the records are for."""
    return [route for route in of_datasets(city) if security.granted_dataset in calls(route.dependant)]


def refused(city: City, route: APIRoute, token: str, **headers: str) -> tuple[int, str]:
    answer = city.ask(method(route), city.address(route), token, headers=headers, body=body_for(route.path) or None)
    return answer.status, answer.problem


def test_without_a_grant_of_this_dataset_nothing_of_it_is_read(city: City) -> None:
    nobody, other = city.enter(), city.enter(administrative_penalty={})
    ended = city.enter(legal_entity={"valid_until": datetime.now(UTC) + timedelta(days=1)})
    with connect(city.url) as connection:
        connection.execute("SET session_replication_role = replica")  # past the fence around grants: time does this
        connection.execute(
            "UPDATE registry.access_grant SET valid_from = now() - interval '2 days',"
            " valid_until = now() - interval '1 day' WHERE client_id = %s",
            (city.client(ended).id,),
        )
    silent = city.token(city.client(city.enter(legal_entity={})).id)  # a token that does not name the dataset
    for route in of_datasets(city):
        for who, token in {"nobody": nobody, "other": other, "ended": ended, "silent": silent}.items():
            assert refused(city, route, token) == (403, "not-granted"), (route.path, who)
    for path in (f"/changes?dataset={DATASET}",):
        for token in (nobody, other, ended, silent):
            assert city.ask("GET", f"/api/v1{path}", token).problem == "not-granted", path
    for token in (other, ended, silent):
        answer = city.ask("GET", f"/api/v1/entities/{city.objects['entity']}", token)
        assert answer.status == 403 or DATASET not in answer.content.decode()


@pytest.mark.parametrize(
    ("why", "headers"),
    [
        ("no purpose", {}),
        ("no case number", {"Access-Purpose": "credit_lending"}),
        ("another purpose", {"Access-Purpose": "marketing", "Case-Number": "L-1"}),
        ("no purpose but a case", {"Case-Number": "L-1"}),
    ],
)
def test_for_another_purpose_nothing_is_read(city: City, why: str, headers: dict[str, str]) -> None:
    token = city.enter(legal_entity={"purposes": ["credit_lending"], "case_number": True})
    routes = with_records(city)
    assert routes
    for route in routes:
        assert refused(city, route, token, **headers) == (403, "purpose-not-granted"), (route.path, why)
    assert city.ask("GET", f"/api/v1/changes?dataset={DATASET}", token, headers=headers).problem == (
        "purpose-not-granted"
    )
    answer = city.ask("GET", f"/api/v1/entities/{city.objects['entity']}", token, headers=headers)
    assert answer.status == 403 or not answer.document["datasets"]


def test_every_route_with_records_asks_what_they_are_for(city: City) -> None:
    without_purpose = {route.path.removeprefix("/api/v1") for route in of_datasets(city)} - {
        route.path.removeprefix("/api/v1") for route in with_records(city)
    }

    assert without_purpose == WITHOUT_PURPOSE, "say here why this address needs no purpose, or let it ask for one"


WITHOUT_PURPOSE = {"/datasets/{dataset}"}
"""It says what the dataset is, and nothing of its records."""


def test_a_grant_that_ends_ends_what_was_begun_under_it(city: City) -> None:
    token = city.enter(legal_entity={})
    export = city.made(f"/datasets/{DATASET}/exports", token, {})
    part = f"/api/v1/datasets/{DATASET}/exports/{export['id']}/parts/0"
    assert city.ask("GET", part, token).status == 200
    (grant,) = city.ask("GET", "/api/v1/grants", token).document["grants"]
    with connect(city.url) as connection:
        giving.revoke(connection, grant["id"], by="a test", reason="over")

    assert city.ask("GET", part, token, headers=PURPOSE).problem == "not-granted"
