"""A document against a JSON Schema: every fault in words, with the key where it stands."""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import jsonschema_rs

from schemas.documents import Key

Fault = tuple[Key, str]
"""The key and what is wrong there."""

_TYPES = {
    "object": "keys with values",
    "array": "a list",
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "nothing",
}
_SHOWN = 60


def faults(data: Any, schema: Mapping[str, Any], key: Key = ()) -> Iterator[Fault]:
    """Every fault of ``data``, which stands at ``key`` of its file; raises ValueError if that is no JSON Schema."""
    validator = jsonschema_rs.Draft202012Validator(dict(schema))
    for error in validator.iter_errors(data):
        place: Key = (*key, *error.instance_path)
        kind: Any = error.kind
        name = type(kind).__name__.removeprefix("ValidationErrorKind_")
        if name in {"AdditionalProperties", "UnevaluatedProperties"}:
            known = _known_keys(schema, error.schema_path)
            for unknown in kind.unexpected:
                yield (*place, unknown), unknown_key(unknown, known)
        elif name == "PropertyNames":
            wrong = str(kind.error.instance)
            yield (*place, wrong), f"got the key {wrong!r}; {_expected(kind.error, schema)}"
        elif name == "Required":
            yield (*place, kind.property), "is missing"
        else:
            yield place, f"got {shown(error.instance)}; {_expected(error, schema)}"


def _expected(error: Any, schema: Mapping[str, Any]) -> str:
    """What the rule wants: the schema's own words (``x-expected``) where it has some."""
    words = _near(schema, error.schema_path, "x-expected")
    kind = error.kind
    if words is not None:
        return f"expected {words}"
    if hasattr(kind, "types"):
        return "expected " + " or ".join(_TYPES.get(item, item) for item in kind.types)
    if hasattr(kind, "options"):
        options = [str(item) for item in kind.options]
        return f"expected one of {', '.join(options)}{did_you_mean(error.instance, options)}"
    return str(error.message)


def _near(schema: Mapping[str, Any], path: Iterable[str | int], name: str) -> Any:
    node: Any = schema
    for step in list(path)[:-1]:
        node = node.get(step) if isinstance(node, dict) else _item(node, step)
        if isinstance(node, dict) and "$ref" in node:
            node = _resolve(schema, node["$ref"])
    return node.get(name) if isinstance(node, dict) else None


def _item(node: Any, step: str | int) -> Any:
    return node[step] if isinstance(node, list) and isinstance(step, int) and step < len(node) else None


def _resolve(schema: Any, reference: str) -> Any:
    node = schema
    for step in reference.removeprefix("#/").split("/"):
        node = node.get(step, {}) if isinstance(node, dict) else {}
    return node


def _known_keys(schema: Mapping[str, Any], path: Iterable[str | int]) -> list[str]:
    return list(_near(schema, path, "properties") or ())


def unknown_key(name: str, known: Iterable[str]) -> str:
    """``unknown key; did you mean "schedule"?`` or the list of those that are known."""
    names = sorted(known)
    guess = did_you_mean(name, names)
    return f"unknown key{guess}" if guess else f"unknown key; expected one of {', '.join(names)}"


def did_you_mean(name: Any, known: Iterable[str]) -> str:
    """A hint with the nearest known name; empty if none is near."""
    close = difflib.get_close_matches(str(name), [str(item) for item in known], n=1, cutoff=0.6)
    return f'; did you mean "{close[0]}"?' if close else ""


def shown(value: Any) -> str:
    """A value for a message: short."""
    if isinstance(value, dict):
        return f"keys ({', '.join(map(str, value))})"[:_SHOWN] if value else "nothing"
    if value is None:
        return "nothing"
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
