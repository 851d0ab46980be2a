"""How each route is asked that answers with records of granted datasets.

Which those are comes from the application: by their rule, and by the shapes that the description has for the answers of
routes that any client may ask. One that is not in ``WAYS`` fails the tests.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson
import pyarrow.parquet as pq
from fastapi.routing import APIRoute

from registry.api.access import security
from tests.api.feeding import bury
from tests.security.asking import Answered, Asked
from tests.security.city import DATASET, PURPOSE, City, method

FORMS = ("ndjson", "csv", "parquet")


@dataclass(frozen=True)
class Way:
    """One way of asking a route; ``{key}``, ``{entity}`` and ``{now}`` stand for what is asked for."""

    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    form: str = FORMS[0]
    """Of the export that is asked about."""


_ONE = (Way(),)
_EXPORTS = "/api/v1/datasets/{dataset}/exports"
_RECORDS = "/api/v1/datasets/{dataset}/records"
WAYS: Mapping[str, Sequence[Way]] = {
    "GET /api/v1/datasets/{dataset}": _ONE,
    f"GET {_RECORDS}": (Way(), Way("?entity={entity}"), Way("?as_of={now}")),
    f"GET {_RECORDS}/{{key}}": (Way(), Way("?as_of={now}")),
    f"GET {_RECORDS}/{{key}}/history": _ONE,
    f"POST {_RECORDS}/lookup": (
        Way(body={"keys": ["{key}"]}), Way(body={"entities": ["{entity}"]}),
        Way(body={"keys": ["{key}"], "as_of": "{now}"}),
    ),
    "GET /api/v1/datasets/{dataset}/counts": (Way("?by=status"), Way("?by=division"), Way("?by=division,status")),
    f"POST {_EXPORTS}": tuple(Way(body={"format": form}) for form in FORMS),
    f"GET {_EXPORTS}": _ONE,
    f"GET {_EXPORTS}/{{export}}": _ONE,
    f"GET {_EXPORTS}/{{export}}/sha256sums": _ONE,
    f"GET {_EXPORTS}/{{export}}/parts/{{part}}": tuple(Way(form=form) for form in FORMS),
    "GET /api/v1/entities/{entity}": (Way(), Way("?as_of={now}")),
    "GET /api/v1/changes": (
        Way(), Way(f"?dataset={DATASET}"), Way(headers={"accept": "application/x-ndjson"}),
    ),
    "GET /api/v1/subscriptions/{subscription}/dead-letters": _ONE,
}  # fmt: skip
WITHOUT_RECORDS = {
    "GET /api/v1/datasets/{dataset}",
    *(f"{each} {_EXPORTS}" for each in ("GET", "POST")),
    f"GET {_EXPORTS}/{{export}}",
    f"GET {_EXPORTS}/{{export}}/sha256sums",
}
"""Those that tell of a dataset or of an export, and show no record even to whom everything is granted."""
WITHOUT_BODIES = {*WITHOUT_RECORDS, "GET /api/v1/subscriptions/{subscription}/dead-letters"}
"""Those, and the one that tells of records' keys only."""
WITHOUT_PURPOSE = {
    "GET /api/v1/datasets/{dataset}": "what the dataset is, and nothing of its records",
    "GET /api/v1/subscriptions/{subscription}/dead-letters": "the purpose is stated once, by who subscribes",
}
"""Those that do not ask what the records are for, and why."""


def name_of(route: APIRoute) -> str:
    return f"{method(route)} {route.path}"


def with_records(city: City, routes: Iterable[APIRoute] | None = None) -> list[APIRoute]:
    """Every route that gives out what grants are about, of these or of all."""
    described = city.asker.app.openapi()
    return [
        route
        for route in (city.routes() if routes is None else routes)
        if security.rule_of(route) in (security.reader, security.dataset_reader)
        or (security.rule_of(route) is security.known_client and _tells_of_records(described, route))
    ]


def _tells_of_records(described: Mapping[str, Any], route: APIRoute) -> bool:
    """Whether an answer has the key of something together with its body, or with a change of it."""
    operation = described["paths"].get(route.path_format, {}).get(method(route).lower(), {})
    good = [answer for status, answer in operation.get("responses", {}).items() if status.startswith("2")]
    shapes = described["components"]["schemas"]
    found = [set(shapes[name].get("properties", {})) for name in _referred(good, shapes, set())]
    return any("key" in names and names & {"body", "change"} for names in found)


def _referred(value: Any, shapes: Mapping[str, Any], seen: set[str]) -> set[str]:
    """The names of every shape that is referred to, also by shapes."""
    if isinstance(value, dict):
        name = str(value.get("$ref", "")).removeprefix("#/components/schemas/")
        if name in shapes and name not in seen:
            seen.add(name)
            _referred(shapes[name], shapes, seen)
        for each in value.values():
            _referred(each, shapes, seen)
    elif isinstance(value, list):
        for each in value:
            _referred(each, shapes, seen)
    return seen


def answers(
    city: City, token: str, key: str, entity: str, headers: Mapping[str, str] = PURPOSE
) -> Iterator[tuple[str, Asked, Answered]]:
    """What every route says to a client of one record, with exports and dead letters that are the client's own.

    ``headers``: of the questions; what is asked about was made for the purpose that is granted.
    """
    exports = {
        form: str(city.made(f"/datasets/{DATASET}/exports", token, {"format": form}, PURPOSE)["id"]) for form in FORMS
    }
    wanted = {"dataset": DATASET, "url": "https://bank.example.com/events"}
    subscription = str(city.made("/subscriptions", token, wanted, PURPOSE)["id"])
    bury(city.url, subscription)
    values = {"key": key, "entity": entity, "now": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"}
    for route in with_records(city):
        for way in WAYS[name_of(route)]:
            own = {"export": exports[way.form], "subscription": subscription, "key": key, "entity": entity}
            asked = Asked(
                method(route),
                city.address(route, **own) + _filled(way.query, values),
                token,
                {**headers, **way.headers},
                _filled(way.body, values),
                begun_only="accept" in way.headers,
            )
            yield name_of(route), asked, city.asker.ask(asked)


def text_of(asked: Asked, answer: Answered) -> str:
    """What an answer says, without what it repeats of the request."""
    if answer.headers.get("content-type") == "application/vnd.apache.parquet":
        return orjson.dumps(pq.read_table(io.BytesIO(answer.content)).to_pylist(), default=str).decode()
    said = answer.content.decode().replace(asked.target.partition("?")[0], "")
    for wanted in (asked.body or {}).values():
        for each in wanted if isinstance(wanted, list) else ():
            said = said.replace(f'"asked":"{each}"', "")
    return said


def _filled(value: Any, values: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return value.format_map(values)
    if isinstance(value, dict):
        return {name: _filled(each, values) for name, each in value.items()}
    return [_filled(each, values) for each in value] if isinstance(value, list) else value
