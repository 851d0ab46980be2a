"""How fast records become licences, statuses are seen, and credentials are verified: ``make bench-licences``.

``ROWS=100000 RUNS=3``. Everything runs on one embedded PostgreSQL with the default settings of the local stack; the
records, food business licences of two authorities, go through the intake first. Medians are quoted.

* issued: one process goes through the records for the first time (``registry.licences.issue.follow``): content,
  identifier, credential, signature, position in the status lists, events, all committed in steps of a thousand. That
  process and its PostgreSQL backend are bound to ONE core together. Each run begins from the same database.
* status: among those licences one record is suspended. The clock starts before its batch is published, and stops when
  the list that a real server answers over HTTP (``/status/{group}/suspension``) says so and its signature holds:
  publish, ``follow`` and the request, ten times. The scheduler's own time (the asset's event, a task's start) is not in
  it, nor is what a reader's cache adds (``max-age`` is 60 s).
* verified: licences are verified offline with the trust list and kept status lists: parse, shape, proof, chain, status,
  dates, digests (``registry.credentials.verify``), each document another one, on one core. None may be found wanting.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import psutil
import psycopg
import requests
from rich.console import Console
from rich.table import Table

from benchmarks.server import running
from registry.api.server import ApiServer
from registry.api.settings import ApiSettings
from registry.credentials import build, status_list, trust_list
from registry.credentials.data_integrity import check_proof
from registry.credentials.verify import FetchedList, KeptLists, Outcome, verify
from registry.domain.batches import Limits, Mode, State
from registry.domain.keys import key_text
from registry.domain.licences.loading import LicenceTypes, load_types
from registry.intake import batches
from registry.intake.batches import ConnectorEntry, DatasetEntry, PlannedPart
from registry.intake.publish import publish
from registry.intake.staging import Staging
from registry.licences import issue, issuers, trust
from registry.licences.keys import KeyRing
from registry.licences.storing import FORM, form_identity, signed_document
from registry.signing.master_key import MasterKey
from registry.storage.database import connect
from registry.storage.migrate import migrate
from schemas.identifiers import organisation_code_check_character, uscc_check_character
from shuqiao.stack.postgres import EmbeddedPostgres

BASE = "http://127.0.0.1:8000"
MASTER_KEY = MasterKey(b"bench" + bytes(27))
AUTHORITIES = {"海曙区市场监督管理局": "330203", "鄞州区市场监督管理局": "330212"}
CHANGES = 10
"""Status changes that are timed."""
VERIFIED = 3000
"""Credentials that are verified in a run."""


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=int(os.environ.get("ROWS", "100000")))
    parser.add_argument("--runs", type=int, default=int(os.environ.get("RUNS", "3")))
    arguments = parser.parse_args()
    console = Console(stderr=False, width=110)
    with running() as (server, folder):
        figures = measure(server, folder, arguments.rows, arguments.runs, console)
    print(json.dumps({"bench": "licences", "figures": figures}))
    return 0


def measure(server: EmbeddedPostgres, folder: Path, rows: int, runs: int, console: Console) -> dict[str, float | int]:
    """Everything in turn; the figures."""
    types = load_types()
    console.print(f"{rows:,} records, {runs} run(s), {os.cpu_count()} cores; publishing them ...")
    began = time.perf_counter()
    create(server, "records")
    migrate(server.conninfo("records"))
    fill(server.conninfo("records"), rows)
    console.print(f"published in {time.perf_counter() - began:.0f} s")
    seconds: list[float] = []
    processors: list[float] = []
    for number in range(runs):
        create(server, f"run_{number}", "records")
        took, processor = issue_all(server.conninfo(f"run_{number}"), types, rows)
        seconds.append(took)
        processors.append(processor)
        console.print(
            f"run {number + 1}: issued in {took:.1f} s ({processor:.1f} s of processor), {rows / took:,.0f}/s"
        )
        if number < runs - 1:
            drop(server, f"run_{number}")
    url = server.conninfo(f"run_{runs - 1}")
    visible = list(changes_seen(url, types, folder))
    console.print(f"status changes seen after {', '.join(f'{each:.2f}' for each in visible)} s")
    verified, verifying = zip(*[verify_many(url, types) for _ in range(runs)], strict=True)
    median = statistics.median
    figures: dict[str, float | int] = {
        "rows": rows,
        "issued_per_s": round(rows / median(seconds)),
        "status_visible_s": round(median(visible), 2),
        "status_visible_worst_s": round(max(visible), 2),
        "verified_per_s": round(median(verified)),
        "seconds": round(median(seconds), 1),
        "processor_us_per_licence": round(1e6 * median(processors) / rows),
        "processor_us_per_verification": round(median(verifying)),
    }
    table = Table(title=f"e-licences, {rows:,} records, median of {runs}")
    for heading in ("", "measured", "asked for"):
        table.add_column(heading, justify="left" if not heading else "right")
    table.add_row("licences issued per second, one core", f"{figures['issued_per_s']:,}", "2,000")
    table.add_row(
        "microseconds of processor for each (hub and database)", f"{figures['processor_us_per_licence']}", "500"
    )
    table.add_row(
        f"a status change is in the list after (worst of {CHANGES})",
        f"{figures['status_visible_s']} s ({figures['status_visible_worst_s']} s)",
        "60 s",
    )
    table.add_row("verified offline per second, one core", f"{figures['verified_per_s']:,}", "1,500")
    table.add_row("microseconds of processor for each", f"{figures['processor_us_per_verification']}", "667")
    console.print(table)
    return figures


def issue_all(url: str, types: LicenceTypes, rows: int) -> tuple[float, float]:
    """Seconds from the first record to the last licence committed, on one core; and of processor, both processes'."""
    now = datetime.now(UTC)
    with connect(url) as connection:
        keys = KeyRing.load(connection, MASTER_KEY)
        both = [os.getpid(), connection.info.backend_pid]
        with one_core(both):
            used, began = processor_seconds(both), time.perf_counter()
            report = issue.follow(connection, types, keys, base=BASE, now=now)
            seconds, used = time.perf_counter() - began, processor_seconds(both) - used
        assert report.total.issued == rows, report.total  # noqa: S101
        stored = connection.execute(
            "SELECT count(DISTINCT (status_group_id, status_index)), count(f.body) FROM registry.licence l"
            " JOIN registry.licence_form f ON f.licence_id = l.id AND f.form = 'vc'"
        ).fetchone()
        assert stored == (rows, rows), stored  # noqa: S101
    return seconds, used


