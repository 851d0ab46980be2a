"""How fast single records are read: ``make bench-api`` (``ENTITIES=1000000 RUNS=3 SECONDS=10``).

One embedded PostgreSQL with the default settings of the local stack, so each commit waits for the disk; a million
enterprises. One address, one record each, by keys drawn by chance, on 64 connections that stay open:

* hub: ``python -m registry.api`` with its usual settings: every request is authorised (token, client, grant), every
  answer put on record before it leaves, and signed.
* bare: a FastAPI handler on asyncpg that does the look-up and nothing else (``benchmarks/api/bare.py``).
* tuned: the same, with every shortcut that costs no code.

All with as many processes, up all the while, asked in turn. Server and PostgreSQL are bound to the first two cores.
The load generator is a process of its own, bound to the third core; on a machine with two it shares the second with the
servers, and what it takes there is told (``generator_us_per_req``).

Then the hub is asked for five times what it answered, however fast it answers (``overload``): what is answered, what is
refused and how fast, what memory it needs, and how long after it things are as before.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import requests
from rich.console import Console

from benchmarks import keys
from benchmarks.api import serving
from benchmarks.api.fill import DATASET, fill
from benchmarks.api.serving import Served
from benchmarks.credit.city import uscc
from registry.api.clients import clients
from registry.domain.grants.terms import Terms
from registry.domain.keys import key_text
from registry.grants import giving
from registry.licences import issuers
from registry.signing import master_key
from registry.storage.database import connect
from registry.storage.migrate import migrate
from shuqiao.stack import postgres

CONNECTIONS = 64
WORKERS = 2
ASKED = 50_000
"""Different requests, made beforehand."""
AUTHORITY = "11330200000000019K"
OVERLOAD = 5
LEAST_PER_SECOND, MOST_P99_MS, LEAST_RATIO = 1500, 100, 0.4
MOST_RECOVERY_S, MOST_GROWTH_MB = 60, 100


@dataclass(frozen=True, slots=True)
class Bench:
    """What all measurements share."""

    folder: Path
    postmaster: int
    generator_core: int
    console: Console

    def load(self, served: Served, paths: Path, headers: Sequence[str], *more: str) -> dict[str, Any]:
        """One run of the generator: what it saw, with the processor time that each part used for a request."""
        database = _database_seconds(self.postmaster)
        server = served.processor_seconds()
        command = [sys.executable, "-m", "benchmarks.api.load", str(served.port), str(paths), *more]
        command += [part for line in headers for part in ("--header", line)]
        ran = subprocess.run(
            [*command, "--core", str(self.generator_core)], stdout=subprocess.PIPE, check=True, text=True
        )
        seen: dict[str, Any] = json.loads(ran.stdout)
        seen["server_s"] = served.processor_seconds() - server
        seen["database_s"] = _database_seconds(self.postmaster) - database
        return seen


def main() -> int:
    """Measure and print; 1 when a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--entities", type=int, default=int(os.environ.get("ENTITIES", "1000000")))
    parser.add_argument("--runs", type=int, default=int(os.environ.get("RUNS", "3")))
    parser.add_argument("--seconds", type=float, default=float(os.environ.get("SECONDS", "10")))
    parser.add_argument("--workers", type=int, default=int(os.environ.get("WORKERS", str(WORKERS))))
    arguments = parser.parse_args()
    console = Console(width=110)
    cores = list(range(min(2, os.cpu_count() or 1)))
    folder = Path(tempfile.mkdtemp(prefix="shuqiao-bench-"))
    keys.use_own(folder)
    server = postgres.initialise(folder / "data", postgres.free_port())
    process = postgres.start(server, folder / "postgres.log")
    psutil.Process(process.pid).cpu_affinity(cores)
    for each in psutil.Process(process.pid).children():
        with suppress(psutil.NoSuchProcess):  # a helper that has just done its work
            each.cpu_affinity(cores)
    bench = Bench(folder, process.pid, min(2, (os.cpu_count() or 1) - 1), console)
    try:
        url = server.conninfo()
        migrate(url)
        console.print(f"{arguments.entities:,} enterprises; filling the registry by COPY ...")
        fill(url, arguments.entities)
        figures = _measure(bench, url, cores, arguments)
    finally:
        postgres.stop(process)
        shutil.rmtree(folder, ignore_errors=True)
    print(json.dumps({"bench": "api", "figures": figures}))
    return 0 if _good(figures) else 1


