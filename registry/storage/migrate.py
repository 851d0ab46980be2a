"""Bring a database to the newest schema of the registry. Migrations are plain SQL in ``migrations/versions``."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.pool import NullPool

_LOCK = 0x5348_5551  # "SHUQ": two hubs that start at once migrate one after the other


def migrate(url: str) -> None:
    """Create or upgrade the schemas ``registry`` and ``staging``. Safe to call at every start, also from two places."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"), poolclass=NullPool)
    with engine.connect() as guard, engine.connect() as connection:
        guard.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": _LOCK})
        try:
            connection.execute(text("CREATE SCHEMA IF NOT EXISTS registry"))
            connection.commit()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            connection.commit()
        finally:
            guard.execute(text("SELECT pg_advisory_unlock(:lock)"), {"lock": _LOCK})
    engine.dispose()


def revisions(url: str) -> tuple[str | None, str | None]:
    """The revision that the database has (None: no registry yet) and the newest one there is."""
    script = ScriptDirectory(str(Path(__file__).parent / "migrations"))
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"), poolclass=NullPool)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table_schema": "registry"})
        current = context.get_current_revision()
    engine.dispose()
    return current, script.get_current_head()
