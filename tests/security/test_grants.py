"""Every route that gives out records of datasets x every way in which a grant may not cover it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from fastapi.routing import APIRoute

from registry.api.access import security
from registry.grants import giving
from registry.storage.database import connect
from tests.security.city import DATASET, PURPOSE, City, method
from tests.security.table import body_for


def of_datasets(city: City) -> list[APIRoute]:
    return city.routes(security.dataset_reader)


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
    for token in (nobody, other, ended, silent):
        assert city.ask("GET", f"/api/v1/changes?dataset={DATASET}", token).problem == "not-granted"
    for route in city.routes(security.reader):
        for token in (nobody, ended, silent):
            assert refused(city, route, token) == (403, "not-granted"), route.path
        answer = city.ask(method(route), city.address(route), other)
        assert answer.status == 200, (route.path, answer.content[:300])
        assert DATASET not in answer.content.decode(), route.path


def test_a_grant_that_ends_ends_what_was_begun_under_it(city: City) -> None:
    token = city.enter(legal_entity={})
    export = city.made(f"/datasets/{DATASET}/exports", token, {})
    part = f"/api/v1/datasets/{DATASET}/exports/{export['id']}/parts/0"
    assert city.ask("GET", part, token).status == 200
    (grant,) = city.ask("GET", "/api/v1/grants", token).document["grants"]
    with connect(city.url) as connection:
        giving.revoke(connection, grant["id"], by="a test", reason="over")

    assert city.ask("GET", part, token, headers=PURPOSE).problem == "not-granted"
