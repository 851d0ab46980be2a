"""What the departments' HTTP servers share: bind to loopback, say when ready, end cleanly on SIGTERM."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import uvicorn
from fastapi import FastAPI

READY = "ready"
"""The first word of the line that a server prints once it answers; the second is its address."""


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers, which end the process by the signal instead of by 0."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(name, self._stop)
        yield

    def _stop(self) -> None:
        self.should_exit = True


def serve(app: FastAPI, port: int) -> None:
    """Serve until SIGTERM or SIGINT; port 0 lets the system choose, the printed line tells."""
    listening = socket.create_server(("127.0.0.1", port), backlog=128)
    config = uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=3)
    say_ready("http", listening.getsockname()[1])
    _Server(config).run(sockets=[listening])


def say_ready(scheme: str, port: int) -> None:
    """Print the line that a supervisor waits for."""
    sys.stdout.write(f"{READY} {scheme}://127.0.0.1:{port}\n")
    sys.stdout.flush()


def required(variable: str) -> str:
    """A secret from the environment; without it the server does not start."""
    value = os.environ.get(variable, "")
    if not value:
        raise SystemExit(f"{variable} is not set: the server needs it to know its clients")
    return value


def replace_file(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Write a small file so that readers see the old one or the new one, never half of it."""
    beside = path.with_name(f".{path.name}.part")
    beside.touch(mode)
    beside.write_bytes(content)
    beside.replace(path)
