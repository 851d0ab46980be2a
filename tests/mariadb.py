"""A MariaDB of the test's own: Debian's mariadbd in a temporary folder, on loopback."""

from __future__ import annotations

import getpass
import os
import secrets
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pymysql
import sqlalchemy as sa

from shuqiao.stack.postgres import free_port

_PATH = os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin"


def missing() -> str:
    """Why there can be no MariaDB here; empty if there can."""
    return "" if shutil.which("mariadbd", path=_PATH) else "no mariadbd here (Debian package mariadb-server)"


@contextmanager
def running(folder: Path) -> Iterator[str]:
    """A server with one account, which may do everything; its address as SQLAlchemy reads it, without a database."""
    password = secrets.token_hex(12)
    # As whoever runs the tests: another user might not reach the temporary folder.
    common = [f"--datadir={folder / 'data'}", *([f"--user={getpass.getuser()}"] if os.geteuid() == 0 else [])]
    install = ["mariadb-install-db", "--no-defaults", "--auth-root-authentication-method=normal", *common]
    subprocess.run([*install, "--skip-test-db"], check=True, capture_output=True)
    (folder / "init.sql").write_text(
        f"CREATE USER reader@'%' IDENTIFIED BY '{password}';\nGRANT ALL ON *.* TO reader@'%';\n"
    )
    port = free_port()
    command = [shutil.which("mariadbd", path=_PATH) or "mariadbd", "--no-defaults", *common, f"--port={port}"]
    command += ["--bind-address=127.0.0.1", f"--socket={folder / 's'}", f"--pid-file={folder / 'pid'}"]
    command += [f"--init-file={folder / 'init.sql'}", "--skip-name-resolve", "--innodb-buffer-pool-size=64M"]
    command += ["--innodb-flush-log-at-trx-commit=0"]
    with (folder / "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            _wait(process, port, password, folder / "log")
            yield f"mysql+pymysql://reader:{password}@127.0.0.1:{port}/"
        finally:
            process.terminate()
            process.wait(30)


def create_database(server: str, name: str) -> sa.URL:
    """An empty database on the server, and its address."""
    engine = sa.create_engine(server, poolclass=sa.NullPool)
    with engine.begin() as session:
        session.execute(sa.text(f"CREATE DATABASE {name} CHARACTER SET utf8mb4"))
    return sa.make_url(server).set(database=name)


def _wait(process: subprocess.Popen[bytes], port: int, password: str, log: Path) -> None:
    until = time.monotonic() + 60
    while True:
        try:
            with closing(pymysql.connect(host="127.0.0.1", port=port, user="reader", password=password)):
                return
        except pymysql.err.OperationalError:
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"MariaDB did not start:\n{log.read_text()[-2000:]}") from None
            time.sleep(0.1)
