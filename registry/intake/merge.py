"""The set-wise merge of staged rows into a dataset: SQL over whole batches, inside the publishing transaction.

Words: *staged* is the view over a batch's staging tables; *aside* lists staged rows that do not take part (repeated,
overtaken, or refused at this stage). Where the records lie: :mod:`registry.intake.partitions`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate

import psycopg
from psycopg import sql
from psycopg.rows import scalar_row

from registry.domain.batches import Mode
from registry.intake import partitions
from registry.storage import change_numbers


@dataclass(frozen=True, slots=True)
class Merge:
    """One publishing transaction."""

    batch_id: int
    connector_id: int
    dataset_id: int
    department: str
    records_before: int
    mode: Mode
    dry_run: bool
    started_at: datetime
    moment: datetime

    @property
    def records(self) -> sql.Identifier:
        """The dataset's partition of current records."""
        return partitions.of_records(self.dataset_id)


@dataclass(frozen=True, slots=True)
class Merged:
    """What the merge did."""

    new: int
    changed: int
    unchanged: int
    deleted: int


@dataclass(frozen=True, slots=True)
class Aside:
    """Valid rows that do not take part in the merge."""

    duplicates: int
    refused: int


@dataclass(frozen=True, slots=True)
class StagedTable:
    """The staging table of one part."""

    part: int
    name: sql.Identifier
    rows: int
    """Rows read for the part, refused ones included: its ordinals are below."""


def open_staged(connection: psycopg.Connection, work: Merge, tables: Sequence[StagedTable]) -> None:
    """Make the temporary view ``staged`` and the table ``aside`` of this transaction.

    ``number`` counts through all parts, with gaps: a load takes its versions from it.
    """
    selects: list[sql.Composable] = [
        sql.SQL(
            "SELECT {}::int AS part, ordinal, {}::bigint + ordinal AS number, key, row_id, entity, hash, deleted, body,"
            " personal, blind FROM {}"
        ).format(sql.Literal(table.part), sql.Literal(before), table.name)
        for table, before in zip(tables, accumulate((table.rows for table in tables), initial=1), strict=False)
    ]
    if not selects:
        selects = [
            sql.SQL(
                "SELECT 0 AS part, 0::bigint AS ordinal, 0::bigint AS number,"
                ' NULL::text COLLATE "C" AS key, NULL::text COLLATE "C" AS row_id, NULL::text COLLATE "C" AS entity,'
                " NULL::uuid AS hash, false AS deleted, NULL::jsonb AS body,"
                " NULL::bytea AS personal, NULL::uuid[] AS blind"
                " WHERE false"
            )
        ]
    connection.execute(
        sql.SQL("CREATE OR REPLACE TEMPORARY VIEW staged AS {}").format(sql.SQL(" UNION ALL ").join(selects))
    )
    connection.execute(
        "CREATE TEMPORARY TABLE aside (part int, ordinal bigint, why text, PRIMARY KEY (part, ordinal)) ON COMMIT DROP"
    )
    partitions.make_exist(connection, work.dataset_id)


def set_repeats_aside(connection: psycopg.Connection, work: Merge, *, ordered: bool) -> None:
    """Of rows with one row id, then of rows with one key, only the last takes part.

    Where rows are not ``ordered`` and one part holds one key with different content, nobody can tell which one is
    true: all of them are set aside as ``contradiction``.
    """
    del work
    # Numbers are sorted much faster than texts; equal numbers of different texts only cost the exact look below.
    repeats = connection.execute(
        """
        SELECT count(row_id) - count(DISTINCT hashtextextended(row_id, 0)),
            count(key) - count(DISTINCT hashtextextended(key, 0))
        FROM staged
        """
    ).fetchone()
    assert repeats is not None  # noqa: S101
    for column, repeated in zip(("row_id", "key"), repeats, strict=True):
        if not repeated:
            continue
        connection.execute(
            sql.SQL(
                """
                INSERT INTO aside
                SELECT part, ordinal, CASE WHEN contradicts THEN 'contradiction' ELSE 'duplicate' END
                FROM (
                    SELECT part, ordinal, last, place,
                        NOT %(ordered)s AND part = last AND min(hash) FILTER (WHERE part = last) OVER same
                            <> max(hash) FILTER (WHERE part = last) OVER same AS contradicts
                    FROM (
                        SELECT part, ordinal, {column} AS same_as, hash::text,
                            max(part) OVER (PARTITION BY {column}) AS last,
                            row_number() OVER (PARTITION BY {column} ORDER BY part DESC, ordinal DESC) AS place
                        FROM staged s WHERE {column} IN (
                            SELECT {column} FROM staged WHERE {column} IS NOT NULL
                            GROUP BY {column} HAVING count(*) > 1)
                          AND NOT EXISTS (SELECT FROM aside a WHERE a.part = s.part AND a.ordinal = s.ordinal)
                    ) ranked
                    WINDOW same AS (PARTITION BY same_as)
                ) judged
                WHERE contradicts OR place > 1
                """
            ).format(column=sql.Identifier(column)),
            {"ordered": ordered},
        )


