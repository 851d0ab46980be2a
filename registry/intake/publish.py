"""Publish a batch: merge, history, change feed, quarantine, cursor and report in ONE transaction.

Whatever is retried, killed or run twice, the registry ends the same: a published batch answers with its report, a
batch planned from a cursor that has moved on is superseded, and no crash can come between the records and the cursor.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from registry.domain.batches import COLUMNS_CHANGED, BatchReport, Counts, HeldReason, Limits, Mode, State, held_reasons
from registry.intake import batches, merge, quarantine
from registry.intake.errors import BatchNotOpen, IntakeError, StagingMissing
from registry.intake.merge import Merge, StagedTable
from registry.intake.staging import drop_staging, table_name


class _Held(Exception):  # noqa: N818
    """Leaves the transaction without a trace: a gate closed."""

    def __init__(self, counts: Counts, reasons: tuple[HeldReason, ...]) -> None:
        self.counts, self.reasons = counts, reasons


class _DryRun(Exception):  # noqa: N818
    """Leaves the transaction without a trace: only the counts were wanted."""

    def __init__(self, counts: Counts) -> None:
        self.counts = counts


def publish(
    connection: psycopg.Connection,
    batch_id: int,
    cursor: Mapping[str, Any] | None,
    limits: Limits,
    *,
    snapshot: bool = False,
    ordered: bool = False,
    approved_by: str | None = None,
) -> BatchReport:
    """Publish a batch whose parts are all staged; what became of it.

    ``cursor`` is where the connector goes on next. ``snapshot``: the batch is the whole truth, what it lacks is
    deleted. ``ordered``: of rows with one key in one part the last one holds (operations in time); else rows of one
    key with different content contradict each other and are all refused. ``approved_by`` publishes past the gates
    of numbers; a batch that lacks columns stays held whoever approves: its rows were not read.

    Raises StagingMissing (pull the parts named, then call again), BatchNotOpen for a discarded batch.
    """
    connection.execute("SET synchronous_commit = on")
    try:
        with connection.transaction():
            state, superseded_by = _lock(connection, batch_id)
            if state in {State.PUBLISHED, State.SUPERSEDED, State.DRY_RUN}:
                return batches.report(connection, batch_id)
            if state is State.DISCARDED or (state is State.HELD and approved_by is None):
                if state is State.HELD:
                    return batches.report(connection, batch_id)
                raise BatchNotOpen(batch_id, state)
            if superseded_by is not None:
                _end(connection, batch_id, State.SUPERSEDED, Counts(), superseded_by=superseded_by)
            else:
                _publish(connection, batch_id, cursor, limits, snapshot, ordered, approved_by)
    except _Held as held:
        with connection.transaction():
            _end(connection, batch_id, State.HELD, held.counts, reasons=held.reasons)
    except _DryRun as dry:
        with connection.transaction():
            _end(connection, batch_id, State.DRY_RUN, dry.counts)
    return batches.report(connection, batch_id)


def _publish(
    connection: psycopg.Connection,
    batch_id: int,
    cursor: Mapping[str, Any] | None,
    limits: Limits,
    snapshot: bool,  # noqa: FBT001
    ordered: bool,  # noqa: FBT001
    approved_by: str | None,
) -> None:
    work = _begin(connection, batch_id)
    parts = connection.execute(
        "SELECT number, staged_attempt, pulled, accepted, refused, delete_flags, unchanged, missing_columns"
        " FROM registry.batch_part WHERE batch_id = %s ORDER BY number",
        (batch_id,),
    ).fetchall()
    nothing_new = all(part[6] for part in parts) and (bool(parts) or work.mode is Mode.INCREMENTAL)
    tables = _staged_tables(connection, batch_id, parts)
    merge.open_staged(connection, work, tables)
    quarantine.open_staged(connection, work)
    merge.set_repeats_aside(connection, work, ordered=ordered)
    quarantine.refuse_contradictions(connection, work)
    merge.refuse_foreign_keys(connection, work)
    aside = merge.count_aside(connection, work)
    counts = Counts(
        pulled=sum(part[2] for part in parts),
        accepted=sum(part[3] for part in parts) - aside.refused,
        refused=sum(part[4] for part in parts) + aside.refused,
        delete_flags=sum(part[5] for part in parts),
        duplicates=aside.duplicates,
    )
    complete = not nothing_new and (snapshot or work.mode is Mode.FULL)
    missing = sorted({name for part in parts for name in part[7]})
    reasons = held_reasons(
        counts, limits, records_before=work.records_before, complete=complete, missing_columns=missing
    )
    if approved_by is not None:  # a person may let numbers pass, but nobody can make up columns that were not read
        reasons = tuple(reason for reason in reasons if reason.code == COLUMNS_CHANGED)
    if reasons:
        raise _Held(counts, reasons)
    quarantine.update(connection, work, complete=complete)  # before the merge takes what is staged out of memory
    merged = merge.apply(connection, work, tables, snapshot=complete)
    counts = replace(counts, new=merged.new, changed=merged.changed, unchanged=merged.unchanged, deleted=merged.deleted)
    if work.dry_run:
        raise _DryRun(counts)
    connection.execute(
        """
        UPDATE registry.connector SET cursor = %s, cursor_batch_id = %s, records = records + %s, read_at = %s,
            published_at = %s WHERE id = %s
        """,
        (
            None if cursor is None else Jsonb(cursor),
            batch_id,
            merged.new - merged.deleted,
            work.started_at,
            work.moment,
            work.connector_id,
        ),
    )
    connection.execute(
        "UPDATE registry.batch SET reached = %s, approved_by = %s WHERE id = %s",
        (None if cursor is None else Jsonb(cursor), approved_by, batch_id),
    )
    connection.execute("DROP VIEW pg_temp.staged, pg_temp.staged_refused")
    for (overtaken,) in connection.execute(
        "SELECT id FROM registry.batch WHERE connector_id = %s AND state = 'held' AND id <> %s",
        (work.connector_id, batch_id),
    ).fetchall():
        _end(connection, overtaken, State.SUPERSEDED, Counts(), superseded_by=batch_id)
    _end(connection, batch_id, State.PUBLISHED, counts)


def _lock(connection: psycopg.Connection, batch_id: int) -> tuple[State, int | None]:
    """Take the connector and the batch for this transaction; the batch's state, and which batch overtook it if any."""
    row = connection.execute("SELECT connector_id FROM registry.batch WHERE id = %s", (batch_id,)).fetchone()
    if row is None:
        raise IntakeError(f"there is no batch {batch_id}")
    connection.execute("SELECT FROM registry.connector WHERE id = %s FOR NO KEY UPDATE", (row[0],))
    found = connection.execute(
        """
        SELECT b.state, c.cursor_batch_id, b.base_batch_id IS DISTINCT FROM c.cursor_batch_id
        FROM registry.batch b JOIN registry.connector c ON c.id = b.connector_id WHERE b.id = %s FOR UPDATE OF b
        """,
        (batch_id,),
    ).fetchone()
    assert found is not None  # noqa: S101  (the row was there a line above, and batches are never deleted while locked)
    state, overtaken_by, overtaken = found
    return State(state), overtaken_by if overtaken else None


