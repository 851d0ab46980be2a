"""Start a worker process, follow it to a place, kill it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).parents[2]
SCHEMAS = Path(__file__).parent / "schemas"
MANIFEST = Path(__file__).parent / "office.yaml"
RUN_ID = "scheduled__2026-11-20T08:00:00+08:00"


@dataclass
class Worker:
    """A process that runs a connector once."""

    channel: socket.socket
    pid: int = 0
    batch_id: int | None = None
    parts: list[int] = field(default_factory=list)
    pulled: list[int] = field(default_factory=list)
    state: str | None = None
    failed: tuple[str, str] | None = None
    """Type and text of the error that ended it."""

    def __post_init__(self) -> None:
        self._lines = self.channel.makefile("r")
        self._hear()

    def until(self, *place: Any) -> None:
        """Go on to a place (its first values) and stay there."""
        self._say("next")
        while (found := self._hear()) is not None:
            if found[: len(place)] == list(place):
                return
            self._say("next")
        raise AssertionError(f"the worker ended before {place}: {self.failed}")

    def go(self) -> None:
        """Go on from where it stands, and do not wait any more."""
        self._say("go")

    def end(self) -> None:
        """Wait for its end."""
        while self._hear() is not None:
            pass

    def alive(self) -> bool:
        try:
            return bool(psutil.Process(self.pid).status() != psutil.STATUS_ZOMBIE)
        except psutil.NoSuchProcess:
            return False

    def kill(self) -> None:
        """Kill -9; what it had said until then is heard."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        self.end()

    def close(self) -> None:
        self.kill()
        self._lines.close()
        self.channel.close()

    def _hear(self) -> list[Any] | None:
        try:
            line = self._lines.readline()
        except ConnectionError:
            return None
        if not line.endswith("\n"):
            return None
        found: list[Any] = json.loads(line)
        match found:
            case ["pid", pid]:
                self.pid = pid
            case ["planned", batch_id, parts]:
                self.batch_id, self.parts = batch_id, parts
            case ["pulled", part]:
                self.pulled.append(part)
            case ["published", state]:
                self.state = state
            case ["failed", kind, text]:
                self.failed = (kind, text)
            case _:
                pass
        return found

    def _say(self, word: str) -> None:
        with suppress(BrokenPipeError):
            self.channel.sendall(f"{word}\n".encode())


class Workers:
    """The process that workers are forked from."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._started = folder, 0
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.reliability.worker"], cwd=ROOT, stdin=subprocess.PIPE, text=True
        )

    @contextmanager
    def start(
        self, url: str, connections: Mapping[str, str], manifest: Path = MANIFEST, *, run_id: str = RUN_ID
    ) -> Iterator[Worker]:
        """A worker that waits before its first step; killed at the end at the latest."""
        self._started += 1
        place = self._folder / f"worker-{self._started}"
        order = {
            "socket": str(place),
            "arguments": [url, str(manifest), run_id],
            "environment": {"SHUQIAO_SCHEMAS": str(SCHEMAS), **connections},
        }
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(str(place))
            listening.listen()
            listening.settimeout(60)
            assert self._process.stdin is not None
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()
            channel, _ = listening.accept()
        worker = Worker(channel)
        try:
            yield worker
        finally:
            worker.close()

    def stop(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(20)
