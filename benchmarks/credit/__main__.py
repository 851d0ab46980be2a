"""How fast a city's enterprises are evaluated, changes followed, files and reports read: ``make bench-credit``.

``ENTERPRISES=1000000 RUNS=3``. Everything runs on one embedded PostgreSQL with the default settings of the local stack.
The records (benchmarks/credit/city.py says of what and how many) are put into the registry's tables by COPY, as
publishing leaves them; the changes that are followed go through the intake. Medians are quoted.

* evaluated: two processes take up the example card (``registry.credit.evaluations.evaluate_in_processes``), from the
  first record read to the last evaluation committed; each run forgets the card before it. A sample is compared with
  what the records give one by one. The seconds of processor are those of both and of their database sessions.
* incremental: 1 % of the enterprises get a changed registration, a penalty or a rating, published through the intake;
  then one process follows (``keep``), from finding the changes to the last evaluation committed. The share is of the
  median time that all took. That only those enterprises are evaluated is asserted.
* a day passes: the same with the clock a day later; nothing else has changed.
* read: files and reports of enterprises drawn by chance, half of each, from the API in a process of its own over 16
  connections that stay open, each asking again as soon as it has its answer; the load is made by one process beside it
  (asyncio, uvloop), on the same machine. After a warm-up; every answer must be good.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import sys
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import psutil
import psycopg
from rich.console import Console
from rich.table import Table

from benchmarks.credit import reading
from benchmarks.credit.city import Made, penalty, rating, registration, uscc
from benchmarks.credit.fill import change, fill
from benchmarks.server import running
from registry.credit import evaluations
from registry.credit.enterprise_file import china_day
from registry.domain.credit.scorecard import SCORECARDS, Scorecard, load_scorecard
from registry.storage.database import connect
from registry.storage.migrate import migrate
from shuqiao.stack.postgres import EmbeddedPostgres

CARD = SCORECARDS / "enterprise_credit" / "1.yaml"
PROCESSES = 2
CONNECTIONS = 16
REQUESTS = 20_000
SAMPLE = 300
CHANGED_PER_MILLE = 10
TARGET_SECONDS = 600
TARGET_MILLISECONDS = 50


def main() -> int:
    """Measure and print; 1 when a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--enterprises", type=int, default=int(os.environ.get("ENTERPRISES", "1000000")))
    parser.add_argument("--runs", type=int, default=int(os.environ.get("RUNS", "3")))
    parser.add_argument("--requests", type=int, default=int(os.environ.get("REQUESTS", str(REQUESTS))))
    arguments = parser.parse_args()
    console = Console(stderr=False, width=110)
    with running() as (server, folder):
        figures = measure(server, folder, arguments.enterprises, arguments.runs, arguments.requests, console)
    print(json.dumps({"bench": "credit", "figures": figures}))
    good = figures["evaluate_1m_s"] < TARGET_SECONDS and figures["entity_p99_ms"] < TARGET_MILLISECONDS
    return 0 if good and not figures["entity_errors"] else 1


def measure(
    server: EmbeddedPostgres, folder: Path, count: int, runs: int, requests: int, console: Console
) -> dict[str, float | int]:
    """Everything in turn; the figures."""
    with psycopg.connect(server.conninfo(), autocommit=True) as connection:
        connection.execute("CREATE DATABASE credit")
    url = server.conninfo("credit")
    migrate(url)
    now = datetime.now(UTC)
    day = china_day(now)
    console.print(f"{count:,} enterprises, {runs} run(s), {os.cpu_count()} cores; filling the registry by COPY ...")
    began = time.perf_counter()
    records = fill(url, count, day, now)
    console.print(f"{records:,} records ({records / count:.2f} each) in {time.perf_counter() - began:.0f} s")
    card = load_scorecard(CARD)
    full, processor = zip(*[evaluate_all(url, card, count, server, console) for _ in range(runs)], strict=True)
    check_sample(url, card, count, day)
    followed = [follow_changes(url, card, count, number, now, console) for number in range(runs)]
    passed, due = pass_a_day(url, card, now + timedelta(days=1), console)
    with reading.serving(url, folder) as port:
        access = reading.token(url, port)
        codes = [uscc(number) for number in range(count)]
        read = [reading.read(port, access, codes, requests, CONNECTIONS, seed) for seed in range(runs)]
    for each in read:
        console.print(
            f"read: p50 {each.quantile(0.5):.1f} ms, p99 {each.quantile(0.99):.1f} ms (file"
            f" {each.quantile(0.99, 'file'):.1f}, report {each.quantile(0.99, 'report'):.1f}),"
            f" {requests / each.seconds:,.0f}/s, {each.errors} errors, longest answer {each.longest:,} bytes"
        )
    median = statistics.median
    figures: dict[str, float | int] = {
        "enterprises": count,
        "records": records,
        "evaluate_s": round(median(full), 1),
        "evaluate_1m_s": round(median(full) * 1_000_000 / count, 1),
        "evaluate_processor_s": round(median(processor), 1),
        "incremental_s": round(median(followed), 2),
        "incremental_share": round(median(followed) / median(full), 4),
        "day_passed_s": round(passed, 2),
        "day_passed_enterprises": due,
        "entity_p99_ms": round(median(each.quantile(0.99) for each in read), 1),
        "entity_p50_ms": round(median(each.quantile(0.5) for each in read), 1),
        "file_p99_ms": round(median(each.quantile(0.99, "file") for each in read), 1),
        "report_p99_ms": round(median(each.quantile(0.99, "report") for each in read), 1),
        "entity_reads_per_s": round(median(requests / each.seconds for each in read)),
        "entity_errors": sum(each.errors for each in read),
    }
    console.print(_table(figures, runs, requests))
    return figures


