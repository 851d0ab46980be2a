"""Start a worker process, follow it to a place, kill it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

ROOT = Path(__file__).parents[2]
SCHEMAS = Path(__file__).parent / "schemas"
MANIFEST = Path(__file__).parent / "office.yaml"
RUN_ID = "scheduled__2026-11-20T08:00:00+08:00"


class Worker:
    """A process that runs a connector once; leaves nothing running."""

    def __init__(
        self, url: str, connections: Mapping[str, str], manifest: Path = MANIFEST, *, run_id: str = RUN_ID
    ) -> None:
        environ = os.environ | {"SHUQIAO_SCHEMAS": str(SCHEMAS)} | dict(connections)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.reliability.worker", url, str(manifest), run_id],
            cwd=ROOT,
            env=environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.batch_id: int | None = None
        self.parts: list[int] = []
        self.pulled: list[int] = []
        self.state: str | None = None

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.kill()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            assert pipe is not None
            pipe.close()

    def until(self, *place: Any) -> None:
        """Go on to a place (its first values) and stay there."""
        while (found := self._hear()) is not None:
            if found[: len(place)] == list(place):
                return
            self._say("next")
        raise AssertionError(f"the worker ended before {place}:\n{self.complaint()}")

    def go(self) -> None:
        """Go on from where it stands, and do not wait any more."""
        self._say("go")

    def end(self) -> int:
        """Wait for its end; the exit code."""
        while self._hear() is not None:
            pass
        return self.process.wait(60)

    def complaint(self) -> str:
        """What it wrote to stderr, once it has ended."""
        assert self.process.stderr is not None
        return self.process.stderr.read()

    def kill(self) -> None:
        """Kill -9; what it had said until then is heard."""
        self.process.kill()
        self.end()

    def _hear(self) -> list[Any] | None:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line.endswith("\n"):
            return None
        found: list[Any] = json.loads(line)
        match found:
            case ["planned", batch_id, parts]:
                self.batch_id, self.parts = batch_id, parts
            case ["pulled", part]:
                self.pulled.append(part)
            case ["published", state]:
                self.state = state
        return found

    def _say(self, word: str) -> None:
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(word + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass
