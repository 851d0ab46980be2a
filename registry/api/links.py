"""Links of the description: what is made by a POST is read at which address, by which member of the answer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

MADE: Mapping[str, str] = {
    "/api/v1/subscriptions": "subscription",
    "/api/v1/datasets/{dataset}/exports": "export",
    "/api/v1/licences/{identifier}/copies": "copy",
    "/api/v1/credit/consents": "consent",
    "/api/v1/credit/cases": "case",
    "/api/v1/grants/requests": "asked",
}
"""Where something is made whose ``id`` is a part of the addresses at which it is read, and that part's name."""
_NAMES = re.compile(r"\{(\w+)\}")


def add(description: dict[str, Any]) -> None:
    """Lead from every good answer that makes something to each way of reading it."""
    paths = description["paths"]
    for path, name in MADE.items():
        links = {
            operations["get"]["operationId"]: _link(operations["get"]["operationId"], there, path, name)
            for there, operations in paths.items()
            if "get" in operations and name in _NAMES.findall(there) and _reaches(there, path, name)
        }
        for status, answer in paths[path]["post"]["responses"].items():
            if status.startswith("2"):
                answer["links"] = links


def _reaches(there: str, path: str, name: str) -> bool:
    """Whether the request that makes it knows every other part of the address."""
    return set(_NAMES.findall(there)) - {name} <= set(_NAMES.findall(path))


def _link(operation_id: str, there: str, path: str, name: str) -> dict[str, Any]:
    others = {each: f"$request.path.{each}" for each in _NAMES.findall(path) if each in _NAMES.findall(there)}
    return {"operationId": operation_id, "parameters": {**others, name: "$response.body#/id"}}
