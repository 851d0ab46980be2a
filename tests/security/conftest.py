"""One city for all tests of a process: they change nothing in it."""

from __future__ import annotations

import os
from collections.abc import Iterator

import psycopg
import pytest

from shuqiao.stack.postgres import EmbeddedPostgres
from tests.security.city import City, build


@pytest.fixture(scope="session")
def city(
    postgres: EmbeddedPostgres, registry_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[City]:
    name = f"city_{os.getpid()}"
    with psycopg.connect(postgres.conninfo(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {registry_template}".encode())
        yield from build(postgres.conninfo(name), tmp_path_factory.mktemp("city"))
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())
