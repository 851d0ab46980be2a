"""Connections to the registry's PostgreSQL for the intake: psycopg, times in UTC."""

from __future__ import annotations

import psycopg


def connect(url: str, *, application: str = "shuqiao") -> psycopg.Connection:
    """An autocommit connection; transactions are opened where they are meant, with ``connection.transaction()``.

    ``url`` may be in SQLAlchemy's spelling (``postgresql+psycopg://``) too.
    """
    address = url.replace("postgresql+psycopg://", "postgresql://", 1)
    return psycopg.connect(
        address, autocommit=True, application_name=application, connect_timeout=10, options="-c timezone=UTC"
    )
