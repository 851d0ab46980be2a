"""What goes wrong at a department's database, sorted by what the caller does next; and no password in any message."""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa

from connectors import testing
from connectors.connection import Connection
from connectors.errors import ConnectorError, SourceMisconfigured, SourceUnavailable
from connectors.kinds.sql import SqlSource
from shuqiao.stack.postgres import free_port
from tests.connectors.sql.conftest import Department


def _with(department: Department, **changes: Any) -> Connection:
    return dataclasses.replace(department.connection, **changes)


def test_a_closed_port_may_open_again(department: Department) -> None:
    connection = _with(department, port=free_port())

    testing.assert_unavailable(lambda: SqlSource({"table": "a"}, connection, ["id"]))


@pytest.mark.parametrize("changes", [{"password": "falsches-geheimnis"}, {"login": "nobody"}, {"schema": "no_such_db"}])
def test_wrong_credentials_are_the_owners_business(department: Department, changes: dict[str, Any]) -> None:
    connection = _with(department, **changes)

    testing.assert_misconfigured(lambda: SqlSource({"table": "a"}, connection, ["id"]))
    with pytest.raises(SourceMisconfigured) as caught:
        SqlSource({"table": "a"}, connection, ["id"]).check()
    testing.assert_no_secret(str(caught.value), connection.password)
    assert "market_supervision" in str(caught.value)


def test_an_unknown_table_or_bad_query_is_the_owners_business(department: Department) -> None:
    for settings in ({"table": "no_such_table"}, {"query": "select nothing from nowhere"}, {"query": "select ((1"}):
        testing.assert_misconfigured(partial(SqlSource, settings, department.connection, ["id"]))


def test_a_statement_that_takes_too_long_is_cut(department: Department) -> None:
    sleep = "pg_sleep(30)" if department.connection.type == "postgresql" else "sleep(30)"
    settings = {"query": f"select 1 as id, {sleep} as s", "timeout": "1s"}
    source = SqlSource(settings, department.connection, ["id", "s"])

    with pytest.raises(SourceUnavailable):
        testing.rows_of(source)


def test_a_server_that_goes_away_while_rows_come_is_unavailable(on_postgresql: Department) -> None:
    on_postgresql.run("create table big as select i as id from generate_series(1, 50000) i")
    source = SqlSource({"table": "big", "batch": 100}, on_postgresql.connection, ["id"])
    (partition,) = source.partitions(None)
    reading = source.read(partition, None)
    next(reading)
    on_postgresql.run(
        "select pg_terminate_backend(pid) from pg_stat_activity "
        "where datname = current_database() and pid <> pg_backend_pid()"
    )

    with pytest.raises(SourceUnavailable):
        list(reading)


def test_nothing_stays_open_when_reading_stops_early(department: Department) -> None:
    department.run("create table big (id integer)")
    department.run("insert into big values (:id)", *({"id": number} for number in range(500)))
    source = SqlSource({"table": "big", "batch": 10}, department.connection, ["id"])
    reading = source.read(source.partitions(None)[0], None)
    next(reading)
    reading.close()  # type: ignore[attr-defined]

    department.run("drop table big")


@pytest.mark.parametrize("kind", ["", "nosuchdb", "oracle"])
def test_a_missing_driver_is_named(kind: str) -> None:
    source = SqlSource({"table": "a"}, Connection("x", kind, "127.0.0.1", 1, "a", "geheim", "b"), ["id"])

    with pytest.raises(SourceMisconfigured, match="connection x"):
        source.check()


def test_sqlite_works_without_a_server(tmp_path: Any) -> None:
    path = tmp_path / "a.db"
    engine = sa.create_engine(f"sqlite:///{path}")
    with engine.begin() as session:
        session.execute(sa.text("create table a (id integer primary key, at text)"))
        session.execute(sa.text("insert into a values (1, '2026-01-01'), (2, '2026-01-02')"))
    engine.dispose()
    connection = Connection("x", "sqlite", schema=str(path))
    source = SqlSource({"table": "a", "cursor": {"column": "at"}}, connection, ["id"])

    testing.assert_source_contract(source, rows_expected=2)
    with pytest.raises(ConnectorError):
        SqlSource({"table": "b"}, connection, ["id"]).check()
