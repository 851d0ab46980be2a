"""Market supervision's exchange tables, read as the hub reads them."""

import itertools
from pathlib import Path

import pytest
import sqlalchemy as sa

from connectors.connection import Connection
from shuqiao.demo import departments, life, market
from shuqiao.demo.rosters import City
from tests.demo.reading import Pulled, pull
from tests.mariadb import create_database

CONNECTOR = "market-supervision.enterprise"
_numbers = itertools.count()


def connection(url: str) -> Connection:
    return Connection.parse("market_supervision", departments.database_connection(url))


def engine(url: str) -> sa.Engine:
    return sa.create_engine(departments.engine_url(url), poolclass=sa.NullPool)


@pytest.fixture(params=["postgresql", pytest.param("mariadb", marks=pytest.mark.mariadb)])
def server(request: pytest.FixtureRequest) -> str:
    """The address of an empty database, of either kind."""
    if request.param == "postgresql":
        return str(request.getfixturevalue("database"))
    url = create_database(request.getfixturevalue("mariadb"), f"exchange_{next(_numbers)}")
    return url.render_as_string(hide_password=False)


def test_the_first_pull_brings_all_and_the_next_what_a_day_changed(server: str, city: City) -> None:
    market.load(engine(server), city)
    first = pull(CONNECTOR, connection(server))
    compare(first, life.expected(city, CONNECTOR, 0))

    market.change(engine(server), city, 1)
    second = pull(CONNECTOR, connection(server), first.cursor)
    did = life.happened(city, CONNECTOR, 1)
    fresh = {key for key, record in second.records.items() if first.records.get(key) != record}
    assert len(fresh) == did.new + did.changed + did.corrected
    assert len(second.deleted) == did.deleted
    assert len(set(second.refused) - set(first.refused)) == did.spoiled
    assert second.rows < first.rows / 5

    compare(pull(CONNECTOR, connection(server)), life.expected(city, CONNECTOR, 1))


def test_loading_again_and_changing_again_ends_the_same(server: str, city: City) -> None:
    market.load(engine(server), city)
    once = content(server)
    market.load(engine(server), city)
    assert content(server) == once
    market.change(engine(server), city, 1)
    changed = content(server)
    market.change(engine(server), city, 1)
    assert content(server) == changed != once


def test_generate_makes_the_city_once_and_change_counts_what_it_did(database: str, tmp_path: Path) -> None:
    small = City(scale=300)
    assert life.generate(tmp_path, engine(database), small)
    assert not life.generate(tmp_path, engine(database), small)
    counts = life.change(tmp_path, engine(database), days=2)

    assert life.read_state(tmp_path) == life.State(small, 2)
    assert {each.connector: each.new for each in counts}[CONNECTOR] == 2 * small.founded_a_day
    with pytest.raises(FileNotFoundError):
        life.change(tmp_path / "nowhere", engine(database))


def compare(pulled: Pulled, expected: life.Expected) -> None:
    assert pulled.rows == expected.rows
    assert len(pulled.records) == expected.good
    assert len(pulled.refused) == sum(expected.refused.values())
    assert len(pulled.deleted) == expected.deleted
    assert pulled.accepted_rows - len(pulled.records) == expected.repeated


def content(url: str) -> set[tuple[object, ...]]:
    columns = [column for column in market.ENT_INFO.columns if column.name != "serial_no"]
    with engine(url).connect() as session:
        return {tuple(row) for row in session.execute(sa.select(*columns))}
