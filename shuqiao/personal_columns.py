"""Which columns of a connector's source hold personal values."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from connectors.manifest import Manifest
from connectors.mapping import compile_mapping
from schemas import catalogue


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of the source, and the fields of the record, that a manifest knows."""

    personal: frozenset[str]
    open: frozenset[str]
    """Those that are read and hold nothing personal."""

    def public(self, names: Iterable[str]) -> list[str]:
        """Those of some columns that are known to hold nothing personal.

        A column is public if something is mapped from it and nothing personal is; one that the mapping does not read
        may hold anything. Contradicting rows are kept as records, by field.
        """
        return [name for name in names if name in self.open]


def columns_of(manifest: Manifest) -> Columns:
    """Raises ManifestError or SchemaError."""
    source = manifest.source
    read, personal = {*source.row_id, (source.settings.get("cursor") or {}).get("column")}, set()
    pointers = catalogue.personal_fields(manifest.schema)
    for target in compile_mapping(manifest).targets:
        names = {*target.columns, target.path[0]}
        read |= names
        if target.personal or any(pointer.startswith(target.pointer + "/") for pointer in pointers):
            personal |= names
    flags = (source.operation, source.tombstone)
    read |= {flag.column for flag in flags if flag is not None}
    within = tuple(personal)
    clear = {
        name
        for name in read
        if name is not None and not any(each == name or each.startswith(f"{name}.") for each in within)
    }
    return Columns(frozenset(personal), frozenset(clear))