def refuse_foreign_keys(connection: psycopg.Connection, work: Merge) -> None:
    """A record has one authoritative connector: a row whose key another one has published goes to quarantine."""
    others = connection.execute(
        "SELECT FROM registry.connector WHERE dataset_id = %s AND id <> %s AND records > 0",
        (work.dataset_id, work.connector_id),
    ).rowcount
    if not others:
        return
    connection.execute(
        sql.SQL(
            """
            WITH refused AS (
                INSERT INTO aside
                SELECT s.part, s.ordinal, 'foreign' FROM staged s
                JOIN {records} r ON r.dataset_id = %(dataset)s AND r.key = s.key
                WHERE r.connector_id <> %(connector)s AND NOT s.deleted
                  AND NOT EXISTS (SELECT FROM aside a WHERE a.part = s.part AND a.ordinal = s.ordinal)
                RETURNING part, ordinal)
            INSERT INTO registry.staged_refusal (batch_id, part, attempt, ordinal, row_id, key, place, raw, personal,
                reasons)
            SELECT %(batch)s, s.part, p.staged_attempt, s.ordinal, s.row_id, s.key, p.label, s.body, s.personal,
                jsonb_build_array(jsonb_build_object('pointer', '', 'rule', 'key.owned',
                    'zh', '此主键的记录已由连接器 ' || c.name || ' 发布，一数一源', 'en',
                    'a record of this key is published by connector ' || c.name || ': one record, one source'))
            FROM staged s JOIN refused USING (part, ordinal)
            JOIN registry.batch_part p ON p.batch_id = %(batch)s AND p.number = s.part
            JOIN {records} r ON r.dataset_id = %(dataset)s AND r.key = s.key
            JOIN registry.connector c ON c.id = r.connector_id
            """
        ).format(records=work.records),
        {"connector": work.connector_id, "batch": work.batch_id, "dataset": work.dataset_id},
    )


def count_aside(connection: psycopg.Connection, work: Merge) -> Aside:
    """How many valid rows do not take part, and why."""
    del work
    row = connection.execute(
        """
        SELECT count(*) FILTER (WHERE a.why = 'duplicate'), count(*) FILTER (WHERE a.why <> 'duplicate')
        FROM aside a JOIN staged s USING (part, ordinal) WHERE NOT s.deleted
        """
    ).fetchone()
    return Aside(*row) if row else Aside(0, 0)


def apply(connection: psycopg.Connection, work: Merge, tables: Sequence[StagedTable], *, snapshot: bool) -> Merged:
    """Merge the staged rows; ``snapshot``: delete what they lack (but not what was refused: its last version stays)."""
    some_aside = connection.execute("SELECT FROM aside LIMIT 1").rowcount > 0
    taking_part = sql.SQL(
        "NOT s.deleted AND NOT EXISTS (SELECT FROM aside a WHERE a.part = s.part AND a.ordinal = s.ordinal)"
        if some_aside
        else "NOT s.deleted"
    )
    empty = not connection.execute(sql.SQL("SELECT FROM {} LIMIT 1").format(work.records)).rowcount
    if empty:
        numbers = sum(table.rows for table in tables) + 1
        return Merged(_load(connection, work, taking_part, numbers), 0, 0, 0)
    for table in tables:
        connection.execute(sql.SQL("ANALYZE {} (key, row_id)").format(table.name))
    _find_delta(connection, work, taking_part)
    _find_gone(connection, work, taking_part, snapshot=snapshot)
    deleted = _end_gone(connection, work)
    return _merge(connection, work, taking_part, deleted)


def _load(connection: psycopg.Connection, work: Merge, taking_part: sql.SQL, numbers: int) -> int:
    """The first rows of a dataset: nothing to compare with."""
    first = change_numbers.reserve(connection, numbers)
    _ensure_change_partition(connection, work)
    loaded = connection.execute(
        sql.SQL(
            """
            WITH loaded AS (
                INSERT INTO {records}
                    (dataset_id, key, body, hash, version, valid_from, batch_id, connector_id, row_id, entity,
                     personal, blind)
                SELECT %(dataset)s, s.key, s.body, s.hash, %(first)s + s.number, %(moment)s, %(batch)s,
                    %(connector)s, s.row_id, s.entity, s.personal, s.blind
                FROM staged s WHERE {taking_part}
                RETURNING version, key)
            INSERT INTO registry.change (xid, seq, at, dataset_id, batch_id, operation, key)
            SELECT pg_current_xact_id(), version, %(moment)s, %(dataset)s, %(batch)s, 'n', key FROM loaded
            """
        ).format(records=work.records, taking_part=taking_part),
        _values(work) | {"first": first},
    ).rowcount
    if not partitions.attached(connection, work.dataset_id):
        partitions.attach(connection, work.dataset_id)
        connection.execute(sql.SQL("ANALYZE {} (dataset_id, connector_id, key, row_id, entity)").format(work.records))
    return loaded


