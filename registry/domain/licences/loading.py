"""From files to licence types: every problem of every file is said at once.

A folder of types holds ``<type>/<version>.yaml`` and, beside it, the template of the document for people. The hub's own
folder comes first; a city adds folders of its own. The newest version of a type is the one that is issued; the older
ones stay readable, for licences were made by them.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from registry.domain.licences.agreement import agreement_faults, otherwise_conditions, overlap
from registry.domain.licences.types import (
    Condition,
    DefiningAuthority,
    HolderRule,
    IssuerRule,
    Item,
    LicenceType,
    NumberRule,
    StateRule,
    TermRule,
    Title,
)
from schemas.catalogue import Catalogue, default_catalogue
from schemas.documents import MAX_BYTES, Document, DocumentError, Key, read_document
from schemas.structure import Fault, faults

TYPES = Path(__file__).parents[2] / "licence_types"
"""The types that come with the hub."""
SCHEMA_PATH = TYPES / "licence-type.schema.json"
GENERAL_TEMPLATE = TYPES / "administrative_permit" / "1.typ"
"""The document of a type that has no template of its own: it fits any items."""

_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_VERSION = re.compile(r"[1-9][0-9]{0,3}")


@dataclasses.dataclass(frozen=True, slots=True)
class LicenceTypeProblem:
    """One thing wrong in a type's file: where it stands and what was expected there."""

    path: Path
    line: int
    """1-based; 0 when the whole file is meant."""
    key: str
    """Dotted path of the key, for example ``items[2].field``; empty for the whole file."""
    message: str

    def __str__(self) -> str:
        place = f"{self.path}:{self.line}" if self.line else str(self.path)
        return f"{place}: {self.key}: {self.message}" if self.key else f"{place}: {self.message}"


