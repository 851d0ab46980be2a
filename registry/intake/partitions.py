"""The partitions of one dataset: its current records, and their history.

The first load of a dataset builds them beside the tables, indexes last, and attaches them: with ``wal_level=minimal``
PostgreSQL need not even log the load.
"""

from __future__ import annotations

import psycopg
from psycopg import sql

_DATASET_LOCK = 0x5344  # first half of the advisory lock on a dataset's partition; the second is the dataset's id
_BLIND = "USING gin (blind) WHERE blind IS NOT NULL"
_RECORD_FILL = 85  # percent of a page that a load fills: a changed record finds room beside its old version


def of_records(dataset_id: int) -> sql.Identifier:
    """The dataset's partition of current records."""
    return sql.Identifier("registry", f"record_{dataset_id}")


def make_exist(connection: psycopg.Connection, dataset_id: int) -> None:
    """One partition per dataset for records and for history, made in its first publishing transaction."""
    if attached(connection, dataset_id) is None:
        connection.execute("SELECT pg_advisory_xact_lock(%s, %s)", (_DATASET_LOCK, dataset_id))
    if attached(connection, dataset_id) is None:
        for table, fill in (("record", _RECORD_FILL), ("record_history", 100)):
            connection.execute(
                sql.SQL(
                    "CREATE TABLE {} (LIKE {} INCLUDING DEFAULTS, CHECK (dataset_id = {})) WITH (fillfactor = {})"
                ).format(
                    sql.Identifier("registry", f"{table}_{dataset_id}"),
                    sql.Identifier("registry", table),
                    sql.Literal(dataset_id),
                    sql.Literal(fill),
                )
            )


def attached(connection: psycopg.Connection, dataset_id: int) -> bool | None:
    """Whether the dataset's partition is part of the table yet; None when there is none.

    Asks pg_class itself: to_regclass() may answer from a cache that another session's commit has outdated.
    """
    row = connection.execute(
        "SELECT relispartition FROM pg_class WHERE relnamespace = 'registry'::regnamespace AND relname = %s",
        (f"record_{dataset_id}",),
    ).fetchone()
    return row[0] if row else None


def attach(connection: psycopg.Connection, dataset_id: int) -> None:
    """Index the freshly loaded partition (faster than row by row) and make it part of the tables."""
    for table, indexes in (
        ("record", ("PRIMARY KEY (dataset_id, key)", "(connector_id, row_id)", "(entity)", _BLIND)),
        ("record_history", ("PRIMARY KEY (dataset_id, key, version)", "(entity)")),
    ):
        partition = sql.Identifier("registry", f"{table}_{dataset_id}")
        for index in indexes:
            if index.startswith("PRIMARY"):
                connection.execute(sql.SQL("ALTER TABLE {} ADD {}").format(partition, sql.SQL(index)))
            else:
                connection.execute(sql.SQL("CREATE INDEX ON {} {}").format(partition, sql.SQL(index)))
        connection.execute(
            sql.SQL("ALTER TABLE {} ATTACH PARTITION {} FOR VALUES IN ({})").format(
                sql.Identifier("registry", table), partition, sql.Literal(dataset_id)
            )
        )
        check = sql.Identifier(f"{table}_{dataset_id}_dataset_id_check")
        connection.execute(sql.SQL("ALTER TABLE {} DROP CONSTRAINT IF EXISTS {}").format(partition, check))
