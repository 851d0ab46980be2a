"""The fields of a dataset's records as a catalogue shows them: names, titles, kinds, codes, marks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from schemas.formats import CODE_LIST_FORMATS


@dataclass(frozen=True, slots=True)
class Field:
    """A top-level field of a dataset's records."""

    name: str
    zh: str
    en: str
    kind: str
    """The JSON type: ``string``, ``integer``, ``object``, ``array of string``..."""
    required: bool
    personal: bool
    """Whether it, or anything within it, is about a natural person."""
    codes: tuple[str, ...]
    """The values that it may have, if they are listed in the schema itself."""
    code_list: str | None
    """The name of the code list that its values are of."""


def fields(schema: Mapping[str, Any]) -> list[Field]:
    """The top-level fields of a resolved schema, in its order."""
    required = frozenset(schema.get("required", ()))
    return [
        _field(name, part, required=name in required)
        for name, part in schema.get("properties", {}).items()
        if isinstance(part, Mapping)
    ]


def _field(name: str, part: Mapping[str, Any], *, required: bool) -> Field:
    zh = str(part.get("title", name))
    items = part.get("items")
    inner = items if isinstance(items, Mapping) else part
    return Field(
        name=name,
        zh=zh,
        en=str(part.get("x-title-en", zh)),
        kind=_kind(part) if inner is part else f"array of {_kind(inner)}",
        required=required,
        personal=_is_personal(part),
        codes=tuple(str(code) for code in inner.get("enum", ())),
        code_list=CODE_LIST_FORMATS.get(str(_keyword(inner, "format"))),
    )


def _kind(part: Mapping[str, Any]) -> str:
    found = _keyword(part, "type")
    names = found if isinstance(found, list) else [found or "string"]
    return " or ".join(str(name) for name in names)


def _keyword(part: Mapping[str, Any], name: str) -> Any:
    """A keyword of the schema itself, or of a branch that always applies."""
    if name in part:
        return part[name]
    return next((branch[name] for branch in part.get("allOf", ()) if name in branch), None)


def _is_personal(part: Any) -> bool:
    if isinstance(part, Mapping):
        return part.get("x-personal") is True or any(_is_personal(value) for value in part.values())
    return isinstance(part, list) and any(_is_personal(value) for value in part)
