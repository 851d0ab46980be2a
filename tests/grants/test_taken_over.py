"""A registry whose clients read by scope becomes one whose clients read by grants."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from registry.storage import migrations
from registry.storage.database import connect
from registry.storage.migrate import migrate

CLIENTS = {
    "one": ["credit:public", "read:legal_entity", "read:not_there"],
    "all": ["operate", "read:*"],
    "none": ["operate"],
    "gone": ["read:*"],
}


def test_what_clients_read_by_scope_they_read_by_grants_of_a_year(database: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    engine = create_engine(make_url(database).set(drivername="postgresql+psycopg"))
    with engine.connect() as connection:
        connection.execute(text("CREATE SCHEMA registry"))
        connection.commit()
        config.attributes["connection"] = connection
        command.upgrade(config, "0004")
        connection.commit()
    engine.dispose()
    with connect(database) as connection:
        for name in ("legal_entity", "permit"):
            connection.execute(
                "INSERT INTO registry.dataset (name, schema, title_zh, title_en, department, key, sharing)"
                " VALUES (%s, %s, '', '', 'd', '{uscc}', 'conditional')",
                (name, f"{name}@1"),
            )
        for name, scopes in CLIENTS.items():
            connection.execute(
                "INSERT INTO registry.client (id, name, secret_hash, scopes, revoked_at) VALUES (%s, %s, 'x', %s, %s)",
                (name, name, scopes, datetime.now(UTC) if name == "gone" else None),
            )

    migrate(database)

    with connect(database) as connection:
        given = connection.execute(
            "SELECT client_id, dataset, schema, fields, valid_until FROM registry.access_grant ORDER BY 1, 2"
        ).fetchall()
        rows = connection.execute("SELECT id, scopes FROM registry.client").fetchall()
    assert [row[:4] for row in given] == [
        ("all", "legal_entity", "legal_entity@1", None),
        ("all", "permit", "permit@1", None),
        ("one", "legal_entity", "legal_entity@1", None),
    ]
    assert all(timedelta(days=364) < row[4] - datetime.now(UTC) <= timedelta(days=366) for row in given)
    assert dict(rows) == {"one": ["credit:public"], "all": ["operate"], "none": ["operate"], "gone": []}