def _find_delta(connection: psycopg.Connection, work: Merge, taking_part: sql.SQL) -> None:
    """The temporary table ``delta``: staged rows that are new, changed, or stand in another row of the source."""
    connection.execute(
        sql.SQL(
            """
            CREATE TEMPORARY TABLE delta ON COMMIT DROP AS
            SELECT s.key, s.row_id, s.entity, s.hash, s.body, s.personal, s.blind, r.version AS old_version,
                r.hash IS DISTINCT FROM s.hash AS changed, r.row_id IS DISTINCT FROM s.row_id AS elsewhere
            FROM staged s LEFT JOIN {records} r ON r.key = s.key AND r.dataset_id = {dataset}
            WHERE (r.key IS NULL OR r.hash <> s.hash OR r.row_id <> s.row_id) AND {taking_part}
            """
        ).format(records=work.records, dataset=sql.Literal(work.dataset_id), taking_part=taking_part)
    )
    connection.execute("ANALYZE delta (key, row_id, changed, elsewhere)")


def _find_gone(connection: psycopg.Connection, work: Merge, taking_part: sql.SQL, *, snapshot: bool) -> None:
    """The temporary table ``gone``: keys of the records that the source says, or shows, to have ended."""
    connection.execute('CREATE TEMPORARY TABLE gone (key text COLLATE "C" PRIMARY KEY) ON COMMIT DROP')
    values = _values(work)
    if connection.execute("SELECT FROM staged WHERE deleted LIMIT 1").rowcount:
        connection.execute(
            sql.SQL(
                """
                WITH flagged AS (
                    SELECT s.key, s.row_id FROM staged s
                    WHERE s.deleted
                      AND NOT EXISTS (SELECT FROM aside a WHERE a.part = s.part AND a.ordinal = s.ordinal))
                INSERT INTO gone
                SELECT r.key FROM flagged f JOIN {records} r
                    ON r.connector_id = %(connector)s AND r.row_id = f.row_id
                UNION
                SELECT r.key FROM flagged f JOIN {records} r
                    ON r.dataset_id = %(dataset)s AND r.key = f.key AND r.connector_id = %(connector)s
                """
            ).format(records=work.records),
            values,
        )
    # A row of the source that stands under another key than before takes its old record along.
    connection.execute(
        sql.SQL(
            """
            INSERT INTO gone
            SELECT r.key FROM delta d JOIN {records} r ON r.connector_id = %(connector)s AND r.row_id = d.row_id
            WHERE d.elsewhere AND r.key <> d.key
            ON CONFLICT DO NOTHING
            """
        ).format(records=work.records),
        values,
    )
    if snapshot:
        connection.execute(
            sql.SQL(
                """
                INSERT INTO gone
                SELECT r.key FROM {records} r
                WHERE r.connector_id = %(connector)s
                  AND NOT EXISTS (SELECT FROM staged s WHERE s.key = r.key AND {taking_part})
                  AND NOT EXISTS (SELECT FROM staged_refused f WHERE f.row_id = r.row_id)
                  AND NOT EXISTS (SELECT FROM staged_refused f WHERE f.key = r.key)
                ON CONFLICT DO NOTHING
                """
            ).format(records=work.records, taking_part=taking_part),
            values,
        )
    # A key that this very batch brings (again) under a valid row stays.
    if connection.execute("SELECT FROM gone LIMIT 1").rowcount:
        connection.execute(sql.SQL("DELETE FROM gone g USING staged s WHERE s.key = g.key AND {}").format(taking_part))


