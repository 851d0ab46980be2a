"""Plan batches, look at them, decide held ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import psycopg
from psycopg.rows import class_row, dict_row
from psycopg.types.json import Jsonb

from registry.domain.batches import BatchReport, Counts, HeldReason, Mode, State
from registry.intake.errors import BatchNotOpen, IntakeError
from registry.intake.staging import drop_staging
from schemas.catalogue import default_catalogue
from schemas.down_mapping import missing_step
from schemas.personal import of_dataset


@dataclass(frozen=True, slots=True)
class DatasetEntry:
    """A dataset as the registry lists it."""

    name: str
    schema: str
    title_zh: str
    title_en: str
    department: str
    key: tuple[str, ...]
    entity_field: str | None
    sharing: str = "conditional"
    """``unconditional`` 无条件共享, ``conditional`` 有条件共享, ``none`` 不予共享."""


@dataclass(frozen=True, slots=True)
class ConnectorEntry:
    """A connector as the registry lists it."""

    name: str
    department: str
    title_zh: str
    title_en: str
    owner_name: str
    owner_email: str
    schedule: str | None
    freshness: timedelta | None
    manifest_digest: str


@dataclass(frozen=True, slots=True)
class Position:
    """Where a connector stands: from here its next batch is planned."""

    connector_id: int
    cursor: dict[str, Any] | None
    cursor_batch_id: int | None


@dataclass(frozen=True, slots=True)
class PlannedPart:
    """A part of a batch to pull."""

    number: int
    label: str
    spec: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Batch:
    """A planned batch, as the pulls of its parts need it."""

    id: int
    connector: str
    state: State
    mode: Mode
    dry_run: bool
    since: dict[str, Any] | None
    parts: tuple[PlannedPart, ...]


def register(connection: psycopg.Connection, dataset: DatasetEntry, connector: ConnectorEntry) -> Position:
    """Enter or refresh a connector and its dataset; where the connector stands.

    Raises IntakeError when the dataset is known with another key: that would make other records of the same rows, and
    when a field of the key is personal: keys stand in the clear.
    """
    personal = {name for name, _ in of_dataset(dataset.schema).names}
    if told := [name for name in dataset.key if name in personal]:
        raise IntakeError(
            f"connector {connector.name}: {', '.join(told)} is personal (x-personal in {dataset.schema}) and cannot be "
            "the key of its records; take a number that tells nothing of a person"
        )
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO registry.dataset (name, schema, title_zh, title_en, department, key, entity_field, sharing)
            VALUES (%s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (name) DO NOTHING
            """,
            (dataset.name, dataset.schema, dataset.title_zh, dataset.title_en, dataset.department)
            + (list(dataset.key), dataset.entity_field, dataset.sharing),
        )
        cursor.execute("SELECT id, key, schema FROM registry.dataset WHERE name = %s", (dataset.name,))
        dataset_id, key, schema = _one(cursor)
        if tuple(key) != dataset.key:
            raise IntakeError(
                f"connector {connector.name}: dataset {dataset.name} is keyed by {', '.join(key)}, "
                f"the manifest says {', '.join(dataset.key)}; correct the manifest or name a dataset of its own"
            )
        if schema != dataset.schema:
            _expect_served(cursor, dataset)
            cursor.execute(
                "UPDATE registry.dataset SET schema = %s, entity_field = %s WHERE id = %s",
                (dataset.schema, dataset.entity_field, dataset_id),
            )
        cursor.execute(
            "SELECT id, cursor, cursor_batch_id, manifest_digest FROM registry.connector WHERE name = %s",
            (connector.name,),
        )
        known = cursor.fetchone()
        if known is not None and known[3] == connector.manifest_digest:
            return Position(known[0], known[1], known[2])
        cursor.execute(
            """
            INSERT INTO registry.connector AS c
                (name, dataset_id, department, title_zh, title_en, owner_name, owner_email, schedule, freshness,
                 manifest_digest)
            VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
            ON CONFLICT (name) DO UPDATE SET
                department = excluded.department, title_zh = excluded.title_zh, title_en = excluded.title_en,
                owner_name = excluded.owner_name, owner_email = excluded.owner_email, schedule = excluded.schedule,
                freshness = excluded.freshness, manifest_digest = excluded.manifest_digest
            WHERE c.dataset_id = excluded.dataset_id
            RETURNING id, cursor, cursor_batch_id
            """,
            (connector.name, dataset_id, connector.department, connector.title_zh, connector.title_en)
            + (connector.owner_name, connector.owner_email, connector.schedule, connector.freshness)
            + (connector.manifest_digest,),
        )
        row = cursor.fetchone()
        if row is None:
            raise IntakeError(
                f"connector {connector.name} has fed another dataset so far; give it a new name to feed {dataset.name}"
            )
        return Position(*row)


