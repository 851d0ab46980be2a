"""PostgreSQL servers of the test's own, to be killed and started again."""

from __future__ import annotations

import contextlib
import itertools
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from registry.storage.database import connect
from shuqiao.stack import postgres
from shuqiao.stack.postgres import EmbeddedPostgres

_numbers = itertools.count()


@dataclass
class Server:
    """A PostgreSQL to be killed; ``fsync`` as in production, where what it has written is looked at after its death."""

    server: EmbeddedPostgres
    log: Path
    fsync: bool = False
    process: subprocess.Popen[bytes] | None = None

    @classmethod
    def create(cls, folder: Path, *, fsync: bool = False) -> Server:
        made = cls(postgres.initialise(folder / "data", postgres.free_port()), folder / "log", fsync)
        made.start()
        return made

    def start(self) -> None:
        self.process = postgres.start(
            self.server, self.log, {"shared_buffers": "64MB", "fsync": "on" if self.fsync else "off"}
        )

    def kill(self) -> None:
        """Kill -9: the postmaster and every backend (each of them leads a process group of its own)."""
        assert self.process is not None
        backends = psutil.Process(self.process.pid).children(recursive=True)
        postgres.kill(self.process)
        for backend in backends:
            with contextlib.suppress(psutil.NoSuchProcess):
                backend.kill()
        psutil.wait_procs(backends, timeout=20)

    def stop(self) -> None:
        if self.process is not None:
            postgres.stop(self.process)

    def url(self, database: str = "postgres") -> str:
        return self.server.conninfo(database)

    def connection_uri(self, database: str) -> str:
        """As an Airflow connection."""
        return self.server.url(database, "postgres")

    def create_database(self, template: str = "template1") -> str:
        """A copy of a database nobody is connected to; its name.

        By FILE_COPY: the other strategy copies sequences as they stand; since PostgreSQL logs them 32 numbers ahead,
        a crash right after sets the copy's sequences back. That is the copy's trouble, not a registry's.
        """
        name = f"copy_{next(_numbers)}"
        with connect(self.url()) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy".encode())
        return name

    @contextmanager
    def database(self, template: str = "template1") -> Iterator[str]:
        """The name of such a copy, dropped at the end."""
        name = self.create_database(template)
        yield name
        self.drop(name)

    def drop(self, name: str) -> None:
        with connect(self.url()) as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)".encode())
