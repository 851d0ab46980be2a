"""Exports as they are begun and given, and put away when nobody can fetch them any more."""

from __future__ import annotations

from datetime import timedelta

import psycopg
from psycopg.types.json import Jsonb

from registry.storage.reads.exports import Export, Part

KEPT = timedelta(days=30)
"""What was given of an export can be looked up so long after its end."""


def begin(connection: psycopg.Connection, export: Export, client: str, dataset_id: int, most: int) -> bool:
    """Enter an export; False: the client has so many of this dataset already that are not over."""
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"exports:{client}",))
        row = connection.execute(
            "SELECT count(*) FROM registry.export WHERE client_id = %s AND dataset_id = %s AND expires_at > now()",
            (client, dataset_id),
        ).fetchone()
        if row is None or row[0] >= most:
            return False
        connection.execute(
            """
            INSERT INTO registry.export (id, client_id, dataset_id, format, byte_order_mark, part_records, as_of,
                batches, feed_xid, terms, expires_at)
            VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s::text::xid8, %s, %s)
            """,
            (
                export.id, client, dataset_id, export.format, export.byte_order_mark, export.part_records,
                export.as_of, Jsonb({str(name): batch for name, batch in export.batches.items()}),
                str(export.feed_xid), export.terms, export.expires_at,
            ),
        )  # fmt: skip
    return True


def give(connection: psycopg.Connection, export_id: str, part: Part) -> None:
    """Note that a part is given, instead of how it was given before."""
    connection.execute(
        """
        INSERT INTO registry.export_part
            (export_id, number, after_key, last_key, is_last, records, bytes, sha256, given_at)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
        ON CONFLICT (export_id, number) DO UPDATE SET records = excluded.records, bytes = excluded.bytes,
            sha256 = excluded.sha256, given_at = excluded.given_at
        """,
        (
            export_id, part.number, part.after_key, part.last_key, part.is_last, part.records, part.length,
            part.sha256, part.given_at,
        ),
    )  # fmt: skip


def forget(connection: psycopg.Connection) -> int:
    """Take away the exports that ended long ago; how many."""
    return connection.execute("DELETE FROM registry.export WHERE expires_at < now() - %s", (KEPT,)).rowcount
