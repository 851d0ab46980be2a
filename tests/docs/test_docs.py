"""The documentation says what is so: tables, keys, examples, commands and links are held against the code."""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml

from connectors.kinds import source_class
from connectors.kinds.file.settings import Limits as FileLimits
from connectors.kinds.measures import size
from connectors.kinds.rest import DEFAULTS as REST_DEFAULTS
from connectors.kinds.sql import BATCH_ROWS, TIMEOUT
from connectors.manifest import load
from connectors.mapping import compile_mapping
from connectors.mapping.text import DEFAULT_EMPTY
from registry.api.settings import ApiSettings
from registry.domain.batches import Limits
from shuqiao import ingest
from shuqiao.settings import dags_folder
from tests import granting
from tests.api.conftest import serving

ROOT = Path(__file__).parent.parent.parent
DOCS = ROOT / "docs"
MANIFEST_PAGE = (DOCS / "manifest.md").read_text("utf-8")
GUIDE = (DOCS / "connector-in-ten-minutes.md").read_text("utf-8")
PAGES = [ROOT / "README.md", ROOT / "README.zh-CN.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"]
PAGES += sorted(DOCS.rglob("*.md")) + sorted((ROOT / "deploy").rglob("*.md"))


def rows(page: str, heading: str) -> Iterator[list[str]]:
    """The cells of the tables below a heading, without the heads."""
    text = page.split(f"\n{heading}\n", 1)[1]
    text = re.split(r"\n#{1,3} ", text, maxsplit=1)[0]
    for line in text.splitlines():
        if line.startswith("| `"):
            cells = re.split(r"(?<!\\)\|", line.strip().strip("|"))
            yield [cell.strip().replace("\\|", "|") for cell in cells]


def names(page: str, heading: str) -> set[str]:
    """The first column of those tables."""
    return {cells[0].strip("`") for cells in rows(page, heading)}


def file_in(page: str, name: str) -> str:
    """A block of code that the page calls by a file's name."""
    found = re.search(rf"<!-- file: {re.escape(name)} -->\n```\w+\n(.*?)```", page, re.DOTALL)
    assert found is not None, f"the page has no file {name}"
    return found[1]


def place(name: str) -> Path:
    """Where a file of the checkout is, also when the packages are installed from the wheel."""
    top = name.partition("/")[0]
    if (ROOT / top).exists():
        return ROOT / name
    packages = dags_folder().parent if top == "dags" else Path(str(import_module(top).__file__)).parent.parent
    return packages / name


# -- the registry's tables ---------------------------------------------------------------------------------------------


def test_every_table_and_column_of_the_registry_is_explained(registry_url: str) -> None:
    page = (DOCS / "registry-schema.md").read_text("utf-8")
    with psycopg.connect(registry_url) as connection:
        there = connection.execute(
            "SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid"
            " WHERE c.relnamespace = 'registry'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition"
            " AND a.attnum > 0 AND NOT a.attisdropped"
        ).fetchall()

    explained = {
        (table, column)
        for table in re.findall(r"^### registry\.(\w+)$", page, re.MULTILINE)
        for column in names(page, f"### registry.{table}")
    }

    assert set(there) == explained


def test_the_examples_for_readers_of_the_database_are_sql_that_it_understands(registry_url: str) -> None:
    page = (DOCS / "registry-schema.md").read_text("utf-8")
    with psycopg.connect(registry_url) as connection:
        for statement in re.findall(r"```sql\n(.*?)```", page, re.DOTALL):
            assert connection.execute(statement.encode()).fetchall() == []


# -- the manifest ------------------------------------------------------------------------------------------------------


def keys_of(schema: Mapping[str, Any], before: str = "") -> set[str]:
    """Dotted names of a JSON Schema's properties."""
    found: set[str] = set()
    for name, part in schema.get("properties", {}).items():
        found |= {before + name, *keys_of(part, f"{before}{name}.")}
    return found


MANIFEST_SCHEMA = json.loads(place("connectors/manifest.schema.json").read_text("utf-8"))


def test_every_key_of_a_manifest_is_explained() -> None:
    source = MANIFEST_SCHEMA["properties"].pop("source")
    keys = keys_of(MANIFEST_SCHEMA) | {"source"}
    MANIFEST_SCHEMA["properties"]["source"] = source

    assert keys == names(MANIFEST_PAGE, "## Keys")
    assert keys_of(source) == names(MANIFEST_PAGE, "## source: keys of every kind")


