"""How records of a new version of a schema are shown to readers of the version before it.

Where the new version can take the old one's place (:mod:`schemas.compatibility`), its records are shown without the
fields that the old one does not have. Where it cannot, the file ``<new major>.down.json`` beside the schema says how::

    {
      "to": 1,
      "fields": {
        "entity_type": {"from": "kind", "codes": {"LLC": "1100"}},
        "capital": {"from": "registered_capital"}
      },
      "absent": ["telephone"]
    }

``fields``: for fields of the old version where their value stands in a new record, and the old code for each new one
(a value without an old code is left out, so that nobody gets a code that his version does not have). ``absent``: fields
of the old version that cannot be given any more; none of them may be required there. Every other field of the old
version has to be in the new one, and is taken from it as it is.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from schemas.catalogue import Catalogue
from schemas.compatibility import incompatibilities
from schemas.errors import SchemaError, UnknownSchema


@dataclass(frozen=True, slots=True)
class Source:
    """Where a field of the old version stands in a record of the new one."""

    name: str
    codes: Mapping[str, str] | None
    """New value -> old value; None: the value as it is."""

    def old(self, value: Any) -> tuple[Any, ...]:
        """The old value, if there is one."""
        if self.codes is None or value is None:
            return (value,)
        return (self.codes[value],) if isinstance(value, str) and value in self.codes else ()


@dataclass(frozen=True, slots=True)
class Step:
    """One version down."""

    fields: frozenset[str]
    """The fields of the old version that can be given as they stand."""
    moved: Mapping[str, Source]
    """The others that can be given, by their old names."""

    def of(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """A record as the old version has it; one that was stored by the old version stays as it is."""
        shown = {name: value for name, value in body.items() if name in self.fields}
        for name, source in self.moved.items():
            if source.name in body:
                for value in source.old(body[source.name]):
                    shown[name] = value
            elif name in body:
                shown[name] = body[name]
        return shown

    def stored(self, name: str, values: frozenset[str]) -> tuple[str, frozenset[str]]:
        """Where the records are that have one of some values in a field of the old version: field, and values."""
        source = self.moved.get(name)
        if source is None:
            return name, values
        if source.codes is None:
            return source.name, values
        return source.name, frozenset(new for new, old in source.codes.items() if old in values)


@lru_cache(maxsize=256)
def steps(catalogue: Catalogue, current: str, pinned: str) -> tuple[Step, ...]:
    """The way from the version by which records are stored down to an older one; none if it is the same.

    Raises UnknownSchema, and SchemaError where a step is missing or wrong.
    """
    name, _, at = current.partition("@")
    before, _, wanted = pinned.partition("@")
    if before != name or int(wanted) >= int(at):
        return ()
    return tuple(_step(catalogue, name, major) for major in range(int(at), int(wanted), -1))


def _step(catalogue: Catalogue, name: str, major: int) -> Step:
    path = catalogue.path(f"{name}@{major}")
    new, old = catalogue.schema(f"{name}@{major}"), catalogue.schema(f"{name}@{major - 1}")
    file = path.with_name(f"{major}.down.json")
    listed, had = frozenset(new.get("properties", {})), frozenset(old.get("properties", {}))
    if not file.is_file():
        found = incompatibilities(old, new)
        if found:
            reasons = "; ".join(f"{each.pointer or '/'}: {each.en}" for each in found[:5])
            raise SchemaError(
                f"{name}@{major} cannot take the place of {name}@{major - 1} ({reasons}), and there is no {file} that"
                f" says how its records are shown to those who read {name}@{major - 1}"
            )
        return Step(had & listed, {})
    try:
        data: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise SchemaError(f"{file}: cannot be read: {error}") from error
    problems = list(_problems(data, major, listed, had, frozenset(old.get("required", ()))))
    if problems:
        raise SchemaError(f"{file}: {'; '.join(problems)}")
    moved = {old_name: Source(each["from"], each.get("codes")) for old_name, each in data.get("fields", {}).items()}
    return Step((had & listed) - set(moved) - set(data.get("absent", ())), moved)


def _problems(
    data: Any, major: int, listed: frozenset[str], had: frozenset[str], required: frozenset[str]
) -> Iterator[str]:
    if not isinstance(data, dict) or set(data) - {"$comment", "to", "fields", "absent"} or data.get("to") != major - 1:
        yield f'expected {{"to": {major - 1}, "fields": ..., "absent": ...}}'
        return
    fields, absent = data.get("fields", {}), data.get("absent", [])
    for name, source in fields.items():
        if name not in had:
            yield f"fields: version {major - 1} has no field {name!r}"
        if not isinstance(source, dict) or set(source) - {"from", "codes"} or source.get("from") not in listed:
            yield f"fields.{name}: expected from, a field of version {major}, and codes if they differ"
    for name in absent:
        if name not in had:
            yield f"absent: version {major - 1} has no field {name!r}"
        elif name in required:
            yield f"absent: {name!r} is required in version {major - 1}; whoever reads it relies on it"
    for name in sorted(had - listed - set(fields) - set(absent)):
        yield f"{name!r} is in version {major - 1} and not in version {major}: say where it is, or that it is absent"


def missing_step(catalogue: Catalogue, current: str, pinned: str) -> str | None:
    """Why records cannot be shown in an older version; None if they can, or a schema is not in the catalogue."""
    try:
        steps(catalogue, current, pinned)
    except UnknownSchema:
        return None
    except SchemaError as error:
        return str(error)
    return None
