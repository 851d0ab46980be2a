"""A manifest is read as it looks, and a wrong one says file, line, key, what was got and what was expected."""

from __future__ import annotations

import datetime as dt
import time
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from connectors.errors import ManifestError, ManifestProblem, SourceMisconfigured
from connectors.manifest import Operation, Tombstone, load, load_all, manifest_schema
from connectors.manifest.cron import cron_fault

GOOD = """\
connector: market.enterprise
title: {zh: 企业登记信息, en: Enterprise registration}
department: market
owner: {name: 数据室, email: data@example.gov.cn}
legal_basis: 政务数据共享条例
source:
  kind: sql
  connection: market_supervision
  table: exchange.ent_info
  cursor: {column: write_time, lookback: 10m}
  operation: {column: op_flag, delete: [d, 3]}
dataset: legal_entity
schema: legal_entity@1
key: [uscc]
mapping:
  uscc: {from: uni_social_crd_cd, as: upper}
  name: comp_nm
  status:
    from: reg_state
    codes: {开业: active, 01: active, no: revoked, null: deregistered}
  established_on: {from: est_dt, as: date, formats: ["%Y-%m-%d", "%Y%m%d"]}
schedule: "*/30 * * * *"
freshness: 2h
limits: {max_refused: 5%, max_shrink: 0.2, rate: 10/s, max_field: 64KiB}
"""


@pytest.fixture
def written(tmp_path: Path) -> Any:
    def write(text: str, name: str = "a.yaml") -> Path:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


def problems(path: Path) -> list[ManifestProblem]:
    with pytest.raises(ManifestError) as caught:
        load(path)
    return caught.value.problems


def test_a_good_manifest_is_read_as_it_looks(written: Any) -> None:
    manifest = load(written(GOOD))

    assert manifest.connector == "market.enterprise"
    assert manifest.title.zh == "企业登记信息"
    assert manifest.source.settings == {
        "table": "exchange.ent_info",
        "cursor": {"column": "write_time", "lookback": "10m"},
    }
    assert manifest.source.operation == Operation("op_flag", frozenset({"d", "3"}))
    assert manifest.source.row_id == ("uni_social_crd_cd",)
    assert manifest.mapping["name"] == {"from": "comp_nm"}
    assert manifest.mapping["status"]["codes"] == {
        "开业": "active",
        "01": "active",
        "no": "revoked",
        "null": "deregistered",
    }
    assert manifest.freshness == dt.timedelta(hours=2)
    assert (manifest.limits.max_refused, manifest.limits.max_shrink) == (0.05, 0.2)
    assert (manifest.limits.rate, manifest.limits.max_field) == (10, 65536)
    assert manifest.timezone == "Asia/Shanghai"
    assert len(manifest.digest) == 64


def test_a_tombstone_and_a_snapshot(written: Any) -> None:
    text = GOOD.replace("operation: {column: op_flag, delete: [d, 3]}", "tombstone: {column: gone}\n  snapshot: true")
    manifest = load(written(text.replace("  cursor: {column: write_time, lookback: 10m}\n", "")))

    assert manifest.source.tombstone == Tombstone("gone", None)
    assert manifest.source.snapshot


WRONG = {
    "unknown key": ("schedule:", "shedule:", "shedule", 'did you mean "schedule"'),
    "unknown rule key": (
        "as: date, formats",
        "as: date, format",
        "mapping.established_on.format",
        'did you mean "formats"',
    ),
    "missing key": ("key: [uscc]\n", "", "key", "is missing"),
    "wrong type": ("key: [uscc]", "key: uscc", "key", 'got "uscc"; expected a list'),
    "enum": ("as: upper", "as: uper", "mapping.uscc.as", 'did you mean "upper"'),
    "duration": ("freshness: 2h", "freshness: soon", "freshness", "expected a duration such as"),
    "share": ("max_refused: 5%", "max_refused: 500%", "limits.max_refused", "from 0 to 100%"),
    "rate": ("rate: 10/s", "rate: fast", "limits.rate", "expected a rate such as"),
    "size": ("64KiB", "big", "limits.max_field", "expected a size such as"),
    "cron": ("*/30 * * * *", "*/30 * * *", "schedule", "with 4 field(s)"),
    "cron range": ("*/30 * * * *", "61 * * * *", "schedule", "expected 0-59"),
    "email": ("data@example.gov.cn", "nobody", "owner.email", "expected an e-mail address"),
    "connector of another department": ("connector: market.", "connector: tax.", "connector", "begins with market."),
    "unknown schema": ("legal_entity@1", "legal_entitty@1", "schema", 'did you mean "legal_entity@1"'),
    "unknown field": ("  name: comp_nm", "  nmae: comp_nm", "mapping.nmae", 'did you mean "name"'),
    "field name": ("  name: comp_nm", "  na-me: comp_nm", "mapping.na-me", "expected a field of the record"),
    "key not mapped": ("key: [uscc]", "key: [usc]", "key[0]", 'did you mean "uscc"'),
    "format": ('"%Y%m%d"', '"%Y%Q"', "mapping.established_on.formats", "%Y%Q"),
    "option of another kind": (
        "as: upper",
        "as: upper, unit: 万元",
        "mapping.uscc.unit",
        "has no meaning with as: upper",
    ),
    "codes missing": ("as: upper", "unknown: x", "mapping.uscc.unknown", "no meaning without codes"),
    "no column": ("{from: uni_social_crd_cd, as: upper}", "{as: upper}", "mapping.uscc", "is missing from"),
    "several to a date": ("from: est_dt", "from: [a, b]", "mapping.established_on.from", "combine: first"),
    "snapshot and operation": (
        "connection: m",
        "snapshot: true\n  connection: m",
        "source.snapshot",
        "beside operation",
    ),
    "tombstone and operation": (
        "  operation",
        "  tombstone: {column: a}\n  operation",
        "source.tombstone",
        "beside operation",
    ),
    "kind": ("kind: sql", "kind: sqll", "source.kind", 'did you mean "sql"'),
    "kind's own key": ("table: exch", "tabel: exch", "source.tabel", 'did you mean "table"'),
    "kind's own value": (
        "lookback: 10m",
        "lookback: soon",
        "source.cursor.lookback",
        "expected a duration such as 10m",
    ),
    "timezone": ("freshness: 2h", "timezone: Asia/Shenzhen", "timezone", "expected a time zone"),
    "twice": ("freshness: 2h", "freshness: 2h\nschedule: null", "schedule", "stands twice; the first is in line"),
    "constant": ("as: upper}", "constant: a}", "mapping.uscc.from", "cannot stand beside constant"),
    "bom and tab": ("title:", "\ttitle:", "", "no valid YAML"),
}