def test_which_keys_a_manifest_must_have_is_said_right() -> None:
    said = {cells[0].strip("`") for cells in rows(MANIFEST_PAGE, "## Keys") if cells[1] == "required"}

    assert set(MANIFEST_SCHEMA["required"]) == {key for key in said if "." not in key}


@pytest.mark.parametrize("kind", ["sql", "rest", "file"])
def test_every_setting_of_a_kind_is_explained(kind: str) -> None:
    assert keys_of(source_class(kind).settings_schema) == names(MANIFEST_PAGE, f"## source: kind {kind}")


def default(kind: str, key: str) -> str:
    """What the page says of a setting without value."""
    return next(cells[1] for cells in rows(MANIFEST_PAGE, f"## source: kind {kind}") if cells[0].strip("`") == key)


def test_the_defaults_of_the_kinds_are_those_of_the_code() -> None:
    assert f"`{BATCH_ROWS}`" in default("sql", "batch")
    assert f"`{TIMEOUT}`" in default("sql", "timeout")
    for name, value in REST_DEFAULTS.items():
        for each in value.values() if isinstance(value, Mapping) else [value]:
            if name != "max_field":
                assert f"`{each}`" in default("rest", name)
    limits = FileLimits.of({})
    for name in ("max_file", "max_uncompressed", "max_record", "max_strings"):
        assert getattr(limits, name) == size(default("file", name).removeprefix("default ").strip("`"))
    assert default("file", "max_members") == f"default `{limits.max_members}`"
    assert default("file", "max_ratio") == f"default `{limits.max_ratio:.0f}`"


def test_the_defaults_of_a_manifest_are_those_of_the_code() -> None:
    said = {cells[0].strip("`"): cells[1] for cells in rows(MANIFEST_PAGE, "## Keys")}

    assert f"`{Limits().max_refused:.0%}`" in said["limits.max_refused"]
    assert f"`{Limits().max_shrink:.0%}`" in said["limits.max_shrink"]
    assert re.findall(r"`([^`]+)`", said["empty"]) == list(DEFAULT_EMPTY)


# -- mapping -----------------------------------------------------------------------------------------------------------

MAPPING_PAGE = (DOCS / "mapping.md").read_text("utf-8")
EXAMPLES = [cells for cells in rows(MAPPING_PAGE, "## Examples") if len(cells) == 3]


def test_every_key_of_a_rule_is_explained() -> None:
    rule = MANIFEST_SCHEMA["$defs"]["rule"]["properties"]
    where, what = "## Where values come from", "## What becomes of them"

    assert set(rule) - {"as"} | set(rule["as"]["enum"]) == names(MAPPING_PAGE, where) | names(MAPPING_PAGE, what)


@pytest.mark.parametrize(("rule", "row", "result"), EXAMPLES)
def test_an_example_of_a_rule_gives_what_the_page_says(rule: str, row: str, result: str, tmp_path: Path) -> None:
    manifest = yaml.safe_load(file_in(GUIDE, "bills.yaml"))
    manifest["mapping"] = {"uscc": "uscc", "name": yaml.safe_load(rule.strip("`"))}
    manifest["key"], manifest["source"]["row_id"] = ["uscc"], ["id"]
    path = tmp_path / "example.yaml"
    path.write_text(yaml.safe_dump(manifest, allow_unicode=True), "utf-8")
    values = {"id": "1", "uscc": "x", **json.loads(row.strip("`"))}

    mapping = compile_mapping(load(path)).bind(list(values))
    records, problems = mapping.apply([list(values.values())])

    if result.startswith("refused"):
        assert [problem.rule for problem in problems[0]] == re.findall("`(.+)`", result)
    elif result == "no value":
        assert (records[0] or {}).get("name") is None
        assert not problems
    else:
        assert (records[0] or {}).get("name") == json.loads(result.strip("`"))


# -- a connector in ten minutes ----------------------------------------------------------------------------------------