def _begin(connection: psycopg.Connection, batch_id: int) -> Merge:
    """What the merge needs to know, and a moment later than the connector's last one even if the clock was set back."""
    connection.execute("SET LOCAL work_mem = '256MB'")
    connection.execute("SET LOCAL random_page_cost = 1.1")  # few changed rows of many: look them up, do not scan
    row = connection.execute(
        """
        SELECT c.id, c.dataset_id, c.department, c.records, b.mode, b.dry_run, b.started_at,
            greatest(clock_timestamp(), c.published_at + interval '1 microsecond')
        FROM registry.batch b JOIN registry.connector c ON c.id = b.connector_id WHERE b.id = %s
        """,
        (batch_id,),
    ).fetchone()
    assert row is not None  # noqa: S101  (locked by the caller)
    connector_id, dataset_id, department, records, mode, dry_run, started_at, moment = row
    return Merge(
        batch_id=batch_id,
        connector_id=connector_id,
        dataset_id=dataset_id,
        department=department,
        records_before=records,
        mode=Mode(mode),
        dry_run=dry_run,
        started_at=started_at,
        moment=moment,
    )


def _staged_tables(
    connection: psycopg.Connection, batch_id: int, parts: Sequence[tuple[Any, ...]]
) -> list[StagedTable]:
    """Each part's staging table. Raises StagingMissing where rows are not there as counted (a crash empties them)."""
    tables, missing = [], []
    for number, attempt, pulled, accepted, _refused, deletes, *_ in parts:
        if attempt is None:
            missing.append(number)
            continue
        table = table_name(batch_id, number, attempt)
        exists = connection.execute("SELECT to_regclass(%s)", (table.as_string(connection),)).fetchone()
        if exists is None or exists[0] is None:
            missing.append(number)
            continue
        found = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(table)).fetchone()
        if found is None or found[0] != accepted + deletes:
            missing.append(number)
            continue
        if accepted + deletes:
            tables.append(StagedTable(number, table, pulled))
    if missing:
        raise StagingMissing(batch_id, missing)
    return tables


def _end(
    connection: psycopg.Connection,
    batch_id: int,
    state: State,
    counts: Counts,
    *,
    reasons: Sequence[HeldReason] = (),
    superseded_by: int | None = None,
) -> None:
    connection.execute(
        """
        UPDATE registry.batch SET state = %(state)s, ended_at = clock_timestamp(), held_reasons = %(reasons)s,
            superseded_by = %(superseded_by)s, pulled = %(pulled)s, accepted = %(accepted)s, refused = %(refused)s,
            duplicates = %(duplicates)s, delete_flags = %(delete_flags)s, new = %(new)s, changed = %(changed)s,
            unchanged = %(unchanged)s, deleted = %(deleted)s
        WHERE id = %(batch_id)s
        """,
        {
            **asdict(counts),
            "state": state,
            "reasons": Jsonb([asdict(reason) for reason in reasons]),
            "superseded_by": superseded_by,
            "batch_id": batch_id,
        },
    )
    if state is not State.HELD:
        drop_staging(connection, batch_id)
