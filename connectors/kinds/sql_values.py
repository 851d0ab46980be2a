"""Rows from a driver's cursor: as plain tuples, in flat memory, also where a value is none that Python knows.

PostgreSQL has dates that Python has not: ``infinity``, years before 1 and after 9999. The driver then refuses the whole
fetch of thousands of rows. Here such values come as the server's text instead, so that the mapping can refuse the one
row that holds them.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Any

import sqlalchemy as sa


def fetch(cursor: Any, size: int | None) -> Sequence[Any]:
    """``cursor.fetchmany(size)``, or all rows if there is no size."""
    try:
        rows: Sequence[Any] = cursor.fetchall() if size is None else cursor.fetchmany(size)
    except Exception as error:
        if type(error).__name__ != "DataError" or not type(error).__module__.startswith("psycopg"):
            raise
        return _with_odd_times_as_text(cursor)
    return rows


def _with_odd_times_as_text(cursor: Any) -> Sequence[Any]:
    """The rows of the result that the cursor has just received, read once more value by value."""
    result = cursor.pgresult
    loads = [_lenient(cursor, result.ftype(column)) for column in range(result.nfields)]
    return [
        tuple(_loaded(load, result.get_value(row, column)) for column, load in enumerate(loads))
        for row in range(result.ntuples)
    ]


def _loaded(load: Callable[[bytes], Any], data: bytes | None) -> Any:
    return None if data is None else load(data)


def _lenient(cursor: Any, oid: int) -> Callable[[bytes], Any]:
    """The driver's way to read a type, or the server's text."""
    import psycopg  # noqa: PLC0415  (only where the driver is psycopg)

    loader = cursor.adapters.get_loader(oid, psycopg.pq.Format.TEXT) or cursor.adapters.get_loader(
        psycopg.adapters.types["text"].oid, psycopg.pq.Format.TEXT
    )
    ordinary = loader(oid, cursor).load

    def load(data: bytes) -> Any:
        try:
            return ordinary(data)
        except psycopg.DataError:
            return data.decode()

    return load


def stream(session: sa.Connection, statement: sa.Select[*tuple[Any, ...]]) -> Any:
    """The driver's own cursor on the statement's rows, server-side where a client-side one would load them all.

    SQLAlchemy's streaming result costs a third of the speed, and holds back the first row from the cursor beneath.
    """
    driver = session.connection.driver_connection
    cursor = _server_side_cursor(session.dialect.driver, driver)
    if cursor is None:
        return session.execute(statement).cursor
    compiled = statement.compile(dialect=session.dialect)
    cursor.execute(str(compiled), dict(compiled.params))
    return cursor


def _server_side_cursor(driver_name: str, driver: Any) -> Any:
    if driver_name in {"psycopg", "psycopg2"}:
        return driver.cursor(name="shuqiao_source")
    if driver_name in {"pymysql", "mysqldb"}:
        cursors = importlib.import_module(type(driver).__module__.split(".")[0] + ".cursors")
        return driver.cursor(cursors.SSCursor)
    if driver_name == "mariadbconnector":
        return driver.cursor(buffered=False)
    return None  # sqlite3, oracledb, pyodbc stream of their own accord
