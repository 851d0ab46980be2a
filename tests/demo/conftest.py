"""The departments' servers as they run in the local stack: processes of their own, on ports the system chooses."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Protocol

import pytest

from connectors.connection import Connection
from shuqiao.demo import credit, departments, licensing_files, tax_store
from shuqiao.demo.rosters import City

SECRET = "a-secret-of-this-test"
CITY = City(scale=1500)


class Start(Protocol):
    """Starts a department's server and tells how the hub connects to it."""

    def __call__(self, name: str, data: Path, **environment: str) -> Connection: ...


@pytest.fixture(scope="session")
def city() -> City:
    return CITY


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The files of the three departments that keep files, on day 0."""
    tax_store.load(tmp_path, CITY)
    licensing_files.load(tmp_path, CITY)
    credit.publish(tmp_path, CITY)
    return tmp_path


@contextmanager
def running(name: str, data: Path, **environment: str) -> Iterator[int]:
    """One department's server; its port. Ends by SIGTERM, with exit code 0."""
    server = next(each for each in departments.SERVERS if each.name == name)
    process = subprocess.Popen(
        server.command(0, data),
        env={**os.environ, **server.environment(SECRET), **environment},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        ready, address = process.stdout.readline().split()
        assert ready == "ready"
        yield int(address.rpartition(":")[2])
    finally:
        process.terminate()
        code = process.wait(20)
        process.stdout.close()
    assert code == 0


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a department's server and connect as the hub does."""
    with ExitStack() as stack:

        def run(name: str, data: Path, **environment: str) -> Connection:
            port = stack.enter_context(running(name, data, **environment))
            made = departments.connections(
                market_url="postgresql://u:p@127.0.0.1:1/x",
                data=data,
                tax_port=port,
                tax_secret=SECRET,
                licensing_port=port,
                licensing_secret=SECRET,
                credit_port=port,
                credit_secret=SECRET,
            )
            return Connection.parse(name, made[f"AIRFLOW_CONN_{name.upper()}"])

        yield run
