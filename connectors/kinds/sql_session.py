"""One connection for one piece of work: read only, with a deadline for each statement; and the server's clock."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa


@contextmanager
def open_session(engine: sa.Engine, timeout: timedelta) -> Iterator[sa.Connection]:
    """Each statement sees one consistent state of the database (a single statement's snapshot)."""
    with engine.connect() as session:
        name, seconds = session.dialect.name, timeout.total_seconds()
        if name == "postgresql":
            session.execution_options(postgresql_readonly=True)
            session.execute(sa.text(f"SET LOCAL statement_timeout = {int(seconds * 1000)}"))
            session.execute(sa.text("SET LOCAL synchronize_seqscans = off"))  # a full read begins at the beginning
            session.execute(sa.text("SET LOCAL cursor_tuple_fraction = 1"))  # every row is fetched, not the first few
        elif name in {"mysql", "mariadb"}:
            if getattr(session.dialect, "is_mariadb", False):
                session.execute(sa.text(f"SET SESSION max_statement_time = {seconds}"))
            else:
                session.execute(sa.text(f"SET SESSION max_execution_time = {int(seconds * 1000)}"))
            session.execute(sa.text("SET SESSION TRANSACTION READ ONLY"))
            session.commit()
        yield session


def clock(session: sa.Connection, like: date, zone: str | None) -> date:
    """The server's clock now, in the form of the cursor column's values (aware, naive, or dates).

    For naive times ``zone`` says what they mean; without it they are taken for the session's local time.
    """
    if isinstance(like, datetime) and like.tzinfo is not None:
        return instant(session)
    local = instant(session).astimezone(ZoneInfo(zone)) if zone else _moment(session.scalar(sa.select(_local(session))))
    naive = local.replace(tzinfo=None)
    return naive if isinstance(like, datetime) else naive.date()


def instant(session: sa.Connection) -> datetime:
    """The server's clock, aware."""
    name = session.dialect.name
    if name in {"mysql", "mariadb"}:
        return _moment(session.scalar(sa.select(sa.func.utc_timestamp(sa.literal_column("6"))))).replace(tzinfo=UTC)
    if name == "mssql":
        return _moment(session.scalar(sa.select(sa.func.sysutcdatetime()))).replace(tzinfo=UTC)
    now = _moment(session.scalar(sa.select(sa.func.current_timestamp())))
    return now if now.tzinfo else now.replace(tzinfo=UTC)


def _local(session: sa.Connection) -> sa.ColumnElement[Any]:
    name = session.dialect.name
    if name == "mssql":
        return sa.func.sysdatetime()
    if name == "sqlite":
        return sa.func.datetime("now", "localtime")
    return sa.func.localtimestamp(sa.literal_column("6")) if name in {"mysql", "mariadb"} else sa.func.localtimestamp()


def _moment(value: Any) -> datetime:
    return datetime.fromisoformat(value) if isinstance(value, str) else value
