"""Whatever the API refuses in a test, and whichever headers it sends, its description says that it may.

A hook for every session of the tests.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

import requests
from fastapi import FastAPI

_lock = threading.Lock()
_descriptions: list[Mapping[str, Any]] = []
_ANYWHERE = {"/problems/method-not-allowed"}


def check(session: requests.Session, app: FastAPI) -> None:
    """From now on each refusal and each header that the session gets has to be declared for its address and method."""

    def look(response: requests.Response, *_: Any, **__: Any) -> None:
        _look_at_headers(response, _description(app))
        if response.status_code >= 400 and "json" in response.headers.get("Content-Type", ""):
            _look(response, _description(app))

    session.hooks["response"].append(look)


def _look(response: requests.Response, description: Mapping[str, Any]) -> None:
    found = _parsed(response)
    operation = _operation(description, response)
    if operation is None or not isinstance(found, dict) or found.get("type") in {None, *_ANYWHERE}:
        return
    assert response.status_code == found["status"]
    kinds = _kinds(operation.get("responses", {}).get(str(response.status_code), {}))
    where = f"{response.request.method} {urlsplit(str(response.url)).path}"
    assert found["type"] in kinds, f"{where} answered {found['type']}; its description has {sorted(kinds)}"


def _look_at_headers(response: requests.Response, description: Mapping[str, Any]) -> None:
    """Of those that the description has a name for."""
    operation = _operation(description, response)
    declared = (operation or {}).get("responses", {}).get(str(response.status_code))
    if declared is None:
        return
    sent = {name for name in description["components"]["headers"] if name in response.headers}
    where = f"{response.request.method} {urlsplit(str(response.url)).path}: {response.status_code}"
    assert sent <= set(declared.get("headers", {})), f"{where} has {sorted(sent)}; declared are {declared['headers']}"


def _parsed(response: requests.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        return None


def _description(app: FastAPI) -> Mapping[str, Any]:
    """Of the first application that asks: all have the same routes."""
    with _lock:
        if not _descriptions:
            _descriptions.append(app.openapi())
    return _descriptions[0]


def _operation(description: Mapping[str, Any], response: requests.Response) -> Mapping[str, Any] | None:
    """What the description has on an address; None for addresses that it does not have."""
    path = urlsplit(str(response.url)).path
    fitting = [template for template in description["paths"] if _pattern(template).fullmatch(path)]
    if not fitting:
        return None
    template = min(fitting, key=lambda each: each.count("{"))
    found: Mapping[str, Any] | None = description["paths"][template].get((response.request.method or "").lower())
    return found


@lru_cache(maxsize=500)
def _pattern(template: str) -> re.Pattern[str]:
    return re.compile("[^/]+".join(re.escape(part) for part in re.split(r"\{\w+\}", template)))


def _kinds(answer: Mapping[str, Any]) -> set[str]:
    return {
        example["value"]["type"]
        for content in answer.get("content", {}).values()
        for example in content.get("examples", {}).values()
    }
