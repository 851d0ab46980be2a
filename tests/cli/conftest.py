"""A desk with a terminal: a registry, a department's database, a manifest between them, and ``shuqiao``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest
from typer.testing import CliRunner

from schemas.identifiers import organisation_code_check_character, uscc_check_character
from shuqiao.cli.application import COMMANDS, GROUPS, application

CONNECTOR = "test-office.firms"
SECRET = "s3cret-passw0rd"
REPRESENTATIVE = "诸葛孔明先生"

MANIFEST = """\
connector: test-office.firms
title: {zh: 企业, en: Firms}
department: test-office
owner: {name: 数据室, email: data@office.example.gov.cn}
legal_basis: 政务数据共享条例
source:
  kind: sql
  connection: test_office
  table: office.firm
  row_id: [no]
  cursor: {column: written, lookback: 0s}
  operation: {column: flag, delete: [d]}
dataset: legal_entity
schema: legal_entity@1
key: [uscc]
mapping:
  uscc: {from: code, as: upper}
  name: {from: firm_name}
  legal_representative: {from: boss}
  status: {from: state, codes: {开业: active, 注销: deregistered}}
  established_on: {from: since, as: date}
schedule: "0 * * * *"
freshness: 2h
limits: {max_refused: 50%, max_shrink: 20%}
"""

TABLE = """
CREATE SCHEMA office;
CREATE TABLE office.firm (
    no int PRIMARY KEY, code text, firm_name text, boss text, state text, since text, flag text DEFAULT 'i',
    written timestamptz DEFAULT clock_timestamp()
)
"""


def uscc(number: int) -> str:
    """A valid code."""
    body = f"{number:08d}"
    first17 = f"91310000{body}{organisation_code_check_character(body)}"
    return first17 + uscc_check_character(first17)


@dataclass
class Answer:
    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """All of stdout, as one JSON document."""
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        """Stdout as NDJSON."""
        return [json.loads(line) for line in self.out.splitlines()]


@dataclass
class Desk:
    registry: str
    source: str
    manifests: Path
    environ: dict[str, str] = field(default_factory=dict)

    def shuqiao(self, *words: str) -> Answer:
        """A command in this process."""
        known = words and (words[0] in COMMANDS or words[0] in GROUPS)
        asked = application(words[0] if known else None)
        result = CliRunner().invoke(asked, list(words), env={**self.environ, "COLUMNS": None})
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Answer(result.exit_code, result.stdout, result.stderr)

    def process(self, *words: str, **environ: str) -> Answer:
        """A command in a process of its own, as a person starts it."""
        kept = {
            name: text
            for name, text in os.environ.items()
            if name in {"PATH", "HOME", "LANG", "LC_ALL", "SHUQIAO_PERSONAL_KEYS"}
        }
        command = [sys.executable, "-c", "from shuqiao.cli import main; main()", *words]
        given = kept | self.environ | environ
        done = subprocess.run(command, capture_output=True, text=True, env=given, timeout=120, check=False)
        return Answer(done.returncode, done.stdout, done.stderr)

    def sql(self, statement: str, *values: object) -> None:
        """Change the department's database."""
        with psycopg.connect(self.source, autocommit=True) as connection:
            connection.execute(statement.encode(), values)

    def write(self, no: int, **columns: object) -> None:
        """Write a row of the department's table, good where nothing else is said."""
        row: dict[str, object] = {
            "code": uscc(no),
            "firm_name": f"桥州第{no}厂",
            "boss": REPRESENTATIVE,
            "state": "开业",
        }
        row |= {"since": "2020-05-01", **columns}
        names = ", ".join(row)
        updates = ", ".join(f"{name} = excluded.{name}" for name in row)
        self.sql(
            f"INSERT INTO office.firm (no, {names}) VALUES (%s, {', '.join(['%s'] * len(row))})"
            f" ON CONFLICT (no) DO UPDATE SET {updates}, written = clock_timestamp()",
            no,
            *row.values(),
        )

    def run(self) -> Answer:
        """Run the connector, which must succeed."""
        answer = self.shuqiao("connectors", "run", CONNECTOR, "--json")
        assert answer.code == 0, answer.err
        return answer


@pytest.fixture
def desk(registry_url: str, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """Five good firms, one with a wrong code and one with a strange state."""
    folder = tmp_path / "manifests"
    folder.mkdir()
    (folder / "firms.yaml").write_text(MANIFEST, "utf-8")
    found = Desk(registry_url, database, folder)
    with psycopg.connect(database) as connection:
        connection.execute(TABLE)
        about = connection.info
        address = {
            "conn_type": "postgres", "host": about.host, "port": about.port, "login": about.user,
            "password": about.password or SECRET, "schema": about.dbname, "extra": {},
        }  # fmt: skip
    found.environ = {
        "SHUQIAO_DATABASE_URL": registry_url,
        "SHUQIAO_MANIFESTS": str(folder),
        "SHUQIAO_RUN_DIR": str(tmp_path / "run"),
        "AIRFLOW_CONN_TEST_OFFICE": json.dumps(address),
    }
    for name, text in found.environ.items():
        monkeypatch.setenv(name, text)
    for number in range(1, 6):
        found.write(number)
    found.write(6, code="91310000000000000X")
    found.write(7, state="不明")
    return found
