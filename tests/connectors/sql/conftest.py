"""Department databases to read from: PostgreSQL, and MariaDB where its server is installed (CI installs it)."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pytest
import sqlalchemy as sa

from connectors.connection import Connection
from connectors.kinds.sql_server import address
from tests.mariadb import create_database

_numbers = itertools.count()


@dataclass(frozen=True, slots=True)
class Department:
    """One department's database and a way to write into it."""

    connection: Connection
    writer: sa.Engine

    def run(self, statement: str, *rows: Mapping[str, object]) -> None:
        with self.writer.begin() as session:
            session.execute(sa.text(statement), [dict(row) for row in rows] or None)

    @property
    def times(self) -> str:
        """The type of a write time, as departments choose it."""
        return "timestamptz" if self.connection.type == "postgresql" else "datetime(6)"


@pytest.fixture(params=["postgresql", pytest.param("mariadb", marks=pytest.mark.mariadb)])
def department(request: pytest.FixtureRequest) -> Iterator[Department]:
    """An empty database of either server."""
    if request.param == "mariadb":
        url = _mariadb_database(request.getfixturevalue("mariadb"))
    else:
        url = request.getfixturevalue("database")
    yield from _department(url)


@pytest.fixture
def on_postgresql(database: str) -> Iterator[Department]:
    yield from _department(database)


def _department(url: str) -> Iterator[Department]:
    connection = Connection.parse("market_supervision", url)
    writer = sa.create_engine(address(connection), poolclass=sa.NullPool)
    yield Department(connection, writer)
    writer.dispose()


def _mariadb_database(server: str) -> str:
    url = create_database(server, f"test_{next(_numbers)}")
    return url.set(drivername="mariadb").render_as_string(hide_password=False)
