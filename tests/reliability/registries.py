"""Databases to start a run from and to kill a worker in, on the test process's own server."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
from psycopg.conninfo import conninfo_to_dict

from shuqiao.stack.postgres import EmbeddedPostgres
from tests.reliability.holding import Held, Place
from tests.reliability.licence_worker import kill, started


class Registries:
    """Copies of databases; names begin with ``prefix``."""

    def __init__(self, server: EmbeddedPostgres, prefix: str) -> None:
        self.server, self.prefix, self._number = server, prefix, 0

    def create(self, template: str, name: str | None = None) -> str:
        """The address of a new database like another one."""
        self._number += 1
        name = f"{self.prefix}_{self._number if name is None else name}"
        with psycopg.connect(self.server.conninfo(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}".encode())
        return self.server.conninfo(name)

    def drop(self, url: str) -> None:
        name = conninfo_to_dict(url)["dbname"]
        with psycopg.connect(self.server.conninfo(), autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def killed_at(url: str, work: Callable[[str], None], where: Place) -> None:
    """Kill a worker at a place."""
    with Held(url, where) as held, started(work, url) as process:
        held.wait(process.is_alive)
        kill(process)
        held.release()
