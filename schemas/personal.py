"""Which values of a record are personal, and how the record looks without them.

A schema marks a field ``x-personal``. ``x-personal-unless: <field>`` beside it says that the value names an
organisation, and nobody's person, where the record has that other field: the name of a party that states a unified
social credit code. ``x-blind-index: true`` says that records can be looked for by the whole value.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from schemas.catalogue import Catalogue, default_catalogue, escape
from schemas.errors import SchemaError, UnknownSchema
from schemas.masking import mask

_UNLESS = "x-personal-unless"
_INDEXED = "x-blind-index"


@dataclass(frozen=True, slots=True)
class PersonalFields:
    """The personal fields of one schema, ready for many records."""

    pointers: frozenset[str]
    """JSON Pointers; ``*`` stands for any array index."""
    names: tuple[tuple[str, str | None], ...]
    """Each top-level field that is personal or holds what is, and the field in whose presence it is not."""
    indexed: tuple[str, ...]
    """Top-level fields that have a blind index."""

    def __bool__(self) -> bool:
        return bool(self.names)

    def taken(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """The top-level fields of a record that hold something personal, with their whole values."""
        found = {}
        for name, unless in self.names:
            value = record.get(name)
            if value is not None and (unless is None or record.get(unless) is None):
                found[name] = value
        return found

    def masked(self, record: Mapping[str, Any], taken: Mapping[str, Any]) -> dict[str, Any]:
        """The record as anybody may see it: what was :meth:`taken`, masked."""
        shown = dict(record)
        for name, value in taken.items():
            shown[name] = mask(value) if type(value) is str and value else self._without(value, f"/{escape(name)}")
        return shown

    def _without(self, value: Any, pointer: str) -> Any:
        if pointer in self.pointers:
            return masked_whole(value)
        if isinstance(value, Mapping):
            return {name: self._without(each, f"{pointer}/{escape(name)}") for name, each in value.items()}
        if isinstance(value, list | tuple):
            return [self._without(each, f"{pointer}/*") for each in value]
        return value


def of_schema(reference: str, schemas: Catalogue | None = None) -> PersonalFields:
    """The personal fields of a dataset's schema. Raises SchemaError, also for annotations that protect nothing."""
    return _of_schema(schemas or default_catalogue(), reference)


def of_dataset(reference: str) -> PersonalFields:
    """As :func:`of_schema`; none where there is no such schema, by which no record could be checked either."""
    try:
        return of_schema(reference)
    except UnknownSchema:
        return PersonalFields(frozenset(), (), ())


def masked_record(record: Any, reference: str) -> Any:
    """A record with its personal fields masked; every text of it, if nobody knows its schema any more."""
    try:
        fields = of_schema(reference)
    except SchemaError:
        return masked_whole(record)
    return fields.masked(record, fields.taken(record)) if isinstance(record, Mapping) else masked_whole(record)


def masked_whole(value: Any) -> Any:
    """A value with everything in it masked; that there is nothing may be seen."""
    if isinstance(value, Mapping):
        return {name: masked_whole(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [masked_whole(each) for each in value]
    return value if value is None or value == "" else mask(value)


def normalised(value: Any) -> str:
    """A value as a blind index looks for it: capital letters and digits, no spaces, hyphens or full width."""
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", str(value))).upper()


@lru_cache(maxsize=1024)
def _of_schema(schemas: Catalogue, reference: str) -> PersonalFields:
    pointers = frozenset(schemas.personal_fields(reference))
    schema = schemas.schema(reference)
    properties = schema.get("properties", {})
    if schema.get("x-entity") is not None and f"/{escape(str(schema['x-entity']))}" in pointers:
        raise SchemaError(
            f"{reference}: the field of the entity, {schema['x-entity']}, cannot be personal: it is public"
        )
    names: dict[str, str | None] = {}
    for pointer in sorted(pointers):
        name = pointer.split("/")[1].replace("~1", "/").replace("~0", "~")
        unless = properties.get(name, {}).get(_UNLESS) if pointer == f"/{escape(name)}" else None
        if unless is not None and (unless not in properties or f"/{escape(str(unless))}" in pointers):
            raise SchemaError(f"{reference}: {name}: {_UNLESS} names {unless!r}; expected a field that is not personal")
        names[name] = None if names.get(name, unless) is None else unless
    indexed = tuple(name for name, each in properties.items() if isinstance(each, dict) and each.get(_INDEXED) is True)
    for name in indexed:
        if f"/{escape(name)}" not in pointers:
            raise SchemaError(f"{reference}: {name}: {_INDEXED} is for personal fields")
    return PersonalFields(pointers, tuple(names.items()), indexed)
