"""The load: one process that asks over HTTP/1.1 on connections that stay open, and notes how each request ended.

It has to be cheap, for on two cores it takes from the server what it uses itself: requests are bytes made beforehand,
sent through uvloop's protocols; of an answer only the status line and the length are read. What it used is told with
what it measured.

* closed: so many connections, each asks again as soon as it has its answer.
* open: so many requests a second, however fast they are answered, each on a connection that is free, or on a new one.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import Any

import uvloop

LATE_MS = 5000
"""Nobody waits longer for an answer, or to be told that there is none."""
TICK_SECONDS = 0.004
MOST_CONNECTIONS = 4000
GIVEN_UP_SECONDS = 20.0
"""Whoever has no answer by then counts as unanswered."""
OK, BUSY = 200, 503


@dataclass
class Noted:
    """What came of the requests of one run."""

    milliseconds: dict[int, list[float]] = field(default_factory=dict)
    """From when each was due until its last byte was there, by status."""
    unadvised: int = 0
    """Answers 503 without ``Retry-After``."""
    broken: int = 0
    """Connections that ended with a request under way."""
    lost: int = 0
    """Connections that ended, with a request under way or without."""
    unanswered: int = 0
    warm_up: int = 0
    """Answers before the clock was looked at."""
    unsent: int = 0
    """Requests that were due while every connection was taken."""
    seconds: float = 0.0
    processor_seconds: float = 0.0
    good_by_second: Counter[int] = field(default_factory=Counter)
    slow_by_second: dict[int, float] = field(default_factory=dict)

    def note(self, status: int, due: float, now: float, begun: float, *, advised: bool) -> None:
        """One answer; ``advised``: it says when to come back."""
        took = 1000 * (now - due)
        self.milliseconds.setdefault(status, []).append(took)
        self.unadvised += status == BUSY and not advised
        second = int(now - begun)
        self.good_by_second[second] += status == OK
        self.slow_by_second[second] = max(took, self.slow_by_second.get(second, 0.0))

    def summary(self) -> dict[str, Any]:
        """As JSON."""
        good, busy = sorted(self.milliseconds.get(OK, [])), sorted(self.milliseconds.get(BUSY, []))
        late = {status: sum(each > LATE_MS for each in some) for status, some in self.milliseconds.items()}
        others = {status: len(some) for status, some in self.milliseconds.items() if status not in {OK, BUSY}}
        return {
            "req_per_s": round(len(good) / self.seconds, 1),
            "p50_ms": _quantile(good, 0.5),
            "p99_ms": _quantile(good, 0.99),
            "longest_ms": _quantile(good, 1.0),
            "refused_per_s": round(len(busy) / self.seconds, 1),
            "refused_p99_ms": _quantile(busy, 0.99),
            "refused_longest_ms": _quantile(busy, 1.0),
            "late": late,
            "unadvised": self.unadvised,
            "others": others,
            "broken": self.broken,
            "unanswered": self.unanswered,
            "unsent": self.unsent,
            "warm_up": self.warm_up,
            "sent": sum(map(len, self.milliseconds.values())) + self.broken + self.unanswered,
            "good_by_second": [self.good_by_second[second] for second in range(int(self.seconds) + 1)],
            "longest_by_second": [round(self.slow_by_second.get(at, 0.0), 1) for at in range(int(self.seconds) + 1)],
            "generator_us_per_req": round(
                1e6 * self.processor_seconds / max(1, sum(map(len, self.milliseconds.values()))), 1
            ),
        }


class Connection(asyncio.Protocol):
    """One request at a time; tells its owner when the answer is there."""

    def __init__(self, noted: Noted, begun: float, idle: Callable[[Connection], None]) -> None:
        self._noted, self._begun, self._idle = noted, begun, idle
        self._transport: asyncio.Transport | None = None
        self._received = b""
        self._expected = 0
        self._waiting: list[tuple[bytes, float]] = []
        self.due = 0.0
        """When the request under way was due; 0 if none is."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It stands: send what waits."""
        self._transport = transport  # type: ignore[assignment]
        if self._waiting:
            self.ask(*self._waiting.pop())

    def ask(self, request: bytes, due: float) -> None:
        """Send one; as soon as the connection stands."""
        self.due = due
        if self._transport is None:
            self._waiting.append((request, due))
        else:
            self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Some of an answer."""
        self._received = data if not self._received else self._received + data
        if not self._expected:
            end = self._received.find(b"\r\n\r\n")
            if end < 0:
                return
            self._expected = end + 4 + _length(self._received, end)
        if len(self._received) < self._expected:
            return
        head, self._received, self._expected = self._received, b"", 0
        due, self.due = self.due, 0.0
        advised = b"retry-after:" in head[:2000].lower() if head[9:12] == b"503" else False
        self._noted.note(int(head[9:12]), due, time.perf_counter(), self._begun, advised=advised)
        self._idle(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """By whomever."""
        del exc
        self._noted.lost += 1
        if self.due:
            self._noted.broken += 1
            self.due = 0.0
        self._transport = None

    @property
    def stands(self) -> bool:
        """Whether it can be asked on."""
        return self._transport is not None

    def close(self) -> None:
        """Leave."""
        self.due = 0.0
        if self._transport is not None:
            self._transport.abort()


def _length(head: bytes, end: int) -> int:
    at = head.find(b"content-length:", 0, end)
    if at < 0:
        at = head.lower().index(b"content-length:", 0, end)
    return int(head[at + 15 : head.index(b"\r\n", at)])


async def closed(port: int, requests: Sequence[bytes], seconds: float, connections: int) -> Noted:
    """Each connection asks again as soon as it has its answer; the first second is not counted."""
    loop, turns = asyncio.get_running_loop(), cycle(requests)
    noted, begun = Noted(), time.perf_counter()
    end = begun + 1 + seconds
    ended = asyncio.Event()
    under_way = connections

    def again(connection: Connection) -> None:
        nonlocal under_way
        now = time.perf_counter()
        if now < end:
            connection.ask(next(turns), now)
            return
        under_way -= 1
        if under_way == 0:
            ended.set()

    made: list[Connection] = []
    for _ in range(connections):
        _, protocol = await loop.create_connection(lambda: Connection(noted, begun, again), "127.0.0.1", port)
        made.append(protocol)
    for connection in made:
        connection.ask(next(turns), time.perf_counter())
    await asyncio.sleep(1)
    noted.warm_up = sum(map(len, noted.milliseconds.values()))
    noted.milliseconds, noted.unadvised = {}, 0
    began, used = time.perf_counter(), time.process_time()
    await asyncio.sleep(end - began)
    noted.seconds, noted.processor_seconds = time.perf_counter() - began, time.process_time() - used
    try:
        async with asyncio.timeout(GIVEN_UP_SECONDS):
            await ended.wait()
    except TimeoutError:
        noted.unanswered += under_way
    for connection in made:
        connection.close()
    return noted


async def open_loop(port: int, requests: Sequence[bytes], seconds: float, rate: float) -> Noted:
    """So many a second are due, whatever becomes of those before."""
    loop, turns = asyncio.get_running_loop(), cycle(requests)
    noted, begun = Noted(), time.perf_counter()
    used = time.process_time()
    idle: list[Connection] = []
    made: list[Connection] = []
    connecting: set[asyncio.Task[None]] = set()

    async def connect(request: bytes, due: float) -> None:
        try:
            _, protocol = await loop.create_connection(lambda: Connection(noted, begun, idle.append), "127.0.0.1", port)
        except OSError:
            noted.broken += 1
            return
        made.append(protocol)
        protocol.ask(request, due)

    sent = 0
    while (now := time.perf_counter()) < begun + seconds:
        while sent < (now - begun) * rate:
            due, request = begun + sent / rate, next(turns)
            sent += 1
            while idle and not idle[-1].stands:
                idle.pop()
            if idle:
                idle.pop().ask(request, due)
            elif len(made) - noted.lost + len(connecting) < MOST_CONNECTIONS:
                task = asyncio.create_task(connect(request, due))
                connecting.add(task)
                task.add_done_callback(connecting.discard)
            else:
                noted.unsent += 1
        await asyncio.sleep(TICK_SECONDS)
    noted.seconds, noted.processor_seconds = time.perf_counter() - begun, time.process_time() - used
    deadline = time.perf_counter() + GIVEN_UP_SECONDS
    while (connecting or any(each.due for each in made)) and time.perf_counter() < deadline:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    noted.unanswered = len(connecting) + sum(1 for each in made if each.due)
    for connection in made:
        connection.close()
    return noted


def requests(port: int, paths: Iterator[str], headers: Sequence[str]) -> list[bytes]:
    """The bytes of each."""
    head = "".join(f"{line}\r\n" for line in (f"Host: 127.0.0.1:{port}", *headers))
    return [f"GET {path} HTTP/1.1\r\n{head}\r\n".encode() for path in paths]


def _quantile(values: Sequence[float], share: float) -> float | None:
    return round(values[min(len(values) - 1, int(share * len(values)))], 2) if values else None


def main() -> int:
    """``python -m benchmarks.api.load``: what to ask is read from a file, a request a line as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("port", type=int)
    parser.add_argument("paths", type=Path, help="a path a line")
    parser.add_argument("--header", action="append", default=[])
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--connections", type=int)
    parser.add_argument("--rate", type=float)
    parser.add_argument("--core", type=int, action="append")
    arguments = parser.parse_args()
    if arguments.core is not None:
        os.sched_setaffinity(0, arguments.core)
    made = requests(arguments.port, iter(arguments.paths.read_text().splitlines()), arguments.header)
    if arguments.rate:
        noted = uvloop.run(open_loop(arguments.port, made, arguments.seconds, arguments.rate))
    else:
        noted = uvloop.run(closed(arguments.port, made, arguments.seconds, arguments.connections or 64))
    sys.stdout.write(json.dumps(noted.summary()) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
