"""Two datasets of one enterprise world, fed through the intake as connectors would."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import orjson

from registry.domain.batches import BatchReport, Limits, Mode
from registry.domain.keys import key_text
from registry.intake import batches
from registry.intake.batches import ConnectorEntry, DatasetEntry, PlannedPart
from registry.intake.publish import publish
from registry.intake.staging import Refusal, Staging
from registry.storage.database import connect
from schemas.identifiers import USCC_ALPHABET, uscc_check_character

REASON = {"pointer": "/established_on", "rule": "format", "zh": "应为日期", "en": "expected a date"}


def canonical(body: dict[str, Any]) -> bytes:
    """As the application stages records."""
    return orjson.dumps(body, option=orjson.OPT_SORT_KEYS)


def uscc(number: int) -> str:
    """A valid code for each number."""
    text, rest = "", number
    for _ in range(9):
        rest, digit = divmod(rest, len(USCC_ALPHABET))
        text = USCC_ALPHABET[digit] + text
    first = f"91310000{text}"
    return first + uscc_check_character(first)


def enterprise(number: int, **fields: Any) -> dict[str, Any]:
    return {
        "uscc": uscc(number),
        "name": f"第{number}号公司",
        "status": "active",
        "established_on": "2020-01-02",
        **fields,
    }


def permit(number: int, document: str, **fields: Any) -> dict[str, Any]:
    return {"uscc": uscc(number), "document_number": document, **fields}


@dataclass
class Feed:
    """One connector of one dataset; the intake's own functions do the rest."""

    url: str
    connector: str
    dataset: DatasetEntry
    freshness: timedelta | None = field(default_factory=lambda: timedelta(hours=2))

    def publish(
        self,
        rows: Sequence[dict[str, Any]] = (),
        *,
        refused: Sequence[dict[str, Any]] = (),
        deleted: Sequence[dict[str, Any]] = (),
        limits: Limits | None = None,
        mode: Mode = Mode.INCREMENTAL,
    ) -> BatchReport:
        """One batch of good rows, rows refused for REASON, and deletions."""
        entry = ConnectorEntry(
            self.connector, self.dataset.department, "连接器", "Connector", "Office", "office@example.gov.cn", None,
            self.freshness, "digest",
        )  # fmt: skip
        with connect(self.url) as connection:
            position = batches.register(connection, self.dataset, entry)
            batch_id = batches.plan(
                connection, position, [PlannedPart(0, "all", {})], mode=mode, schema=self.dataset.schema,
                manifest_digest="digest", run_id=f"run {self.connector}",
            )  # fmt: skip
            staging = Staging(connection, batch_id, 0)
            keys = [self.key(row) for row in rows]
            staging.add(
                range(len(rows)), keys, keys, [row.get("uscc") for row in rows], [canonical(row) for row in rows]
            )
            staging.refuse(
                [Refusal(n, self.key(row), self.key(row), f"table:{n}", row, [REASON]) for n, row in enumerate(refused)]
            )
            staging.delete([(n, self.key(row), self.key(row)) for n, row in enumerate(deleted)])
            staging.finish({"read": len(rows)})
            return publish(connection, batch_id, {"at": batch_id}, limits or Limits(max_refused=1.0, max_shrink=1.0))

    def key(self, row: dict[str, Any]) -> str:
        return key_text(row[name] for name in self.dataset.key)


def enterprises(url: str, connector: str = "market-supervision.enterprise") -> Feed:
    entry = DatasetEntry(
        "legal_entity", "legal_entity@1", "市场主体", "Legal entities", "market-supervision", ("uscc",), "uscc"
    )
    return Feed(url, connector, entry)


def permits(url: str, connector: str = "licensing.permit") -> Feed:
    entry = DatasetEntry(
        "permit", "permit@1", "许可", "Permits", "licensing", ("document_number",), "uscc", "unconditional"
    )
    return Feed(url, connector, entry)


def bury(url: str, subscription: str) -> Sequence[str]:
    """Every change of its dataset is one that its receiver did not take; their keys."""
    with connect(url) as connection:
        found = connection.execute(
            "INSERT INTO registry.dead_letter (subscription_id, xid, seq, key, attempts, reason)"
            " SELECT s.id, c.xid, c.seq, c.key, 5, '422' FROM registry.change c JOIN registry.subscription s"
            " USING (dataset_id) WHERE s.id = %s ORDER BY c.xid, c.seq RETURNING key",
            (subscription,),
        ).fetchall()
    return [row[0] for row in found]
