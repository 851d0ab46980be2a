"""How soon 10,000 subscribers hear of a change while some of them are slow or dead: ``make bench-push``.

``SUBSCRIBERS=10000 ROUNDS=5 PROCESSES=1``. One embedded PostgreSQL with the settings of the local stack, so each commit
waits for the disk; the delivery in processes of its own; one process that is every receiver. Each subscriber is a
client with a grant and an address of its own (127.x.y.z), so that no connection serves two. Of each hundred one is dead
(half of these refuse connections, half never answer) and five take 8 seconds; the others answer at once.

A round publishes one record through the intake. ``late`` counts the subscribers in good order that did not have it
after 5 seconds; ``p50_s``, ``p99_s`` and ``max_s`` are theirs, from the commit to the arrival of the whole message. The
first round finds no connection open; the others find those that receivers kept. Every message stands in the access log
and is signed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO, Any, cast

import orjson
import psutil
import uvloop

from benchmarks import keys
from benchmarks.access_log import uscc
from registry.delivery.subscriptions import SHARDS, context
from registry.domain.batches import Limits, Mode
from registry.intake import batches
from registry.intake.batches import ConnectorEntry, DatasetEntry, PlannedPart
from registry.intake.publish import publish
from registry.intake.staging import Staging
from registry.signing import master_key
from registry.storage.database import connect
from registry.storage.migrate import migrate
from shuqiao.stack import postgres

WITHIN = 5.0
"""Seconds in which everybody in good order is to hear of it."""
SLOW_SECONDS = 8.0


def main() -> int:
    """Measure and print one JSON document a line; 1 when a good receiver heard too late."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--subscribers", type=int, default=int(os.environ.get("SUBSCRIBERS", "10000")))
    parser.add_argument("--rounds", type=int, default=int(os.environ.get("ROUNDS", "5")))
    parser.add_argument("--processes", type=int, default=int(os.environ.get("PROCESSES", "1")))
    parser.add_argument("--receive", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    if arguments.receive:
        uvloop.run(_receive(arguments.receive))
        return 0
    folder = Path(tempfile.mkdtemp(prefix="shuqiao-bench-"))
    keys.use_own(folder)
    server = postgres.initialise(folder / "data", postgres.free_port())
    database = postgres.start(server, folder / "log")
    try:
        url = server.conninfo()
        migrate(url)
        rounds = _measure(url, arguments.subscribers, arguments.rounds, arguments.processes, folder)
    finally:
        postgres.stop(database)
        shutil.rmtree(folder)
    figures = {
        "subscribers": arguments.subscribers,
        "good": rounds[0]["good"],
        "late": sum(each["late"] for each in rounds),
        "missing": sum(each["missing"] for each in rounds),
        "worst_s": max(each["max_s"] or float("inf") for each in rounds),
    }
    print(json.dumps({"bench": "push", "figures": figures}))
    return 1 if figures["late"] or figures["missing"] else 0


def kind(number: int) -> str:
    """What sort of receiver a subscriber has."""
    if number % 100 == 0:
        return "refusing" if number % 200 else "silent"
    return "slow" if number % 20 == 1 else "good"


def host(number: int) -> str:
    """A loopback address of its own."""
    return f"127.{1 + (number >> 16)}.{(number >> 8) & 255}.{number & 255}"


def _measure(url: str, subscribers: int, rounds: int, processes: int, folder: Path) -> list[dict[str, Any]]:
    """What came of each round."""
    key = master_key.generate()
    port = postgres.free_port()
    _publish(url, 0)
    _subscribe(url, master_key.from_text(key), subscribers, port)
    receiver = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.push", "--receive", str(port)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    environment = {
        **os.environ,
        "SHUQIAO_DATABASE_URL": url,
        "SHUQIAO_PUBLIC_URL": "https://hub.example.gov.cn",
        "SHUQIAO_MASTER_KEY": key,
        "SHUQIAO_WEBHOOK_HTTP": "yes",
        "SHUQIAO_WEBHOOK_NETWORKS": "127.0.0.0/8",
        "SHUQIAO_WEBHOOK_PORTS": "any",
    }
    told, heard = cast("IO[str]", receiver.stdin), cast("IO[str]", receiver.stdout)
    heard.readline()
    deliveries, results = [], []
    try:
        for number in range(processes):
            with (folder / f"delivery-{number}.log").open("wb") as output:
                deliveries.append(
                    subprocess.Popen([sys.executable, "-m", "registry.delivery"], env=environment, stderr=output)
                )
        _until_shared(url, processes)
        good = sum(kind(number) == "good" for number in range(subscribers))
        for number in range(1, rounds + 1):
            began = [sum(psutil.Process(each.pid).cpu_times()[:2]) for each in deliveries]
            at = _publish(url, number)
            told.write(f"{at} {good}\n")
            told.flush()
            found: dict[str, Any] = json.loads(heard.readline())
            spent = [
                sum(psutil.Process(each.pid).cpu_times()[:2]) - was for each, was in zip(deliveries, began, strict=True)
            ]
            memory = [psutil.Process(each.pid).memory_info().rss >> 20 for each in deliveries]
            result = {
                "measure": "push",
                "subscribers": subscribers,
                "processes": processes,
                "round": number,
                **found,
                "cpu_s": round(sum(spent), 2),
                "rss_mb": sum(memory),
            }
            results.append(result)
            sys.stdout.write(json.dumps(result) + "\n")
            sys.stdout.flush()
            time.sleep(3)
    finally:
        for each in deliveries:
            each.send_signal(signal.SIGTERM)
        for each in deliveries:
            each.wait(30)
        receiver.kill()
        receiver.wait()
    return results


