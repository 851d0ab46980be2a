"""What it costs to have every read on record before it is answered: ``make bench-audit``.

``SECONDS=10``. One embedded PostgreSQL with the default settings of the local stack, so each commit waits for the disk.

* append: entries a second that one connection writes, in groups of 1, 16, 64 and 256, and what Python works on each.
* api: one process of the API, bound to one core, asked for single records by 64 connections from a load generator on
  another core (Python's aiohttp, which is slow itself: this compares, it does not show what the API can do at most).
  ``logged`` is the product; ``unwritten`` is the same with a log that says yes without writing anything. The processor
  time of the API's process is told beside, for it does not depend on what else the machine does.
* check: entries a second that a check of the whole log reads, hashes and compares; a proof of inclusion in it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import psutil

from benchmarks.server import running
from registry.api.clients import clients
from registry.api.server import serve
from registry.api.settings import from_environment
from registry.audit import check, log, proofs
from registry.audit.writer import AccessLog
from registry.domain.audit.entry import Entry
from registry.domain.batches import Limits, Mode
from registry.domain.grants.terms import Terms
from registry.grants import giving
from registry.intake import batches
from registry.intake.batches import ConnectorEntry, DatasetEntry, PlannedPart
from registry.intake.publish import publish
from registry.intake.staging import Staging
from registry.storage.database import connect
from registry.storage.grant_uses import Use
from registry.storage.migrate import migrate
from schemas.identifiers import organisation_code_check_character, uscc_check_character
from shuqiao.stack import postgres

CONNECTIONS = 64
RECORDS = 1000
GROUPS = (1, 16, 64, 256)


def main() -> int:
    """Measure and print one JSON document a line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=float(os.environ.get("SECONDS", "10")))
    parser.add_argument("--serve", choices=["logged", "unwritten"], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        return _serve(written=arguments.serve == "logged")
    with running() as (server, folder):
        url = server.conninfo()
        migrate(url)
        _fill(url)
        for result in (*_appends(url, arguments.seconds), *_reads(url, folder, arguments.seconds), _checked(url)):
            sys.stdout.write(json.dumps(result) + "\n")
            sys.stdout.flush()
    return 0


def uscc(number: int) -> str:
    """A valid code for each number."""
    first = f"91330203{number:08d}"
    first += organisation_code_check_character(first[8:16])
    return first + uscc_check_character(first)


def _appends(url: str, seconds: float) -> Iterator[dict[str, Any]]:
    entry = Entry(
        at=datetime.now(UTC),
        action="GET /api/v1/datasets/{dataset}/records/{key}",
        status=200,
        request_digest=bytes(32),
        trace_id="4f0c2f6f3bb7443f9a0e6c1d2b3a4958",
        process="0a1b2c3d4e5f",
        client="client-0123456789abcdef",
        dataset="legal_entity",
        entity=uscc(1),
        purpose="credit_lending",
    )
    with connect(url) as connection:
        for group in GROUPS:
            begun, worked, count = time.perf_counter(), time.process_time(), 0
            while time.perf_counter() - begun < seconds / len(GROUPS):
                log.append(connection, [entry] * group)
                count += group
            rate = count / (time.perf_counter() - begun)
            cpu = (time.process_time() - worked) / count * 1e6
            yield {"measure": "append", "group": group, "entries_per_s": round(rate), "cpu_us_per_entry": round(cpu)}


def _reads(url: str, folder: Path, seconds: float) -> Iterator[dict[str, Any]]:
    client = clients.add(url, "bench", [])
    with connect(url) as connection:
        giving.give(connection, client.id, "legal_entity", Terms(), given_by="bench", approval="bench")
    for mode in ("logged", "unwritten", "logged", "unwritten"):
        port = postgres.free_port()
        environment = {**os.environ, "SHUQIAO_DATABASE_URL": url, "SHUQIAO_TOKEN_KEY": str(folder / "key.pem")}
        environment |= {"SHUQIAO_API_PORT": str(port), "SHUQIAO_API_WORKERS": "1"}
        process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.access_log", "--serve", mode],
            env=environment,
            stderr=subprocess.DEVNULL,
        )
        try:
            psutil.Process(process.pid).cpu_affinity([0])
            _until_it_listens(port)
            started = psutil.Process(process.pid).cpu_times()[:2]
            psutil.Process().cpu_affinity([(os.cpu_count() or 1) - 1])
            with _commits(url) as commits:
                took = asyncio.run(_load(f"http://127.0.0.1:{port}", client.id, client.secret, seconds))
            cpu = sum(psutil.Process(process.pid).cpu_times()[:2]) - sum(started)
        finally:
            psutil.Process().cpu_affinity(list(range(os.cpu_count() or 1)))
            process.terminate()
            process.wait()
        good = sorted(each for each, status in took if status == 200)  # noqa: PLR2004
        yield {
            "measure": "api",
            "mode": mode,
            "req_per_s": round(len(good) / seconds),
            "p50_ms": round(statistics.median(good) * 1000, 1),
            "p99_ms": round(good[int(len(good) * 0.99)] * 1000, 1),
            "cpu_us_per_req": round(cpu / len(took) * 1e6),
            "errors": len(took) - len(good),
            "entries_per_commit": round(commits[0], 1) if commits and mode == "logged" else None,
        }


