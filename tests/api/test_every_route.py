"""Manners that hold at every address there is, also at those that come later."""

from __future__ import annotations

import re
from collections.abc import Iterator

import requests
from fastapi.routing import APIRoute

from registry.api.app import create_app
from registry.api.settings import ApiSettings
from tests.api.conftest import Api

PROBLEM = "application/problem+json"


def routes(settings: ApiSettings) -> Iterator[tuple[str, str]]:
    """Method and an address for each."""
    for route in create_app(settings).routes:
        assert isinstance(route, APIRoute)
        for method in route.methods:
            yield method, re.sub(r"\{(\w+)(:path)?\}", "1", route.path_format)


def test_every_answer_echoes_the_request_id_and_says_who_may_keep_it(api: Api, settings: ApiSettings) -> None:
    asked = 0
    with requests.Session() as session:
        session.trust_env = False
        for method, path in routes(settings):
            answer = session.request(
                method, api.address + path, headers={"X-Request-Id": f"t-{asked}"}, timeout=30, allow_redirects=False
            )
            where = f"{method} {path} {answer.status_code}"
            assert answer.headers["X-Request-Id"] == f"t-{asked}", where
            assert answer.headers["Cache-Control"], where
            assert answer.headers["X-Content-Type-Options"] == "nosniff", where
            assert answer.status_code != 500, where
            if answer.status_code >= 400 and answer.headers["Content-Type"] == PROBLEM:
                assert answer.json()["trace_id"] == f"t-{asked}", where
                assert answer.json()["instance"] == path, where
            asked += 1
    assert asked > 100


def test_every_address_refuses_methods_that_it_has_not_and_says_which_it_has(api: Api, settings: ApiSettings) -> None:
    there: dict[str, set[str]] = {}
    for method, path in routes(settings):
        there.setdefault(path, set()).add(method)
    with requests.Session() as session:
        session.trust_env = False
        for path, methods in there.items():
            answer = session.request("PROPFIND", api.address + path, timeout=30)
            assert answer.status_code == 405, path
            assert methods <= set(answer.headers["Allow"].split(", ")), path
            assert answer.json()["type"] == "/problems/method-not-allowed", path
