"""Feed a registry through its intake, as a connector would: plan, stage, publish."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from registry.domain.batches import BatchReport, Limits, Mode
from registry.domain.keys import key_text
from registry.intake import batches
from registry.intake.batches import ConnectorEntry, DatasetEntry, PlannedPart, Position
from registry.intake.publish import publish
from registry.intake.staging import Refusal, Staging
from registry.storage.database import connect

NO_GATES = Limits(max_refused=1.0, max_shrink=1.0)


@dataclass
class Row:
    """A row of a source: what it maps to, or why it is refused, or that it deletes."""

    body: dict[str, Any] = field(default_factory=dict)
    row_id: str | None = None
    refused: str | None = None
    delete: bool = False


@dataclass
class Feeder:
    """One connector of one dataset, keyed by ``id``."""

    url: str
    name: str = "office.things"
    dataset: str = "thing"
    limits: Limits = NO_GATES

    def position(self) -> Position:
        dataset = DatasetEntry(self.dataset, f"{self.dataset}@1", "东西", "Things", "office", ("id",), "uscc")
        connector = ConnectorEntry(
            self.name, "office", "东西", "Things", "Office", "office@example.gov.cn", None, None, "d"
        )
        with connect(self.url) as connection:
            return batches.register(connection, dataset, connector)

    def plan(
        self, parts: int = 1, *, mode: Mode = Mode.INCREMENTAL, dry_run: bool = False, run_id: str | None = None
    ) -> int:
        position = self.position()
        planned = [PlannedPart(number, f"part {number}", {}) for number in range(parts)]
        with connect(self.url) as connection:
            return batches.plan(
                connection, position, planned, mode=mode, schema=f"{self.dataset}@1", manifest_digest="d",
                dry_run=dry_run, run_id=run_id,
            )  # fmt: skip

    def stage(self, batch_id: int, rows: Sequence[Row], part: int = 0, *, unchanged: bool = False) -> None:
        with connect(self.url) as connection:
            staging = Staging(connection, batch_id, part)
            stage_rows(staging, rows)
            staging.finish({"read": len(rows)}, unchanged=unchanged)

    def publish(self, batch_id: int, **options: Any) -> BatchReport:
        with connect(self.url) as connection:
            return publish(connection, batch_id, {"cursor": batch_id}, self.limits, **options)

    def feed(self, *parts: Sequence[Row], mode: Mode = Mode.INCREMENTAL, **options: Any) -> BatchReport:
        batch_id = self.plan(len(parts), mode=mode)
        for number, rows in enumerate(parts):
            self.stage(batch_id, rows, number)
        report = self.publish(batch_id, **options)
        assert report.state != "published" or report.counts.accounted, report
        return report

    def records(self) -> dict[str, dict[str, Any]]:
        query = (
            "SELECT r.key, r.body FROM registry.record r"
            " JOIN registry.dataset d ON d.id = r.dataset_id WHERE d.name = %s"
        )
        with connect(self.url) as connection:
            return dict(connection.execute(query, (self.dataset,)).fetchall())

    def changes(self) -> list[tuple[str, str]]:
        """(operation, key) in feed order."""
        with connect(self.url) as connection:
            rows = connection.execute(
                "SELECT operation, c.key FROM registry.change c JOIN registry.dataset d ON d.id = c.dataset_id"
                " WHERE d.name = %s ORDER BY xid, seq",
                (self.dataset,),
            )
            return [(operation if isinstance(operation, str) else operation.decode(), key) for operation, key in rows]

    def tickets(self) -> list[dict[str, Any]]:
        with connect(self.url) as connection:
            rows = connection.execute(
                "SELECT row_id, key, reasons, times_seen, closed_because FROM registry.refusal ORDER BY id"
            )
            names = ("row_id", "key", "reasons", "times_seen", "closed_because")
            return [dict(zip(names, row, strict=True)) for row in rows]

    def query(self, text: str) -> list[tuple[Any, ...]]:
        with connect(self.url) as connection:
            return connection.execute(text.encode()).fetchall()


def stage_rows(staging: Staging, rows: Sequence[Row]) -> None:
    """Hand rows to a staging attempt in their order."""
    for ordinal, row in enumerate(rows):
        key = row.body.get("id")
        row_id = row.row_id or str(key)
        if row.delete:
            staging.delete([(ordinal, key, row_id)])
        elif row.refused:
            reason = {"pointer": "", "rule": row.refused, "zh": row.refused, "en": row.refused}
            staging.refuse([Refusal(ordinal, row_id, key, f"part:{ordinal}", row.body, [reason])])
        else:
            staging.add([ordinal], [key_text([key])], [row_id], [row.body.get("uscc")], [canonical(row.body)])


def canonical(body: Mapping[str, Any]) -> bytes:
    return orjson.dumps(body, option=orjson.OPT_SORT_KEYS)


def good(key: str, row_id: str | None = None, **fields: Any) -> Row:
    return Row({"id": key, **fields}, row_id)


def bad(key: str | None, rule: str = "pattern", row_id: str | None = None) -> Row:
    return Row({"id": key} if key else {}, row_id, refused=rule)


def gone(key: str | None, row_id: str | None = None) -> Row:
    return Row({"id": key} if key else {}, row_id, delete=True)


def bodies(*rows: Row) -> Mapping[str, dict[str, Any]]:
    return {row.body["id"]: row.body for row in rows}
