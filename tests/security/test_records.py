"""Every route that answers with records x what a grant does not cover: other fields, other rows, other purposes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from fastapi import APIRouter, Depends
from fastapi.routing import APIRoute

from registry.api import models
from registry.api.access import security
from registry.api.routes.bulk import counts
from tests.credit.enterprise_file.town import enterprise, uscc
from tests.security.city import DATASET, HIDDEN, City
from tests.security.records import (
    WAYS,
    WITHOUT_BODIES,
    WITHOUT_PURPOSE,
    WITHOUT_RECORDS,
    answers,
    name_of,
    text_of,
    with_records,
)

RECORDS = f"/api/v1/datasets/{DATASET}/records"


@pytest.fixture(autouse=True)
def _counted_now(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counts are of the last midnight; what the city has is of today."""
    monkeypatch.setattr(counts, "settled_midnight", lambda at: at)


def showing(city: City, token: str, key: str, entity: str, texts: Sequence[str]) -> dict[str, set[str]]:
    """Which of these texts each route shows to a client that asks for a record; without those that show none."""
    found: dict[str, set[str]] = {}
    for name, asked, answer in answers(city, token, key, entity):
        assert answer.status < 500, (name, answer.content[:300])
        said = text_of(asked, answer)
        found.setdefault(name, set()).update(text for text in texts if text in said)
    return {name: shown for name, shown in found.items() if shown}


def test_every_route_with_records_is_in_the_table(city: City) -> None:
    assert {name_of(route) for route in with_records(city)} == set(WAYS), "say in tests/security/records.py how to ask"


def test_a_new_route_with_records_without_its_row_fails(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    async def novelty() -> None:
        """A route that somebody adds."""

    router = APIRouter()
    router.add_api_route("/api/v1/new", novelty, dependencies=[Depends(security.reader)])
    router.add_api_route(
        "/api/v1/own", novelty, dependencies=[Depends(security.known_client)], response_model=models.RecordPage
    )
    app = city.asker.app
    monkeypatch.setattr(app, "openapi_schema", None)
    monkeypatch.setattr(app.router, "routes", [*app.routes, *router.routes])

    added = with_records(city, [route for route in router.routes if isinstance(route, APIRoute)])

    assert {name_of(route) for route in added} - set(WAYS) == {"GET /api/v1/new", "GET /api/v1/own"}


def test_a_field_that_is_not_granted_is_shown_by_no_route(city: City) -> None:
    known: dict[str, Any] = enterprise(1)
    left_out = ("name", "legal_representative", "established_on", "address", "registration_number")
    hidden = [*(known[name] for name in left_out), '"established_on":"', '"division":"330203"']

    everything = showing(city, city.enter(legal_entity={}), "1", uscc(1), hidden)
    some = showing(city, city.enter(legal_entity={"fields": ["status"]}), "1", uscc(1), [*hidden, '"status":"active"'])

    assert set(everything) == set(WAYS) - WITHOUT_BODIES
    assert set().union(*some.values()) == {'"status":"active"'}, some
    assert set(some) == set(WAYS) - WITHOUT_BODIES


def test_a_field_that_is_not_granted_is_not_searched(city: City) -> None:
    token = city.enter(legal_entity={"fields": ["status"]})
    for name in ("name", "established_on", "legal_representative"):
        assert city.ask("GET", f"{RECORDS}?{name}=x", token).problem == "unknown-parameter"
        counted = city.ask("GET", f"/api/v1/datasets/{DATASET}/counts?by={name}", token)
        assert (counted.status, counted.problem) == (400, "invalid-parameter"), counted.content


@pytest.mark.parametrize("rows", [{"status": ["active"]}, {"division": ["330203"]}], ids=["state", "division"])
def test_a_record_outside_the_granted_rows_is_told_of_by_no_route(city: City, rows: dict[str, list[str]]) -> None:
    told = ("天成2", uscc(2), '"key":"2"', '"status":"revoked"', '"division":"330206"')
    narrow = city.enter(legal_entity={"rows": rows})

    everything = showing(city, city.enter(legal_entity={}), HIDDEN["key"], HIDDEN["entity"], told)

    assert set(everything) == set(WAYS) - WITHOUT_RECORDS
    assert showing(city, narrow, HIDDEN["key"], HIDDEN["entity"], told) == {}
    assert set(showing(city, narrow, "1", uscc(1), ["天成1", '"key":"1"', '"status":"active"'])) == set(everything)


OTHER_PURPOSES = {
    "no purpose": {},
    "no case number": {"Access-Purpose": "credit_lending"},
    "another purpose": {"Access-Purpose": "marketing", "Case-Number": "L-1"},
    "no purpose but a case": {"Case-Number": "L-1"},
}


@pytest.mark.parametrize("headers", OTHER_PURPOSES.values(), ids=list(OTHER_PURPOSES))
def test_for_another_purpose_no_route_tells_of_records(city: City, headers: dict[str, str]) -> None:
    """Nor where another dataset is read for any purpose: an answer is refused whole, nothing is left out silently."""
    terms = {"purposes": ["credit_lending"], "case_number": True}
    for token in (city.enter(legal_entity=terms), city.enter(legal_entity=terms, administrative_penalty={})):
        for name, asked, answer in answers(city, token, "1", uscc(1), headers):
            refused = None if name in WITHOUT_PURPOSE else "purpose-not-granted"
            assert (answer.status, answer.problem or None) == (403 if refused else 200, refused), (name, asked.target)
    for name, asked, answer in answers(city, token, "1", uscc(1)):
        assert answer.status in {200, 201}, (name, asked.target, answer.content[:300])
