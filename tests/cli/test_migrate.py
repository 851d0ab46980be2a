"""``shuqiao migrate`` makes a database a registry, and says so."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from registry.storage.migrate import revisions
from shuqiao.cli.application import application


def test_an_empty_database_becomes_a_registry_and_stays_one(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHUQIAO_DATABASE_URL", database)
    first = CliRunner().invoke(application(), ["migrate", "--json"])
    second = CliRunner().invoke(application(), ["migrate"])

    assert first.exit_code == 0, first.output
    assert json.loads(first.stdout)["before"] is None
    assert "already at" in second.output
    current, newest = revisions(database)
    assert current == newest is not None