def evaluate_all(
    url: str, card: Scorecard, count: int, server: EmbeddedPostgres, console: Console
) -> tuple[float, float]:
    """Seconds in which all are evaluated by a card that nobody has used before; and of processor, database included."""
    with connect(url) as connection:
        evaluations.drop(connection, card)
        connection.execute(b"VACUUM registry.evaluation")
    used, began = processor_seconds(server), time.perf_counter()
    evaluations.evaluate_in_processes(url, CARD, PROCESSES, now=datetime.now(UTC))
    seconds, used = time.perf_counter() - began, processor_seconds(server) - used
    with connect(url) as connection:
        grades = connection.execute(
            "SELECT grade, count(*) FROM registry.evaluation GROUP BY grade ORDER BY grade"
        ).fetchall()
        connection.execute(b"VACUUM (ANALYZE) registry.evaluation")
    assert sum(number for _, number in grades) == count, grades  # noqa: S101
    shares = ", ".join(f"{grade} {100 * number / count:.1f} %" for grade, number in grades)
    console.print(
        f"evaluated in {seconds:.1f} s ({used:.1f} s of processor, with the database), {count / seconds:,.0f}/s"
        f" ({shares})"
    )
    return seconds, used


def processor_seconds(server: EmbeddedPostgres) -> float:
    """What this process's and the database server's processes that have ended used, each with its own."""
    postmaster = int((server.data / "postmaster.pid").read_text().split()[0])
    return sum(
        times.children_user + times.children_system
        for times in (psutil.Process().cpu_times(), psutil.Process(postmaster).cpu_times())
    )


def check_sample(url: str, card: Scorecard, count: int, day: date) -> None:
    """What is kept of some is what their records give."""
    with connect(url) as connection:
        for number in random.Random(1).sample(range(count), min(SAMPLE, count)):
            kept = evaluations.read(connection, card, uscc(number))
            assert kept == evaluations.evaluate_now(connection, card, uscc(number), day), uscc(number)  # noqa: S101


def follow_changes(url: str, card: Scorecard, count: int, number: int, now: datetime, console: Console) -> float:
    """Seconds in which 1 % are followed; another 1 % each time."""
    share = max(count * CHANGED_PER_MILLE // 1000, 1)
    some = random.Random(2).sample(range(count), min(count, share * (number + 1)))[share * number :]
    change(url, [(uscc(each), changed(each, number, china_day(now))) for each in some])
    with connect(url) as connection:
        began = time.perf_counter()
        report = evaluations.keep(connection, card, now=now, wait=60)
        seconds = time.perf_counter() - began
    assert report.complete, report  # noqa: S101
    assert report.caught_up, report  # noqa: S101
    assert report.counts["evaluated"] == len(some), report  # noqa: S101
    with connect(url) as connection:
        for each in some[:SAMPLE]:
            kept = evaluations.read(connection, card, uscc(each))
            again = evaluations.evaluate_now(connection, card, uscc(each), china_day(now))
            assert kept == again, uscc(each)  # noqa: S101
    console.print(
        f"{len(some):,} changed: followed in {seconds:.2f} s; {report.counts['evaluated']:,} evaluated,"
        f" {report.counts['written']:,} written"
    )
    return seconds


def changed(number: int, run: int, day: date) -> Made:
    """What a department publishes of an enterprise: a third registrations, a third penalties, a third ratings."""
    code, name = uscc(number), f"桥州更名{number}有限公司"
    if number % 3 == 0:
        return registration(number, code, name, "revoked", day - timedelta(days=1500))
    if number % 3 == 1:
        return penalty(code, name, f"桥市监罚〔{day.year}〕新{number}-{run}号", day - timedelta(days=5), number)
    return rating(code, name, day.year - 1, "ABMCD"[number % 5])


def pass_a_day(url: str, card: Scorecard, now: datetime, console: Console) -> tuple[float, int]:
    """Seconds in which those are evaluated whose day has come, and how many they are."""
    with connect(url) as connection:
        began = time.perf_counter()
        report = evaluations.keep(connection, card, now=now, wait=60)
        seconds = time.perf_counter() - began
    console.print(f"a day later: {report.counts['evaluated']:,} evaluated in {seconds:.2f} s")
    return seconds, report.counts["evaluated"]


def _table(figures: dict[str, float | int], runs: int, requests: int) -> Table:
    count = figures["enterprises"]
    table = Table(title=f"public credit data, {count:,} enterprises, median of {runs}")
    for heading in ("", "measured", "asked for"):
        table.add_column(heading, justify="left" if not heading else "right")
    scaled = "" if count == 1_000_000 else f" (scaled from {figures['evaluate_s']} s)"  # noqa: PLR2004
    table.add_row(
        f"1,000,000 evaluated, {PROCESSES} processes{scaled}", f"{figures['evaluate_1m_s']} s", f"{TARGET_SECONDS} s"
    )
    table.add_row(
        "1 % changed: time, of that for all", f"{100 * figures['incremental_share']:.1f} %", "cost by changes"
    )
    table.add_row(
        f"a day passes: {figures['day_passed_enterprises']:,} evaluated", f"{figures['day_passed_s']} s", "those only"
    )
    table.add_row(
        f"file and report, p99, {CONNECTIONS} connections, {requests:,} requests",
        f"{figures['entity_p99_ms']} ms",
        f"{TARGET_MILLISECONDS} ms",
    )
    table.add_row("of these with an error", f"{figures['entity_errors']}", "0")
    return table


if __name__ == "__main__":
    sys.exit(main())
