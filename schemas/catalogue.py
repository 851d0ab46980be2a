"""The schemas that there are, by reference (``legal_entity@1``), every ``$ref`` resolved here, never from a network.

A folder of definitions holds ``<dataset>/<major>.json``. The hub's own folder comes first; the environment variable
``SHUQIAO_SCHEMAS`` (paths, separated like ``PATH``) adds folders of a city's own datasets, which may refer to the
common types: ``"$ref": "../common/1.json#/$defs/uscc"``.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urldefrag, urljoin

from schemas.errors import SchemaError, UnknownSchema

BASE = "https://schemas.shuqiao.invalid/"
"""Where the schemas would live if they were fetched; they never are, and this name can never resolve."""
DEFINITIONS = Path(__file__).parent / "definitions"
FOLDERS_VARIABLE = "SHUQIAO_SCHEMAS"

_REFERENCE = re.compile(r"(?P<dataset>[a-z][a-z0-9_]{0,62})@(?P<major>[1-9][0-9]{0,3})")
_COMMON = "common"
_ANNOTATIONS = frozenset({"title", "description", "examples", "default", "deprecated", "$comment"})


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The schemas of some folders; the first folder that has a schema provides it."""

    folders: tuple[Path, ...]

    def references(self) -> list[str]:
        """Every dataset schema there is; the common types are no dataset."""
        found = {
            (path.parent.name, int(path.stem))
            for folder in self.folders
            for path in folder.glob("*/*.json")
            if path.stem.isdecimal() and path.parent.name != _COMMON
        }
        return [f"{dataset}@{major}" for dataset, major in sorted(found)]

    def schema(self, reference: str) -> dict[str, Any]:
        """The schema, complete in itself: each ``$ref`` is replaced by what it names. The caller gets a copy."""
        return deepcopy(_resolved(self, reference))

    def title(self, reference: str) -> tuple[str, str]:
        """What the records are called, in Chinese and English."""
        schema = _resolved(self, reference)
        zh = str(schema.get("title", reference))
        return zh, str(schema.get("x-title-en", zh))

    def entity_field(self, reference: str) -> str | None:
        """The property that holds the unified social credit code of the entity a record is about."""
        field = _resolved(self, reference).get("x-entity")
        return None if field is None else str(field)

    def personal_fields(self, reference: str) -> set[str]:
        """JSON Pointers of the values that messages must not show whole; ``*`` stands for any array index."""
        return {
            pointer for pointer, schema in properties(_resolved(self, reference)) if schema.get("x-personal") is True
        }

    def path(self, reference: str) -> Path:
        """The file that holds the schema."""
        match = _REFERENCE.fullmatch(reference)
        if match is None:
            raise UnknownSchema(f"{reference!r} is no schema reference; expected for example legal_entity@1")
        for folder in self.folders:
            path = folder / match["dataset"] / f"{match['major']}.json"
            if path.is_file():
                return path
        known = ", ".join(self.references())
        raise UnknownSchema(f"no schema {reference!r} in {', '.join(map(str, self.folders))}; there are {known}")


def default_catalogue() -> Catalogue:
    """The hub's own schemas and those in the folders that ``SHUQIAO_SCHEMAS`` names."""
    named = os.environ.get(FOLDERS_VARIABLE, "").split(os.pathsep)
    return Catalogue((DEFINITIONS, *(Path(folder) for folder in named if folder)))


def references() -> list[str]:
    """Every dataset schema of the default catalogue."""
    return default_catalogue().references()


def schema(reference: str) -> dict[str, Any]:
    """See :meth:`Catalogue.schema`."""
    return default_catalogue().schema(reference)


def title(reference: str) -> tuple[str, str]:
    """See :meth:`Catalogue.title`."""
    return default_catalogue().title(reference)


def entity_field(reference: str) -> str | None:
    """See :meth:`Catalogue.entity_field`."""
    return default_catalogue().entity_field(reference)


def personal_fields(reference: str) -> set[str]:
    """See :meth:`Catalogue.personal_fields`."""
    return default_catalogue().personal_fields(reference)


