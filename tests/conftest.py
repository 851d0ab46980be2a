"""Real parts for every test: an embedded PostgreSQL per test process, and a fresh database per test from a template."""

from __future__ import annotations

import atexit
import itertools
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import psycopg
import pytest

from registry.sealing import key_file
from registry.storage.migrate import migrate
from shuqiao.stack import postgres as embedded
from shuqiao.stack.postgres import EmbeddedPostgres
from tests.airflow_environment import airflow_environment

hypothesis.settings.register_profile("fuzz", max_examples=2000, deadline=None)
"""For ``make fuzz``."""

_numbers = itertools.count()

# What the developer's shell says must not reach the product under test.
for _name in [name for name in os.environ if name.startswith(("SHUQIAO_", "AIRFLOW_", "AIRFLOW__"))]:
    if not _name.startswith("SHUQIAO_TEST_"):
        del os.environ[_name]

# Personal values are sealed in tests as everywhere: one ring of keys for this test process and those it starts.
PERSONAL_KEYS = Path(tempfile.mkdtemp(prefix="shuqiao-keys-")) / "personal.keys"
key_file.make(PERSONAL_KEYS)
os.environ[key_file.VARIABLE] = str(PERSONAL_KEYS)
atexit.register(shutil.rmtree, PERSONAL_KEYS.parent, ignore_errors=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that start a whole Airflow come first: at the end, one process would wait long for the other."""
    items.sort(key=lambda item: item.get_closest_marker("airflow") is None)


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedPostgres]:
    """A PostgreSQL of this test process's own.

    Not below pytest's own temporary folder: each pytest that starts shuts that one to all but its user, and as root
    the server runs as another.
    """
    with tempfile.TemporaryDirectory(prefix="shuqiao-postgres-") as name:
        folder = Path(name)
        server = embedded.initialise(folder / "data", embedded.free_port())
        process = embedded.start(server, folder / "log", {"fsync": "off", "shared_buffers": "128MB"})
        yield server
        embedded.stop(process)


@pytest.fixture(scope="session")
def mariadb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a MariaDB of this test process's own, without a database."""
    from tests import mariadb as server  # noqa: PLC0415  (its driver is an extra, and few tests need it)

    if reason := server.missing():
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
    with server.running(tmp_path_factory.mktemp("mariadb")) as url:
        yield url


@pytest.fixture(scope="session")
def registry_template(postgres: EmbeddedPostgres) -> str:
    """The name of a migrated, empty registry database to clone."""
    with psycopg.connect(postgres.conninfo(), autocommit=True) as connection:
        connection.execute("CREATE DATABASE registry_template")
    migrate(postgres.url("registry_template"))
    return "registry_template"


@pytest.fixture(scope="session")
def airflow_template(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The name of a migrated Airflow metadata database to clone."""
    with psycopg.connect(postgres.conninfo(), autocommit=True) as connection:
        connection.execute("CREATE DATABASE airflow_template")
    environ = airflow_environment(postgres.url("airflow_template"), tmp_path_factory.mktemp("airflow"))
    subprocess.run([sys.executable, "-m", "airflow", "db", "migrate"], env=environ, check=True, capture_output=True)
    return "airflow_template"


@pytest.fixture
def database(postgres: EmbeddedPostgres) -> Iterator[str]:
    """The address (``postgresql://``) of an empty database."""
    yield from _database(postgres, "template1")


@pytest.fixture
def registry_url(postgres: EmbeddedPostgres, registry_template: str) -> Iterator[str]:
    """The address (``postgresql://``) of a migrated, empty registry."""
    yield from _database(postgres, registry_template)


def _database(server: EmbeddedPostgres, template: str) -> Iterator[str]:
    name = f"test_{next(_numbers)}"
    with psycopg.connect(server.conninfo(), autocommit=True) as connection:
        # Copied as files: without fsync that costs two thirds of what copying through the log does.
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY".encode())
        yield server.conninfo(name)
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())
