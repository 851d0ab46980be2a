"""Filters that a person writes, ``status=active``, against the schema of the dataset."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from registry.storage.reads.records import Filter
from schemas import catalogue
from schemas.errors import SchemaError
from schemas.personal import of_dataset, of_schema
from shuqiao.cli.failures import unknown, usage


def parsed(given: Sequence[str], reference: str) -> list[Filter]:
    """The filters. Raises Failure for a field that is not there, or a value that it cannot have."""
    if not given:
        return []
    from registry.sealing import key_file  # noqa: PLC0415
    from registry.sealing.records import blind  # noqa: PLC0415

    known, indexed = _filterable(reference), of_dataset(reference).indexed
    found = []
    for text in given:
        name, equals, value = text.partition("=")
        if not equals:
            raise usage(f"无法识别的筛选 {text!r} is no filter", "expected FIELD=VALUE, for example status=active")
        if name not in known:
            look = f"可筛选的字段 fields: {', '.join(known) or 'none'}"
            raise usage(*unknown("可筛选的字段", "field to filter by", name, known, look))
        array = _type(known[name]) == "array"
        items: Mapping[str, Any] = known[name].get("items", {}) if array else known[name]
        wanted = _value(name, items, value)
        digest = blind(key_file.ring(), name, wanted) if name in indexed else None
        found.append(Filter(name, json.dumps(wanted), within_array=array, blind=digest))
    return found


def _filterable(reference: str) -> dict[str, Mapping[str, Any]]:
    """The top-level fields, all but those that hold objects, and those that are sealed without a blind index."""
    try:
        properties = catalogue.schema(reference).get("properties", {})
        personal = of_schema(reference)
    except SchemaError:
        return {}
    sealed = {name for name, _ in personal.names}.difference(personal.indexed)
    return {
        name: field
        for name, field in properties.items()
        if name not in sealed and _type(field.get("items", {}) if _type(field) == "array" else field) != "object"
    }


def _value(name: str, field: Mapping[str, Any], text: str) -> object:
    value: object = text
    kind = _type(field)
    if kind in {"integer", "number"}:
        try:
            value = int(text) if kind == "integer" else float(text)
        except ValueError:
            raise usage(f"应为数字 {text!r} is no number", place=name) from None
    elif kind == "boolean":
        if text not in {"true", "false"}:
            raise usage(f"应为 true 或 false, got {text!r}; expected true or false", place=name)
        value = text == "true"
    allowed = _allowed(field)
    if allowed and value not in allowed:
        shown = ", ".join(map(str, allowed))
        raise usage(
            f"没有这样的值 {text!r} cannot occur in this field", f"可用的值 expected one of {shown}", place=name
        )
    return value


def _type(field: Mapping[str, Any]) -> str:
    kinds = field.get("type")
    if kinds is None:
        kinds = next((part["type"] for part in field.get("allOf", ()) if "type" in part), "string")
    return str(next((kind for kind in kinds if kind != "null"), "string") if isinstance(kinds, list) else kinds)


def _allowed(field: Mapping[str, Any]) -> Sequence[object]:
    parts = [field, *field.get("allOf", ())]
    return next((part["enum"] for part in parts if isinstance(part, Mapping) and "enum" in part), ())
