"""Issued credit reports 公共信用信息报告: each has a number, and what it stood on is on record.

Who asks again on the same day, while it would say the same, gets the same report: a number is taken by what is said,
not by how often it is asked for. The document itself is not kept: what it says may not be shown later.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import orjson
import psycopg

from registry.domain.credit import report_numbers
from registry.domain.credit.marks import china_day

ANYONE = "anyone"
"""Who asked for the public edition without saying who they are."""
COMMAND_LINE = "command line"
"""The operator on the hub's machine."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What a report stands on."""

    digest: bytes
    """SHA-256 of the records, as docs/credit.md says: printed, and computed from the report by anyone."""
    content_digest: bytes
    """SHA-256 of all that it says but for ages: the same again means that all of it still is so."""
    records: Sequence[Mapping[str, Any]]
    """``dataset``, ``key``, ``version`` and ``marks`` of each record."""


@dataclass(frozen=True, slots=True)
class IssuedReport:
    """A report with its number."""

    number: str
    entity: str
    reader: str
    datasets: tuple[str, ...] | None
    """Only records of these were asked for; None: of all that the reader may see."""
    day: date
    """In China."""
    issued_at: datetime
    asked_by: str
    digest: bytes
    content_digest: bytes
    records: int


_ISSUE = """
INSERT INTO registry.credit_report
    (number, entity, reader, datasets, day, issued_at, asked_by, digest, content_digest, records)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s::jsonb)
ON CONFLICT (entity, reader, day, asked_by, content_digest) DO NOTHING
"""
_COLUMNS = (
    "number, entity, reader, datasets, day, issued_at, asked_by, digest, content_digest, jsonb_array_length(records)"
)


def issue(
    connection: psycopg.Connection,
    entity: str,
    reader: str,
    standing: Standing,
    *,
    asked_by: str,
    now: datetime,
    datasets: Sequence[str] | None = None,
) -> IssuedReport:
    """The report of today that says this to this reader: the one issued before, or a new one with a new number."""
    day = china_day(now)
    only = None if datasets is None else sorted(datasets)
    with connection.transaction():
        connection.execute(
            _ISSUE,
            (report_numbers.new(), entity, reader, only, day, now, asked_by, standing.digest, standing.content_digest,
             orjson.dumps(list(standing.records)).decode()),
        )  # fmt: skip
        row = connection.execute(
            f"SELECT {_COLUMNS} FROM registry.credit_report WHERE entity = %s AND reader = %s AND day = %s"
            " AND asked_by = %s AND content_digest = %s",
            (entity, reader, day, asked_by, standing.content_digest),
        ).fetchone()
    if row is None:
        raise AssertionError("the report that was just issued is not there")
    return _issued(row)


def _issued(row: tuple[Any, ...]) -> IssuedReport:
    number, entity, reader, datasets, day, issued_at, asked_by, digest, content_digest, records = row
    only = None if datasets is None else tuple(datasets)
    return IssuedReport(
        number, entity, reader, only, day, issued_at, asked_by, bytes(digest), bytes(content_digest), records
    )
