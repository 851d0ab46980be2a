"""Numbers of the change feed, handed out in unbroken stretches."""

from __future__ import annotations

import psycopg

_SEQUENCE_LOCK = 0x5351


def reserve(connection: psycopg.Connection, count: int) -> int:
    """Take ``count`` numbers of the change sequence; the one before the first. The lock lasts a moment only."""
    connection.execute("SELECT pg_advisory_lock(%s, 0)", (_SEQUENCE_LOCK,))
    try:
        row = connection.execute("SELECT nextval('registry.change_seq')").fetchone()
        last: int = row[0] if row else 1
        connection.execute("SELECT setval('registry.change_seq', %s)", (last + max(count, 1),))
    finally:
        connection.execute("SELECT pg_advisory_unlock(%s, 0)", (_SEQUENCE_LOCK,))
    return last
