"""The servers that are measured, each in processes of its own, bound to some cores; what they use."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from shuqiao.stack.postgres import free_port

START_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Served:
    """A server under measurement."""

    port: int
    process: subprocess.Popen[bytes]

    def processor_seconds(self) -> float:
        """Of all its processes so far."""
        return sum(sum(each.cpu_times()[:2]) for each in self._processes())

    def memory(self) -> int:
        """Bytes that are this server's own: what its processes share counts once (PSS), where the system tells it."""
        return sum(_own(each) for each in self._processes())

    def _processes(self) -> list[psutil.Process]:
        first = psutil.Process(self.process.pid)
        return [first, *first.children(recursive=True)]


@contextmanager
def product(url: str, folder: Path, cores: Sequence[int], workers: int, master_key: str, log: Path) -> Iterator[Served]:
    """``python -m registry.api`` with its usual settings, but for how much one client may ask."""
    port = free_port()
    environ = {name: value for name, value in os.environ.items() if not name.startswith("SHUQIAO")}
    environ |= {
        "SHUQIAO_DATABASE_URL": url,
        "SHUQIAO_RUN_DIR": str(folder),
        "SHUQIAO_API_PORT": str(port),
        "SHUQIAO_API_WORKERS": str(workers),
        "SHUQIAO_MASTER_KEY": master_key,
        "SHUQIAO_PUBLIC_URL": "https://hub.example.cn",
        "SHUQIAO_CLIENT_REQUESTS_PER_SECOND": "1000000",
    }
    with _running(["-m", "registry.api"], environ, port, cores, log) as served:
        yield served


@contextmanager
def bare(url: str, cores: Sequence[int], workers: int, log: Path) -> Iterator[Served]:
    """``benchmarks.api.bare`` with as many processes."""
    port = free_port()
    command = ["-m", "benchmarks.api.bare", str(port), "--processes", str(workers)]
    with _running(command, {**os.environ, "BENCH_DATABASE_URL": url}, port, cores, log) as served:
        yield served


@contextmanager
def _running(
    command: Sequence[str], environ: dict[str, str], port: int, cores: Sequence[int], log: Path
) -> Iterator[Served]:
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, *command], env=environ, stdout=output, stderr=output, start_new_session=True
        )
    psutil.Process(process.pid).cpu_affinity(list(cores))
    try:
        _until_it_listens(port, process, log)
        yield Served(port, process)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(30)


def _until_it_listens(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()[-2000:]  # noqa: S101
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise TimeoutError(port)


def _own(process: psutil.Process) -> int:
    try:
        return int(process.memory_full_info().pss)
    except (psutil.Error, AttributeError):
        return int(process.memory_info().rss)
