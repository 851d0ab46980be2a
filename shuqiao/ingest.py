"""The way of a batch: plan -> pull its parts -> publish. What the DAGs and the command line call.

Source -> mapping -> validation -> staging is a straight line of plain functions over batches of rows; only batch ids
and counts leave a step. Every step may be retried, killed or run twice.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

from connectors.errors import SourceColumnsChanged
from connectors.kinds import source_class
from connectors.manifest import Manifest
from connectors.mapping import compile_mapping
from connectors.source import Cursor, Partition, Source
from registry.domain.batches import BatchReport, Limits, Mode
from registry.intake import batches
from registry.intake.batches import ConnectorEntry, DatasetEntry, PlannedPart
from registry.intake.errors import IntakeError, StagingMissing
from registry.intake.own_ring import expect_own
from registry.intake.publish import publish as publish_batch
from registry.intake.staging import Staging
from registry.sealing import key_file
from registry.storage.database import connect
from schemas import catalogue
from schemas.personal import of_schema
from shuqiao.connections import resolve
from shuqiao.row_check import RowCheck


@dataclass(frozen=True, slots=True)
class PlannedBatch:
    """A batch to pull: its id and the numbers and labels of its parts."""

    batch_id: int
    parts: tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True)
class PulledPart:
    """What one part brought."""

    accepted: int
    refused: int
    deletes: int

    @property
    def pulled(self) -> int:
        """Rows read."""
        return self.accepted + self.refused + self.deletes


Progress = Callable[[PulledPart], None]


@contextmanager
def open_source(manifest: Manifest) -> Iterator[Source]:
    """The source that a manifest describes, closed at the end."""
    section = manifest.source
    connection = resolve(section.connection) if section.connection else None
    settings = dict(section.settings) | {"snapshot": section.snapshot}
    settings.setdefault("timezone", manifest.timezone)
    settings.setdefault("max_field", manifest.limits.max_field)
    if manifest.limits.rate is not None:
        settings.setdefault("rate", manifest.limits.rate)
    source = source_class(section.kind)(settings, connection, compile_mapping(manifest).source_columns)
    with closing(source):
        yield source


def plan(
    url: str, manifest: Manifest, *, full: bool = False, dry_run: bool = False, run_id: str | None = None
) -> PlannedBatch:
    """Ask the source for its parts and open a batch that goes on from the connector's cursor.

    Raises PersonalKeysError where the schema has personal fields and nothing to seal them with.
    """
    mode = Mode.FULL if full else Mode.INCREMENTAL
    with connect(url) as connection:
        if of_schema(manifest.schema):
            expect_own(connection)  # nothing is asked of the source that could not be stored
        position = batches.register(connection, *_entries(manifest))
    with open_source(manifest) as source:
        parts = source.partitions(None if full else position.cursor)
    planned = [PlannedPart(part.number, part.label, part.spec) for part in parts]
    with connect(url) as connection:
        batch_id = batches.plan(
            connection,
            position,
            planned,
            mode=mode if position.cursor is not None else Mode.FULL,
            schema=manifest.schema,
            manifest_digest=manifest.digest,
            dry_run=dry_run,
            run_id=run_id,
        )
        batch = batches.get(connection, batch_id)
    return PlannedBatch(batch_id, tuple((part.number, part.label) for part in batch.parts))


def pull(url: str, manifest: Manifest, batch_id: int, part: int, progress: Progress | None = None) -> PulledPart:
    """Read one part of a batch, map, validate and stage it. Raises the source's errors and BatchNotOpen."""
    with connect(url) as connection, _few_cycles():
        batch = batches.get(connection, batch_id)
        planned = next(found for found in batch.parts if found.number == part)
        partition = Partition(planned.number, planned.label, planned.spec)
        staging = Staging(connection, batch_id, part)
        reached: Cursor | None = None
        unchanged = False
        check = RowCheck(manifest, key_file.ring() if of_schema(manifest.schema) else None)
        try:
            with open_source(manifest) as source:
                for rows in source.read(partition, batch.since):
                    checked = check.check(rows)
                    staging.add(*checked.valid())
                    staging.delete(checked.deletes)
                    staging.refuse(checked.refusals)
                    reached, unchanged = rows.reached, rows.unchanged
                    if progress is not None:
                        progress(PulledPart(*staging.counts))
        except SourceColumnsChanged as changed:
            staging.finish(None, missing_columns=changed.missing)
        else:
            staging.finish(reached, unchanged=unchanged)
        return PulledPart(*staging.counts)


def publish(url: str, manifest: Manifest, batch_id: int, *, approved_by: str | None = None) -> BatchReport:
    """Publish a batch; parts that are not staged (any more) are pulled first."""
    with connect(url) as connection:
        batch = batches.get(connection, batch_id)
        if batch.connector != manifest.connector:
            raise IntakeError(f"batch {batch_id} is one of {batch.connector}, not of {manifest.connector}")
        with open_source(manifest) as source:
            section = manifest.source
            ordered = section.operation is not None or "cursor" in section.settings
            for attempts_left in (2, 1, 0):
                cursor = source.combine(batch.since, batches.reached(connection, batch_id))
                try:
                    return publish_batch(
                        connection,
                        batch_id,
                        cursor,
                        limits(manifest),
                        snapshot=section.snapshot,
                        ordered=ordered,
                        approved_by=approved_by,
                    )
                except StagingMissing as missing:
                    if not attempts_left:
                        raise
                    for part in missing.parts:
                        pull(url, manifest, batch_id, part)
    raise AssertionError("unreachable")  # pragma: no cover


@contextmanager
def _few_cycles() -> Iterator[None]:
    """Rows come and go by the thousand without cycles: looking for some among them would cost a tenth of a pull."""
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(100_000, 50, 50)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


def batch_of_run(url: str, connector: str, run_id: str) -> int:
    """The batch that a run planned. Raises IntakeError when it planned none."""
    with connect(url) as connection:
        found = batches.reports(connection, connector=connector, run_id=run_id, limit=1)
    if not found:
        raise IntakeError(f"run {run_id} of {connector} has planned no batch; clear its task `plan`")
    return found[0].batch_id


def run(url: str, manifest: Manifest, *, full: bool = False, progress: Progress | None = None) -> BatchReport:
    """Plan, pull and publish in this process, one part after the other."""
    planned = plan(url, manifest, full=full)
    for number, _ in planned.parts:
        pull(url, manifest, planned.batch_id, number, progress)
    return publish(url, manifest, planned.batch_id)


def limits(manifest: Manifest) -> Limits:
    """The manifest's gates, with the hub's defaults."""
    given = manifest.limits
    default = Limits()
    return Limits(
        max_refused=default.max_refused if given.max_refused is None else given.max_refused,
        max_shrink=default.max_shrink if given.max_shrink is None else given.max_shrink,
    )


def _entries(manifest: Manifest) -> tuple[DatasetEntry, ConnectorEntry]:
    zh, en = catalogue.title(manifest.schema)
    dataset = DatasetEntry(
        name=manifest.dataset,
        schema=manifest.schema,
        title_zh=zh,
        title_en=en,
        department=manifest.department,
        key=manifest.key,
        entity_field=catalogue.entity_field(manifest.schema),
    )
    connector = ConnectorEntry(
        name=manifest.connector,
        department=manifest.department,
        title_zh=manifest.title.zh,
        title_en=manifest.title.en,
        owner_name=manifest.owner.name,
        owner_email=manifest.owner.email,
        schedule=manifest.schedule,
        freshness=manifest.freshness,
        manifest_digest=manifest.digest,
    )
    return dataset, connector