async def _load(address: str, client_id: str, secret: str, seconds: float) -> list[tuple[float, int]]:
    connector = aiohttp.TCPConnector(limit=CONNECTIONS)
    async with aiohttp.ClientSession(connector=connector, trust_env=False) as session:
        form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret}
        async with session.post(f"{address}/api/v1/token", data=form) as answer:
            headers = {"Authorization": f"Bearer {(await answer.json())['access_token']}"}
        took: list[tuple[float, int]] = []
        end = time.perf_counter() + seconds

        async def read(start: int) -> None:
            number = start
            while (begun := time.perf_counter()) < end:
                number = (number + CONNECTIONS) % RECORDS
                path = f"/api/v1/datasets/legal_entity/records/{uscc(number)}"
                async with session.get(address + path, headers=headers) as answer:
                    await answer.read()
                    took.append((time.perf_counter() - begun, answer.status))

        await asyncio.gather(*(read(number) for number in range(CONNECTIONS)))
        return took


def _until_it_listens(port: int) -> None:
    for _ in range(600):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise TimeoutError(port)


@contextmanager
def _commits(url: str) -> Iterator[list[float]]:
    """How many entries shared a commit, once the block is left."""
    found: list[float] = []
    with connect(url) as connection:
        first = log.head(connection).size
        yield found
        row = connection.execute(
            "SELECT count(*)::float / nullif(count(DISTINCT xmin::text), 0) FROM registry.access_log WHERE index >= %s",
            (first,),
        ).fetchone()
        if row and row[0]:
            found.append(row[0])


def _checked(url: str) -> dict[str, Any]:
    with connect(url) as connection:
        begun = time.perf_counter()
        report = check.check(connection, [])
        took = time.perf_counter() - begun
        begun = time.perf_counter()
        for index in range(0, report.size, max(report.size // 200, 1)):
            proofs.inclusion(connection, index)
        proof = (time.perf_counter() - begun) / 200
    return {
        "measure": "check",
        "entries": report.size,
        "entries_per_s": round(report.size / took),
        "findings": len(report.findings),
        "proof_ms": round(proof * 1000, 2),
    }


def _serve(*, written: bool) -> int:
    if not written:

        async def say_yes(self: AccessLog, entry: Entry, uses: Sequence[Use] = ()) -> int:
            del self, entry, uses
            return 0

        AccessLog.write = say_yes  # type: ignore[method-assign]
    serve(from_environment())
    return 0


def _fill(url: str) -> None:
    """Enterprises, through the intake."""
    dataset = DatasetEntry(
        "legal_entity", "legal_entity@1", "市场主体登记信息", "Legal entities", "market", ("uscc",), "uscc"
    )
    connector = ConnectorEntry(
        "market.enterprise", "market", "企业登记", "Enterprises", "Bench", "bench@example.gov.cn", None, None, "d"
    )
    rows = [{"uscc": uscc(number), "name": f"第{number}号有限公司", "status": "active"} for number in range(RECORDS)]
    with connect(url) as connection:
        place = batches.register(connection, dataset, connector)
        batch_id = batches.plan(
            connection, place, [PlannedPart(0, "all", {})], mode=Mode.INCREMENTAL, schema="legal_entity@1",
            manifest_digest="d", dry_run=False, run_id=None,
        )  # fmt: skip
        staging = Staging(connection, batch_id, 0)
        codes = [row["uscc"] for row in rows]
        bodies = [orjson.dumps(row, option=orjson.OPT_SORT_KEYS) for row in rows]
        staging.add(list(range(RECORDS)), codes, codes, codes, bodies)
        staging.finish({"read": RECORDS})
        publish(connection, batch_id, {"batch": batch_id}, Limits(max_refused=1.0, max_shrink=1.0))


if __name__ == "__main__":
    sys.exit(main())
