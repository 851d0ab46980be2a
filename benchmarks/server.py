"""The PostgreSQL that a benchmark runs on: embedded, with the default settings of the local stack, gone afterwards."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks import keys
from shuqiao.stack import postgres
from shuqiao.stack.postgres import EmbeddedPostgres


@contextmanager
def running() -> Iterator[tuple[EmbeddedPostgres, Path]]:
    """A server, and the folder that it and the benchmark write to."""
    with tempfile.TemporaryDirectory(prefix="shuqiao-bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        keys.use_own(folder)
        server = postgres.initialise(folder / "data", postgres.free_port())
        process = postgres.start(server, folder / "log")
        try:
            yield server, folder
        finally:
            postgres.stop(process)