def properties(schema: Any, pointer: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every property of a resolved schema with its JSON Pointer, those within objects and arrays too."""
    if not isinstance(schema, Mapping):
        return
    for name, value in schema.get("properties", {}).items():
        if isinstance(value, dict):
            place = f"{pointer}/{escape(name)}"
            yield place, value
            yield from properties(value, place)
    items = schema.get("items")
    if isinstance(items, dict):
        yield f"{pointer}/*", items
        yield from properties(items, f"{pointer}/*")
    for keyword in ("allOf", "anyOf", "oneOf"):
        for branch in schema.get(keyword, ()):
            yield from properties(branch, pointer)
    for keyword in ("then", "else"):
        if keyword in schema:
            yield from properties(schema[keyword], pointer)


def escape(name: str) -> str:
    """A property's name as a part of a JSON Pointer."""
    return name.replace("~", "~0").replace("/", "~1")


@lru_cache(maxsize=1024)
def _document(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise SchemaError(f"{path}: not JSON: {error}") from error
    except OSError as error:
        raise SchemaError(f"{path}: cannot be read: {error.strerror}") from error
    if not isinstance(found, dict):
        raise SchemaError(f"{path}: a schema is a JSON object, got {type(found).__name__}")
    address = f"{BASE}{path.parent.name}/{path.name}"
    if found.setdefault("$id", address) != address:
        raise SchemaError(f"{path}: $id is {found['$id']!r}, expected {address!r} (or none)")
    return found


@lru_cache(maxsize=1024)
def _resolved(catalogue: Catalogue, reference: str) -> dict[str, Any]:
    path = catalogue.path(reference)
    document = _document(path)
    body = {key: value for key, value in document.items() if key != "$defs"}
    return _Resolver(catalogue, path).resolve(body, document, ())  # type: ignore[no-any-return]


@dataclass(frozen=True, slots=True)
class _Resolver:
    """Puts what a ``$ref`` names in its place."""

    catalogue: Catalogue
    path: Path

    def resolve(self, node: Any, document: Mapping[str, Any], open_references: tuple[str, ...]) -> Any:
        if isinstance(node, list):
            return [self.resolve(item, document, open_references) for item in node]
        if not isinstance(node, dict):
            return node
        own = {
            key: value
            if key in {"enum", "const", "examples", "default"}
            else self.resolve(value, document, open_references)
            for key, value in node.items()
            if key != "$ref" or not isinstance(value, str)
        }
        if not isinstance(node.get("$ref"), str):
            return own
        address = urljoin(str(document["$id"]), node["$ref"])
        if address in open_references:
            raise SchemaError(f"{self.path}: $ref {node['$ref']!r} refers to itself; the hub's schemas may not")
        target, home = self.find(address, node["$ref"])
        return _merge(own, self.resolve(target, home, (*open_references, address)))

    def find(self, address: str, written: str) -> tuple[Any, Mapping[str, Any]]:
        """What an address names, and the document it stands in."""
        base, fragment = urldefrag(address)
        match = re.fullmatch(re.escape(BASE) + r"([a-z][a-z0-9_]*)/([0-9]+)\.json", base)
        if match is None:
            raise SchemaError(f"{self.path}: $ref {written!r} leads out of the catalogue; nothing is fetched")
        try:
            home = _document(self.catalogue.path(f"{match[1]}@{match[2]}"))
            node: Any = home
            for part in fragment.split("/")[1:]:
                node = node[part.replace("~1", "/").replace("~0", "~")]
        except (UnknownSchema, KeyError, TypeError) as error:
            raise SchemaError(f"{self.path}: $ref {written!r} names nothing") from error
        return node, home


def _merge(own: dict[str, Any], target: Any) -> dict[str, Any]:
    """A schema with the one it refers to: its own titles win, its own rules are added."""
    if not isinstance(target, dict):
        return {**own, "allOf": [*own.get("allOf", []), target]}
    target = {key: value for key, value in target.items() if key not in {"$id", "$schema", "$defs"}}
    clashes = [key for key in own if key in target and key not in _ANNOTATIONS and not key.startswith("x-")]
    return {**own, "allOf": [*own.get("allOf", []), target]} if clashes else {**target, **own}
