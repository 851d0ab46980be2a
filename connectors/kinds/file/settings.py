"""What a manifest may say about files, and the limits that keep a hostile or broken file from doing harm."""

from __future__ import annotations

import codecs
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from connectors.errors import SourceMisconfigured
from connectors.kinds.measures import DURATION, SIZE, seconds, size

FORMATS: Final = ("csv", "xlsx", "json", "ndjson", "xml")
_ENDINGS: Final = {
    "csv": "csv",
    "tsv": "csv",
    "txt": "csv",
    "xlsx": "xlsx",
    "xlsm": "xlsx",
    "json": "json",
    "ndjson": "ndjson",
    "jsonl": "ndjson",
    "xml": "xml",
}

SETTINGS_SCHEMA: Final[Mapping[str, Any]] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "required": ["path"],
    "additionalProperties": False,
    "properties": {
        "path": {"type": "string", "minLength": 1, "description": "path or pattern (*, ?, [..], **)"},
        "complete": {
            "type": "object",
            "additionalProperties": False,
            "minProperties": 1,
            "properties": {
                "marker": {"type": "string", "minLength": 1, "description": "{name} and {stem} stand for the file's"},
                "older_than": DURATION,
            },
        },
        "latest": {"enum": [True, False, "name", "modified"]},
        "together": {"type": "boolean", "description": "when one file is new, all are read again"},
        "format": {"enum": list(FORMATS)},
        "encoding": {"type": "string", "minLength": 1},
        "csv": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "delimiter": {"type": "string", "minLength": 1, "maxLength": 1},
                "quote": {"type": ["string", "null"], "minLength": 1, "maxLength": 1},
                "escape": {"type": ["string", "null"], "minLength": 1, "maxLength": 1},
                "double_quote": {"type": "boolean"},
                "skip_initial_space": {"type": "boolean"},
                "skip_lines": {"type": "integer", "minimum": 0},
                "header": {"type": "boolean"},
                "columns": {"type": "array", "items": {"type": "string"}, "minItems": 1},
            },
            "if": {"properties": {"header": {"const": False}}, "required": ["header"]},
            "then": {"required": ["columns"]},
        },
        "sheet": {"anyOf": [{"type": "string", "minLength": 1}, {"type": "integer", "minimum": 1}]},
        "header_row": {"type": "integer", "minimum": 1, "maximum": 1000},
        "row_path": {"type": "string", "minLength": 1},
        "members": {"type": "string", "minLength": 1, "description": "pattern of the names inside a zip"},
        "member_encoding": {"type": "string", "minLength": 1},
        "optional_columns": {"type": "array", "items": {"type": "string"}},
        "max_file": SIZE,
        "max_uncompressed": SIZE,
        "max_ratio": {"type": "number", "minimum": 1},
        "max_field": SIZE,
        "max_record": SIZE,
        "max_members": {"type": "integer", "minimum": 1},
        "max_strings": SIZE,
        "timeout": DURATION,
    },
}


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds in bytes unless said otherwise."""

    max_file: int
    """A file as it lies at the source."""
    max_uncompressed: int
    """What may come out of one archive or gzip file."""
    max_ratio: float
    """Bytes out for each byte in; looked at once 16 MiB are out, since little text packs well honestly."""
    max_field: int
    max_record: int
    """A line, a CSV record, a JSON object."""
    max_members: int
    """Files in one archive."""
    max_strings: int
    """The table of texts of a workbook, which must be kept in memory while it is read."""

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Limits:
        """The manifest's limits, or the defaults."""
        return cls(
            max_file=size(settings.get("max_file", "4GiB")),
            max_uncompressed=size(settings.get("max_uncompressed", "16GiB")),
            max_ratio=float(settings.get("max_ratio", 200)),
            max_field=size(settings.get("max_field", "1MiB")),
            max_record=size(settings.get("max_record", "8MiB")),
            max_members=int(settings.get("max_members", 10_000)),
            max_strings=size(settings.get("max_strings", "64MiB")),
        )


@dataclass(frozen=True, slots=True)
class Layout:
    """How the rows stand in the files."""

    format: str | None
    encoding: str
    csv: Mapping[str, Any]
    sheet: str | int
    header_row: int
    row_path: str | None
    final: bool
    """The department marks complete files: a record cut short is then its fault, not a matter of time."""
    optional: frozenset[str]

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Layout:
        """The manifest's layout, or the defaults."""
        encoding = settings.get("encoding", "utf-8")
        try:
            codecs.lookup(encoding)
        except LookupError:
            raise SourceMisconfigured(f"encoding: {encoding!r} is no encoding known here") from None
        return cls(
            format=settings.get("format"),
            encoding=encoding,
            csv=settings.get("csv", {}),
            sheet=settings.get("sheet", 1),
            header_row=settings.get("header_row", 1),
            row_path=settings.get("row_path"),
            final="marker" in settings.get("complete", {}),
            optional=frozenset(settings.get("optional_columns", ())),
        )

    def format_of(self, name: str, where: str) -> str:
        """The format of one file: what the manifest says, else what the name says."""
        if self.format is not None:
            return self.format
        bare = name.lower().removesuffix(".gz")
        found = _ENDINGS.get(bare.rpartition(".")[2])
        if found is None:
            raise SourceMisconfigured(
                f"{where}: the name does not tell the format; set format to one of {', '.join(FORMATS)}"
            )
        return found


def older_than(settings: Mapping[str, Any]) -> float:
    """Seconds that a file must have lain untouched."""
    return seconds(settings.get("complete", {}).get("older_than", 0))
