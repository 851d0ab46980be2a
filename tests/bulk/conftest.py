"""The API, a reader of one dataset, and ways to fetch an export."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson
import requests

from tests.api.conftest import Reader, api, settings, start

__all__ = ["api", "settings", "start"]


def post(reader: Reader, path: str, body: Any = None, **headers: str) -> requests.Response:
    sent = {"Authorization": f"Bearer {reader.token}", **headers}
    return reader.session.post(f"{reader.address}/api/v1{path}", json=body, headers=sent, timeout=60)


def begun(reader: Reader, dataset: str = "legal_entity", **wanted: Any) -> dict[str, Any]:
    answer = post(reader, f"/datasets/{dataset}/exports", wanted)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    assert reader.get(answer.headers["Location"].removeprefix("/api/v1"))["id"] == found["id"]
    return found


@dataclass
class Fetched:
    """The parts of an export as a client has them on its disk."""

    parts: list[bytes]
    digests: list[str]
    records: int


def fetch(reader: Reader, export: dict[str, Any], between: Callable[[], object] = lambda: None) -> Fetched:
    """Every part, as a client fetches them, following the links."""
    found = Fetched([], [], 0)
    href = f"/api/v1/datasets/{export['dataset']}/exports/{export['id']}/parts/0"
    while href:
        answer = reader.ask(href)
        assert answer.status_code == 200, answer.text
        found.parts.append(answer.content)
        found.digests.append(answer.headers["Shuqiao-Part-SHA256"])
        found.records += int(answer.headers["Shuqiao-Part-Records"])
        href = answer.links.get("next", {}).get("url", "")
        between()
    return found


def lines(parts: list[bytes]) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in b"".join(parts).splitlines()]
