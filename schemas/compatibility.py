"""Whether a new version of a schema can take the place of the old one.

It can if every record that the old one accepts is accepted by the new one, and if what readers rely on stays: fields
keep being there, the entity's field stays the same, and personal fields stay personal. Where this cannot be proved it
is denied: a new major version costs less than a broken reader.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from schemas.catalogue import escape
from schemas.masking import shorten

_LOWER_BOUNDS = ("minLength", "minimum", "exclusiveMinimum", "minItems", "minProperties")
_UPPER_BOUNDS = ("maxLength", "maximum", "exclusiveMaximum", "maxItems", "maxProperties")
_FREE = frozenset({"title", "description", "examples", "default", "deprecated", "$comment", "$id", "$schema"})
_COMPARED = frozenset(
    {"type", "enum", "const", "required", "properties", "additionalProperties", "items", "uniqueItems"}
).union(_LOWER_BOUNDS, _UPPER_BOUNDS)


@dataclass(frozen=True, slots=True)
class Incompatibility:
    """One reason why the new schema cannot take the old one's place."""

    pointer: str
    """JSON Pointer of the field; empty for the record."""
    zh: str
    en: str


def incompatibilities(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Incompatibility]:
    """Every reason why not; empty if it can. Both schemas are resolved, as the catalogue gives them."""
    found = list(_compare(old, new, ""))
    if old.get("x-entity") != new.get("x-entity"):
        found.append(
            Incompatibility(
                "",
                f"主体字段由 {old.get('x-entity')} 改为 {new.get('x-entity')}",
                f"the field of the entity changes from {old.get('x-entity')} to {new.get('x-entity')}",
            )
        )
    return found


def _compare(old: Any, new: Any, pointer: str) -> Iterator[Incompatibility]:
    if old == new or new is True or old is False:
        return
    if not isinstance(old, Mapping) or not isinstance(new, Mapping):
        yield Incompatibility(pointer, "规则改变，无法证明兼容", "the rule changes in a way not known to be harmless")
        return
    yield from _types(old, new, pointer)
    yield from _values(old, new, pointer)
    yield from _bounds(old, new, pointer)
    yield from _fields(old, new, pointer)
    yield from _elements(old, new, pointer)
    yield from _others(old, new, pointer)


def _types(old: Mapping[str, Any], new: Mapping[str, Any], pointer: str) -> Iterator[Incompatibility]:
    before, after = _type_names(old), _type_names(new)
    if after is not None and (before is None or not before <= after):
        had = ", ".join(sorted(before)) if before else "*"
        has = ", ".join(sorted(after))
        yield Incompatibility(pointer, f"类型由 {had} 改为 {has}", f"the type changes from {had} to {has}")


def _type_names(schema: Mapping[str, Any]) -> set[str] | None:
    named = schema.get("type")
    if named is None:
        return None
    names = {named} if isinstance(named, str) else set(named)
    return names | {"integer"} if "number" in names else names


def _values(old: Mapping[str, Any], new: Mapping[str, Any], pointer: str) -> Iterator[Incompatibility]:
    after = _allowed(new)
    if after is None:
        return
    before = _allowed(old)
    if before is None:
        yield Incompatibility(pointer, "取值新受限制", "the values are restricted to a list")
    elif gone := [value for value in before if value not in after]:
        shown = ", ".join(shorten(value) for value in gone[:12])
        yield Incompatibility(pointer, f"不再允许取值 {shown}", f"no longer allowed: {shown}")


def _allowed(schema: Mapping[str, Any]) -> list[Any] | None:
    if "const" in schema:
        return [schema["const"]]
    return list(schema["enum"]) if "enum" in schema else None


def _bounds(old: Mapping[str, Any], new: Mapping[str, Any], pointer: str) -> Iterator[Incompatibility]:
    for keyword in (*_LOWER_BOUNDS, *_UPPER_BOUNDS):
        if keyword not in new:
            continue
        before, after = old.get(keyword), new[keyword]
        if before is None or (after > before if keyword in _LOWER_BOUNDS else after < before):
            yield Incompatibility(
                pointer, f"{keyword} 由 {before} 收紧为 {after}", f"{keyword} is tightened from {before} to {after}"
            )


def _fields(old: Mapping[str, Any], new: Mapping[str, Any], pointer: str) -> Iterator[Incompatibility]:
    before, after = old.get("properties", {}), new.get("properties", {})
    for name in sorted(set(new.get("required", ())) - set(old.get("required", ()))):
        yield Incompatibility(f"{pointer}/{escape(name)}", "新成为必填字段", "the field becomes required")
    for name in sorted(set(old.get("required", ())) - set(new.get("required", ()))):
        if name in after:
            yield Incompatibility(
                f"{pointer}/{escape(name)}",
                "不再必填，读取方可能依赖它",
                "the field is no longer required; readers rely on it",
            )
    for name in sorted(before):
        place = f"{pointer}/{escape(name)}"
        if name not in after:
            yield Incompatibility(place, "字段被删除", "the field is gone")
        else:
            yield from _compare(before[name], after[name], place)
    if old.get("additionalProperties", True) is not False:
        for name in sorted(set(after) - set(before)):
            yield Incompatibility(
                f"{pointer}/{escape(name)}",
                "原来可以自由填写的字段现在有了规则",
                "a field that was free to use now has rules",
            )
    yield from _compare(old.get("additionalProperties", True), new.get("additionalProperties", True), f"{pointer}/*")


def _elements(old: Mapping[str, Any], new: Mapping[str, Any], pointer: str) -> Iterator[Incompatibility]:
    yield from _compare(old.get("items", True), new.get("items", True), f"{pointer}/*")
    if new.get("uniqueItems") is True and old.get("uniqueItems") is not True:
        yield Incompatibility(pointer, "各项须互不相同", "the items must now differ from each other")


def _others(old: Mapping[str, Any], new: Mapping[str, Any], pointer: str) -> Iterator[Incompatibility]:
    if old.get("x-personal") is True and new.get("x-personal") is not True:
        yield Incompatibility(pointer, "个人信息标记被去掉", "the field is no longer marked as personal")
    for keyword in sorted(set(old) | set(new)):
        if keyword in _COMPARED or keyword in _FREE or keyword.startswith("x-") or old.get(keyword) == new.get(keyword):
            continue
        if keyword in new:
            yield Incompatibility(
                pointer,
                f"规则 {keyword} 新增或改变，无法证明兼容",
                f"the rule {keyword} is new or changes in a way not known to be harmless",
            )
