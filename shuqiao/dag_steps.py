"""What the tasks of the DAGs do: the steps of :mod:`shuqiao.ingest`, with errors sorted into Airflow's.

An error that trying again may mend stays as it is (Airflow retries); one that needs a person fails the task at once.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from airflow.sdk.exceptions import AirflowFailException

from connectors.errors import ManifestError, SourceMisconfigured, SourceUnavailable
from registry.domain.batches import BatchReport, State
from registry.intake.errors import BatchNotOpen, IntakeError
from schemas.errors import SchemaError
from shuqiao import ingest, manifests, notes
from shuqiao.ingest import PulledPart
from shuqiao.registry_address import database_url

log = logging.getLogger(__name__)
PROGRESS_ROWS = 50_000


def plan(connector: str, params: dict[str, Any], run_id: str) -> list[dict[str, Any]]:
    """Open a batch for this run; its parts. None when the operator approves a held batch: it was pulled before."""
    if params.get("approve_batch"):
        return []
    with _sorted_errors():
        planned = ingest.plan(
            database_url(),
            manifests.one(connector),
            full=bool(params.get("full")),
            dry_run=bool(params.get("dry_run")),
            run_id=run_id,
        )
    log.info("batch %s: %s part(s) to pull", planned.batch_id, len(planned.parts))
    return [{"batch_id": planned.batch_id, "number": number, "label": label} for number, label in planned.parts]


def pull(connector: str, batch_id: int, part: int) -> dict[str, int]:
    """Pull one part; how many rows were accepted, refused and deletions."""
    shown = 0

    def progress(so_far: PulledPart) -> None:
        nonlocal shown
        if so_far.pulled - shown >= PROGRESS_ROWS:
            shown = so_far.pulled
            log.info("part %s: %s rows so far, %s refused", part, so_far.pulled, so_far.refused)

    with _sorted_errors():
        pulled = ingest.pull(database_url(), manifests.one(connector), batch_id, part, progress)
    log.info("part %s: %s accepted, %s refused, %s deletions", part, pulled.accepted, pulled.refused, pulled.deletes)
    return asdict(pulled)


def publish(connector: str, params: dict[str, Any], run_id: str) -> dict[str, Any]:
    """Publish this run's batch (or the one approved); its report as plain data.

    A held batch fails the task with the reasons and the remedy.
    """
    approved = params.get("approve_batch")
    with _sorted_errors():
        url = database_url()
        batch_id = int(approved) if approved else ingest.batch_of_run(url, connector, run_id)
        approved_by = "operator" if approved else None
        report = ingest.publish(url, manifests.one(connector), batch_id, approved_by=approved_by)
    sentence = notes.sentence(report)
    if report.state is State.HELD:
        raise AirflowFailException(
            f"{sentence}\n要照原样发布，请用参数 approve_batch={batch_id} 触发本 DAG"
            f" / to publish it as it is, trigger this DAG with approve_batch={batch_id}"
        )
    log.info("%s", sentence)
    return summary(report)


def summary(report: BatchReport) -> dict[str, Any]:
    """A report as asset events and XCom carry it: ids and counts, never records."""
    return {
        "batch_id": report.batch_id,
        "connector": report.connector,
        "dataset": report.dataset,
        "state": report.state.value,
        "mode": report.mode.value,
        **asdict(report.counts),
    }


@contextmanager
def _sorted_errors() -> Iterator[None]:
    try:
        yield
    except SourceUnavailable:
        raise
    except (SourceMisconfigured, ManifestError, SchemaError, BatchNotOpen, IntakeError, KeyError) as error:
        raise AirflowFailException(str(error)) from error
