"""The manifest's own JSON Schema, and a document against it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from schemas.structure import Fault, faults

SCHEMA_PATH = Path(__file__).parent.parent / "manifest.schema.json"


@cache
def manifest_schema() -> Mapping[str, Any]:
    """The manifest's own JSON Schema."""
    schema: dict[str, Any] = json.loads(SCHEMA_PATH.read_text(encoding="utf-8"))
    return schema


def manifest_faults(data: Any) -> Iterator[Fault]:
    """A whole document against the manifest's own schema."""
    return faults(data, manifest_schema())