class LicenceTypeError(Exception):
    """Files of licence types are wrong; ``problems`` has every fault found, with file, line and key."""

    def __init__(self, problems: Iterable[LicenceTypeProblem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class UnknownLicenceType(LookupError):  # noqa: N818  (named for what the caller meets)
    """There is no such licence type."""


@dataclasses.dataclass(frozen=True, slots=True)
class LicenceTypes:
    """The types that there are, in all their versions."""

    all: tuple[LicenceType, ...]
    """By name, then version."""

    @property
    def newest(self) -> tuple[LicenceType, ...]:
        """The newest version of each type: what is issued."""
        return tuple({licence_type.name: licence_type for licence_type in self.all}.values())

    def latest(self, name: str) -> LicenceType:
        """The newest version of a type. Raises UnknownLicenceType."""
        return self._only((found for found in self.newest if found.name == name), name)

    def one(self, reference: str) -> LicenceType:
        """The version that a reference such as ``business_licence@1`` names. Raises UnknownLicenceType."""
        return self._only((found for found in self.all if found.reference == reference), reference)

    def by_code(self, code: str) -> LicenceType:
        """The newest version with this type code 证照类型代码. Raises UnknownLicenceType."""
        return self._only((found for found in reversed(self.all) if found.code == code), code)

    def of_dataset(self, dataset: str) -> tuple[LicenceType, ...]:
        """The types issued from a dataset's records; no record is of two of them."""
        return tuple(found for found in self.newest if found.dataset == dataset)

    def _only(self, found: Iterable[LicenceType], asked: str) -> LicenceType:
        for licence_type in found:
            return licence_type
        known = ", ".join(f"{known.reference} ({known.code})" for known in self.all)
        raise UnknownLicenceType(f"no licence type {asked!r}; there are {known}")


def load_type(path: Path, *, catalogue: Catalogue | None = None) -> LicenceType:
    """Read and check one file. Raises LicenceTypeError with every problem found.

    A type for all ``otherwise`` records takes every record here: only :func:`load_types` knows the others.
    """
    document = _read(path)
    problems = [
        LicenceTypeProblem(path, line, dotted(key), f"stands twice; the first is in line {first}")
        for key, line, first in document.duplicates
    ]
    if _NAME.fullmatch(path.parent.name) is None or _VERSION.fullmatch(path.stem) is None:
        message = f"got {path.parent.name}/{path.name}; expected <type>/<version>.yaml such as fishing_licence/1.yaml"
        problems.append(LicenceTypeProblem(path, 0, "", message))
    found: list[Fault] = list(faults(document.data, licence_type_schema()))
    found += agreement_faults(document.data, catalogue or default_catalogue(), path, {key for key, _ in found})
    problems += [
        LicenceTypeProblem(path, document.line(key), dotted(key), message) for key, message in dict.fromkeys(found)
    ]
    if problems:
        raise LicenceTypeError(sorted(problems, key=lambda problem: problem.line))
    return _licence_type(document.data, path, catalogue or default_catalogue())


def load_types(folders: Iterable[Path] = (), *, catalogue: Catalogue | None = None) -> LicenceTypes:
    """The hub's own types and those in further folders. Raises LicenceTypeError with every problem of every file."""
    catalogue = catalogue or default_catalogue()
    types: list[LicenceType] = []
    problems: list[LicenceTypeProblem] = []
    for folder in dict.fromkeys([TYPES, *(Path(folder).resolve() for folder in folders)]):
        if not folder.is_dir():
            problems.append(LicenceTypeProblem(folder, 0, "", "no such folder"))
        for path in sorted((*folder.glob("*/*.yaml"), *folder.glob("*/*.yml"))):
            try:
                types.append(load_type(path, catalogue=catalogue))
            except LicenceTypeError as error:
                problems += error.problems
    types.sort(key=lambda found: (found.name, found.version))
    problems += _clashes(types)
    loaded = LicenceTypes(tuple(types))
    others = [found for found in loaded.newest if found.otherwise]
    for licence_type in others:
        try:
            conditions = otherwise_conditions(licence_type, loaded.of_dataset(licence_type.dataset))
        except ValueError as error:
            problems.append(LicenceTypeProblem(licence_type.path, 0, "conditions", str(error)))
        else:
            edition = hashlib.sha256(f"{licence_type.digest}{conditions}".encode()).hexdigest()
            found = dataclasses.replace(licence_type, conditions=conditions, digest=edition)
            types[types.index(licence_type)] = found
    if not problems:
        loaded = LicenceTypes(tuple(types))
        problems += _overlaps(loaded)
    if problems:
        raise LicenceTypeError(problems)
    return loaded


@cache
def licence_type_schema() -> Mapping[str, Any]:
    """The JSON Schema of a type's file."""
    schema: dict[str, Any] = json.loads(SCHEMA_PATH.read_text(encoding="utf-8"))
    return schema


def dotted(key: Key) -> str:
    """``term.issued_on``, ``items[0].field``."""
    text = ""
    for step in key:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def _read(path: Path) -> Document:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise LicenceTypeError([LicenceTypeProblem(path, 0, "", f"larger than {MAX_BYTES} bytes: no licence type")])
        content = path.read_bytes()
        document = read_document(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise LicenceTypeError([LicenceTypeProblem(path, line, "", "no valid UTF-8; expected a UTF-8 text")]) from None
    except DocumentError as error:
        raise LicenceTypeError([LicenceTypeProblem(path, error.line, "", str(error))]) from None
    except OSError as error:
        raise LicenceTypeError([LicenceTypeProblem(path, 0, "", f"cannot be read: {error.strerror}")]) from None
    if document.data is None:
        raise LicenceTypeError([LicenceTypeProblem(path, 0, "", "the file is empty")])
    return document


def _clashes(types: list[LicenceType]) -> list[LicenceTypeProblem]:
    """Two files of one version, and two types of one code."""
    problems: list[LicenceTypeProblem] = []
    references: dict[str, LicenceType] = {}
    codes: dict[str, LicenceType] = {}
    for found in types:
        same = references.setdefault(found.reference, found)
        if same is not found:
            problems.append(LicenceTypeProblem(found.path, 0, "", f"{found.reference} is also in {same.path}"))
        same = codes.setdefault(found.code, found)
        if same.name != found.name:
            message = f"{found.code} is also the code of {same.name} in {same.path}"
            problems.append(LicenceTypeProblem(found.path, 0, "code", message))
    return problems


def _overlaps(types: LicenceTypes) -> list[LicenceTypeProblem]:
    """Types of one dataset that could both take one record."""
    problems = []
    newest = types.newest
    for number, found in enumerate(newest):
        for other in newest[:number]:
            if found.dataset == other.dataset and overlap(found.conditions, other.conditions):
                message = (
                    f"a record of {found.dataset} could be of this type and of {other.name} ({other.path}); "
                    "expected conditions that no record meets in both, or the word otherwise in one of them"
                )
                problems.append(LicenceTypeProblem(found.path, 0, "conditions", message))
    return problems


def _licence_type(data: Mapping[str, Any], path: Path, catalogue: Catalogue) -> LicenceType:
    conditions = data.get("conditions", [])
    holder, term, states = data["holder"], data["term"], data["states"]
    personal = catalogue.personal_fields(data["schema"])
    return LicenceType(
        name=path.parent.name,
        version=int(path.stem),
        code=data["code"],
        code_is_provisional=data.get("code_is_provisional", False),
        title=Title(**data["title"]),
        defining_authority=DefiningAuthority(**data["defining_authority"]),
        legal_basis=data["legal_basis"],
        trust_grade=data["trust_grade"],
        dataset=data["dataset"],
        schema=data["schema"],
        conditions=() if conditions == "otherwise" else tuple(_condition(found) for found in conditions),
        otherwise=conditions == "otherwise",
        number=NumberRule(_fields(data["number"]["field"]), data["number"]["pattern"]),
        holder=HolderRule(
            name=holder["name"],
            uscc=holder["uscc"],
            code=holder.get("code"),
            code_type=holder.get("code_type"),
            code_types=tuple(holder["code_types"]),
        ),
        issuer=IssuerRule(data["issuer"]["name"], data["issuer"].get("code"), tuple(data["issuer"].get("only", ()))),
        term=TermRule(
            issued_on=_fields(term["issued_on"]),
            valid_from=_fields(term.get("valid_from", [])),
            valid_to=term.get("valid_to"),
            unlimited=tuple(term.get("unlimited", [])),
        ),
        states=StateRule(states["field"], dict(states["codes"]), states.get("text"), states["deleted"]),
        items=tuple(_item(item, f"/{item['field']}" in personal) for item in data["items"]),
        template=_template(data, path),
        path=path,
        digest=hashlib.sha256(path.read_bytes()).hexdigest(),
    )


def _template(data: Mapping[str, Any], path: Path) -> Path:
    if "template" in data:
        return path.parent.joinpath(str(data["template"])).resolve()
    own: Path = path.with_suffix(".typ")
    return own if own.is_file() else GENERAL_TEMPLATE


def _condition(data: Mapping[str, Any]) -> Condition:
    return Condition(data["field"], tuple(data.get("values") or data["not"]), negated="not" in data)


def _fields(data: str | list[str]) -> tuple[str, ...]:
    return (data,) if isinstance(data, str) else tuple(data)


def _item(data: Mapping[str, Any], personal: bool) -> Item:  # noqa: FBT001
    return Item(
        name=data["name"],
        title=Title(**data["title"]),
        short_name=data["short_name"],
        field=data["field"],
        kind=data["kind"],
        required=data.get("required", False),
        personal=personal,
        codes={code: Title(**title) for code, title in data.get("codes", {}).items()},
    )
