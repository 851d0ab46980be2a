"""A hot address answers the same, whether FastAPI finds out what its handler needs or the short way is taken."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import pytest
import requests
from fastapi.routing import APIRoute, request_response

from registry.api.direct import Direct
from tests.api.conftest import Api, Reader
from tests.api.feeding import enterprise, enterprises, uscc

ADDRESS = "/api/v1/datasets/{dataset}/records/{key}"
CHANGING = {"as_of", "trace_id", "age_seconds", "read_at"}
LONG = "x" * 2001


@pytest.fixture
def both(start: Callable[..., Api], registry_url: str) -> tuple[Reader, Reader]:
    """A reader of an API as it is, and the same one of an API whose routes all take the usual way."""
    enterprises(registry_url).publish([enterprise(1)])
    short, usual = start(), start()
    for route in usual.server.config.app.routes:  # type: ignore[union-attr]
        if isinstance(route, Direct):
            route.app = request_response(APIRoute.get_route_handler(route))
    reader = short.client("read:legal_entity")
    return reader, replace(reader, address=usual.address)


def what(answer: requests.Response) -> tuple[int, Any, dict[str, str]]:
    headers = {name: answer.headers[name] for name in ("ETag", "Content-Type") if name in answer.headers}
    return answer.status_code, unchanging(answer.json() if answer.content else None), headers


def unchanging(found: Any) -> Any:
    if isinstance(found, dict):
        return {name: unchanging(value) for name, value in found.items() if name not in CHANGING}
    return [unchanging(item) for item in found] if isinstance(found, list) else found


def test_both_ways_answer_the_same(both: tuple[Reader, Reader]) -> None:
    short, usual = both
    known = short.ask(ADDRESS.format(dataset="legal_entity", key=uscc(1))).headers["ETag"]
    statuses = []
    for dataset, key, headers in [
        ("legal_entity", uscc(1), {}),
        ("legal_entity", uscc(1), {"If-None-Match": f'"other", {known}'}),
        ("legal_entity", uscc(1), {"If-None-Match": LONG}),
        ("legal_entity", uscc(1), {"Access-Purpose": "credit_lending", "Case-Number": "L-1"}),
        ("legal_entity", uscc(1), {"Access-Purpose": "Not so"}),
        ("legal_entity", uscc(1), {"Case-Number": quote("贷" * 100)}),
        ("legal_entity", uscc(1), {"Authorization": "Bearer of.bad.news"}),
        ("legal_entity", uscc(1), {"Authorization": "Basic bm86bm8="}),
        ("legal_entity", uscc(2), {}),
        ("legal_entity", LONG, {}),
        ("legal_entity", "a%2Fb", {}),
        ("penalty", uscc(1), {}),
        ("%E4%B8%AD", uscc(1), {}),
    ]:
        path = ADDRESS.format(dataset=dataset, key=key)
        found = what(short.ask(path, headers=headers))
        assert found == what(usual.ask(path, headers=headers)), (path, headers)
        statuses.append(found[0])

    assert statuses == [200, 304, 400, 200, 400, 400, 401, 401, 404, 400, 404, 403, 403]
