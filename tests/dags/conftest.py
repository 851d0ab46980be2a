"""A real Airflow (its own metadata database), a department's real database, and a registry."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from schemas.identifiers import organisation_code_check_character, uscc_check_character
from shuqiao.stack.postgres import EmbeddedPostgres
from tests.airflow_environment import airflow_environment

MANIFEST = """
connector: office.enterprise
title: {zh: 企业, en: Enterprises}
department: office
owner: {name: Office, email: office@example.gov.cn}
legal_basis: 测试
source:
  kind: sql
  connection: office
  table: public.ent
  cursor: {column: written, lookback: 1h}
dataset: legal_entity
schema: legal_entity@1
key: [uscc]
mapping:
  uscc: {from: code}
  name: {from: title}
  status: {from: state}
  established_on: {from: born, as: date}
schedule: "0 3 * * *"
limits: {max_refused: 50%}
"""


@dataclass(frozen=True, slots=True)
class Office:
    """One department, one connector, and the Airflow that runs it."""

    environ: dict[str, str]
    source_url: str
    registry_url: str
    manifests: Path

    def test_dag(self, dag_id: str = "ingest.office.enterprise", **params: Any) -> subprocess.CompletedProcess[str]:
        """`airflow dags test`: every task of a real run, in one process."""
        command = [sys.executable, "-m", "airflow", "dags", "test", dag_id, "--conf", json.dumps(params)]
        return subprocess.run(command, env=self.environ, capture_output=True, text=True, check=False, timeout=200)

    def source(self, statement: str, *values: Any) -> None:
        with psycopg.connect(self.source_url, autocommit=True) as connection:
            connection.execute(statement.encode(), values)

    def registry(self, query: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.registry_url) as connection:
            return connection.execute(query.encode()).fetchall()

    def airflow(self, query: str) -> list[tuple[Any, ...]]:
        address = self.environ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].replace("+psycopg", "")
        with psycopg.connect(address) as connection:
            return connection.execute(query.encode()).fetchall()


@pytest.fixture
def office(
    postgres: EmbeddedPostgres, airflow_template: str, registry_url: str, database: str, tmp_path: Path
) -> Iterator[Office]:
    """A department with two good rows and one bad one."""
    name = f"airflow_{registry_url.rsplit('/', 1)[1]}"
    with psycopg.connect(postgres.conninfo(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {airflow_template}".encode())
    folder = tmp_path / "manifests"
    folder.mkdir()
    (folder / "enterprise.yaml").write_text(MANIFEST, "utf-8")
    environ = airflow_environment(postgres.url(name), tmp_path / "airflow") | {
        "SHUQIAO_DATABASE_URL": registry_url,
        "SHUQIAO_MANIFESTS": str(folder),
        "AIRFLOW_CONN_OFFICE": database,
    }
    office = Office(environ, database, registry_url, folder)
    office.source(
        "CREATE TABLE ent (id int PRIMARY KEY, code text, title text, state text, born date, written timestamptz)"
    )
    office.source("INSERT INTO ent VALUES (1, %s, '甲公司', 'active', '2020-01-01', now())", code(0))
    office.source("INSERT INTO ent VALUES (2, %s, '乙公司', 'active', '2021-01-01', now())", code(1))
    office.source("INSERT INTO ent VALUES (3, '91330200MA2AAAAC00', '丙公司', 'active', '2021-01-01', now())")
    yield office
    with psycopg.connect(postgres.conninfo(), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def code(number: int) -> str:
    """A valid unified social credit code."""
    body = f"MA2AAAA{number}"
    first = "91330200" + body + organisation_code_check_character(body)
    return first + uscc_check_character(first)