def _until_shared(url: str, processes: int) -> None:
    """Until the processes have divided the subscriptions, and everybody has what was there before."""
    with connect(url) as connection:
        for _ in range(600):
            row = connection.execute(
                "SELECT count(DISTINCT pid) FROM pg_locks WHERE locktype = 'advisory' AND objid < %s AND mode ="
                " 'ExclusiveLock'",
                (SHARDS,),
            ).fetchone()
            if row is not None and row[0] >= processes:
                break
            time.sleep(0.1)
    time.sleep(3)


def _publish(url: str, number: int) -> float:
    """One more enterprise, through the intake; the moment just after the commit."""
    dataset = DatasetEntry(
        "legal_entity", "legal_entity@1", "市场主体登记信息", "Legal entities", "market", ("uscc",), "uscc"
    )
    connector = ConnectorEntry(
        "market.enterprise", "market", "企业登记", "Enterprises", "Bench", "bench@example.gov.cn", None, None, "d"
    )
    row = {"uscc": uscc(number), "name": f"第{number}号有限公司", "status": "active"}
    with connect(url) as connection:
        place = batches.register(connection, dataset, connector)
        batch_id = batches.plan(
            connection, place, [PlannedPart(0, "all", {})], mode=Mode.INCREMENTAL, schema="legal_entity@1",
            manifest_digest="d", dry_run=False, run_id=None,
        )  # fmt: skip
        staging = Staging(connection, batch_id, 0)
        staging.add([0], [row["uscc"]], [row["uscc"]], [row["uscc"]], [orjson.dumps(row, option=orjson.OPT_SORT_KEYS)])
        staging.finish({"read": number})
        publish(connection, batch_id, {"batch": batch_id}, Limits(max_refused=1.0, max_shrink=1.0))
    return time.time()


def _subscribe(url: str, key: master_key.MasterKey, subscribers: int, port: int) -> None:
    """Every subscriber is a client of its own, whose receiver has agreed already."""
    with connect(url) as connection, connection.transaction():
        connection.execute(
            "INSERT INTO registry.client (id, name, scopes)"
            " SELECT 'client-' || n, 'bench', '{}' FROM generate_series(0, %s) n",
            (subscribers - 1,),
        )
        connection.execute(
            "INSERT INTO registry.access_grant (client_id, dataset, version, schema, valid_until, given_by)"
            " SELECT id, 'legal_entity', 1, 'legal_entity@1', now() + interval '1 year', 'bench' FROM registry.client"
        )
        row = connection.execute(
            "SELECT id, pg_snapshot_xmax(pg_current_snapshot())::text FROM registry.dataset"
        ).fetchone() or (0, "0")
        statement = (
            "COPY registry.subscription (id, shard, client_id, dataset_id, url, secret, state, position_xid,"
            " position_seq) FROM STDIN"
        )
        with connection.cursor() as cursor, cursor.copy(statement) as copy:
            for number in range(subscribers):
                name = f"sub_{number:024x}"
                sealed = key.seal(secrets.token_bytes(32), context(name))
                to = port + 1 if kind(number) == "refusing" else port
                address = f"http://{host(number)}:{to}/{kind(number)}/{number}"
                copy.write_row(
                    (name, number % SHARDS, f"client-{number}", row[0], address, sealed, "active", row[1], 0)
                )
        connection.execute("ANALYZE registry.subscription")


# -- every receiver ----------------------------------------------------------------------------------------------------


class _Receiver(asyncio.Protocol):
    """One connection. It reads the head's length only: what is measured is the sender."""

    def __init__(self, arrived: dict[int, float]) -> None:
        self._arrived, self._got = arrived, b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._got += data
        head, found, body = self._got.partition(b"\r\n\r\n")
        if not found:
            return
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        if len(body) < length:
            return
        self._got = body[length:]
        _, sort, number = head.split(b" ", 2)[1].decode().split("/")
        self._arrived[int(number)] = time.time()
        loop = asyncio.get_running_loop()
        if sort == "good":
            self._answer()
        elif sort == "slow":
            loop.call_later(SLOW_SECONDS, self._answer)

    def _answer(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(b"HTTP/1.1 204 No Content\r\n\r\n")


async def _receive(port: int) -> None:
    arrived: dict[int, float] = {}
    loop = asyncio.get_running_loop()
    await loop.create_server(lambda: _Receiver(arrived), "0.0.0.0", port, backlog=20_000)  # noqa: S104  (127.x.y.z)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        at, good = line.split()
        deadline = float(at) + 60
        while True:
            took = sorted(
                moment - float(at)
                for number, moment in arrived.items()
                if moment >= float(at) - 1 and kind(number) == "good"
            )
            if len(took) >= int(good) or time.time() > deadline:
                break
            await asyncio.sleep(0.05)
        arrived.clear()
        sys.stdout.write(json.dumps(_figures(took, int(good))) + "\n")
        sys.stdout.flush()


def _figures(took: list[float], good: int) -> dict[str, Any]:
    late = good - sum(each <= WITHIN for each in took)
    return {
        "good": good,
        "late": late,
        "missing": good - len(took),
        "p50_s": round(took[len(took) // 2], 2) if took else None,
        "p99_s": round(took[int(len(took) * 0.99)], 2) if took else None,
        "max_s": round(took[-1], 2) if took else None,
    }


if __name__ == "__main__":
    sys.exit(main())
