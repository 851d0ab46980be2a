"""What the sql kind reads, from a real server: everything once, in order, in flat memory."""

from __future__ import annotations

import datetime as dt
import json
import tracemalloc
from typing import Any

import pytest
import sqlalchemy as sa

from connectors import testing
from connectors.errors import SourceColumnsChanged, SourceMisconfigured
from connectors.kinds import source_class, sql
from connectors.kinds.sql import SqlSource
from tests.connectors.sql.conftest import Department

COLUMNS = ["id", "name", "op_flag"]
ROWS = 1_234


@pytest.fixture
def ent_info(department: Department) -> Department:
    department.run(
        f"create table ent_info (id varchar(20) primary key, name varchar(100), op_flag varchar(1), "
        f"est_dt date, seq integer, write_time {department.times})"
    )
    start = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    department.run(
        "insert into ent_info values (:id, :name, 'i', :day, :seq, :at)",
        *(
            {
                "id": f"E{number:05d}",
                "name": f"第{number}号公司",
                "day": start.date() + dt.timedelta(days=number % 300),
                "seq": number,
                "at": None if number % 100 == 7 else start + dt.timedelta(seconds=number // 50),  # many at one time
            }
            for number in range(ROWS)
        ),
    )
    return department


SETTINGS: dict[str, dict[str, Any]] = {
    "table": {"table": "ent_info"},
    "cursor": {"table": "ent_info", "cursor": {"column": "write_time"}, "batch": 100},
    "number": {"table": "ent_info", "cursor": {"column": "seq", "lookback": 5}},
    "text": {"table": "ent_info", "cursor": {"column": "id"}},
    "day": {"table": "ent_info", "cursor": {"column": "est_dt"}},
    "full batches": {"table": "ent_info", "cursor": {"column": "id"}, "batch": ROWS // 2},
    "hash": {"table": "ent_info", "cursor": {"column": "write_time"}, "partitions": {"by": "id", "count": 3}},
    "range": {
        "table": "ent_info",
        "cursor": {"column": "write_time"},
        "partitions": {"by": "id", "count": 3, "method": "range"},
    },
    "range by time": {"table": "ent_info", "partitions": {"by": "write_time", "count": 4, "method": "range"}},
    "hash of number": {"table": "ent_info", "partitions": {"by": "seq", "count": 2, "method": "hash"}},
    "pages": {"table": "ent_info", "cursor": {"column": "write_time"}, "page": 100},
    "pages by key": {"table": "ent_info", "page": 617, "page_key": ["id"]},
    "query": {
        "query": "select id, name, op_flag, write_time from ent_info where name like '第%' and '12:30' <> ':x';",
        "cursor": {"column": "write_time"},
    },
    "query in pages": {"query": "select * from ent_info", "page": 100, "page_key": ["seq"]},
}


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_every_way_of_reading_holds_the_contract(
    ent_info: Department, settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sql, "FEW_ROWS", 100)
    source = SqlSource(settings, ent_info.connection, COLUMNS)

    cursor = testing.assert_source_contract(source, rows_expected=ROWS)

    assert (cursor is None) == ("cursor" not in settings)
    source = SqlSource(settings, ent_info.connection, COLUMNS)
    assert {row["id"] for row in testing.rows_of(source)[0]} == {f"E{number:05d}" for number in range(ROWS)}


def test_a_partitioned_read_is_split(ent_info: Department, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sql, "FEW_ROWS", 100)
    for name in ("hash", "range"):
        source = SqlSource(SETTINGS[name], ent_info.connection, COLUMNS)
        sizes = [sum(len(rows.rows) for rows in source.read(partition, None)) for partition in source.partitions(None)]
        assert len(sizes) == 3
        assert min(sizes) > ROWS / 5


def test_few_rows_are_not_split(ent_info: Department) -> None:
    source = SqlSource(SETTINGS["hash"], ent_info.connection, COLUMNS)

    assert [partition.label for partition in source.partitions(None)] == ["ent_info"]


def test_only_needed_columns_are_read(ent_info: Department) -> None:
    rows, _ = testing.rows_of(SqlSource({"table": "ent_info"}, ent_info.connection, ["name"]))

    assert rows[0].keys() == {"name"}


def test_the_source_cannot_be_written_through_the_hub(ent_info: Department) -> None:
    source = SqlSource({"table": "ent_info"}, ent_info.connection, COLUMNS)
    with source._session() as session, pytest.raises(sa.exc.DBAPIError, match=r"(?i)read.only"):
        session.execute(sa.text("delete from ent_info"))


def test_a_renamed_column_is_named_and_guessed(ent_info: Department) -> None:
    source = SqlSource({"table": "ent_info"}, ent_info.connection, ["id", "naem"])

    with pytest.raises(SourceColumnsChanged, match='Perhaps "naem" is "name" now') as caught:
        list(source.read(source.partitions(None)[0], None))
    assert caught.value.missing == ["naem"]
    with pytest.raises(SourceColumnsChanged):
        source.check()


def test_last_operation_on_a_record_comes_last(department: Department) -> None:
    department.run(f"create table log (id varchar(9), op_flag varchar(1), seq integer, write_time {department.times})")
    at = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    for seq, (flag, minutes) in enumerate([("d", 9), ("i", 0), ("u", 4), ("i", 9)]):
        department.run(
            "insert into log values ('E1', :flag, :seq, :at)",
            {"flag": flag, "seq": seq, "at": at + dt.timedelta(minutes=minutes)},
        )
    settings = {"table": "log", "cursor": {"column": "write_time"}, "order_by": ["seq"]}

    rows, _ = testing.rows_of(SqlSource(settings, department.connection, ["id", "op_flag"]))

    assert [row["op_flag"] for row in rows] == ["i", "u", "d", "i"]


def test_json_columns_are_read_by_dotted_paths(department: Department) -> None:
    kind = "jsonb" if department.connection.type == "postgresql" else "json"
    department.run(f"create table doc (id integer primary key, body {kind})")
    department.run("insert into doc values (1, :body)", {"body": json.dumps({"addr": {"city": "深圳"}})})

    rows, _ = testing.rows_of(SqlSource({"table": "doc"}, department.connection, ["id", "body.addr.city"]))

    assert list(rows[0]) == ["id", "body"]


def test_check_and_discover_say_what_is_there(ent_info: Department) -> None:
    source = SqlSource(SETTINGS["cursor"], ent_info.connection, COLUMNS)

    assert "ent_info has 6 columns (4 are read)" in source.check()
    (table,) = source.discover()
    assert (table.name, table.key) == ("ent_info", ("id",))
    fields = {field.name: field for field in table.fields}
    assert "date" in fields["est_dt"].type
    assert fields["est_dt"].samples[0] == "2026-01-01"
    assert not any("号公司" in sample for sample in fields["name"].samples), "texts are masked"


def test_an_empty_table_has_one_empty_batch(department: Department) -> None:
    department.run(f"create table ent_info (id varchar(20), write_time {department.times})")
    source = SqlSource({"table": "ent_info", "cursor": {"column": "write_time"}}, department.connection, ["id"])

    assert testing.rows_of(source) == ([], None)


def test_dates_that_python_lacks_come_as_text(on_postgresql: Department) -> None:
    on_postgresql.run("create table d (id integer, day date, at timestamptz)")
    on_postgresql.run("insert into d select i, date '2026-01-01' + i, now() from generate_series(1, 20) i")
    on_postgresql.run("update d set day = 'infinity', at = '0044-03-15 00:00:00 BC' where id = 7")

    rows, _ = testing.rows_of(SqlSource({"table": "d"}, on_postgresql.connection, ["id", "day", "at"]))

    odd = {row["id"]: row["day"] for row in rows if isinstance(row["day"], str)}
    assert odd == {7: "infinity"}
    assert len(rows) == 20


def test_memory_stays_flat(on_postgresql: Department) -> None:
    on_postgresql.run(
        "create table big as select i as id, repeat('软件开发', 20) as scope, now() + i * interval '1 ms' as at "
        "from generate_series(1, 300000) i"
    )
    source = SqlSource({"table": "big", "cursor": {"column": "at"}}, on_postgresql.connection, ["id", "scope"])
    (partition,) = source.partitions(None)
    count = 0
    tracemalloc.start()
    for rows in source.read(partition, None):
        count += len(rows.rows)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert count == 300_000
    assert peak < 20_000_000


def test_settings_are_described() -> None:
    assert source_class("sql") is SqlSource
    testing.assert_settings_schema(
        SqlSource,
        good=list(SETTINGS.values()),
        bad=[
            {},
            {"table": "a", "query": "select 1"},
            {"query": "delete from a"},
            {"table": "a", "cursor": {"column": "b", "lookback": "soon"}},
            {"table": "a", "partitions": {"by": "b", "count": 0}},
            {"table": "a", "colunm": 1},
        ],
    )


def test_a_connection_is_needed() -> None:
    with pytest.raises(SourceMisconfigured, match=r"source\.connection"):
        SqlSource({"table": "a"}, None, [])