def _end_gone(connection: psycopg.Connection, work: Merge) -> int:
    """Move the records of ``gone`` into history; how many."""
    values = _values(work)
    rows = _scalar(connection, "SELECT count(*) FROM gone") or 0
    if not rows:
        return 0
    first = change_numbers.reserve(connection, rows)
    _ensure_change_partition(connection, work)
    return connection.execute(
        sql.SQL(
            """
            WITH ended AS (
                DELETE FROM {records} r USING gone g WHERE r.dataset_id = %(dataset)s AND r.key = g.key RETURNING r.*),
            kept AS (
                INSERT INTO registry.record_history
                    (dataset_id, key, body, hash, version, valid_from, valid_to, batch_id, ended_batch_id, connector_id,
                     row_id, entity, personal, blind)
                SELECT dataset_id, key, body, hash, version, valid_from, %(moment)s, batch_id, %(batch)s, connector_id,
                    row_id, entity, personal, blind
                FROM ended)
            INSERT INTO registry.change (xid, seq, at, dataset_id, batch_id, operation, key)
            SELECT pg_current_xact_id(), %(first)s + row_number() OVER (), %(moment)s, %(dataset)s, %(batch)s, 'd', key
            FROM ended
            """
        ).format(records=work.records),
        values | {"first": first},
    ).rowcount


def _merge(connection: psycopg.Connection, work: Merge, taking_part: sql.SQL, deleted: int) -> Merged:
    """New and changed rows into records, superseded versions into history, each change into the feed."""
    values = _values(work)
    total = _scalar(connection, sql.SQL("SELECT count(*) FROM staged s WHERE {}").format(taking_part)) or 0
    connection.execute(
        sql.SQL(
            "UPDATE {records} r SET row_id = d.row_id FROM delta d"
            " WHERE NOT d.changed AND r.key = d.key AND r.dataset_id = %(dataset)s"
        ).format(records=work.records),
        values,
    )
    rows = _scalar(connection, "SELECT count(*) FROM delta WHERE changed") or 0
    if not rows:
        return Merged(0, 0, total, deleted)
    first = change_numbers.reserve(connection, rows)
    _ensure_change_partition(connection, work)
    connection.execute(
        "CREATE TEMPORARY TABLE numbered ON COMMIT DROP AS SELECT key, old_version,"
        " %s + row_number() OVER (ORDER BY key) AS version FROM delta WHERE changed",
        (first,),
    )
    connection.execute("ANALYZE numbered")
    changed = connection.execute(
        sql.SQL(
            """
            INSERT INTO registry.record_history
                (dataset_id, key, body, hash, version, valid_from, valid_to, batch_id, ended_batch_id, connector_id,
                 row_id, entity, personal, blind)
            SELECT r.dataset_id, r.key, r.body, r.hash, r.version, r.valid_from, %(moment)s, r.batch_id, %(batch)s,
                r.connector_id, r.row_id, r.entity, r.personal, r.blind
            FROM {records} r JOIN numbered n ON n.key = r.key WHERE r.dataset_id = %(dataset)s
            """
        ).format(records=work.records),
        values,
    ).rowcount
    connection.execute(
        sql.SQL(
            """
            UPDATE {records} r SET body = d.body, hash = d.hash, version = n.version, valid_from = %(moment)s,
                batch_id = %(batch)s, row_id = d.row_id, entity = d.entity, personal = d.personal, blind = d.blind
            FROM delta d JOIN numbered n USING (key)
            WHERE r.key = d.key AND r.dataset_id = %(dataset)s AND n.old_version IS NOT NULL
            """
        ).format(records=work.records),
        values,
    )
    new = connection.execute(
        sql.SQL(
            """
            INSERT INTO {records}
                (dataset_id, key, body, hash, version, valid_from, batch_id, connector_id, row_id, entity, personal,
                 blind)
            SELECT %(dataset)s, d.key, d.body, d.hash, n.version, %(moment)s, %(batch)s, %(connector)s, d.row_id,
                d.entity, d.personal, d.blind
            FROM delta d JOIN numbered n USING (key) WHERE n.old_version IS NULL ORDER BY d.key
            """
        ).format(records=work.records),
        values,
    ).rowcount
    connection.execute(
        """
        INSERT INTO registry.change (xid, seq, at, dataset_id, batch_id, operation, key)
        SELECT pg_current_xact_id(), version, %(moment)s, %(dataset)s, %(batch)s,
            (CASE WHEN old_version IS NULL THEN 'n' ELSE 'c' END)::"char", key FROM numbered ORDER BY version
        """,
        values,
    )
    return Merged(new, changed, total - new - changed, deleted)


def _ensure_change_partition(connection: psycopg.Connection, work: Merge) -> None:
    connection.execute("SELECT registry.ensure_change_partition(%s)", (work.moment,))


def _values(work: Merge) -> dict[str, object]:
    return {
        "dataset": work.dataset_id,
        "connector": work.connector_id,
        "batch": work.batch_id,
        "moment": work.moment,
    }


def _scalar(connection: psycopg.Connection, query: sql.Composed | str, *values: object) -> int | None:
    with connection.cursor(row_factory=scalar_row) as cursor:
        value: int | None = cursor.execute(query, values or None).fetchone()
        return value
