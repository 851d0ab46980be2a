from __future__ import annotations

from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import catalogue
from schemas.compatibility import incompatibilities
from schemas.validation import Validator

OLD: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "x-entity": "uscc",
    "required": ["uscc"],
    "properties": {
        "uscc": {"type": "string", "pattern": "^[0-9A-Z]{18}$"},
        "name": {"type": "string", "maxLength": 200, "x-personal": True, "title": "名称"},
        "year": {"type": "integer", "minimum": 1949},
        "status": {"enum": ["active", "revoked"]},
        "items": {"type": "array", "items": {"type": "string", "maxLength": 5}},
    },
}


def changed(**fields: Any) -> dict[str, Any]:
    return {**OLD, "properties": {**OLD["properties"], **fields}}


COMPATIBLE = {
    "nothing": OLD,
    "a new optional field": changed(remark={"type": "string"}),
    "more room": changed(name={"type": "string", "maxLength": 300, "x-personal": True}),
    "a new title": changed(name={**OLD["properties"]["name"], "title": "企业名称"}),
    "a value more": changed(status={"enum": ["active", "revoked", "suspended"]}),
    "a wider type": changed(year={"type": "number", "minimum": 1949}),
    "no lower bound": changed(year={"type": "integer"}),
    "marked as personal": changed(uscc={**OLD["properties"]["uscc"], "x-personal": True}),
    "anything": changed(year=True),
}
INCOMPATIBLE = {
    "a field becomes required": ({**OLD, "required": ["uscc", "name"]}, "/name", "becomes required"),
    "a field is no longer required": ({**OLD, "required": []}, "/uscc", "no longer required"),
    "a field is gone": ({**OLD, "properties": {"uscc": OLD["properties"]["uscc"]}}, "/name", "gone"),
    "less room": (changed(name={**OLD["properties"]["name"], "maxLength": 100}), "/name", "from 200 to 100"),
    "a new bound": (changed(year={"type": "integer", "minimum": 1949, "maximum": 2000}), "/year", "maximum"),
    "a higher bound": (changed(year={"type": "integer", "minimum": 1978}), "/year", "from 1949 to 1978"),
    "another type": (changed(year={"type": "string"}), "/year", "integer to string"),
    "a type at last": (
        changed(status={"enum": ["active", "revoked"], "type": "string"}),
        "/status",
        "the type changes",
    ),
    "a value less": (changed(status={"const": "active"}), "/status", "revoked"),
    "values listed": (changed(uscc={**OLD["properties"]["uscc"], "enum": ["1"]}), "/uscc", "restricted to a list"),
    "another pattern": (changed(uscc={"type": "string", "pattern": "^9"}), "/uscc", "pattern"),
    "a new format": (changed(uscc={**OLD["properties"]["uscc"], "format": "uscc"}), "/uscc", "format"),
    "no longer personal": (changed(name={"type": "string", "maxLength": 200}), "/name", "personal"),
    "the entity elsewhere": ({**OLD, "x-entity": "name"}, "", "entity"),
    "narrower elements": (
        changed(items={"type": "array", "items": {"type": "string", "maxLength": 4}}),
        "/items/*",
        "maxLength",
    ),
    "elements must differ": (changed(items={**OLD["properties"]["items"], "uniqueItems": True}), "/items", "differ"),
    "a field forbidden": (changed(year=False), "/year", "not known to be harmless"),
    "a new condition": ({**OLD, "anyOf": [{"required": ["name"]}]}, "", "anyOf"),
}


@pytest.mark.parametrize("change", COMPATIBLE)
def test_these_changes_need_no_new_major_version(change: str) -> None:
    assert incompatibilities(OLD, COMPATIBLE[change]) == []


@pytest.mark.parametrize("change", INCOMPATIBLE)
def test_these_changes_need_a_new_major_version(change: str) -> None:
    new, pointer, reason = INCOMPATIBLE[change]

    assert any(found.pointer == pointer and reason in found.en for found in incompatibilities(OLD, new))


def test_a_free_field_that_gets_rules_is_named() -> None:
    free = {**OLD, "additionalProperties": True}

    assert [
        found.pointer
        for found in incompatibilities(free, {**changed(remark={"type": "string"}), "additionalProperties": True})
    ] == ["/remark"]
    assert [found.pointer for found in incompatibilities(free, OLD)] == ["/*"]


@pytest.mark.parametrize("reference", catalogue.references())
def test_a_schema_is_compatible_with_itself(reference: str) -> None:
    assert incompatibilities(catalogue.schema(reference), catalogue.schema(reference)) == []


small = st.integers(0, 4)
strings = st.fixed_dictionaries({"type": st.just("string")}, optional={"maxLength": small, "minLength": small})
numbers = st.fixed_dictionaries(
    {"type": st.sampled_from(["integer", "number"])}, optional={"minimum": small, "maximum": small}
)
enums = st.fixed_dictionaries(
    {"enum": st.lists(st.sampled_from(["", "a", "aaa", 1, 3, None]), min_size=1, unique=True)}
)
fields = strings | numbers | enums | st.booleans()
schemas = st.builds(
    lambda properties, required, more: {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": more,
    },
    st.dictionaries(st.sampled_from("abc"), fields),
    st.lists(st.sampled_from("abc"), unique=True),
    st.booleans(),
)
instances = st.dictionaries(st.sampled_from("abcd"), st.sampled_from(["", "a", "aa", "aaaa", 0, 1, 3, 2.5, None]))


@given(schemas, schemas, instances)
def test_what_the_old_one_accepts_the_compatible_new_one_accepts(
    old: dict[str, Any], new: dict[str, Any], record: dict[str, Any]
) -> None:
    if incompatibilities(old, new):
        return
    assert not Validator(old).is_valid(record) or Validator(new).is_valid(record)
    covers = jsonschema_rs.canonicalize(new).covers(jsonschema_rs.canonicalize(old))
    assert covers != jsonschema_rs.canonical.Containment.NO
