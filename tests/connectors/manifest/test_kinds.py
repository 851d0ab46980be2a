"""Kinds are found by entry point; a broken plug-in is reported and harms no other."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import EntryPoint
from typing import Any, ClassVar

import pytest

from connectors import kinds
from connectors.errors import SourceMisconfigured


class Unfinished:
    settings_schema: ClassVar[dict[str, Any]] = {}


@pytest.fixture(autouse=True)
def offered(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    here = "tests.connectors.manifest.test_kinds"
    points = [
        EntryPoint("sql", "connectors.kinds.sql:SqlSource", kinds.GROUP),
        EntryPoint("sql", "connectors.kinds.sql:SqlSource", kinds.GROUP),
        EntryPoint("gone", "no_such_module:Source", kinds.GROUP),
        EntryPoint("unfinished", f"{here}:Unfinished", kinds.GROUP),
        EntryPoint("twice", "a:A", kinds.GROUP),
        EntryPoint("twice", "b:B", kinds.GROUP),
    ]
    _forget()
    monkeypatch.setattr(kinds, "entry_points", lambda **_: points)
    yield
    _forget()


def _forget() -> None:
    kinds._entry_points.cache_clear()
    kinds.source_class.cache_clear()


def test_one_broken_plugin_harms_no_other() -> None:
    faults = {kind.name: kind.fault for kind in kinds.available()}

    assert faults["sql"] == ""
    assert "no_such_module" in faults["gone"]
    assert "check, discover, partitions, read, combine, close missing" in faults["unfinished"]
    assert "offered more than once" in faults["twice"]


def test_an_unknown_kind_is_guessed() -> None:
    with pytest.raises(KeyError, match='did you mean "sql"'):
        kinds.source_class("sqll")
    with pytest.raises(SourceMisconfigured, match="ModuleNotFoundError"):
        kinds.source_class("gone")