def _measure(bench: Bench, url: str, cores: Sequence[int], arguments: argparse.Namespace) -> dict[str, Any]:
    chance = random.Random(1)
    keys = [key_text([uscc(chance.randrange(arguments.entities))]) for _ in range(ASKED)]
    hub_paths, bare_paths = bench.folder / "hub.txt", bench.folder / "bare.txt"
    hub_paths.write_text("\n".join(f"/api/v1/datasets/{DATASET}/records/{key}" for key in keys))
    bare_paths.write_text("\n".join(f"/datasets/{DATASET}/records/{key}" for key in keys))
    tuned_paths = bench.folder / "tuned.txt"
    tuned_paths.write_text("\n".join(f"/tuned/{DATASET}/records/{key}" for key in keys))
    client = _client(url)
    sealing = _signing(url)
    more = ("--seconds", str(arguments.seconds), "--connections", str(CONNECTIONS))
    with ExitStack() as stack:
        log = bench.folder / "server.log"
        hub = stack.enter_context(serving.product(url, bench.folder, cores, arguments.workers, sealing, log))
        peer = stack.enter_context(serving.bare(url, cores, arguments.workers, log))
        headers = [f"Authorization: Bearer {_token(hub.port, client)}"]
        hub_runs, bare_runs, tuned_runs = [], [], []
        for number in range(arguments.runs):
            logged = _log_size(url)
            bare_runs.append(bench.load(peer, bare_paths, (), *more))
            hub_runs.append(bench.load(hub, hub_paths, headers, *more))
            tuned_runs.append(bench.load(peer, tuned_paths, (), *more))
            _tell(bench, number, hub=hub_runs[-1], bare=bare_runs[-1], tuned=tuned_runs[-1])
            if _log_size(url) - logged < hub_runs[-1]["sent"]:
                hub_runs[-1]["others"] = {"answers without entry": 1}
        figures = _figures(hub_runs, bare_runs, tuned_runs)
        headers = [f"Authorization: Bearer {_token(hub.port, client)}"]
        return figures | _overloaded(bench, hub, hub_paths, headers, figures["req_per_s"], arguments.seconds)


def _overloaded(
    bench: Bench, hub: Served, paths: Path, headers: Sequence[str], capacity: float, seconds: float
) -> dict[str, Any]:
    """Half of what the hub can do, then five times, then half again: how it fares, and when it is as before."""
    calm = bench.load(hub, paths, headers, "--rate", str(capacity / 2), "--seconds", str(seconds))
    before = hub.memory()
    sampled = _Memory(hub)
    hard = bench.load(hub, paths, headers, "--rate", str(OVERLOAD * capacity), "--seconds", str(2 * seconds))
    most = sampled.stop()
    after = bench.load(hub, paths, headers, "--rate", str(capacity / 2), "--seconds", str(max(seconds, 10)))
    recovered = _recovered(after, calm)
    bench.console.print(
        f"overload, {OVERLOAD} x {capacity:,.0f}/s: answered {hard['req_per_s']:,.0f}/s (p99 {hard['p99_ms']} ms),"
        f" refused {hard['refused_per_s']:,.0f}/s (p99 {hard['refused_p99_ms']} ms), unanswered {hard['unanswered']},"
        f" broken {hard['broken']}, other answers {hard['others']}, not sent {hard['unsent']};"
        f" memory {before >> 20} MB before, {most >> 20} MB at most; as before after {recovered} s"
    )
    return {
        "overload_answered_per_s": round(hard["req_per_s"]),
        "overload_answered_p99_ms": hard["p99_ms"],
        "overload_refused_per_s": round(hard["refused_per_s"]),
        "overload_refused_p99_ms": hard["refused_p99_ms"],
        "overload_late": _late(hard),
        "overload_errors": sum(hard["others"].values()) + hard["broken"] + hard["unanswered"] + hard["unadvised"],
        "overload_memory_growth_mb": (most - before) >> 20,
        "recovery_s": recovered,
    }


class _Memory:
    """The most that the server needs, looked at from beside."""

    def __init__(self, served: Served) -> None:
        self._served, self._most, self._ended = served, 0, threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._thread.start()

    def stop(self) -> int:
        """The most so far."""
        self._ended.set()
        self._thread.join()
        return self._most

    def _look(self) -> None:
        while not self._ended.wait(1):
            self._most = max(self._most, self._served.memory())


def _late(seen: dict[str, Any]) -> int:
    """Answers or refusals that took longer than somebody waits."""
    return sum(seen["late"].values())


def _recovered(after: dict[str, Any], calm: dict[str, Any]) -> int | None:
    """Seconds until no request takes longer than ten times what it takes in calm; None: not within this run."""
    bound = max(MOST_P99_MS, 10 * (calm["p99_ms"] or 0))
    slow = [second for second, longest in enumerate(after["longest_by_second"]) if longest > bound]
    last = slow[-1] + 1 if slow else 0
    return last if last < len(after["longest_by_second"]) - 1 else None


