"""A MariaDB of the test's own: Debian's mariadbd in a temporary folder, on loopback."""

from __future__ import annotations

import getpass
import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pymysql


def missing() -> str:
    """Why there can be no MariaDB here; empty if there can."""
    return "" if shutil.which("mariadbd") else "no mariadbd here (Debian package mariadb-server)"


@contextmanager
def running(folder: Path) -> Iterator[str]:
    """A server with one account; its address as SQLAlchemy reads it, with the database ``exchange``."""
    data, password = folder / "data", secrets.token_hex(12)
    who = getpass.getuser()
    common = [f"--datadir={data}", *([f"--user={who}"] if os.geteuid() == 0 else [])]
    install = ["mariadb-install-db", "--no-defaults", "--auth-root-authentication-method=normal", *common]
    subprocess.run(install, check=True, capture_output=True)
    (folder / "init.sql").write_text(
        "CREATE DATABASE exchange CHARACTER SET utf8mb4;\n"
        f"CREATE USER demo@'127.0.0.1' IDENTIFIED BY '{password}';\nGRANT ALL ON *.* TO demo@'127.0.0.1';\n"
    )
    port = _free_port()
    command = ["mariadbd", "--no-defaults", *common, "--bind-address=127.0.0.1", f"--port={port}"]
    command += [f"--socket={folder / 's'}", f"--init-file={folder / 'init.sql'}", "--innodb-flush-log-at-trx-commit=0"]
    with (folder / "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            _wait(process, port, password, folder / "log")
            yield f"mysql+pymysql://demo:{password}@127.0.0.1:{port}/exchange"
        finally:
            process.terminate()
            process.wait(30)


def _wait(process: subprocess.Popen[bytes], port: int, password: str, log: Path) -> None:
    until = time.monotonic() + 60
    while True:
        try:
            with closing(pymysql.connect(host="127.0.0.1", port=port, user="demo", password=password)):
                return
        except pymysql.err.OperationalError:
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"MariaDB did not start:\n{log.read_text()[-2000:]}") from None
            time.sleep(0.2)


def _free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        return int(listening.getsockname()[1])
