"""The departments of the demo city for whoever starts them: what to run, with which secrets, and where they then are.

For the local stack: make the data (:func:`shuqiao.demo.life.generate`), start each of :data:`SERVERS` in its own
process, wait for its ``ready`` line or ask :func:`is_ready`, and give :func:`connections` to every part of the hub.
"""

from __future__ import annotations

import json
import socket
import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import sqlalchemy as sa

from shuqiao.demo import credit, licensing, tax

TAX_CLIENT_ID = "hub"
MARKET_DATABASE = "market_supervision"
MARKET_CONNECTION = "AIRFLOW_CONN_MARKET_SUPERVISION"


@dataclass(frozen=True, slots=True)
class Server:
    """One department's server: its own process, on loopback; prints ``ready <address>``, ends on SIGTERM."""

    name: str
    module: str
    secret: str
    """The environment variable with the secret it expects of the hub."""

    def command(self, port: int, data: Path) -> list[str]:
        """What to run."""
        return [sys.executable, "-m", self.module, "--port", str(port), "--data", str(data)]

    def environment(self, secret: str) -> dict[str, str]:
        """What to add to its environment."""
        return {self.secret: secret} | ({tax.CLIENT_ID: TAX_CLIENT_ID} if self.name == "tax" else {})


SERVERS = (
    Server("tax", "shuqiao.demo.tax", tax.CLIENT_SECRET),
    Server("licensing", "shuqiao.demo.licensing", licensing.PASSWORD),
    Server("credit", "shuqiao.demo.credit", credit.API_KEY),
)


def is_ready(port: int, seconds: float = 1.0) -> bool:
    """Whether a department's server takes connections."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=seconds).close()
    except OSError:
        return False
    return True


def http_connection(port: int, login: str, password: str) -> str:
    """An Airflow connection of type http, in the JSON form."""
    return json.dumps(
        {
            "conn_type": "http",
            "host": "127.0.0.1",
            "port": port,
            "schema": "http",
            "login": login,
            "password": password,
        }
    )


def sftp_connection(port: int, password: str, data: Path) -> str:
    """An Airflow connection of type sftp; the server's host key is pinned."""
    kind, key, *_ = licensing.host_key(data).with_suffix(".pub").read_text(encoding="ascii").split()
    return json.dumps(
        {
            "conn_type": "sftp",
            "host": "127.0.0.1",
            "port": port,
            "login": licensing.USER,
            "password": password,
            "extra": {"host_key": f"{kind} {key}"},
        }
    )


def connections(
    *,
    market_url: str,
    data: Path,
    tax_port: int,
    tax_secret: str,
    licensing_port: int,
    licensing_secret: str,
    credit_port: int,
    credit_secret: str,
) -> dict[str, str]:
    """``AIRFLOW_CONN_*`` for every department. ``market_url``: an address as SQLAlchemy reads it."""
    return {
        MARKET_CONNECTION: database_connection(market_url),
        "AIRFLOW_CONN_TAX": http_connection(tax_port, TAX_CLIENT_ID, tax_secret),
        "AIRFLOW_CONN_LICENSING": sftp_connection(licensing_port, licensing_secret, data),
        "AIRFLOW_CONN_CREDIT": http_connection(credit_port, "", credit_secret),
    }


def database_connection(url: str) -> str:
    """An Airflow connection of type postgres or mysql, in the URI form, from an address as SQLAlchemy reads it."""
    parts = sa.make_url(url)
    kind = "postgres" if parts.get_backend_name() == "postgresql" else "mysql"
    who = f"{quote(parts.username or '', safe='')}:{quote(str(parts.password or ''), safe='')}"
    return f"{kind}://{who}@{parts.host}:{parts.port}/{quote(parts.database or '', safe='')}"


def engine_url(connection: str) -> sa.URL:
    """The address for SQLAlchemy from either form: its own, or the URI form of an Airflow connection."""
    drivers = {"postgres": "postgresql+psycopg", "postgresql": "postgresql+psycopg", "mysql": "mysql+pymysql"}
    url = sa.make_url(connection)
    return url.set(drivername=drivers.get(url.drivername, url.drivername))