@pytest.mark.parametrize(("old", "new", "key", "message"), WRONG.values(), ids=WRONG)
def test_a_wrong_manifest_says_where_and_what(written: Any, old: str, new: str, key: str, message: str) -> None:
    assert old in GOOD
    path = written(GOOD.replace(old, new))

    found = problems(path)

    matching = [problem for problem in found if problem.key == key and message in problem.message]
    assert matching, [str(problem) for problem in found]
    if new:
        changed = next(
            number
            for number, line in enumerate(path.read_text().split("\n"), 1)
            if new.split("\n", maxsplit=1)[0] in line
        )
        assert changed <= matching[0].line <= changed + new.count("\n") + 1
    assert str(path) in str(matching[0])


def test_every_problem_is_found_at_once(written: Any) -> None:
    found = problems(
        written(GOOD.replace("uscc]", "usc]").replace("2h", "2").replace("as: upper", "as: date, codes: {a: b}"))
    )

    assert [problem.key for problem in found] == ["key[0]", "mapping.uscc.codes", "freshness"]


SECRETS = ["password: geheim-1", "auth: {client_secret: geheim-1}", "headers: {Authorization: geheim-1}",
           "params: [{api-key: geheim-1}]", "url: https://user:geheim-1@example.com/a"]  # fmt: skip


@pytest.mark.parametrize("line", SECRETS)
def test_secrets_are_refused_and_not_repeated(written: Any, line: str) -> None:
    found = problems(written(GOOD.replace("  table:", f"  {line}\n  table:")))

    assert any("Airflow connection" in problem.message for problem in found)
    assert not any("geheim" in str(problem) for problem in found)


@pytest.mark.parametrize(
    "content",
    [b"", b"- a\n- b\n", b"\xff\xfe", b"a: [", b"a: &x [*x]", b"? [a]\n: b", b"a: !!python/object:os.system x",
     b"key: \0", b"x" * 2_000_000,
     (b"a: &a [1,1,1,1,1,1,1,1,1]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n"
     b"d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: [*d,*d,*d,*d,*d,*d,*d,*d,*d]\n")],
)  # fmt: skip
def test_what_is_no_manifest_is_said_so(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes(content)

    assert problems(path)


def test_a_missing_file_is_said_so(tmp_path: Path) -> None:
    assert "cannot be read" in str(problems(tmp_path / "none.yaml")[0])


def test_bad_manifests_hide_no_other(written: Any, tmp_path: Path) -> None:
    written(GOOD, "good.yaml")
    written(GOOD.replace("market.enterprise", "market.double"), "b.yaml")
    written(GOOD.replace("market.enterprise", "market.double"), "c.yml")
    written("nonsense: 1", "bad.yaml")
    written("nonsense: 1", ".hidden.yaml")

    manifests, errors = load_all([tmp_path, tmp_path, tmp_path / "none"])

    assert [manifest.connector for manifest in manifests] == ["market.enterprise"]
    text = "\n".join(map(str, errors))
    assert "market.double is also the name in" in text
    assert "no such folder" in text
    assert "hidden" not in text
    assert len(errors) == 3


def test_a_broken_kind_is_reported(written: Any) -> None:
    def broken(kind: str) -> None:
        raise SourceMisconfigured(f"source kind {kind!r} cannot be loaded: ImportError: no module x")

    with pytest.raises(ManifestError, match=r"source\.kind: source kind 'sql' cannot be loaded"):
        load(written(GOOD), settings_schema=broken)


def test_two_hundred_are_read_in_a_second(written: Any, tmp_path: Path) -> None:
    for number in range(200):
        written(GOOD.replace("market.enterprise", f"market.e{number}"), f"{number}.yaml")
    load_all([tmp_path])
    start = time.process_time()
    manifests, _ = load_all([tmp_path])

    assert len(manifests) == 200
    assert time.process_time() - start < 2


def test_reference_departments_are_right() -> None:
    manifests, errors = load_all()

    assert not errors, "\n".join(map(str, errors))
    assert manifests


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(dict(manifest_schema()))


@pytest.mark.parametrize("text", ["* * * * *", "0 6 * * 1-5", "*/5 0-6/2 1,15 jan-mar sun", "0 0 31 12 7"])
def test_cron_expressions(text: str) -> None:
    assert cron_fault(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "@daily",
        "* * * *",
        "60 * * * *",
        "* 24 * * *",
        "* * 0 * *",
        "* * * 13 *",
        "5-1 * * * *",
        "*/0 * * * *",
        "a * * * *",
        "1-2-3 * * * *",
        "*/ * * * *",
    ],
)
def test_wrong_cron_expressions(text: str) -> None:
    assert cron_fault(text)
