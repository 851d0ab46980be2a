"""Quarantine 隔离: refused records, each once, with every reason, open until the corrected record is published."""

from __future__ import annotations

import psycopg

from registry.intake.merge import Merge


def open_staged(connection: psycopg.Connection, work: Merge) -> None:
    """Make the temporary view ``staged_refused``: the refusals of the attempts that count."""
    connection.execute(
        """
        CREATE OR REPLACE TEMPORARY VIEW staged_refused AS
        SELECT f.part, f.ordinal, f.row_id, f.key, f.place, f.raw, f.personal, f.reasons
        FROM registry.staged_refusal f
        JOIN registry.batch_part p
          ON p.batch_id = f.batch_id AND p.number = f.part AND p.staged_attempt = f.attempt
        WHERE f.batch_id = {}
        """.replace("{}", str(work.batch_id)).encode()
    )


def refuse_contradictions(connection: psycopg.Connection, work: Merge) -> None:
    """Rows of one key with different content, of which nobody can tell the true one, go to quarantine."""
    connection.execute(
        """
        INSERT INTO registry.staged_refusal (batch_id, part, attempt, ordinal, row_id, key, place, raw, personal,
            reasons)
        SELECT %(batch)s, s.part, p.staged_attempt, s.ordinal, s.row_id || '#' || left(s.hash::text, 8), s.key,
            p.label, s.body, s.personal,
            '[{"pointer": "", "rule": "key.contradiction",
               "zh": "同一主键在同一批数据中出现多次且内容不同，无法判断哪一条有效",
               "en": "the same key stands more than once with different content; which one holds?"}]'::jsonb
        FROM aside a JOIN staged s USING (part, ordinal)
        JOIN registry.batch_part p ON p.batch_id = %(batch)s AND p.number = s.part
        WHERE a.why = 'contradiction'
        """,
        {"batch": work.batch_id},
    )


def update(connection: psycopg.Connection, work: Merge, *, complete: bool) -> None:
    """Open, refresh and close tickets. ``complete``: the whole source was read, so what was not seen is gone."""
    values = {
        "connector": work.connector_id,
        "dataset": work.dataset_id,
        "department": work.department,
        "batch": work.batch_id,
        "moment": work.moment,
    }
    connection.execute(
        """
        INSERT INTO registry.refusal AS r
            (connector_id, dataset_id, department, row_id, key, place, raw, personal, reasons, first_seen, last_seen,
             first_batch_id, last_batch_id)
        SELECT DISTINCT ON (f.row_id) %(connector)s, %(dataset)s, %(department)s, f.row_id, f.key, f.place, f.raw,
            f.personal, f.reasons, %(moment)s, %(moment)s, %(batch)s, %(batch)s
        FROM staged_refused f
        WHERE NOT EXISTS (SELECT FROM staged s WHERE s.row_id = f.row_id AND (s.part, s.ordinal) > (f.part, f.ordinal)
            AND NOT EXISTS (SELECT FROM aside a WHERE a.part = s.part AND a.ordinal = s.ordinal))
        ORDER BY f.row_id, f.part DESC, f.ordinal DESC
        ON CONFLICT (connector_id, row_id) WHERE closed_at IS NULL DO UPDATE SET
            key = excluded.key, place = excluded.place, raw = excluded.raw, personal = excluded.personal,
            reasons = excluded.reasons, last_seen = excluded.last_seen, last_batch_id = excluded.last_batch_id,
            times_seen = r.times_seen + 1
        """,
        values,
    )
    is_open = "connector_id = %(connector)s AND closed_at IS NULL AND last_batch_id <> %(batch)s"
    if not connection.execute(f"SELECT FROM registry.refusal WHERE {is_open} LIMIT 1", values).rowcount:
        return
    connection.execute(
        f"""
        UPDATE registry.refusal r SET closed_at = %(moment)s, closed_batch_id = %(batch)s,
            closed_because = CASE WHEN s.deleted THEN 'deleted' ELSE 'corrected' END
        FROM staged s
        WHERE {is_open} AND s.row_id = r.row_id
          AND NOT EXISTS (SELECT FROM aside a WHERE a.part = s.part AND a.ordinal = s.ordinal)
        """,
        values,
    )
    connection.execute(
        f"""
        UPDATE registry.refusal r SET closed_at = %(moment)s, closed_batch_id = %(batch)s, closed_because = 'corrected'
        FROM staged s
        WHERE {is_open} AND s.key = r.key AND NOT s.deleted
          AND NOT EXISTS (SELECT FROM aside a WHERE a.part = s.part AND a.ordinal = s.ordinal)
        """,
        values,
    )
    if complete:
        connection.execute(
            f"""
            UPDATE registry.refusal SET closed_at = %(moment)s, closed_batch_id = %(batch)s, closed_because = 'gone'
            WHERE {is_open}
            """,
            values,
        )
