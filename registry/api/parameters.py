"""Query parameters: only those that a route declares, each once; and filters on a dataset's own fields."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated, Any
from urllib.parse import unquote

import jsonschema_rs
import orjson
from fastapi import Header, Path, Query, Request
from fastapi.dependencies.utils import get_flat_dependant
from fastapi.routing import APIRoute

from registry.api.paging import LIMIT
from registry.api.problems import INVALID_PARAMETER, UNKNOWN_PARAMETER, Problem, parameter_error
from registry.domain.grants.projection import View
from registry.sealing import key_file
from registry.sealing.records import blind
from registry.storage.reads.records import Filter
from schemas import catalogue, formats
from schemas.errors import SchemaError
from schemas.personal import of_dataset, of_schema

LONGEST_TEXT = 2000
"""Characters of a key, a cursor or an ETag."""
FILTERS: dict[str, Any] = {
    "parameters": [
        {
            "in": "query",
            "name": "fields",
            "description": (
                "Any top-level field of the dataset's schema, as a parameter of its own: `status=active`. Fields with"
                " an object cannot be filtered by; an array matches when it holds the value. 按顶层字段筛选。"
            ),
            "style": "form",
            "explode": True,
            "schema": {"type": "object", "additionalProperties": {"type": "string"}},
        }
    ]
}
"""For ``openapi_extra`` of routes that take filters beside their declared parameters."""

Limit = Annotated[int, Query(ge=1, le=LIMIT, description="How many at most on one page 每页最多条数")]
After = Annotated[
    str | None,
    Query(
        max_length=LONGEST_TEXT, description="`next` of the page before, with the same other parameters 上一页的 next"
    ),
]
IfNoneMatch = Annotated[str | None, Header(max_length=LONGEST_TEXT, description="The ETag of what the caller has")]
AsOf = Annotated[
    datetime | None,
    Query(
        description="As it was at this time (RFC 3339; with `Z`, or an offset whose `+` is sent as `%2B`) 该时刻的数据",
        examples=["2026-11-01T00:00:00+08:00"],
    ),
]


async def record_key(
    key: Annotated[
        str, Path(max_length=LONGEST_TEXT, description="The record's key 主键", examples=["91310000MA1FL00A0Q"])
    ],
) -> str:
    """The record's key in the path; the middleware keeps an encoded ``/`` within it encoded until here."""
    return unquote(key)


def moment(as_of: datetime | None) -> datetime | None:
    """A time asked for. Raises Problem unless it has an offset and has passed."""
    if as_of is None:
        return None
    if as_of.tzinfo is None:
        raise _invalid(
            "as_of",
            "时间缺少时差，应如 2026-11-01T00:00:00+08:00。",
            "The offset is missing; expected a time such as 2026-11-01T00:00:00+08:00.",
        )
    if as_of > datetime.now(UTC):
        raise _invalid(
            "as_of", "时间在将来；只能查询过去的时刻。", "This time is yet to come; expected one that has passed."
        )
    try:
        return as_of.astimezone(UTC)
    except OverflowError as error:
        raise _invalid("as_of", "时间超出范围。", "This time is beyond what can be told.") from error


def only_declared(request: Request) -> None:
    """Refuse parameters that the route does not declare, and any given twice: neither may be ignored in silence."""
    route: APIRoute = request.scope["route"]
    given = request.query_params
    if len(given) == 0:
        return
    doubled = {name for name in given if len(given.getlist(name)) > 1}
    if doubled:
        errors = [
            parameter_error(name, "该参数只能出现一次。", "This parameter may be given once.")
            for name in sorted(doubled)
        ]
        raise Problem(INVALID_PARAMETER, "有参数重复。", "A parameter is given more than once.", errors=errors)
    if not (route.openapi_extra or {}).get("parameters"):
        refuse_unknown(list(given), declared(route))