def _tell(bench: Bench, number: int, **runs: dict[str, Any]) -> None:
    for name, seen in runs.items():
        sent = _asked(seen)
        bench.console.print(
            f"run {number + 1}, {name}: {seen['req_per_s']:,.0f}/s, p50 {seen['p50_ms']} ms, p99 {seen['p99_ms']} ms;"
            f" µs of processor a request: server {1e6 * seen['server_s'] / sent:.0f},"
            f" PostgreSQL {1e6 * seen['database_s'] / sent:.0f}, generator {seen['generator_us_per_req']:.0f}"
        )


def _figures(
    hub: Sequence[dict[str, Any]], peer: Sequence[dict[str, Any]], tuned: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    median = statistics.median
    return {
        "req_per_s": round(median(each["req_per_s"] for each in hub)),
        "p50_ms": median(each["p50_ms"] for each in hub),
        "p99_ms": median(each["p99_ms"] for each in hub),
        "errors": sum(_errors(each) for each in (*hub, *peer, *tuned)),
        "bare_req_per_s": round(median(each["req_per_s"] for each in peer)),
        "bare_p99_ms": median(each["p99_ms"] for each in peer),
        "ratio_bare": _ratio(hub, peer),
        "tuned_req_per_s": round(median(each["req_per_s"] for each in tuned)),
        "ratio_tuned": _ratio(hub, tuned),
        "server_us_per_req": round(median(1e6 * each["server_s"] / (each["sent"] + each["warm_up"]) for each in hub)),
        "database_us_per_req": round(
            median(1e6 * each["database_s"] / (each["sent"] + each["warm_up"]) for each in hub)
        ),
        "generator_us_per_req": round(median(each["generator_us_per_req"] for each in hub), 1),
    }


def _asked(seen: dict[str, Any]) -> int:
    """Requests for which processor time was used, those before the clock was looked at too."""
    return int(seen["sent"] + seen["warm_up"])


def _ratio(hub: Sequence[dict[str, Any]], peer: Sequence[dict[str, Any]]) -> float:
    """Median over the runs, each against the one beside it."""
    ratios = [float(one["req_per_s"] / other["req_per_s"]) for one, other in zip(hub, peer, strict=True)]
    return round(statistics.median(ratios), 3)


def _errors(seen: dict[str, Any]) -> int:
    """Anything but 200 where nothing is to be refused."""
    refused = round(seen["refused_per_s"] * 1000)
    return int(sum(seen["others"].values()) + seen["broken"] + seen["unanswered"] + refused)


def _good(figures: dict[str, Any]) -> bool:
    return bool(
        figures["req_per_s"] >= LEAST_PER_SECOND
        and figures["p99_ms"] < MOST_P99_MS
        and figures["errors"] == 0
        and figures["ratio_bare"] >= LEAST_RATIO
        and figures["overload_late"] == 0
        and figures["overload_errors"] == 0
        and figures["recovery_s"] is not None
        and figures["recovery_s"] <= MOST_RECOVERY_S
        and figures["overload_memory_growth_mb"] <= MOST_GROWTH_MB
    )


def _client(url: str) -> clients.NewClient:
    """A client with a grant of the dataset."""
    client = clients.add(url, "bench", [])
    with connect(url) as connection:
        giving.give(connection, client.id, DATASET, Terms(), given_by="bench", approval="bench")
    return client


def _signing(url: str) -> str:
    """Make the hub's keys, with which answers are signed; the master key as text."""
    made = master_key.generate()
    with connect(url) as connection:
        issuers.enter(
            connection, AUTHORITY, "桥州市市场监督管理局", "Bureau", base="https://hub.example.cn",
            master_key=master_key.from_text(made), now=datetime.now(UTC),
        )  # fmt: skip
    return made


def _token(port: int, client: clients.NewClient) -> str:
    answer = requests.post(
        f"http://127.0.0.1:{port}/api/v1/token",
        data={"grant_type": "client_credentials"},
        auth=(client.id, client.secret),
        timeout=30,
    )
    answer.raise_for_status()
    return str(answer.json()["access_token"])


def _log_size(url: str) -> int:
    with connect(url) as connection:
        row = connection.execute("SELECT size FROM registry.access_log_head").fetchone()
    return 0 if row is None else int(row[0])


def _database_seconds(postmaster: int) -> float:
    """Of the backends that live and of those that have ended."""
    first = psutil.Process(postmaster)
    used = first.cpu_times()
    total = sum(used)
    for each in first.children():
        with suppress(psutil.NoSuchProcess):  # it ends, and is among those that have
            total += sum(each.cpu_times()[:2])
    return total


if __name__ == "__main__":
    sys.exit(main())
