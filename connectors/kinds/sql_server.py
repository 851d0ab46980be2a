"""A department's database server: its address from a connection, and what its errors mean to the hub."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import exc

from connectors.connection import Connection
from connectors.errors import ConnectorError, SourceMisconfigured, SourceUnavailable

DRIVERS = {
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "mariadb": "mariadb+pymysql",
}
CONNECT_SECONDS = 15

_LATER_STATES = ("08", "40", "53", "57", "58", "55P03", "XX", "25P03", "25P04")
"""SQLSTATE beginnings: connection, rollback, resources, operator (shutdown, cancel), system, lock, internal, idle."""
_WRONG_STATES = ("57P04",)  # the database was dropped
_WRONG_NUMBERS = frozenset(
    {1044, 1045, 1049, 1054, 1064, 1103, 1109, 1142, 1143, 1146, 1227, 1250, 1698, 1370, 1356, 4151, 1251, 2059, 2061}
)
"""MySQL and MariaDB: access denied, unknown database, column or table, syntax."""
_LATER_NUMBERS = frozenset({1040, 1053, 1203, 1205, 1213, 1226, 1317, 1927, 1969, 2002, 2003, 2006, 2013, 3024, 4031})
"""Too many connections, shutdown, lock timeout, deadlock, killed, statement timeout, connection refused or lost."""
_WRONG_WORDS = re.compile(
    r"authentication failed|access denied|does not exist|no pg_hba\.conf entry|unknown database|no such (table|column)"
    r"|could not translate host name|permission denied|no password supplied|invalid (connection option|sslmode)"
    r"|unable to open database file|root certificate|certificate verify failed",
    re.IGNORECASE,
)
_LATER_HOST = re.compile(r"temporary failure in name resolution|try again", re.IGNORECASE)


def address(connection: Connection) -> sa.URL:
    """SQLAlchemy's form of a connection; ``extra`` may name another ``dialect`` and options of the driver."""
    extra = dict(connection.extra)
    driver = str(extra.pop("dialect", "") or DRIVERS.get(connection.type, connection.type))
    if not driver:
        raise SourceMisconfigured(
            f"connection {connection.id}: the type is missing; expected postgres, mysql or a SQLAlchemy dialect"
        )
    query = {name: str(value) for name, value in extra.items() if isinstance(value, (str, int))}
    if driver.startswith(("mysql", "mariadb")):
        query.setdefault("charset", "utf8mb4")
    return sa.URL.create(
        driver,
        username=connection.login or None,
        password=connection.password or None,
        host=connection.host or None,
        port=connection.port,
        database=connection.schema or None,
        query=query,
    )


def open_engine(connection: Connection, timeout: timedelta) -> sa.Engine:
    """An engine that keeps no connections and has not connected yet. Raises SourceMisconfigured without a driver."""
    url = address(connection)
    arguments: dict[str, Any] = {}
    name = url.get_backend_name()
    if name == "postgresql":
        arguments = {
            "connect_timeout": CONNECT_SECONDS,
            "keepalives_idle": 30,
            "keepalives_interval": 10,
            "keepalives_count": 3,
        }
        arguments |= {"client_encoding": "utf8"} if url.get_driver_name() == "psycopg" else {}
    elif url.get_driver_name() == "pymysql":
        arguments = {"connect_timeout": CONNECT_SECONDS, "read_timeout": int(timeout.total_seconds()) + 30}
    try:
        return sa.create_engine(url, poolclass=sa.NullPool, connect_args=arguments, hide_parameters=True)
    except (exc.ArgumentError, ImportError) as error:
        missing = getattr(error, "name", None) or url.drivername
        raise SourceMisconfigured(
            f"connection {connection.id}: no driver for {url.drivername} ({missing}); install it"
        ) from None


@contextmanager
def errors_of(connection: Connection, what: str) -> Iterator[None]:
    """What a driver raises becomes SourceUnavailable or SourceMisconfigured; no message holds the password."""
    try:
        yield
    except ConnectorError:
        raise
    except exc.DBAPIError as error:
        raise _sorted(error.orig or error, connection, what, lost=error.connection_invalidated) from None
    except exc.SQLAlchemyError as error:
        raise SourceMisconfigured(f"{what}: {_words(error, connection)}") from None
    except (OSError, EOFError) as error:
        raise SourceUnavailable(f"{what}: {_words(error, connection)}") from None
    except Exception as error:
        if not _is_driver_error(error):
            raise
        raise _sorted(error, connection, what, lost=False) from None


def _is_driver_error(error: Exception) -> bool:
    """PEP 249: every driver's errors derive from an ``Error`` of its own. A text in no valid encoding counts, too."""
    return isinstance(error, UnicodeError) or any(kind.__name__ == "Error" for kind in type(error).__mro__)


def _sorted(error: BaseException, connection: Connection, what: str, *, lost: bool) -> ConnectorError:
    message = f"{what}: {_words(error, connection)}"
    if lost or _may_help_later(error, message):
        return SourceUnavailable(message)
    return SourceMisconfigured(message)


def _may_help_later(error: BaseException, message: str) -> bool:
    number = error.args[0] if error.args and isinstance(error.args[0], int) else None
    if number in _WRONG_NUMBERS or number in _LATER_NUMBERS:
        return number in _LATER_NUMBERS
    state = getattr(error, "sqlstate", None)
    if isinstance(state, str):
        return state.startswith(_LATER_STATES) and not state.startswith(_WRONG_STATES)
    if _WRONG_WORDS.search(message) and not _LATER_HOST.search(message):
        return False
    return any(kind.__name__ in {"OperationalError", "InterfaceError", "InternalError"} for kind in type(error).__mro__)


def _words(error: BaseException, connection: Connection) -> str:
    """The first lines of what the driver says, without the password."""
    parts = [str(part) for part in error.args] or [type(error).__name__]
    text = " ".join(" ".join(parts).split())[:600]
    for secret in filter(None, (connection.password, *_secrets(connection.extra))):
        text = text.replace(secret, "***")
    return text


def _secrets(extra: Mapping[str, Any]) -> Iterator[str]:
    for name, value in extra.items():
        if isinstance(value, str) and re.search(r"pass|secret|token|key", name, re.IGNORECASE):
            yield value


def place(connection: Connection) -> str:
    """The server for people: host, port and database."""
    port = f":{connection.port}" if connection.port else ""
    return f"{connection.host}{port}/{connection.schema}" if connection.host else connection.schema
