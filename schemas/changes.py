"""What changed from one version of a dataset's schema to the next, in words for those who read the dataset."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from schemas.compatibility import incompatibilities
from schemas.fields import Field, fields


@dataclass(frozen=True, slots=True)
class SchemaChange:
    """One difference between two versions."""

    pointer: str
    """JSON Pointer of the field; empty for the record."""
    breaking: bool
    """Whether a reader of the old version may stumble over it."""
    zh: str
    en: str


def changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[SchemaChange]:
    """Every difference that readers notice. Both schemas are resolved, as the catalogue gives them."""
    breaking = [
        SchemaChange(each.pointer, breaking=True, zh=each.zh, en=each.en) for each in incompatibilities(old, new)
    ]
    told = {change.pointer for change in breaking}
    return [*breaking, *(change for change in _harmless(old, new) if change.pointer not in told)]


def _harmless(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[SchemaChange]:
    before = {field.name: field for field in fields(old)}
    for field in fields(new):
        pointer = f"/{field.name}"
        if field.name not in before:
            yield SchemaChange(pointer, breaking=False, zh=f"新增字段：{field.zh}", en=f"a new field: {field.en}")
        elif (zh_en := _difference(before[field.name], field)) is not None:
            yield SchemaChange(pointer, breaking=False, zh=zh_en[0], en=zh_en[1])


def _difference(old: Field, new: Field) -> tuple[str, str] | None:
    if old == new:
        return None
    if added := [code for code in new.codes if code not in old.codes]:
        listed = ", ".join(added)
        return f"新增取值：{listed}", f"new values: {listed}"
    return "说明或规则有放宽", "its title is another, or its rule is wider"
