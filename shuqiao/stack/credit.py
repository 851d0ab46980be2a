"""Public credit data in the local stack: wait until it has followed the records, and one enterprise to look at."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import requests

from registry.credit import following
from registry.credit.enterprise_file import china_day
from registry.credit.keeping import FOLLOWER
from registry.domain.credit.sources import default_sources
from registry.storage.database import connect
from shuqiao.stack.ports import HOST

_STALL_SECONDS = 120.0
_LOOKED_AT = 12
"""So many enterprises are asked for at most, to find one with some life in it."""
_ENOUGH = 4
"""Of more records than this, one more makes an enterprise no better an example."""

# Those with a penalty and a permit first, then by how much is known of them beside: a discrepancy, an evaluation.
_LIVELY = """
WITH punished AS (
    SELECT r.entity FROM registry.record r JOIN registry.dataset d ON d.id = r.dataset_id
    WHERE d.name = 'administrative_penalty' AND r.entity IS NOT NULL ORDER BY r.body ->> 'decided_on' DESC LIMIT 2000),
known AS (
    SELECT r.entity, count(DISTINCT d.name) AS datasets, bool_or(d.name = 'administrative_licence') AS permitted,
        bool_or(d.name = 'legal_entity' AND r.body ->> 'status' = 'active') AS active
    FROM registry.record r JOIN registry.dataset d ON d.id = r.dataset_id
    WHERE r.entity IN (SELECT entity FROM punished) GROUP BY r.entity)
SELECT k.entity FROM known k
ORDER BY k.active DESC, k.permitted DESC,
    EXISTS (SELECT FROM registry.discrepancy o WHERE o.entity = k.entity AND o.closed_at IS NULL) DESC,
    k.datasets DESC, k.entity
LIMIT %s
"""


@dataclass(frozen=True, slots=True)
class Kept:
    """How much is kept of enterprises beside their records."""

    discrepancies: int
    findings: int
    matched: int
    """Records without a code that a rule matched with their enterprise."""
    candidates: int
    """Matches that wait for a person."""
    evaluated: int


@dataclass(frozen=True, slots=True)
class ClassCount:
    """The records of one class of the catalogue in the public report."""

    title_zh: str
    title_en: str
    public: int
    departments: int
    """As departments see them."""


@dataclass(frozen=True, slots=True)
class Example:
    """An enterprise that a person can look at."""

    uscc: str
    name: str
    status: str
    classes: Sequence[ClassCount]
    evaluations: Sequence[str]
    """``B 78.5 (enterprise_credit/1)``."""
    measures: Sequence[str]
    discrepancies: Sequence[str]
    page: str
    """Where the public looks it up."""
    pdf: Path
    """Its report, public edition, as it was fetched from that page."""


def wait(database_url: str, runs_go_on: Callable[[], bool], sleep: Callable[[float], None]) -> bool:
    """Wait until what is known of enterprises has followed everything that was published, and no run is at it.

    False when nothing has moved for two minutes.
    """
    datasets = default_sources().on(china_day(datetime.now(UTC))).datasets
    with connect(database_url) as connection:
        moved, last = time.monotonic(), ""
        while following.is_behind(connection, FOLLOWER, datasets) or runs_go_on():
            row = connection.execute(
                "SELECT array_agg((name, followed_xid, followed_seq, first_load) ORDER BY name) FROM registry.follower"
            ).fetchone()
            if (now := str(row)) != last:
                moved, last = time.monotonic(), now
            if time.monotonic() - moved > _STALL_SECONDS:
                return False
            sleep(0.5)
    return True


def kept(database_url: str) -> Kept:
    """What has been found, as it stands now."""
    with connect(database_url) as connection:
        row = connection.execute(
            "SELECT (SELECT count(*) FROM registry.discrepancy WHERE closed_at IS NULL),"
            " (SELECT count(*) FROM registry.credit_finding WHERE closed_at IS NULL),"
            " (SELECT count(*) FROM registry.entity_match WHERE state = 'accepted'),"
            " (SELECT count(*) FROM registry.entity_match WHERE state = 'candidate'),"
            " (SELECT count(DISTINCT entity) FROM registry.evaluation)"
        ).fetchone()
    assert row is not None  # noqa: S101  (one row always)
    return Kept(*row)


def example(database_url: str, base: str, api_port: int, token: str, folder: Path) -> Example | None:
    """An enterprise with a penalty, a permit and what else there is, read as a department reads it.

    Its report goes into ``folder``. None when nothing can be shown of any. Raises requests.RequestException where the
    API fails.
    """
    with connect(database_url) as connection:
        found = [str(row[0]) for row in connection.execute(_LIVELY.encode(), (_LOOKED_AT,))]
    best: Example | None = None
    with _session(token) as session:
        for uscc in found:
            read = _read(session, f"http://{HOST}:{api_port}/api/v1/enterprises/{quote(uscc)}", base, folder)
            if read is not None and (best is None or _liveliness(read) > _liveliness(best)):
                best = read
        if best is not None:
            _fetch(session, f"http://{HOST}:{api_port}/credit/{quote(best.uscc)}/report.pdf", best.pdf)
    return best


def _fetch(session: requests.Session, address: str, pdf: Path) -> None:
    answer = session.get(address, timeout=60)
    answer.raise_for_status()
    pdf.parent.mkdir(parents=True, exist_ok=True)
    pdf.write_bytes(answer.content)


def _liveliness(read: Example) -> int:
    """How much there is to see: classes and records that are public, a discrepancy, measures."""
    shown = [each.public for each in read.classes if each.public]
    return len(shown) + min(sum(shown), _ENOUGH) + bool(read.discrepancies) + bool(read.measures)


def _read(session: requests.Session, address: str, base: str, folder: Path) -> Example | None:
    """What the API says of one enterprise; None if it may not tell anything."""
    file = _answered(session, address)
    public = _answered(session, f"{address}/report?reader=public")
    own = _answered(session, f"{address}/report?reader=department")
    if file is None or public is None or own is None:
        return None
    seen = {each["code"]: each["records"] for each in public["summary"]}
    return Example(
        uscc=file["uscc"],
        name=own["name"] or "",
        status=own["status"] or "",
        classes=[
            ClassCount(each["title"]["zh"], each["title"]["en"], seen.get(each["code"], 0), each["records"])
            for each in own["summary"]
            if each["records"]
        ],
        evaluations=[
            f"{each['grade']}  {each['score']}  ({each['scorecard']}/{each['version']})" for each in own["evaluations"]
        ],
        measures=[f"{each['title']['zh']} / {each['title']['en']}" for each in own["measures"]],
        discrepancies=[f"{each['department']}: {each['field']}" for each in file["discrepancies"]],
        page=f"{base}/credit/{file['uscc']}",
        pdf=folder / f"{file['uscc']}.pdf",
    )


def _answered(session: requests.Session, address: str) -> dict[str, Any] | None:
    answer = session.get(address, timeout=30)
    if answer.status_code == requests.codes.not_found:
        return None
    answer.raise_for_status()
    return dict(answer.json())


def _session(token: str) -> requests.Session:
    """A session that asks loopback directly, whatever proxy the environment names."""
    session = requests.Session()
    session.trust_env = False
    session.headers["Authorization"] = f"Bearer {token}"
    return session