def plan(
    connection: psycopg.Connection,
    position: Position,
    parts: Sequence[PlannedPart],
    *,
    mode: Mode,
    schema: str,
    manifest_digest: str,
    dry_run: bool = False,
    run_id: str | None = None,
) -> int:
    """Open a batch that reads from ``position``; its id. The same ``run_id`` again gives the same open batch."""
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute("SELECT id FROM registry.connector WHERE id = %s FOR UPDATE", (position.connector_id,))
        if run_id is not None:
            cursor.execute(
                "SELECT id FROM registry.batch WHERE connector_id = %s AND run_id = %s AND state = 'pulling'"
                " AND base_batch_id IS NOT DISTINCT FROM %s",
                (position.connector_id, run_id, position.cursor_batch_id),
            )
            if (known := cursor.fetchone()) is not None:
                return int(known[0])
        cursor.execute(
            """
            INSERT INTO registry.batch
                (connector_id, state, mode, dry_run, schema, manifest_digest, base_batch_id, since, run_id)
            VALUES (%s, 'pulling', %s, %s, %s, %s, %s, %s, %s) RETURNING id
            """,
            (position.connector_id, mode, dry_run, schema, manifest_digest, position.cursor_batch_id)
            + (None if mode is Mode.FULL or position.cursor is None else Jsonb(position.cursor), run_id),
        )
        batch_id = int(_one(cursor)[0])
        cursor.executemany(
            "INSERT INTO registry.batch_part (batch_id, number, label, spec) VALUES (%s, %s, %s, %s)",
            [(batch_id, part.number, part.label, Jsonb(part.spec)) for part in parts],
        )
    return batch_id


def get(connection: psycopg.Connection, batch_id: int) -> Batch:
    """A batch with its parts. Raises IntakeError when there is none of that number."""
    with connection.cursor(row_factory=class_row(PlannedPart)) as cursor:
        parts = cursor.execute(
            "SELECT number, label, spec FROM registry.batch_part WHERE batch_id = %s ORDER BY number", (batch_id,)
        ).fetchall()
    row = connection.execute(
        "SELECT c.name, b.state, b.mode, b.dry_run, b.since FROM registry.batch b"
        " JOIN registry.connector c ON c.id = b.connector_id WHERE b.id = %s",
        (batch_id,),
    ).fetchone()
    if row is None:
        raise IntakeError(f"there is no batch {batch_id}")
    connector, state, mode, dry_run, since = row
    return Batch(batch_id, connector, State(state), Mode(mode), dry_run, since, tuple(parts))


def reached(connection: psycopg.Connection, batch_id: int) -> list[dict[str, Any] | None]:
    """The cursors that the parts of a batch reached, in their order."""
    rows = connection.execute(
        "SELECT reached FROM registry.batch_part WHERE batch_id = %s ORDER BY number", (batch_id,)
    ).fetchall()
    return [row[0] for row in rows]


def report(connection: psycopg.Connection, batch_id: int) -> BatchReport:
    """What became of a batch. Raises IntakeError when there is none of that number."""
    reports_found = reports(connection, batch_id=batch_id)
    if not reports_found:
        raise IntakeError(f"there is no batch {batch_id}")
    return reports_found[0]


def reports(
    connection: psycopg.Connection,
    *,
    batch_id: int | None = None,
    connector: str | None = None,
    run_id: str | None = None,
    limit: int = 50,
) -> list[BatchReport]:
    """The newest batches first."""
    with connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute(
            """
            SELECT b.*, c.name AS connector, d.name AS dataset FROM registry.batch b
            JOIN registry.connector c ON c.id = b.connector_id JOIN registry.dataset d ON d.id = c.dataset_id
            WHERE (%(batch_id)s::bigint IS NULL OR b.id = %(batch_id)s)
              AND (%(connector)s::text IS NULL OR c.name = %(connector)s)
              AND (%(run_id)s::text IS NULL OR b.run_id = %(run_id)s)
            ORDER BY b.id DESC LIMIT %(limit)s
            """,
            {"batch_id": batch_id, "connector": connector, "run_id": run_id, "limit": limit},
        )
        return [_report(row) for row in cursor]


def discard(connection: psycopg.Connection, batch_id: int) -> None:
    """Give up an open or held batch; its staged rows go. Raises BatchNotOpen when it has ended already."""
    with connection.transaction():
        row = connection.execute("SELECT state FROM registry.batch WHERE id = %s FOR UPDATE", (batch_id,)).fetchone()
        if row is None:
            raise IntakeError(f"there is no batch {batch_id}")
        if row[0] not in {State.PULLING, State.HELD}:
            raise BatchNotOpen(batch_id, State(row[0]))
        connection.execute(
            "UPDATE registry.batch SET state = 'discarded', ended_at = clock_timestamp() WHERE id = %s", (batch_id,)
        )
        drop_staging(connection, batch_id)


def _report(row: Mapping[str, Any]) -> BatchReport:
    counts = Counts(**{name: row[name] for name in Counts.__dataclass_fields__})
    return BatchReport(
        batch_id=row["id"],
        connector=row["connector"],
        dataset=row["dataset"],
        state=State(row["state"]),
        mode=Mode(row["mode"]),
        counts=counts,
        started_at=row["started_at"],
        ended_at=row["ended_at"],
        held_reasons=tuple(HeldReason(**reason) for reason in row["held_reasons"]),
        superseded_by=row["superseded_by"],
    )


def _expect_served(cursor: psycopg.Cursor, dataset: DatasetEntry) -> None:
    """Refuse a new version of a schema whose records could not be shown to those who read an older one.

    Raises IntakeError with what is missing: a file that says how.
    """
    cursor.execute(
        "SELECT DISTINCT schema FROM registry.access_grant"
        " WHERE dataset = %s AND ended_at IS NULL AND valid_until > now()",
        (dataset.name,),
    )
    catalogue = default_catalogue()
    for (pinned,) in cursor.fetchall():
        missing = missing_step(catalogue, dataset.schema, pinned)
        if missing is not None:
            raise IntakeError(f"dataset {dataset.name}: {missing}; see docs/grants.md")


def _one(cursor: psycopg.Cursor[tuple[Any, ...]]) -> tuple[Any, ...]:
    row = cursor.fetchone()
    assert row is not None  # noqa: S101  (RETURNING and look-ups of what was just written always give a row)
    return row