def refuse_unknown(given: list[str], allowed: list[str]) -> None:
    """Raise Problem if a parameter is none of those allowed."""
    unknown = sorted(set(given) - set(allowed))
    if not unknown:
        return
    names = ", ".join(allowed) or "none 无"
    errors = [
        parameter_error(name, f"未知参数；允许：{names}。", f"Not known here; allowed: {names}.") for name in unknown
    ]
    shown = ", ".join(name[:100] for name in unknown)
    raise Problem(
        UNKNOWN_PARAMETER,
        f"未知参数 {shown}；允许：{names}。",
        f"Not known here: {shown}; allowed: {names}.",
        errors=errors,
    )


def declared(route: APIRoute) -> list[str]:
    """The query parameters that a route declares."""
    found = _declared.get(route.unique_id)
    if found is None:
        found = _declared[route.unique_id] = [field.alias for field in get_flat_dependant(route.dependant).query_params]
    return found


_declared: dict[str, list[str]] = {}


def filters(request: Request, reference: str, view: View) -> list[Filter]:
    """The filters among a request's parameters, checked against the dataset's schema. Raises Problem.

    Only fields that the grant shows whole: what stands in another is not found out by seeking for it.
    """
    own = declared(request.scope["route"])
    wanted = {name: text for name, text in request.query_params.items() if name not in own}
    if not wanted:
        return []
    fields = {name: field for name, field in filterable(reference).items() if view.shows(name)}
    indexed = of_dataset(reference).indexed
    refuse_unknown(list(wanted), [*own, *fields])
    found, errors = [], []
    for name, text in wanted.items():
        value = _value(fields[name], text)
        problem = _mismatch(reference, name, value)
        if problem is not None:
            errors.append(
                parameter_error(name, f"不符合该字段的要求：{problem}", f"Not a value of this field: {problem}")
            )
        digest = blind(key_file.ring(), name, value) if name in indexed else None
        array = _type(fields[name]) == "array"
        found.append(Filter(name, orjson.dumps(value).decode(), within_array=array, blind=digest))
    if errors:
        raise Problem(
            INVALID_PARAMETER,
            "有筛选值不符合数据集的字段要求。",
            "A filter's value cannot occur in its field.",
            errors=errors,
        )
    return found


@lru_cache(maxsize=256)
def filterable(reference: str) -> Mapping[str, Mapping[str, Any]]:
    """The top-level fields that can be filtered by. None for an unknown schema.

    All but those that hold objects, and those that are sealed: of these, those that have a blind index.
    """
    try:
        properties = catalogue.schema(reference).get("properties", {})
        personal = of_schema(reference)
    except SchemaError:
        return {}
    sealed = {name for name, _ in personal.names}.difference(personal.indexed)
    return {
        name: field for name, field in properties.items() if _type(_scalar(field)) != "object" and name not in sealed
    }


def _scalar(field: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema that a filter's value must satisfy: an array's items, else the field's own."""
    items: Mapping[str, Any] = field.get("items", {}) if _type(field) == "array" else field
    return items


def _type(field: Mapping[str, Any]) -> str:
    kinds = field.get("type")
    if kinds is None:
        kinds = next((part["type"] for part in field.get("allOf", ()) if "type" in part), "string")
    return str(next((kind for kind in kinds if kind != "null"), "string") if isinstance(kinds, list) else kinds)


def _value(field: Mapping[str, Any], text: str) -> object:
    kind = _type(_scalar(field))
    if kind not in {"integer", "number", "boolean"}:
        return text
    try:
        value: object = orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
    return value if isinstance(value, int | float) else text


def _mismatch(reference: str, name: str, value: object) -> str | None:
    """What is wrong with a value, in the validator's words, without the value."""
    error = next(_validator(reference, name).iter_errors(value), None)
    return None if error is None else str(error.message)[:300]


@lru_cache(maxsize=1024)
def _validator(reference: str, name: str) -> Any:
    field = dict(_scalar(filterable(reference)[name]))
    return jsonschema_rs.Draft202012Validator(field, formats=formats.formats(), validate_formats=True, mask="the value")


def _invalid(name: str, zh: str, en: str) -> Problem:
    return Problem(INVALID_PARAMETER, zh, en, errors=[parameter_error(name, zh, en)])
