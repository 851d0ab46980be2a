"""Durations, shares, rates and sizes as manifests write them: ``10m``, ``5%``, ``10/s``, ``1MiB``.

Every reader raises ValueError with what was expected; the manifest says where it stood.
"""

from __future__ import annotations

import re
from datetime import timedelta

DURATION_PATTERN = r"^\d+(\.\d+)?(s|m|h|d|w)$"
"""For the JSON Schemas of source kinds."""

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_BYTES = {"": 1, "B": 1, "KB": 1000, "MB": 1000**2, "GB": 1000**3, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}


def duration(text: str) -> timedelta:
    """``90s``, ``10m``, ``2h``, ``1d``, ``2w``."""
    match = re.fullmatch(r"(\d{1,9}(?:\.\d{1,6})?)([smhdw])", text.strip())
    if match is None:
        raise ValueError(f"got {text!r}; expected a duration such as 90s, 10m, 2h or 1d")
    return timedelta(seconds=float(match[1]) * _SECONDS[match[2]])


def share(value: str | float) -> float:
    """``5%`` or ``0.05``: from 0 to 1."""
    text = str(value).strip()
    match = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?)(%?)", text)
    number = float(match[1]) / (100 if match[2] else 1) if match else -1.0
    if not 0 <= number <= 1:
        raise ValueError(f"got {text!r}; expected a share such as 5% or 0.05, from 0 to 100%")
    return number


def rate(text: str) -> float:
    """``10/s``, ``600/m``, ``1000/h``, as a number per second."""
    match = re.fullmatch(r"(\d{1,9}(?:\.\d{1,6})?)/([smhd])", text.strip())
    number = float(match[1]) / _SECONDS[match[2]] if match else 0.0
    if number <= 0:
        raise ValueError(f"got {text!r}; expected a rate such as 10/s, 600/m or 1000/h")
    return number


def size(value: str | int) -> int:
    """``1MiB``, ``500KB`` or a number of bytes."""
    text = str(value).strip()
    match = re.fullmatch(r"(\d{1,12}(?:\.\d{1,6})?)\s*([KMG]?i?B|)", text)
    number = int(float(match[1]) * _BYTES[match[2]]) if match and match[2] in _BYTES else 0
    if number <= 0:
        raise ValueError(f"got {text!r}; expected a size such as 1MiB, 500KB or a number of bytes")
    return number
