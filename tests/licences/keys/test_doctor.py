"""``shuqiao doctor`` names keys that end soon, and secrets that others can read."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from shuqiao.cli.doctor import Finding, examine
from shuqiao.settings import Settings
from tests.licences.keys.conftest import MARKET, Hall


def about(subject: str, settings: Settings) -> list[Finding]:
    return [finding for finding in examine(settings) if subject in finding.subject]


def test_it_says_how_many_keys_end_soon(empty: Hall, tmp_path: Path) -> None:
    settings = replace(Settings(), database_url=empty.url, run_dir=tmp_path)
    (none,) = about("seals", settings)
    assert none.good
    empty.enter(MARKET, now=datetime.now(UTC) - timedelta(days=3 * 365 - 100))
    (found,) = about("seals", settings)
    assert (found.good, found.found) == (False, "1 keys end within 180 days")
    assert "shuqiao keys check" in found.remedy


def test_a_database_that_is_not_there_is_told_and_without_one_nothing_is(tmp_path: Path) -> None:
    settings = replace(Settings(), run_dir=tmp_path)
    assert about("seals", settings) == []
    (found,) = about("seals", replace(settings, database_url="postgresql://x:secret-word@127.0.0.1:1/x"))
    assert not found.good
    assert "secret-word" not in found.found


def test_a_master_key_that_others_can_read_is_told(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    path.write_text("x")
    path.chmod(0o644)
    settings = replace(Settings(), run_dir=tmp_path)
    (found,) = [each for each in about("secrets", settings) if "master.key" in each.found]
    assert not found.good
    path.chmod(0o600)
    (found,) = about("secrets", settings)
    assert found.good
