"""From files to manifests: every problem of every file, and a bad file hides no other."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from connectors.errors import ManifestError, ManifestProblem
from connectors.kinds import settings_schema as schema_of_kind
from connectors.manifest import structure
from connectors.manifest.meaning import as_rule, meaning_faults, readable_faults, row_id_of, settings_of
from connectors.manifest.model import (
    DEFAULT_MAX_FIELD,
    DEFAULT_TIMEZONE,
    Bilingual,
    Limits,
    Manifest,
    Operation,
    Owner,
    SourceSection,
    Tombstone,
)
from connectors.quantities import duration, rate, share, size
from schemas.documents import MAX_BYTES, Document, DocumentError, Key, read_document

SUFFIXES = (".yaml", ".yml")
DEPARTMENTS = Path(__file__).parent.parent / "departments"
"""The manifests of the reference departments."""


def load(path: Path, *, settings_schema: Callable[[str], Mapping[str, Any] | None] = schema_of_kind) -> Manifest:
    """Read and check one manifest. Raises ManifestError with every problem found."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ManifestError([ManifestProblem(path, 0, "", f"larger than {MAX_BYTES} bytes: no manifest")])
        content = path.read_bytes()
        document = read_document(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise ManifestError([ManifestProblem(path, line, "", "no valid UTF-8; expected a UTF-8 text")]) from None
    except DocumentError as error:
        raise ManifestError([ManifestProblem(path, error.line, "", str(error))]) from None
    except OSError as error:
        raise ManifestError([ManifestProblem(path, 0, "", f"cannot be read: {error.strerror}")]) from None
    problems = [_duplicate(path, *item) for item in document.duplicates]
    faults = (
        list(structure.manifest_faults(document.data)) if document.data is not None else [((), "the file is empty")]
    )
    if faults:
        said = {key for key, _ in faults}
        faults += [fault for fault in readable_faults(document.data, settings_schema) if fault[0] not in said]
    else:
        faults = list(meaning_faults(document.data, settings_schema))
    problems += [
        ManifestProblem(path, document.line(key), dotted(key), message) for key, message in dict.fromkeys(faults)
    ]
    if problems:
        raise ManifestError(sorted(problems, key=lambda problem: problem.line))
    return _manifest(document, path, hashlib.sha256(content).hexdigest())


def load_all(
    folders: Iterable[Path] = (DEPARTMENTS,),
    *,
    settings_schema: Callable[[str], Mapping[str, Any] | None] = schema_of_kind,
) -> tuple[list[Manifest], list[ManifestError]]:
    """All manifests below the folders, by connector name, and what is wrong with the others.

    Two manifests with one connector name are both left out: nobody can tell which of them is meant.
    """
    folders = list(dict.fromkeys(Path(folder).resolve() for folder in folders))
    manifests: dict[str, list[Manifest]] = {}
    errors = [
        ManifestError([ManifestProblem(folder, 0, "", "no such folder")]) for folder in folders if not folder.is_dir()
    ]
    for path in manifest_files(folders):
        try:
            manifest = load(path, settings_schema=settings_schema)
        except ManifestError as error:
            errors.append(error)
        else:
            manifests.setdefault(manifest.connector, []).append(manifest)
    doubles = [same for same in manifests.values() if len(same) > 1]
    errors += [ManifestError([_same_name(manifest, same) for manifest in same]) for same in doubles]
    return sorted((same[0] for same in manifests.values() if len(same) == 1), key=lambda item: item.connector), errors


def manifest_files(folders: Iterable[Path]) -> list[Path]:
    """Every YAML file below the folders, once; hidden files and folders are left out."""
    found: dict[Path, None] = {}
    for folder in folders:
        for path in sorted(Path(folder).resolve().rglob("*")):
            hidden = any(part.startswith(".") for part in path.relative_to(Path(folder).resolve()).parts)
            if path.suffix in SUFFIXES and not hidden and path.is_file():
                found[path] = None
    return list(found)


def dotted(key: Key) -> str:
    """``source.cursor.column``, ``key[0]``."""
    text = ""
    for step in key:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def _duplicate(path: Path, key: Key, line: int, first: int) -> ManifestProblem:
    return ManifestProblem(path, line, dotted(key), f"stands twice; the first is in line {first}")


def _same_name(manifest: Manifest, same: list[Manifest]) -> ManifestProblem:
    others = ", ".join(str(other.path) for other in same if other is not manifest)
    return ManifestProblem(manifest.path, 0, "connector", f"{manifest.connector} is also the name in {others}")


def _manifest(document: Document, path: Path, digest: str) -> Manifest:
    data: dict[str, Any] = document.data
    empty = data.get("empty")
    return Manifest(
        connector=data["connector"],
        title=Bilingual(**data["title"]),
        department=data["department"],
        owner=Owner(**data["owner"]),
        legal_basis=data["legal_basis"],
        source=_source(data),
        dataset=data["dataset"],
        schema=data["schema"],
        key=tuple(data["key"]),
        mapping={field: as_rule(rule) for field, rule in data["mapping"].items()},
        schedule=data.get("schedule"),
        path=path,
        digest=digest,
        freshness=duration(data["freshness"]) if "freshness" in data else None,
        limits=_limits(data.get("limits") or {}),
        timezone=data.get("timezone", DEFAULT_TIMEZONE),
        empty=None if empty is None else tuple(empty),
    )


def _source(data: Mapping[str, Any]) -> SourceSection:
    source = data["source"]
    operation, tombstone = source.get("operation"), source.get("tombstone")
    values = tombstone.get("values") if tombstone else None
    return SourceSection(
        kind=source["kind"],
        connection=source.get("connection"),
        settings=settings_of(source),
        row_id=row_id_of(data),
        operation=Operation(operation["column"], frozenset(map(str, operation["delete"]))) if operation else None,
        tombstone=Tombstone(tombstone["column"], frozenset(map(str, values)) if values else None)
        if tombstone
        else None,
        snapshot=source.get("snapshot", False),
    )


def _limits(limits: Mapping[str, Any]) -> Limits:
    return Limits(
        max_refused=share(limits["max_refused"]) if "max_refused" in limits else None,
        max_shrink=share(limits["max_shrink"]) if "max_shrink" in limits else None,
        rate=rate(limits["rate"]) if "rate" in limits else None,
        max_field=size(limits["max_field"]) if "max_field" in limits else DEFAULT_MAX_FIELD,
    )
