"""``shuqiao demo``: for people a table, with --json for programs, and a sentence when something is missing."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from shuqiao.cli.application import application
from shuqiao.demo import departments
from shuqiao.demo.commands import NO_CITY


def run(*arguments: str) -> Result:
    return CliRunner().invoke(application("demo"), ["demo", *arguments])


def test_generate_and_change_work_with_the_hubs_own_connection(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(departments.MARKET_CONNECTION, departments.database_connection(database))
    monkeypatch.setenv("SHUQIAO_DEMO_DATA", str(tmp_path))
    monkeypatch.setenv("SCALE", "200")

    made = run("generate", "--json")
    again = run("generate")
    changed = run("change", "--days", "2", "--json")

    assert json.loads(made.stdout) == {"seed": 20260601, "scale": 200, "made": True, "data": str(tmp_path)}
    assert "already there" in again.stdout
    counts = {each["connector"]: each for each in json.loads(changed.stdout)}
    assert counts["market-supervision.enterprise"]["new"] == 2
    assert run("change").exit_code == 0


def test_faults_are_listed_with_exact_numbers() -> None:
    rows = json.loads(run("faults", "--json").stdout)
    market = {row["kind"]: row["rows"] for row in rows if row["connector"] == "market-supervision.enterprise"}
    assert market["uscc_check_character"] == 15
    contradictions = {row["kind"]: row["rows"] for row in rows if row["outcome"].startswith("discrepancy")}
    assert contradictions == dict.fromkeys(("other_name", "other_representative", "other_status", "other_address"), 3)
    assert "校验码" in run("faults").stdout


def test_without_a_city_or_a_database_it_says_what_to_do(database: str, tmp_path: Path) -> None:
    nothing = run("change", "--data", str(tmp_path), "--market-url", database)
    assert (nothing.exit_code, "shuqiao demo generate" in nothing.output) == (NO_CITY, True)
    nowhere = run("change", "--data", str(tmp_path))
    assert (nowhere.exit_code, "SHUQIAO_DEMO_MARKET_URL" in nowhere.output) == (NO_CITY, True)


def test_a_password_with_every_sign_survives_the_way_into_a_connection() -> None:
    url = departments.engine_url(departments.database_connection("postgresql+psycopg://u:p%40%3A%2F%25@127.0.0.1:5/d"))
    assert (url.drivername, url.password, url.database) == ("postgresql+psycopg", "p@:/%", "d")