@pytest.fixture
def waterworks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The files of the guide, the manifest's path moved to where they are."""
    data = tmp_path / "water"
    data.mkdir()
    (data / "bills-2026-10.csv").write_text(file_in(GUIDE, "bills-2026-10.csv"), "utf-8")
    (tmp_path / "water_periods.py").write_text(file_in(GUIDE, "water_periods.py"), "utf-8")
    manifest = file_in(GUIDE, "bills.yaml").replace("/srv/water/", f"{data}/").replace("60s", "0s")
    (tmp_path / "bills.yaml").write_text(manifest, "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def test_the_guides_connector_publishes_two_records_and_refuses_one(waterworks: Path, registry_url: str) -> None:
    report = ingest.run(registry_url, load(waterworks / "bills.yaml"))

    assert (report.state, report.counts.new, report.counts.refused) == ("published", 2, 1)
    with psycopg.connect(registry_url) as connection:
        bodies = [row[0] for row in connection.execute("SELECT body FROM registry.record ORDER BY key")]
        rules = connection.execute("SELECT reasons->0->>'pointer' FROM registry.refusal").fetchall()
    assert bodies[0]["period"] == "2026-10"
    assert bodies[0]["name"] == "桥州示例（集团）有限公司"
    assert "paid" not in bodies[1]
    assert rules == [("/uscc",)]


def test_the_guides_api_is_a_right_source_section(waterworks: Path) -> None:
    manifest = yaml.safe_load((waterworks / "bills.yaml").read_text("utf-8"))
    manifest |= yaml.safe_load(file_in(GUIDE, "source-rest.yaml"))
    path = waterworks / "api.yaml"
    path.write_text(yaml.safe_dump(manifest, allow_unicode=True), "utf-8")

    assert load(path).source.kind == "rest"


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md"])
def test_the_readmes_manifest_is_right(name: str, tmp_path: Path) -> None:
    found = re.search(r"```yaml\n(.*?)```", (ROOT / name).read_text("utf-8"), re.DOTALL)
    assert found is not None
    path = tmp_path / "bills.yaml"
    path.write_text(found[1], "utf-8")

    assert load(path).connector == "water.bills"


def test_the_guides_own_kind_passes_the_guides_own_tests(tmp_path: Path) -> None:
    for name in ("fixed_width.py", "test_fixed_width.py"):
        (tmp_path / name).write_text(file_in(GUIDE, name), "utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path)]

    ended = subprocess.run(  # the author's own pytest, without this project's settings
        [*command, "-c", "/dev/null", "--import-mode=prepend", str(tmp_path / "test_fixed_width.py")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == 0, ended.stdout + ended.stderr


# -- reading -----------------------------------------------------------------------------------------------------------


def test_the_follower_keeps_a_copy(waterworks: Path, registry_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (waterworks / "follower.py").write_text(file_in((DOCS / "consumers.md").read_text("utf-8"), "follower.py"), "utf-8")
    follower = import_module("follower")
    monkeypatch.delitem(sys.modules, "follower")
    bills = next(waterworks.glob("water/*.csv"))
    manifest = load(waterworks / "bills.yaml")
    ingest.run(registry_url, manifest)
    client = granting.enter(registry_url, "follower", ["read:utility_payment"])
    copy = sqlite3.connect(":memory:")

    with serving(ApiSettings(registry_url, waterworks / "key.pem", port=0)) as server:
        hub = follower.Hub(f"http://127.0.0.1:{server.bound_port}", client.id, client.secret)
        counts = [follower.follow(hub, copy, wait=0), follower.follow(hub, copy, wait=0)]
        bills.write_text(bills.read_text("utf-8").replace("336.00,,未缴", "336.00,336.00,已缴"), "utf-8")
        ingest.run(registry_url, manifest)
        counts.append(follower.follow(hub, copy, wait=5))
        hub.session.close()

    assert counts == [2, 0, 1]
    assert "'paid'" in copy.execute("SELECT body FROM record WHERE key LIKE '%118%'").fetchone()[0]
    copy.close()


# -- all pages ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_links_to_is_there(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL)
    links = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'(?:src|href)="([^"]+)"', text)
    local = [link.partition("#")[0] for link in links if "://" not in link and not link.startswith(("#", "mailto:"))]

    assert [link for link in local if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_folders_and_files_that_a_page_names_are_there(page: Path) -> None:
    folders = "benchmarks|connectors|dags|deploy|docs|registry|schemas|shuqiao|tests|tools"
    text = page.read_text("utf-8")
    named = set(re.findall(rf"`((?:{folders})/[\w./-]*)(?:#[\w-]+)?`", text))

    assert [name for name in sorted(named) if not place(name).exists()] == []


def test_make_targets_that_pages_name_are_there() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    named = {target for page in PAGES for target in re.findall(r"`make ([a-z][a-z-]*)", page.read_text("utf-8"))}

    assert named <= targets


def test_every_decision_is_listed() -> None:
    listed = re.findall(r"\]\((\d{4}-[\w-]+\.md)\)", (DOCS / "adr" / "README.md").read_text("utf-8"))

    assert listed == [path.name for path in sorted((DOCS / "adr").glob("[0-9]*.md"))]
