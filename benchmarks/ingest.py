"""How fast, and in how little memory, a validated load is: ``make bench-ingest`` (``ROWS=1000000 RUNS=3``).

Everything runs in one go on one embedded PostgreSQL (default settings of the local stack), each contender into a
database of its own, the contenders in turn within each run, medians quoted:

* hub: plan, pull by two workers, publish: mapping, validation, content hash, history, change feed and quarantine
  included. The workers are running before the clock starts, as Airflow's are.
* sql: what the database alone can do: ``COPY`` out of the source, ``COPY`` into a staging table, ``INSERT ... ON
  CONFLICT`` into a table with the same fifteen columns. No validation, no history.
* dlt: its default merge load of the same rows (``sql_database``-like generator of dicts), no validation; once, since it
  takes minutes.

The rows: fifteen fields of an enterprise, one in a hundred broken, in six ways.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import resource
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
from rich.console import Console
from rich.table import Table

from benchmarks.server import running
from connectors.manifest import load
from registry.domain.batches import BatchReport, State
from registry.storage.database import connect
from registry.storage.migrate import migrate
from schemas.identifiers import organisation_code_check_character, uscc_check_character
from shuqiao import ingest
from shuqiao.stack.postgres import EmbeddedPostgres

MANIFEST = Path(__file__).parent / "ingest.yaml"
WORKERS = 2
BROKEN_EVERY = 100
FIRST_BROKEN = 50
FIELDS = (
    "uni_social_crd_cd", "comp_nm", "comp_type", "legal_repre", "reg_capt", "est_dt", "appr_dt", "reg_org", "addr",
    "domdi_strict", "indv_code", "opt_scop", "reg_state", "reg_no", "postal_code",
)  # fmt: skip
COLUMNS = ", ".join(FIELDS)
TYPES = {"reg_capt": "numeric", "est_dt": "date", "appr_dt": "timestamp"}
DIVISIONS = ("330203", "330205", "330206", "330211", "330212", "330213")
NAMES = "华信恒达永盛嘉禾瑞丰天成宏远博雅"


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=int(os.environ.get("ROWS", "1000000")))
    parser.add_argument("--runs", type=int, default=int(os.environ.get("RUNS", "3")))
    parser.add_argument("--without-dlt", action="store_true", default=os.environ.get("DLT") == "0")
    arguments = parser.parse_args()
    console = Console(stderr=False, width=110)
    with running() as (server, _):
        figures = measure(server, arguments.rows, arguments.runs, console, with_dlt=not arguments.without_dlt)
    print(json.dumps({"bench": "ingest", "figures": figures}))
    return 0


@dataclass(frozen=True, slots=True)
class Loaded:
    """One hub load."""

    seconds: float
    pull_seconds: float
    publish_seconds: float
    peak_rss_mb: float
    worker_cpu_seconds: float
    report: BatchReport


def measure(
    server: EmbeddedPostgres, rows: int, runs: int, console: Console, *, with_dlt: bool
) -> dict[str, float | int | None]:
    """All contenders in turn; the figures."""
    console.print(f"{rows:,} rows, {runs} run(s), {os.cpu_count()} cores; filling the source ...")
    seconds = fill(server, rows)
    console.print(f"source filled in {seconds:.0f} s")
    hub: list[Loaded] = []
    sql: list[float] = []
    starts: list[float] = []
    increments: list[float] = []
    for number in range(runs):
        sql.append(sql_load(server, number))
        console.print(f"run {number + 1}: sql {sql[-1]:.1f} s")
        with workers(server, f"registry_{number}") as load_once:
            hub.append(load_once())
            expect(hub[-1].report, rows)
            starts.append(load_once().seconds)
            touch(server, rows)
            incremental = load_once()
            assert incremental.report.counts.changed == rows // 100, incremental.report.counts  # noqa: S101
            increments.append(incremental.seconds)
        drop(server, f"registry_{number}")
        last = hub[-1]
        console.print(
            f"run {number + 1}: hub {last.seconds:.1f} s (pull {last.pull_seconds:.1f}, publish"
            f" {last.publish_seconds:.1f}), nothing new {starts[-1]:.2f} s, 1 % changed {increments[-1]:.2f} s"
        )
    dlt = dlt_load(server, console) if with_dlt else None
    median = statistics.median
    full = median(each.seconds for each in hub)
    share = (median(increments) - median(starts)) / full
    figures: dict[str, float | int | None] = {
        "rows": rows,
        "rows_per_s": round(rows / full),
        "ratio_sql": round(median(sql) / full, 3),
        "ratio_dlt": round(dlt / full, 2) if dlt else None,
        "peak_rss_mb": round(max(each.peak_rss_mb for each in hub)),
        "incremental_share": round(share, 4),
        "fixed_start_s": round(median(starts), 2),
        "seconds": round(full, 1),
        "seconds_sql": round(median(sql), 1),
        "seconds_dlt": round(dlt, 1) if dlt else None,
    }
    table = Table(title=f"validated initial load, {rows:,} rows, median of {runs}")
    for heading in ("", "seconds", "rows/s", "hub is", "worker CPU s", "peak RSS MB"):
        table.add_column(heading, justify="left" if not heading else "right")
    cpu = median(each.worker_cpu_seconds for each in hub)
    table.add_row("hub", f"{full:.1f}", f"{rows / full:,.0f}", "", f"{cpu:.1f}", f"{figures['peak_rss_mb']}")
    table.add_row(
        "sql COPY + upsert", f"{median(sql):.1f}", f"{rows / median(sql):,.0f}", f"{median(sql) / full:.2f} x", "", ""
    )
    if dlt:
        table.add_row("dlt merge (one run)", f"{dlt:.1f}", f"{rows / dlt:,.0f}", f"{dlt / full:.2f} x", "", "")
    table.add_row("hub, 1 % changed", f"{median(increments):.2f}", "", f"{share:.2%} of full + start", "", "")
    table.add_row("hub, nothing new (start)", f"{median(starts):.2f}", "", "", "", "")
    console.print(table)
    return figures


def fill(server: EmbeddedPostgres, rows: int) -> float:
    """The department's database: ``exchange.ent_info``."""
    began = time.perf_counter()
    create(server, "source")
    columns = ", ".join(f"{name} {TYPES.get(name, 'text')}" for name in FIELDS)
    with connect(server.conninfo("source")) as connection:
        connection.execute("CREATE SCHEMA exchange")
        connection.execute(
            f"CREATE TABLE exchange.ent_info ({columns}, op_flag text, write_time timestamptz,"
            " PRIMARY KEY (reg_no))".encode()
        )
        into = f"COPY exchange.ent_info ({COLUMNS}, op_flag, write_time) FROM STDIN".encode()
        with connection.cursor() as cursor, cursor.copy(into) as copy:
            for row in enterprises(rows):
                copy.write_row(row)
        connection.execute("CREATE INDEX ON exchange.ent_info (write_time)")
        connection.execute("VACUUM ANALYZE exchange.ent_info")
    return time.perf_counter() - began


def enterprises(rows: int) -> Iterator[tuple[Any, ...]]:
    """Fifteen fields, flag and write time; every hundredth row broken, in six ways in turn."""
    random.seed(20261101)
    draw = random.random
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    born = date(1990, 1, 1)
    scope = (
        "一般项目:技术服务、技术开发、技术咨询;软件开发;货物进出口"
        "(除依法须经批准的项目外,凭营业执照依法自主开展经营活动)。"
    )
    for number in range(rows):
        division = DIVISIONS[number % len(DIVISIONS)]
        body = f"{10_000_000 + number:08d}"[:8]
        first = f"91{division}{body}"
        first += organisation_code_check_character(first[8:16])
        name = "".join(NAMES[int(draw() * len(NAMES))] for _ in range(4))
        day = born + timedelta(days=int(draw() * 12000))
        row: list[Any] = [
            first + uscc_check_character(first),
            f"宁波{name}科技有限公司",
            "enterprise",
            "王" + NAMES[int(draw() * len(NAMES))],
            f"{int(draw() * 10_000) + 1}.5",
            day,
            datetime.combine(day, datetime.min.time()),
            "宁波市市场监督管理局",
            f"浙江省宁波市海曙区中山路{number % 9999}号",
            division,
            "6510",
            scope,
            "开业",
            f"3302{number:011d}",
            "315000",
        ]
        if number % BROKEN_EVERY == FIRST_BROKEN:
            broken(row, number // BROKEN_EVERY % 6)
        yield *row, "i", begin + timedelta(milliseconds=number)


def broken(row: list[Any], kind: int) -> None:
    """Spoil a row in one of six ways."""
    place: tuple[int, Any] = [
        (0, row[0][:17] + ("1" if row[0][17] != "1" else "2")),  # wrong check character
        (0, row[13]),  # an old registration number where the USCC should be
        (1, None),  # no name
        (12, "未知"),  # a state that no code list has
        (9, "999999"),  # a division that does not exist
        (14, "31500"),  # a postal code one digit short
    ][kind]
    row[place[0]] = place[1]


def expect(report: BatchReport, rows: int) -> None:
    """A benchmark of a wrong answer is worth nothing."""
    refused = len(range(FIRST_BROKEN, rows, BROKEN_EVERY))
    assert report.state is State.PUBLISHED, report  # noqa: S101
    assert (report.counts.refused, report.counts.new) == (refused, rows - refused), report.counts  # noqa: S101


def touch(server: EmbeddedPostgres, rows: int) -> None:
    """One in a hundred changes, with a later write time."""
    with connect(server.conninfo("source")) as connection:
        changed = connection.execute(
            "UPDATE exchange.ent_info SET addr = addr || '甲', write_time ="
            " (SELECT max(write_time) FROM exchange.ent_info) + interval '1 second'"
            " WHERE right(reg_no, 2) = '07' AND op_flag = 'i'"
        ).rowcount
        assert changed == rows // 100, changed  # noqa: S101
        connection.execute("VACUUM ANALYZE exchange.ent_info")


class workers:  # noqa: N801  (reads as a context)
    """A fresh registry and its running workers."""

    def __init__(self, server: EmbeddedPostgres, database: str) -> None:
        self._url = server.conninfo(database)
        create(server, database)
        migrate(self._url)
        context = multiprocessing.get_context("spawn")
        os.environ["AIRFLOW_CONN_BENCH_SOURCE"] = server.url("source", "postgres")
        self._pool = ProcessPoolExecutor(WORKERS, mp_context=context)

    def __enter__(self) -> Callable[[], Loaded]:
        for _ in self._pool.map(warm_up, range(WORKERS)):
            pass
        return self._load

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()

    def _load(self) -> Loaded:
        manifest = load(MANIFEST)
        began = time.perf_counter()
        planned = ingest.plan(self._url, manifest)
        jobs = [(self._url, planned.batch_id, number) for number, _ in planned.parts]
        usage = list(self._pool.map(pull, jobs))
        pulled = time.perf_counter()
        report = ingest.publish(self._url, manifest, planned.batch_id)
        ended = time.perf_counter()
        return Loaded(
            seconds=ended - began,
            pull_seconds=pulled - began,
            publish_seconds=ended - pulled,
            peak_rss_mb=max((rss for rss, _ in usage), default=0),
            worker_cpu_seconds=sum(cpu for _, cpu in usage),
            report=report,
        )


def warm_up(_: int) -> None:
    """Import what a worker needs, as Airflow's forked workers have, and give the other worker time to start too."""
    load(MANIFEST)
    time.sleep(0.5)


def pull(job: tuple[str, int, int]) -> tuple[float, float]:
    """In a worker: one part; its peak memory (MB) and CPU seconds."""
    url, batch_id, number = job
    before = time.process_time()
    ingest.pull(url, load(MANIFEST), batch_id, number)
    return peak_rss_mb(), time.process_time() - before


def peak_rss_mb() -> float:
    """This process's own peak. On Linux from VmHWM: ru_maxrss also counts what the parent had when it forked."""
    status = Path("/proc/self/status")
    if status.exists():
        return next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmHWM")) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20)


def sql_load(server: EmbeddedPostgres, number: int) -> float:
    """What the database alone can do."""
    database = f"sql_{number}"
    create(server, database)
    columns = ", ".join(f"{name} {TYPES.get(name, 'text')}" for name in FIELDS)
    with connect(server.conninfo("source")) as source, connect(server.conninfo(database)) as target:
        target.execute(f"CREATE TABLE ent ({columns}, PRIMARY KEY (uni_social_crd_cd))".encode())
        began = time.perf_counter()
        with target.transaction(), source.cursor() as reading, target.cursor() as writing:
            writing.execute(f"CREATE TEMPORARY TABLE staged ({columns}) ON COMMIT DROP".encode())
            with (
                reading.copy(f"COPY (SELECT {COLUMNS} FROM exchange.ent_info) TO STDOUT".encode()) as out,
                writing.copy(b"COPY staged FROM STDIN") as into,
            ):
                for block in out:
                    into.write(block)
            updates = ", ".join(f"{name} = excluded.{name}" for name in FIELDS[1:])
            writing.execute(
                f"INSERT INTO ent SELECT * FROM staged ON CONFLICT (uni_social_crd_cd) DO UPDATE SET {updates}".encode()
            )
        seconds = time.perf_counter() - began
    drop(server, database)
    return seconds


def dlt_load(server: EmbeddedPostgres, console: Console) -> float:
    """Load the same rows as dlt does by default, merging them into PostgreSQL."""
    os.environ["DLT_DATA_DIR"] = tempfile.mkdtemp(prefix="shuqiao-dlt-")
    os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
    import dlt  # noqa: PLC0415  (an optional group: pip install shuqiao[bench])

    create(server, "dlt")

    @dlt.resource(name="ent", write_disposition="merge", primary_key="uni_social_crd_cd")  # type: ignore[untyped-decorator,unused-ignore]
    def rows() -> Iterator[list[dict[str, Any]]]:
        with psycopg.connect(server.conninfo("source")) as source, source.cursor("ent") as cursor:
            cursor.itersize = 10_000
            cursor.execute(f"SELECT {COLUMNS} FROM exchange.ent_info".encode())
            while block := cursor.fetchmany(10_000):
                yield [dict(zip(FIELDS, row, strict=True)) for row in block]

    pipeline = dlt.pipeline(
        "bench", destination=dlt.destinations.postgres(server.conninfo("dlt")), dataset_name="bench"
    )
    began = time.perf_counter()
    pipeline.run(rows())
    seconds = time.perf_counter() - began
    console.print(f"dlt {dlt.__version__}: {seconds:.1f} s")
    shutil.rmtree(os.environ["DLT_DATA_DIR"], ignore_errors=True)
    drop(server, "dlt")
    return seconds


def create(server: EmbeddedPostgres, database: str) -> None:
    """An empty database; a checkpoint, so that no contender pays for the one before."""
    with connect(server.conninfo()) as connection:
        connection.execute(f"CREATE DATABASE {database}".encode())
        connection.execute("CHECKPOINT")


def drop(server: EmbeddedPostgres, database: str) -> None:
    """Give the disk back."""
    with connect(server.conninfo()) as connection:
        connection.execute(f"DROP DATABASE {database} WITH (FORCE)".encode())


if __name__ == "__main__":
    sys.exit(main())
