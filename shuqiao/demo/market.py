"""Market supervision's system: a SQL database with front-end exchange tables (前置库), PostgreSQL or MariaDB.

The department writes into ``exchange``; each row carries a flag (i new, u changed, d deleted) and the time it was
written, and stays where it is. In MariaDB, where a schema is a database, ``exchange`` is a database of that name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from shuqiao.demo.rosters import MARKET, City
from shuqiao.demo.rows import Row, all_rows, touched_on
from shuqiao.demo.rows.market import COLUMNS, REPRESENTATIVE_COLUMNS, enterprise_row, representative_row

SCHEMA = "exchange"
BATCH = 2_000

_DATED = {"appr_dt"}
_LONG = {"opt_scop", "addr"}

_CHARACTERS: dict[str, Any] = {"mysql_charset": "utf8mb4", "mariadb_charset": "utf8mb4"}

METADATA = sa.MetaData(schema=SCHEMA)


def _column(name: str) -> sa.Column[Any]:
    kind: sa.types.TypeEngine[Any]
    if name == "write_time":
        kind = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
    elif name in _DATED:
        kind = sa.DateTime()
    elif name in {"personid", "lerep_sign"}:
        kind = sa.SmallInteger()
    else:
        kind = sa.Text() if name in _LONG else sa.String(255)
    return sa.Column(name, kind, nullable=name != "write_time")


ENT_INFO = sa.Table(
    "ent_info",
    METADATA,
    sa.Column("serial_no", sa.BigInteger, primary_key=True, autoincrement=True),
    *(_column(name) for name in COLUMNS),
    sa.Index("ent_info_write_time", "write_time", "main_identi_id"),
    sa.Index("ent_info_main_identi_id", "main_identi_id"),
    comment="市场主体信息（含个体）",
    **_CHARACTERS,
)
ENT_REPRESENTATIVE = sa.Table(
    "ent_legal_repre",
    METADATA,
    sa.Column("serial_no", sa.BigInteger, primary_key=True, autoincrement=True),
    *(_column(name) for name in REPRESENTATIVE_COLUMNS),
    sa.Index("ent_legal_repre_identi_no", "identi_no"),
    comment="法定代表人信息",
    **_CHARACTERS,
)


def load(engine: sa.Engine, city: City, day: int = 0) -> int:
    """Fill the exchange tables anew with the city as it is in the evening of a day; rows of 市场主体信息 written."""
    with engine.begin() as connection:
        connection.execute(sa.schema.CreateSchema(SCHEMA, if_not_exists=True))
        METADATA.drop_all(connection)
        METADATA.create_all(connection)
        rows = _write(connection, ENT_INFO, all_rows(city, MARKET, day))
        representatives = (representative_row(city, number, day) for number in range(city.enterprises(day)))
        _write(connection, ENT_REPRESENTATIVE, representatives)
    if engine.dialect.name == "postgresql":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(sa.text(f"ANALYZE {ENT_INFO.fullname}"))
    return rows


def change(engine: sa.Engine, city: City, day: int) -> int:
    """Write what happened on one day: new rows, rows changed in place, rows flagged as deleted. Rows written."""
    numbers = list(touched_on(city, MARKET, day))
    rows = [row for number in numbers for row in enterprise_row(city, number, day).rows]
    representatives = [representative_row(city, number, day) for number in numbers]
    with engine.begin() as connection:
        _replace(connection, ENT_INFO, "main_identi_id", rows)
        _replace(connection, ENT_REPRESENTATIVE, "identi_no", representatives)
    return len(rows)


def _replace(connection: sa.Connection, table: sa.Table, key: str, rows: list[Row]) -> None:
    keys = sorted({row[key] for row in rows})
    for start in range(0, len(keys), BATCH):
        connection.execute(sa.delete(table).where(table.c[key].in_(keys[start : start + BATCH])))
    _write(connection, table, iter(rows))


def _write(connection: sa.Connection, table: sa.Table, rows: Iterable[Row]) -> int:
    if connection.dialect.driver == "psycopg":
        return _copy(connection, table, rows)
    written = 0
    stream = iter(rows)
    while batch := list(islice(stream, BATCH)):
        connection.execute(sa.insert(table), batch)
        written += len(batch)
    return written


def _copy(connection: sa.Connection, table: sa.Table, rows: Iterable[Row]) -> int:
    """PostgreSQL's own bulk load: several times as fast as INSERT."""
    names = [column.name for column in table.columns if column.name != "serial_no"]
    driver: Any = connection.connection.driver_connection
    written = 0
    with driver.cursor() as cursor, cursor.copy(f"COPY {table.fullname} ({', '.join(names)}) FROM STDIN") as copy:
        for values in _values(names, rows):
            copy.write_row(values)
            written += 1
    return written


def _values(names: list[str], rows: Iterable[Row]) -> Iterator[list[Any]]:
    for row in rows:
        yield [row[name] for name in names]
