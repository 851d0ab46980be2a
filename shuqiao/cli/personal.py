"""Personal values are shown masked: enough to find the record by, never the whole value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from schemas import catalogue
from schemas.errors import SchemaError
from schemas.masking import mask


def masked_record(record: Any, reference: str) -> Any:
    """A record with its personal fields masked; every text of it, if nobody knows its schema any more."""
    try:
        pointers = catalogue.personal_fields(reference)
    except SchemaError:
        return _all_masked(record)
    return _masked(record, "", pointers)


def masked_raw(raw: Mapping[str, Any], public: Sequence[str]) -> dict[str, Any]:
    """A refused row, by its source columns or its record fields: values of all but the ``public`` ones masked."""
    return {name: value if name in public else _all_masked(value) for name, value in raw.items()}


def public_columns(manifest: Any, raw: Mapping[str, Any]) -> list[str]:
    """The columns of a refused row that are known to hold nothing personal.

    A column is public if something is mapped from it and nothing personal is; one that the mapping does not read may
    hold anything. Contradicting rows are kept as records, by field.
    """
    read, personal = _columns(manifest)
    return [
        name
        for name in raw
        if name in read and not any(each == name or each.startswith(f"{name}.") for each in personal)
    ]


def personal_identity(connector: str) -> tuple[bool, bool]:
    """Whether the row id and the key of a connector's records are personal values; both, if nobody knows it."""
    from connectors.errors import ManifestError  # noqa: PLC0415
    from shuqiao import manifests  # noqa: PLC0415

    try:
        manifest = manifests.one(connector)
    except (KeyError, ManifestError):
        return True, True
    _, personal = _columns(manifest)
    pointers = catalogue.personal_fields(manifest.schema)
    return (
        not personal.isdisjoint(manifest.source.row_id),
        any(f"/{catalogue.escape(name)}" in pointers for name in manifest.key),
    )


def _columns(manifest: Any) -> tuple[set[str], set[str]]:
    """The columns and fields that the mapping knows, and those of them that are personal."""
    from connectors.mapping import compile_mapping  # noqa: PLC0415

    source = manifest.source
    read, personal = {*source.row_id, (source.settings.get("cursor") or {}).get("column")}, set()
    pointers = catalogue.personal_fields(manifest.schema)
    for target in compile_mapping(manifest).targets:
        names = {*target.columns, target.path[0]}
        read |= names
        if target.personal or any(pointer.startswith(target.pointer + "/") for pointer in pointers):
            personal |= names
    flags = (source.operation, source.tombstone)
    return read | {flag.column for flag in flags if flag is not None}, personal


def _masked(value: Any, pointer: str, personal: set[str]) -> Any:
    if pointer in personal:
        return _all_masked(value)
    if isinstance(value, dict):
        return {name: _masked(each, f"{pointer}/{catalogue.escape(name)}", personal) for name, each in value.items()}
    if isinstance(value, list):
        return [_masked(each, f"{pointer}/*", personal) for each in value]
    return value


def _all_masked(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _all_masked(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_all_masked(each) for each in value]
    return value if value is None or isinstance(value, bool) or value == "" else mask(value)
