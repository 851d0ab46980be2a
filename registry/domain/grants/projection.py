"""What a grant shows of a record: in its version, granted fields only, personal values masked unless they are named."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from registry.domain.grants.grant import Grant
from schemas.catalogue import Catalogue, default_catalogue
from schemas.down_mapping import Step, steps
from schemas.masking import mask

Masked = Mapping[str, "Masked | None"]
"""What to mask, by name: None for the whole value, else what within it; ``*`` stands for every item of an array."""


@dataclass(frozen=True, slots=True)
class View:
    """What one grant shows of records of one schema; made once for many records."""

    fields: frozenset[str] | None
    """Top-level fields that are shown; None: all of them."""
    masked: Masked
    steps: tuple[Step, ...] = ()
    """From the version of the records down to the one in which the client gets them."""
    unless: tuple[tuple[str, str], ...] = ()
    """Top-level fields that name nobody's person where the record has another field, and that field."""

    @property
    def is_everything(self) -> bool:
        """Whether records pass as they are."""
        return self.fields is None and not self.masked and not self.steps

    def of(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """A record with only what is granted."""
        for step in self.steps:
            body = step.of(body)
        fields = self.fields
        public = {name for name, other in self.unless if body.get(other) is not None}
        kept = dict(body) if fields is None else {name: value for name, value in body.items() if name in fields}
        for name, within in self.masked.items():
            if name in kept and name not in public:
                kept[name] = _masked(kept[name], within)
        return kept

    def shows(self, name: str) -> bool:
        """Whether a top-level field is there in clear, whole, as it is stored: only then are records sought by it."""
        granted = (self.fields is None or name in self.fields) and name not in self.masked
        return granted and all(name in step.fields for step in self.steps)

    def stored_rows(self, rows: Mapping[str, frozenset[str]]) -> Mapping[str, frozenset[str]]:
        """Which records a grant covers, in the words in which they are stored."""
        for step in reversed(self.steps):
            rows = dict(step.stored(name, values) for name, values in rows.items())
        return rows


EVERYTHING = View(None, {})
"""For the operator at a terminal, where no client reads: what is personal is masked there by the command itself."""


def shown(body: Mapping[str, Any], grant: Grant, schema: str, catalogue: Catalogue | None = None) -> dict[str, Any]:
    """What a grant shows of a record that is stored by a schema. Raises UnknownSchema."""
    return view(grant.fields, schema, catalogue or default_catalogue(), grant.schema).of(body)


@lru_cache(maxsize=4096)
def view(fields: frozenset[str] | None, schema: str, catalogue: Catalogue, pinned: str | None = None) -> View:
    """The view of a grant's fields on records of a schema, shown in the version that the grant is pinned to.

    What is personal in any version of the schema is masked: history holds records of earlier ones. Raises
    UnknownSchema: what is personal in records of a schema that is not there, nobody can tell. Raises SchemaError.
    """
    name = schema.partition("@")[0]
    versions = {schema, *(each for each in catalogue.references() if each.partition("@")[0] == name)}
    personal = {pointer.removeprefix("/") for each in versions for pointer in catalogue.personal_fields(each)}
    named = fields or frozenset()
    top = None if fields is None else frozenset(name.partition("/")[0] for name in fields)
    masked: dict[str, Any] = {}
    for path in sorted(personal - named):
        _put(masked, path.split("/"))
    down = () if pinned is None else steps(catalogue, schema, pinned)
    return View(top, masked, down, _unless(catalogue.schema(schema)))


def _unless(schema: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """``x-personal-unless``: the name of a party that has a unified social credit code is an organisation's."""
    return tuple(
        (name, field["x-personal-unless"])
        for name, field in schema.get("properties", {}).items()
        if isinstance(field, dict) and "x-personal-unless" in field
    )


def _put(masked: dict[str, Any], path: list[str]) -> None:
    """Add a path; what is masked as a whole stays so."""
    name, rest = path[0].replace("~1", "/").replace("~0", "~"), path[1:]
    if not rest:
        masked[name] = None
    elif masked.get(name, {}) is not None:
        _put(masked.setdefault(name, {}), rest)


def _masked(value: Any, within: Masked | None) -> Any:
    if within is None:
        return None if value is None else mask(value)
    if isinstance(value, list):
        return [_masked(item, within["*"]) for item in value] if "*" in within else value
    if isinstance(value, dict):
        return {name: _masked(item, within[name]) if name in within else item for name, item in value.items()}
    return value
