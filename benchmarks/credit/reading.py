"""Files and reports over real HTTP: a closed loop of connections, each asking again as soon as it has its answer.

The server is ``python -m registry.api`` with its usual settings, in a process of its own; the load comes from one
process beside it (asyncio on uvloop; requests are made beforehand, of answers only status and length are looked at).
"""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import requests
import uvloop

from registry.api.clients import clients
from registry.sealing import key_file
from shuqiao.stack.postgres import free_port

WARM_UP = 1000
"""Requests before the clock is looked at."""
KINDS = ("file", "report")
_START_SECONDS = 60


@dataclass
class Measured:
    """Milliseconds of each answer, by kind, and how many were not as they should be."""

    milliseconds: dict[str, list[float]] = field(default_factory=lambda: {kind: [] for kind in KINDS})
    errors: int = 0
    seconds: float = 0.0
    longest: int = 0
    """Bytes of the longest answer."""

    def quantile(self, share: float, *kinds: str) -> float:
        """Over some kinds together, or all."""
        values = sorted(value for kind in kinds or KINDS for value in self.milliseconds[kind])
        return values[min(len(values) - 1, int(share * len(values)))]


@contextmanager
def serving(url: str, folder: Path) -> Iterator[int]:
    """The API in a process of its own; its port."""
    port = free_port()
    environ = {name: value for name, value in os.environ.items() if not name.startswith("SHUQIAO")}
    environ |= {
        key_file.VARIABLE: os.environ[key_file.VARIABLE],
        "SHUQIAO_DATABASE_URL": url,
        "SHUQIAO_RUN_DIR": str(folder),
        "SHUQIAO_API_PORT": str(port),
    }
    with (folder / "api.log").open("wb") as log:
        process = subprocess.Popen([sys.executable, "-m", "registry.api"], env=environ, stderr=log, stdout=log)
    try:
        deadline = time.monotonic() + _START_SECONDS
        while not _answers(port):
            assert process.poll() is None, (folder / "api.log").read_text()  # noqa: S101
            assert time.monotonic() < deadline, "the API does not start"  # noqa: S101
            time.sleep(0.1)
        yield port
    finally:
        process.terminate()
        process.wait(30)


def token(url: str, port: int) -> str:
    """Of a department's client."""
    client = clients.add(url, "bench", ["credit:department"])
    answer = requests.post(
        f"http://127.0.0.1:{port}/api/v1/token",
        data={"grant_type": "client_credentials"},
        auth=(client.id, client.secret),
        timeout=30,
    )
    answer.raise_for_status()
    return str(answer.json()["access_token"])


def read(port: int, access: str, codes: Sequence[str], count: int, connections: int, seed: int) -> Measured:
    """Ask for files and reports, half of each, of enterprises drawn by chance."""
    chance = random.Random(seed)
    asked = []
    for number in range(WARM_UP + count):
        kind = KINDS[number % len(KINDS)]
        path = f"/api/v1/enterprises/{chance.choice(codes)}{'/report' if kind == 'report' else ''}"
        head = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {access}\r\n\r\n"
        asked.append((kind, head.encode()))
    return uvloop.run(_read(port, asked, connections))


async def _read(port: int, asked: Sequence[tuple[str, bytes]], connections: int) -> Measured:
    measured = Measured()
    for some in (asked[:WARM_UP], asked[WARM_UP:]):
        measured = Measured()
        waiting = iter(some)
        begun = time.perf_counter()
        await asyncio.gather(*(_ask(port, waiting, measured) for _ in range(connections)))
        measured.seconds = time.perf_counter() - begun
    return measured


async def _ask(port: int, waiting: Iterator[tuple[str, bytes]], measured: Measured) -> None:
    """One connection, kept open."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for kind, request in waiting:
        begun = time.perf_counter()
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        body = await reader.readexactly(length)
        measured.milliseconds[kind].append(1000 * (time.perf_counter() - begun))
        measured.errors += not (head.startswith(b"HTTP/1.1 200") and body.startswith(b'{"'))
        measured.longest = max(measured.longest, length)
    writer.close()
    await writer.wait_closed()


def _answers(port: int) -> bool:
    try:
        return requests.get(f"http://127.0.0.1:{port}/readyz", timeout=2).ok
    except requests.RequestException:
        return False
