"""Source kinds, found by the entry point group ``shuqiao.sources``; a broken plug-in is reported and harms no other."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from connectors.errors import SourceMisconfigured
from connectors.source import Source

GROUP = "shuqiao.sources"


@dataclass(frozen=True, slots=True)
class Kind:
    """A source kind as it was found: usable, or why not."""

    name: str
    origin: str
    """``module:class``, and the distribution it comes from."""
    fault: str = ""
    """Why it cannot be used; empty if it can."""


@cache
def _entry_points() -> Mapping[str, tuple[EntryPoint, ...]]:
    found: dict[str, list[EntryPoint]] = {}
    for point in entry_points(group=GROUP):
        same = found.setdefault(point.name, [])
        if all(other.value != point.value for other in same):
            same.append(point)
    return {name: tuple(points) for name, points in sorted(found.items())}


def names() -> tuple[str, ...]:
    """The kinds that distributions offer, whether or not they can be loaded."""
    return tuple(_entry_points())


@cache
def source_class(kind: str) -> type[Source]:
    """The class of a kind. Raises KeyError (with a sentence) if there is none, SourceMisconfigured if it is broken."""
    points = _entry_points().get(kind, ())
    if not points:
        close = difflib.get_close_matches(kind, names(), n=1)
        hint = f'; did you mean "{close[0]}"?' if close else f"; expected one of {', '.join(names())}"
        raise KeyError(f"there is no source kind {kind!r}{hint}")
    if len(points) > 1:
        origins = ", ".join(map(_origin, points))
        raise SourceMisconfigured(f"source kind {kind!r} is offered more than once: {origins}; uninstall all but one")
    try:
        found = points[0].load()
    except Exception as error:
        raise SourceMisconfigured(
            f"source kind {kind!r} ({_origin(points[0])}) cannot be loaded: {_first_line(error)}"
        ) from error
    fault = _interface_fault(found)
    if fault:
        raise SourceMisconfigured(f"source kind {kind!r} ({_origin(points[0])}) is no Source: {fault}")
    loaded: type[Source] = found
    return loaded


def settings_schema(kind: str) -> Mapping[str, Any] | None:
    """The JSON Schema of the kind's own settings. Raises like :func:`source_class`."""
    return source_class(kind).settings_schema


def available() -> list[Kind]:
    """Every kind found, with what is wrong with those that cannot be used."""
    kinds = []
    for name, points in _entry_points().items():
        fault = ""
        try:
            source_class(name)
        except SourceMisconfigured as error:
            fault = str(error)
        kinds.append(Kind(name, ", ".join(map(_origin, points)), fault))
    return kinds


def _interface_fault(found: Any) -> str:
    if not isinstance(found, type):
        return "it is no class"
    if not isinstance(getattr(found, "settings_schema", None), Mapping):
        return "settings_schema is missing"
    methods = ("check", "discover", "partitions", "read", "combine", "close")
    missing = [name for name in methods if not callable(getattr(found, name, None))]
    return f"{', '.join(missing)} missing" if missing else ""


def _origin(point: EntryPoint) -> str:
    return f"{point.value} of {point.dist.name}" if point.dist else point.value


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0]
