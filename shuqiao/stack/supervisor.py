"""Starts the parts of the stack, notices when one ends, and stops them in reverse order.

Each part leads a session of its own, so that Ctrl-C at the terminal reaches the supervisor alone and a part's whole
process group can be signalled. What detaches itself from its group is left to :mod:`shuqiao.stack.guard`.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Self

SAME_SIGNAL_SECONDS = 1.0
"""Ctrl-C arrives more than once (from the terminal, from make, from the guard); only a later one means "hurry"."""
TAIL_LINES = 12


class PartFailed(RuntimeError):  # noqa: N818
    """A part ended or never became ready. The message names it and ends with the last lines of its log."""


class StopRequested(BaseException):
    """SIGINT, SIGTERM or SIGHUP arrived: a BaseException, so that nothing on the way swallows it."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


@dataclass(frozen=True, slots=True)
class Part:
    """One program of the stack."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    """The whole environment of the program."""
    ready: Callable[[], bool] = lambda: True
    """Whether it serves; asked again and again until it is so."""
    ready_seconds: float = 120.0
    stop_signal: int = signal.SIGTERM
    stop_seconds: float = 15.0
    """How long it may take to stop by itself; then it is killed."""
    stage: str = ""
    """Neighbours with the same stage are stopped together; empty: by itself."""


@dataclass(slots=True)
class _Running:
    part: Part
    process: subprocess.Popen[bytes]
    log: Path


class Supervisor:
    """The parts that run now, oldest first. As a context manager it turns signals into :class:`StopRequested`."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._running: list[_Running] = []
        self._asked_to_stop_at: float | None = None
        self.was_up = False
        """Set by the owner once everything serves: from then on, being asked to stop is the normal end."""
        self._hurry = False

    def __enter__(self) -> Self:
        self._logs.mkdir(parents=True, exist_ok=True)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_signal)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self, part: Part) -> None:
        """Start a part, not waiting for it: see :meth:`wait_ready`."""
        log = self.log(part.name)
        with log.open("ab") as output:
            process = subprocess.Popen(  # noqa: S603
                part.command,
                env=dict(part.environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self._running.append(_Running(part, process, log))

    def adopt(self, part: Part, process: subprocess.Popen[bytes]) -> None:
        """Look after a process that was started elsewhere, as the leader of its own session."""
        self._running.append(_Running(part, process, self.log(part.name)))

    def log(self, name: str) -> Path:
        """Where a part's output goes."""
        return self._logs / f"{name}.log"

    def wait_ready(self, *names: str) -> None:
        """Wait until these parts (default: all) serve. Raises PartFailed if any part ends or one takes too long."""
        started = time.monotonic()
        waiting = [each for each in self._running if not names or each.part.name in names]
        while waiting:
            self.check()
            waiting = [each for each in waiting if not each.part.ready()]
            for each in waiting:
                if time.monotonic() - started > each.part.ready_seconds:
                    raise PartFailed(_ending(each, f"did not become ready in {each.part.ready_seconds:.0f} s"))
            if waiting:
                time.sleep(0.1)

    def check(self) -> None:
        """Raise PartFailed if a part has ended."""
        for each in self._running:
            code = each.process.poll()
            if code is not None:
                how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
                raise PartFailed(_ending(each, how))

    def sleep(self, seconds: float) -> None:
        """Wait, watching the parts."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self.check()
            time.sleep(min(left, 0.5))

    def stop(self) -> None:
        """Stop every part, the youngest first: its own stop signal, then the axe for its process group."""
        self._asked_to_stop_at = self._asked_to_stop_at or time.monotonic()
        while self._running:
            together = [self._running[-1]]
            for each in reversed(self._running[:-1]):
                if not each.part.stage or each.part.stage != together[0].part.stage:
                    break
                together.append(each)
            for each in together:
                if each.process.poll() is None:
                    each.process.send_signal(each.part.stop_signal)
            started = time.monotonic()
            for each in together:
                self._await_end(each, started + each.part.stop_seconds)
                self._running.remove(each)

    def _await_end(self, each: _Running, deadline: float) -> None:
        while each.process.poll() is None and time.monotonic() < deadline and not self._hurry:
            time.sleep(0.02)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(each.process.pid, signal.SIGKILL)
        each.process.wait()

    def _on_signal(self, number: int, _: FrameType | None) -> None:
        now = time.monotonic()
        if self._asked_to_stop_at is None:
            self._asked_to_stop_at = now
            raise StopRequested(number)
        if now - self._asked_to_stop_at > SAME_SIGNAL_SECONDS:
            self._hurry = True


def tail(log: Path, lines: int = TAIL_LINES) -> str:
    """The last lines of a log, for people."""
    try:
        with log.open("rb") as content:
            content.seek(0, os.SEEK_END)
            content.seek(max(0, content.tell() - 64 * 1024))
            text = content.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return "(no log)"
    return "\n".join(text.splitlines()[-lines:])


def _ending(each: _Running, how: str) -> str:
    return f"{each.part.name} {how}; {each.log} ends with:\n{tail(each.log)}"