def processor_seconds(processes: Sequence[int]) -> float:
    """What processes have used so far."""
    return sum(sum(psutil.Process(number).cpu_times()[:2]) for number in processes)


@contextmanager
def one_core(processes: Sequence[int]) -> Iterator[None]:
    """Bind processes to the last core together, where the system can do that."""
    bound = [psutil.Process(number) for number in processes]
    if not hasattr(psutil.Process, "cpu_affinity"):
        yield
        return
    before = [process.cpu_affinity() for process in bound]
    for process, cores in zip(bound, before, strict=True):
        process.cpu_affinity([max(cores or [0])])
    try:
        yield
    finally:
        for process, cores in zip(bound, before, strict=True):
            process.cpu_affinity(cores)


def changes_seen(url: str, types: LicenceTypes, folder: Path) -> Iterator[float]:
    """Seconds from before a suspension's publishing until the served list says it."""
    with served(url, folder) as address, connect(url) as connection:
        keys = KeyRing.load(connection, MASTER_KEY)
        for number in range(CHANGES):
            group, index, code = position(connection, number)
            key = keys.signer(code).private_key.public_key()
            assert not is_suspended(address, group, index, key)  # noqa: S101
            began = time.perf_counter()
            publish_rows(url, [food(number, status="02")])
            issue.follow(connection, types, keys, base=BASE, now=datetime.now(UTC), wait=60)
            while not is_suspended(address, group, index, key):
                time.sleep(0.01)
            yield time.perf_counter() - began


def position(connection: psycopg.Connection, number: int) -> tuple[int, int, str]:
    """Where a licence's state is published, and by which authority."""
    row = connection.execute(
        "SELECT status_group_id, status_index, issuer_code FROM registry.licence WHERE number = %s"
        " AND superseded_by IS NULL",
        (food(number)["licence_number"],),
    ).fetchone()
    assert row is not None  # noqa: S101
    return row[0], row[1], row[2]


def is_suspended(address: str, group: int, index: int, key: Any) -> bool:
    """As the list says that is served now."""
    answer = requests.get(f"{address}/status/{group}/suspension", timeout=30)
    answer.raise_for_status()
    document = answer.json()
    check_proof(document, key)
    return bool(status_list.get(status_list.decode(document["credentialSubject"]["encodedList"]), index, 1))


@contextmanager
def served(url: str, folder: Path) -> Iterator[str]:
    """The API on a thread; its address."""
    server = ApiServer(ApiSettings(url, folder / "token_key.pem", port=0, public_url=BASE))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()  # noqa: S101
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.bound_port}"
    finally:
        server.end()
        thread.join(30)


def verify_many(url: str, types: LicenceTypes) -> tuple[float, float]:
    """Verifications per second of so many licences, offline; and microseconds of processor for each."""
    now = datetime.now(UTC)
    with connect(url) as connection:
        keys = KeyRing.load(connection, MASTER_KEY)
        trusted = trust_list.load(
            trust.trust_list_document(connection, keys, base=BASE, resources=build.published(types.all, BASE), now=now),
            root=keys.root_certificate,
            at=now,
        )
        kept = KeptLists(
            {
                f"{BASE}/status/{group}/{purpose}": FetchedList(document, now)
                for group, purpose, document in connection.execute(
                    "SELECT group_id, purpose, document FROM registry.status_list"
                )
            }
        )
        documents = [
            signed_document(FORM, form_identity(number, "vc"), body)
            for number, body in connection.execute(
                "SELECT l.id, f.body FROM registry.licence l JOIN registry.licence_form f ON f.licence_id = l.id"
                " AND f.form = 'vc' WHERE l.state = '01' AND l.superseded_by IS NULL ORDER BY l.id DESC LIMIT %s",
                (VERIFIED,),
            )
        ]
    with one_core([os.getpid()]):
        used, began = time.process_time(), time.perf_counter()
        verdicts = [verify(document, trusted, kept, now) for document in documents]
        seconds, used = time.perf_counter() - began, time.process_time() - used
    wanting = [verdict for verdict in verdicts if verdict.outcome is not Outcome.VALID]
    assert not wanting, wanting[0].as_dict()  # noqa: S101
    return len(documents) / seconds, 1e6 * used / len(documents)


def fill(url: str, rows: int) -> None:
    """The authorities, and the records as a department's connector publishes them."""
    with connect(url) as connection:
        for name, division in AUTHORITIES.items():
            issuers.enter(
                connection, uscc(1, "11", division), name, "Market supervision", base=BASE, master_key=MASTER_KEY,
                now=datetime.now(UTC),
            )  # fmt: skip
    for first in range(0, rows, 20_000):
        publish_rows(url, [food(number) for number in range(first, min(rows, first + 20_000))])


def publish_rows(url: str, rows: Sequence[dict[str, Any]]) -> None:
    """One batch of one connector."""
    dataset = DatasetEntry(
        "food_business_licence", "food_business_licence@1", "食品经营许可证信息", "Food business licence", "market",
        ("licence_number",), "uscc",
    )  # fmt: skip
    connector = ConnectorEntry(
        "market.food", "market", "食品经营许可", "Food licences", "Bench", "bench@example.gov.cn", None, None, "d"
    )
    with connect(url) as connection:
        place = batches.register(connection, dataset, connector)
        batch_id = batches.plan(
            connection, place, [PlannedPart(0, "all", {})], mode=Mode.INCREMENTAL, schema="food_business_licence@1",
            manifest_digest="d", dry_run=False, run_id=None,
        )  # fmt: skip
        staging = Staging(connection, batch_id, 0)
        keys = [key_text([row["licence_number"]]) for row in rows]
        staging.add(
            list(range(len(rows))), keys, keys, [row["uscc"] for row in rows],
            [orjson.dumps(row, option=orjson.OPT_SORT_KEYS) for row in rows],
        )  # fmt: skip
        staging.finish({"read": len(rows)})
        report = publish(connection, batch_id, {"batch": batch_id}, Limits(max_refused=1.0, max_shrink=1.0))
        assert report.state is State.PUBLISHED, report  # noqa: S101


def food(number: int, **changed: Any) -> dict[str, Any]:
    """A food business licence, as long as real ones are."""
    authority = tuple(AUTHORITIES)[number % 2]
    return {
        "licence_number": f"JY{13302030000000 + number:014d}",
        "holder_name": f"宁波市海曙区第{number}号餐饮管理有限公司",
        "uscc": uscc(number),
        "legal_representative": "王某某",
        "address": f"浙江省宁波市海曙区中山东路{number % 9999}号",
        "business_address": f"浙江省宁波市海曙区中山东路{number % 9999}号一层",
        "division": AUTHORITIES[authority],
        "operation_kind": "catering",
        "items": ["热食类食品制售", "冷食类食品制售", "自制饮品制售"],
        "issued_on": f"2024-{number % 12 + 1:02d}-15",
        "valid_from": f"2024-{number % 12 + 1:02d}-15",
        "valid_to": f"2039-{number % 12 + 1:02d}-14",
        "authority": authority,
        "status": "01",
    } | changed


def uscc(number: int, registrar: str = "91", division: str = "330203") -> str:
    """A code with right check characters."""
    first = f"{registrar}{division}{number:08d}"
    first += organisation_code_check_character(first[8:16])
    return first + uscc_check_character(first)


def create(server: EmbeddedPostgres, database: str, template: str = "template1") -> None:
    """A database like another; a checkpoint, so that no run pays for the one before."""
    with connect(server.conninfo()) as connection:
        connection.execute(f"CREATE DATABASE {database} TEMPLATE {template}".encode())
        connection.execute("CHECKPOINT")


def drop(server: EmbeddedPostgres, database: str) -> None:
    """Give the disk back."""
    with connect(server.conninfo()) as connection:
        connection.execute(f"DROP DATABASE {database} WITH (FORCE)".encode())


if __name__ == "__main__":
    sys.exit(main())
