"""Market supervision's exchange tables, read as the hub reads them."""

from pathlib import Path

import pytest
import sqlalchemy as sa

from connectors.connection import Connection
from shuqiao.demo import departments, life, market
from shuqiao.demo.rosters import City
from tests.demo.reading import Pulled, pull

CONNECTOR = "market-supervision.enterprise"


def connection(url: str) -> Connection:
    return Connection.parse("market_supervision", departments.database_connection(url))


def engine(url: str) -> sa.Engine:
    return sa.create_engine(departments.engine_url(url), poolclass=sa.NullPool)


def test_the_first_pull_brings_all_and_the_next_what_a_day_changed(database: str, city: City) -> None:
    market.load(engine(database), city)
    first = pull(CONNECTOR, connection(database))
    compare(first, life.expected(city, CONNECTOR, 0))

    market.change(engine(database), city, 1)
    second = pull(CONNECTOR, connection(database), first.cursor)
    did = life.happened(city, CONNECTOR, 1)
    fresh = {key for key, record in second.records.items() if first.records.get(key) != record}
    assert len(fresh) == did.new + did.changed + did.corrected
    assert len(second.deleted) == did.deleted
    assert len(set(second.refused) - set(first.refused)) == did.spoiled
    assert second.rows < first.rows / 5

    compare(pull(CONNECTOR, connection(database)), life.expected(city, CONNECTOR, 1))


def test_loading_again_and_changing_again_ends_the_same(database: str, city: City) -> None:
    market.load(engine(database), city)
    once = content(database)
    market.load(engine(database), city)
    assert content(database) == once
    market.change(engine(database), city, 1)
    changed = content(database)
    market.change(engine(database), city, 1)
    assert content(database) == changed != once


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
