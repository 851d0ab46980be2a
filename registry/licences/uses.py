"""Uses of licences through the sharing service: who asked, for which licence, to what end 用证事由. Kept for audits."""

from __future__ import annotations

from collections.abc import Sequence

import psycopg


def enter(
    connection: psycopg.Connection,
    *,
    client_id: str,
    operation: str,
    licence_ids: Sequence[int],
    reply: int,
    cause: str,
    trace_id: str,
) -> None:
    """Put one request on record: a row for each licence that it was about, or one row without licence."""
    about: Sequence[int | None] = licence_ids or [None]
    connection.cursor().executemany(
        "INSERT INTO registry.licence_use (client_id, operation, licence_id, reply, cause, trace_id)"
        " VALUES (%s, %s, %s, %s, %s, %s)",
        [(client_id, operation, licence_id, reply, cause, trace_id) for licence_id in about],
    )
