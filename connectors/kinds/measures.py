"""Durations, sizes and rates in the settings of source kinds: as text (``10m``, ``64MiB``, ``10/s``) or as a number."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from connectors import quantities

DURATION: Final[Mapping[str, Any]] = {
    "anyOf": [{"type": "string", "pattern": quantities.DURATION_PATTERN}, {"type": "number", "minimum": 0}]
}
SIZE: Final[Mapping[str, Any]] = {
    "anyOf": [
        {"type": "string", "pattern": r"^\d{1,12}(\.\d{1,6})?\s*(B|KB|MB|GB|KiB|MiB|GiB)?$"},
        {"type": "integer", "minimum": 1},
    ]
}
RATE: Final[Mapping[str, Any]] = {
    "anyOf": [
        {"type": "string", "pattern": r"^\d{1,9}(\.\d{1,6})?/[smhd]$"},
        {"type": "number", "exclusiveMinimum": 0},
    ]
}


def seconds(value: str | float) -> float:
    """``10m`` is 600; a number is seconds already."""
    return quantities.duration(value).total_seconds() if isinstance(value, str) else float(value)


def size(value: str | int) -> int:
    """``64MiB`` is 67,108,864; a number is bytes already."""
    return quantities.size(value)


def per_second(value: str | float) -> float:
    """``30/m`` is 0.5; a number is "per second" already."""
    return quantities.rate(value) if isinstance(value, str) else float(value)


def readable_size(count: int) -> str:
    """A number of bytes for people."""
    for unit, worth in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if count >= worth:
            return f"{count / worth:.1f}".removesuffix(".0") + f" {unit}"
    return f"{count} B"
