"""What belongs to another client looks like what is not there, on every route that names one."""

from __future__ import annotations

import re

import pytest
from fastapi.routing import APIRoute

from registry.api.access import security
from tests.security.asking import Asked
from tests.security.city import ABSENT, HIDDEN, PURPOSE, City, absent, method, without
from tests.security.table import OPENED_BY, OWNED, body_for

OPERATORS = frozenset({"operate"})


def naming(city: City, name: str) -> list[APIRoute]:
    """The routes on which somebody who is no operator may name such a thing."""
    found = [route for route in city.routes() if f"{{{name}}}" in route.path]
    return [
        route
        for route in found
        if security.rule_of(route) in OPENED_BY and OPENED_BY[security.rule_of(route)] != OPERATORS
    ]


def strangers(city: City, name: str) -> list[str]:
    """Clients that have as many rights as the owner, and nothing to do with the thing."""
    scopes = OWNED[name] or ("",)
    return [city.enter(*filter(None, [scope]), legal_entity={}) for scope in scopes]


@pytest.mark.parametrize("name", list(OWNED))
def test_what_belongs_to_another_looks_like_what_is_not_there(city: City, name: str) -> None:
    nothing = absent(city)
    compared = 0
    for route in naming(city, name):
        for token in strangers(city, name):
            there, not_there = city.ask_pair(route, token, name, nothing[name], body_for(route.path))

            assert there.status in {403, 404}, (method(route), route.path, there.status, there.content[:300])
            texts = (city.objects[name], nothing[name])
            assert without(there, *texts) == without(not_there, *texts), (method(route), route.path)
            compared += 1
    assert compared


@pytest.mark.parametrize("name", list(OWNED))
def test_its_owner_finds_it(city: City, name: str) -> None:
    """Else everything would look like what is not there."""
    owner = city.owners[name]
    looks = [route for route in naming(city, name) if method(route) == "GET" and route.path.endswith(f"{{{name}}}")]

    assert looks
    for route in looks:
        answer = city.ask("GET", city.address(route), owner, headers=PURPOSE)
        assert answer.status == 200, (route.path, answer.content[:300])


def test_lists_show_a_stranger_nothing_of_others(city: City) -> None:
    everyone = strangers(city, "case") + strangers(city, "consent") + strangers(city, "grant")
    own = {name: value for name, value in city.objects.items() if name in OWNED and len(value) > 6}
    lists = [route for route in city.routes() if method(route) == "GET" and "{" not in route.path]
    for route in lists:
        if security.rule_of(route) is security.public:
            continue
        for answer in city.asker.all(Asked("GET", route.path, token, PURPOSE) for token in everyone):
            for name, value in own.items():
                assert value not in answer.content.decode(), (route.path, name)


@pytest.mark.parametrize("rows", [{"status": ["active"]}, {"division": ["330203"]}], ids=["state", "division"])
def test_a_record_outside_the_granted_rows_looks_like_none(city: City, rows: dict[str, list[str]]) -> None:
    token = city.enter(legal_entity={"rows": rows})
    for route in city.routes(security.dataset_reader, security.reader):
        for name, hidden in HIDDEN.items():
            if f"{{{name}}}" in route.path:
                there, not_there = (
                    city.ask(method(route), city.address(route, **{name: code}), token)
                    for code in (hidden, ABSENT[name])
                )
                # an enterprise of which nothing is granted is answered with the datasets that were looked through
                when = re.compile(r"'(as_of|read_at)', '[^']*'|'age_seconds': [^,}]*|'(as_of|read_at)': '[^']*'")
                first, second = (
                    (answer.status, when.sub("", without(answer, hidden, ABSENT[name])[1]))
                    for answer in (there, not_there)
                )
                assert first == second, (route.path, there.content[:300], not_there.content[:300])
