"""Credit reports with numbers: issued, drawn as PDF, and checked later by their number."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

import orjson
import psycopg
from cryptography import x509
from cryptography.x509.oid import NameOID

from registry.api.credit import answers as credit_answers
from registry.api.credit.answers import CreditReader, Datasets, Found, UnknownEnterprise
from registry.api.credit.report_words import EDITIONS, page_of
from registry.credit import reports
from registry.credit.reports import IssuedReport, Standing
from registry.documents import credit_report
from registry.documents.signing import SealKey
from registry.storage.reads import credit_reports
from registry.storage.reads.pool import Pool

_SAID_OF_A_RECORD = ("dataset", "key", "decided_on", "body", "since", "until", "grade", "marks")
_SAID_OF_A_MEASURE = ("code", "scene", "legal_basis")
_SAID_OF_A_LIST = ("list", "dataset", "key", "since", "until", "disputed")
_SAID_OF_A_GRADE = ("scorecard", "version", "score", "grade")


@dataclass(frozen=True, slots=True)
class Check:
    """What is to be said of a number that was issued."""

    number: str
    uscc: str
    reader: CreditReader
    day: Any
    issued_at: datetime
    digest: str
    records: int
    still_so: bool


def standing(report: Mapping[str, Any], only: Collection[str] | None = None) -> Standing:
    """What a report stands on; how old its data is and when it was computed is no part of it.

    ``only``: it was asked for with the records of these datasets.
    """
    records = [
        {
            "dataset": each["dataset"],
            "key": each["key"],
            "version": each["source"]["version"],
            "marks": each["marks"],
        }
        for each in report["records"]
    ]
    said = {
        "uscc": report["uscc"],
        "only": None if only is None else sorted(only),
        "name": report["name"],
        "status": report["status"],
        "records": [
            {name: each[name] for name in _SAID_OF_A_RECORD} | {"version": each["source"]["version"]}
            for each in report["records"]
        ],
        "measures": [
            {name: each[name] for name in _SAID_OF_A_MEASURE}
            | {"because": [{name: one[name] for name in _SAID_OF_A_LIST} for one in each["because"]]}
            for each in report.get("measures", ())
        ],
        "evaluations": [{name: each[name] for name in _SAID_OF_A_GRADE} for each in report.get("evaluations", ())],
    }
    content = orjson.dumps(said, option=orjson.OPT_SORT_KEYS)
    printed = str(report["check"]["digest"]).removeprefix("sha256:")
    return Standing(bytes.fromhex(printed), hashlib.sha256(content).digest(), records)


def numbered(report: Mapping[str, Any], issued: IssuedReport, base: str) -> dict[str, Any]:
    """A report with its number and where it is checked."""
    return {
        **report,
        "number": issued.number,
        "issued_at": issued.issued_at,
        "links": links(issued.number, base),
    }


def links(number: str, base: str) -> dict[str, str]:
    """Where a report is checked, by programs and by people."""
    return {"check": f"{base}/api/v1/credit/reports/{number}", "page": f"{base}/reports/{number}"}


def issue(
    connection: psycopg.Connection,
    report: Mapping[str, Any],
    *,
    asked_by: str,
    now: datetime,
    only: Collection[str] | None = None,
) -> IssuedReport:
    """Give a report its number, or the one it has already today. ``only``: as the report was asked for."""
    datasets = None if only is None else sorted(only)
    return reports.issue(
        connection,
        report["uscc"],
        report["reader"],
        standing(report, only),
        asked_by=asked_by,
        now=now,
        datasets=datasets,
    )


def pdf(
    report: Mapping[str, Any],
    issued: IssuedReport,
    datasets: Datasets,
    *,
    key: SealKey,
    chain: tuple[x509.Certificate, x509.Certificate],
    base: str,
    now: datetime,
) -> bytes:
    """The report as a document, sealed with the hub's key. Raises what :func:`credit_report.make` raises."""
    own, root = chain
    (name, *_) = own.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    page = page_of(report, issued, datasets, issuer=str(name.value), check_address=links(issued.number, base)["page"])
    return credit_report.make(page, key=key, chain=[root], at=now)


async def check(pool: Pool, datasets: Datasets, number: str, at: datetime) -> Check | None:
    """What is to be said of a number (as printed); None if no report of that number was ever issued here.

    Whether all of it is still so is found by making the same report now. What has changed is not said: it may be
    something that may no longer be told.
    """
    row = await credit_reports.report(pool, number)
    if row is None:
        return None
    reader, only = cast("CreditReader", row["reader"]), row["datasets"]
    try:
        now = await credit_answers.report(pool, datasets, Found(row["entity"], "uscc"), reader, at, only)
        still_so = standing(now, only).content_digest == bytes(row["content_digest"])
    except UnknownEnterprise:
        still_so = False
    return Check(
        number=row["number"],
        uscc=row["entity"],
        reader=reader,
        day=row["day"],
        issued_at=row["issued_at"],
        digest=f"sha256:{bytes(row['digest']).hex()}",
        records=row["records"],
        still_so=still_so,
    )


def checked(found: Check, at: datetime, base: str) -> dict[str, Any]:
    """The answer about a number."""
    edition = EDITIONS[found.reader]
    return {
        "number": found.number,
        "genuine": True,
        "uscc": found.uscc,
        "edition": found.reader,
        "title": {"zh": edition.zh, "en": edition.en},
        "day": found.day,
        "issued_at": found.issued_at,
        "as_of": at,
        "still_so": found.still_so,
        "check": {"digest": found.digest, "records": found.records if found.still_so else None},
        "links": links(found.number, base),
    }
