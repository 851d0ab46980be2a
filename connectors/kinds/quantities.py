"""Durations, sizes and rates as manifests write them: ``10m``, ``64MiB``, ``10/s``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

DURATION_PATTERN: Final = r"^\s*\d+(\.\d+)?\s*(ms|s|m|h|d)\s*$"
SIZE_PATTERN: Final = r"^\s*\d+(\.\d+)?\s*(B|KiB|MiB|GiB|KB|MB|GB)?\s*$"
RATE_PATTERN: Final = r"^\s*\d+(\.\d+)?\s*/\s*(s|m|h)\s*$"

DURATION: Final[Mapping[str, Any]] = {
    "anyOf": [{"type": "string", "pattern": DURATION_PATTERN}, {"type": "number", "minimum": 0}]
}
SIZE: Final[Mapping[str, Any]] = {
    "anyOf": [{"type": "string", "pattern": SIZE_PATTERN}, {"type": "integer", "minimum": 1}]
}
RATE: Final[Mapping[str, Any]] = {
    "anyOf": [{"type": "string", "pattern": RATE_PATTERN}, {"type": "number", "exclusiveMinimum": 0}]
}

_SECONDS: Final = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
_BYTES: Final = {
    "B": 1,
    "KiB": 1 << 10,
    "MiB": 1 << 20,
    "GiB": 1 << 30,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
}


def _parts(value: str, expected: str) -> tuple[float, str]:
    matched = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*/?\s*([A-Za-z]*)\s*", value)
    if matched is None:
        raise ValueError(f"got {value!r}, expected {expected}")
    return float(matched[1]), matched[2]


def seconds(value: str | float) -> float:
    """``10m`` is 600; a number is seconds already."""
    if not isinstance(value, str):
        return float(value)
    number, unit = _parts(value, "a duration such as 60s, 10m, 2h, 1d")
    if unit not in _SECONDS:
        raise ValueError(f"got {value!r}, expected a duration such as 60s, 10m, 2h, 1d")
    return number * _SECONDS[unit]


def size(value: str | float) -> int:
    """``64MiB`` is 67,108,864; a number is bytes already."""
    if not isinstance(value, str):
        return int(value)
    number, unit = _parts(value, "a size such as 512KiB, 64MiB, 2GiB")
    if (unit or "B") not in _BYTES:
        raise ValueError(f"got {value!r}, expected a size such as 512KiB, 64MiB, 2GiB")
    return int(number * _BYTES[unit or "B"])


def per_second(value: str | float) -> float:
    """``30/m`` is 0.5; a number is "per second" already."""
    if not isinstance(value, str):
        return float(value)
    number, unit = _parts(value, "a rate such as 10/s, 300/m")
    if unit not in ("s", "m", "h") or not number:
        raise ValueError(f"got {value!r}, expected a rate such as 10/s, 300/m")
    return number / _SECONDS[unit]


def readable_size(count: int) -> str:
    """A number of bytes for people."""
    for unit, worth in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if count >= worth:
            return f"{count / worth:.1f}".removesuffix(".0") + f" {unit}"
    return f"{count} B"
