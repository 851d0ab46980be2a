"""The catalogue for programs: JSON, DCAT-AP 3, the schemas and code lists of datasets. For anyone; never a record."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Path, Request, Response

from registry.api.access.security import Public
from registry.api.catalogue import dcat, entries, models
from registry.api.licences.published import CROSS_ORIGIN, document, entity_tag, is_known, media
from registry.api.parameters import IfNoneMatch
from registry.api.problems import NOT_FOUND, Problem
from registry.api.representations import now
from registry.api.state import state_of
from registry.storage.reads.dataset_quality import NOTHING_KNOWN
from schemas.errors import SchemaError, UnknownCodeList

router = APIRouter(prefix="/catalogue", tags=["catalogue"], dependencies=[Public])
addresses = APIRouter(tags=["catalogue"], dependencies=[Public])

JSON_LD, TURTLE, SCHEMA = "application/ld+json", "text/turtle", "application/schema+json"
MAX_AGE = 60
"""Seconds for which anyone may keep an answer: so much later a change may be seen."""
SCHEMA_MAX_AGE = 300
Name = Annotated[str, Path(max_length=63, examples=["legal_entity"])]
_KEPT: dict[int | str, dict[str, Any]] = {304: {"description": "Not changed 未变化"}}
_AGES = frozenset({"as_of", "age_seconds"})


@router.get("", response_model=models.Catalogue, responses=_KEPT)
async def listed(request: Request, if_none_match: IfNoneMatch = None) -> Response:
    """Every dataset that this hub shares: whose, how fresh, how good, how to apply. 资源目录."""
    at = now()
    content = {"as_of": at, "datasets": await all_entries(request, at)}
    return _answer(content, if_none_match)


@router.get("/{dataset}", response_model=models.CatalogueDataset, responses=_KEPT)
async def shown(request: Request, dataset: Name, if_none_match: IfNoneMatch = None) -> Response:
    """One dataset with its fields and the versions of its schema. 资源目录项."""
    at = now()
    found = await one_entry(request, dataset, at)
    if found is None:
        raise Problem(NOT_FOUND, f"没有数据集 {dataset}。", f"There is no dataset {dataset}.")
    return _answer({"as_of": at, **found}, if_none_match)


@addresses.get("/catalogue.jsonld", response_class=Response, responses=media(JSON_LD, "DCAT-AP 3 as JSON-LD"))
async def json_ld(request: Request, if_none_match: IfNoneMatch = None) -> Response:
    """The catalogue as DCAT-AP 3, for other catalogues to harvest: JSON-LD. 资源目录（DCAT-AP，JSON-LD）."""
    return document(dcat.as_json_ld(await _graph(request)), JSON_LD, if_none_match, max_age=MAX_AGE)


@addresses.get("/catalogue.ttl", response_class=Response, responses=media(TURTLE, "DCAT-AP 3 as Turtle"))
async def turtle(request: Request, if_none_match: IfNoneMatch = None) -> Response:
    """The catalogue as DCAT-AP 3, for other catalogues to harvest: Turtle. 资源目录（DCAT-AP，Turtle）."""
    return document(dcat.as_turtle(await _graph(request)), TURTLE, if_none_match, max_age=MAX_AGE)


@addresses.get(
    "/schemas/datasets/{dataset}/{version}.json", response_class=Response, responses=media(SCHEMA, "JSON Schema")
)
async def schema(
    request: Request,
    dataset: Name,
    version: Annotated[str, Path(max_length=4, examples=["1"])],
    if_none_match: IfNoneMatch = None,
) -> Response:
    """The JSON Schema (2020-12) of a version of a dataset, complete in itself. 数据集 JSON Schema."""
    try:
        found = entries.published_schema(f"{dataset}@{version}", state_of(request).licensing.base)
    except SchemaError as error:
        raise Problem(
            NOT_FOUND, "没有这个数据集或这个版本。", "There is no such dataset, or no such version."
        ) from error
    return document(orjson.dumps(found), SCHEMA, if_none_match, max_age=SCHEMA_MAX_AGE)


@addresses.get("/schemas/code-lists/{name}.json", response_model=models.CodeList, responses=_KEPT)
async def code_list(
    name: Annotated[str, Path(max_length=63, examples=["currencies"])], if_none_match: IfNoneMatch = None
) -> Response:
    """A code list with the days on which each code was valid. 代码集."""
    try:
        found = entries.published_code_list(name)
    except UnknownCodeList as error:
        raise Problem(NOT_FOUND, "没有这个代码集。", "There is no such code list.") from error
    return document(orjson.dumps(found), "application/json", if_none_match, max_age=SCHEMA_MAX_AGE)


async def all_entries(request: Request, at: datetime) -> list[dict[str, Any]]:
    """Every dataset as it stands in the catalogue. Raises ReadError, Problem (busy)."""
    app = state_of(request)
    async with app.lookups.passed():
        quality = await app.quality()
        return [
            entries.entry(dataset, quality.get(dataset.id, NOTHING_KNOWN), at, app.licensing.base)
            for dataset in (await app.datasets()).values()
        ]


async def one_entry(request: Request, name: str, at: datetime) -> dict[str, Any] | None:
    """One dataset with its fields; None: there is none of that name. Raises ReadError, Problem (busy)."""
    app = state_of(request)
    async with app.lookups.passed():
        dataset = (await app.datasets()).get(name)
        quality = await app.quality()
        if dataset is None:
            return None
        return entries.detailed(dataset, quality.get(dataset.id, NOTHING_KNOWN), at, app.licensing.base)


async def _graph(request: Request) -> list[dcat.Node]:
    found = await all_entries(request, now())
    since = min((entry["registered_at"] for entry in found), default=None)
    return dcat.graph(found, state_of(request).licensing.base, since)


def _answer(content: Mapping[str, Any], if_none_match: str | None) -> Response:
    """With a weak tag: how old the data is changes every second and is not in it."""
    mark = f"W/{entity_tag(orjson.dumps(_lasting(content), option=orjson.OPT_UTC_Z))}"
    headers = {**CROSS_ORIGIN, "ETag": mark, "Cache-Control": f"public, max-age={MAX_AGE}"}
    if is_known(mark, if_none_match):
        return Response(status_code=304, headers=headers)
    return Response(orjson.dumps(content, option=orjson.OPT_UTC_Z), 200, headers, "application/json")


def _lasting(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _lasting(inner) for name, inner in value.items() if name not in _AGES}
    return [_lasting(inner) for inner in value] if isinstance(value, list) else value
