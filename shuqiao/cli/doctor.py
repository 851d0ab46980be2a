"""``shuqiao doctor``: finds what is wrong with this machine's stack and says what to do."""

from __future__ import annotations

import json
import os
import shutil
import stat
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Annotated

import psutil
import typer
from rich.console import Console

from connectors.manifest import load_all
from shuqiao import settings as hub
from shuqiao.manifests import folders
from shuqiao.settings import Settings
from shuqiao.stack import ports
from shuqiao.stack.secrets import FILE, OWNER_ONLY

PROBLEMS = 1
"""Exit code: something is wrong."""
_DISK = 2 << 30  # bytes
_MEMORY = 3 << 30  # bytes


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    subject: str
    good: bool
    found: str
    remedy: str = ""


def doctor(as_json: Annotated[bool, typer.Option("--json", help="以 JSON 输出 Print JSON.")] = False) -> None:  # noqa: FBT002
    """检查本机 Look for what is wrong and say what to do. Exit codes: 0 nothing, 1 something, 2 a wrong setting."""
    settings = hub.read()
    findings = list(examine(settings))
    if as_json:
        typer.echo(json.dumps([asdict(each) for each in findings], ensure_ascii=False))
    else:
        console = Console()
        for each in findings:
            console.print(f"{'✓' if each.good else '✗'} {each.subject}: {each.found}", markup=False, highlight=False)
            if not each.good:
                console.print(f"    → {each.remedy}", markup=False, highlight=False)
    if not all(each.good for each in findings):
        raise typer.Exit(PROBLEMS)


def examine(settings: Settings) -> Iterator[Finding]:
    """Everything that is looked at, the most basic first."""
    yield _python()
    yield _memory()
    yield _disk(settings)
    yield from _ports(settings)
    yield from _secrets(settings)
    yield from _manifests(settings)
    if settings.database_url:
        yield from _signing_keys(settings.database_url)


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    good = (3, 11) <= sys.version_info[:2] <= (3, 13)
    return Finding("Python", good, version, "use Python 3.11, 3.12 or 3.13: make clean, then make run")


def _memory() -> Finding:
    total = psutil.virtual_memory().total
    return Finding("内存 memory", total >= _MEMORY, f"{total >> 20:,} MiB", "the stack with its demo needs about 3 GiB")


def _disk(settings: Settings) -> Finding:
    where = next(each for each in [settings.run_dir, *settings.run_dir.parents] if each.exists())
    free = shutil.disk_usage(where).free
    writable = os.access(where, os.W_OK)
    found = f"{free >> 20:,} MiB free in {where}" if writable else f"{where} cannot be written"
    remedy = f"free at least 2 GiB, or set {hub.variable('run_dir')} to a folder elsewhere"
    return Finding("磁盘 disk", writable and free >= _DISK, found, remedy)


def _ports(settings: Settings) -> Iterator[Finding]:
    """A stack that runs holds its ports itself."""
    running = ports.accepts(settings.postgres_port) and ports.accepts(settings.airflow_port)
    for name, port in hub.ports(settings).items():
        variable = hub.variable(name)
        free = ports.is_free(port)
        found = f"{port} {'free' if free else 'in use (a stack seems to run)' if running else 'taken'}"
        yield Finding(variable, free or running, found, f"free the port, or set {variable} to another one")


def _secrets(settings: Settings) -> Iterator[Finding]:
    from shuqiao.stack.licences import MASTER_KEY  # noqa: PLC0415

    paths = [path for name in (FILE, MASTER_KEY) if (path := settings.run_dir / name).exists()]
    if not paths:
        yield Finding("密钥 secrets", True, "none yet; `make run` makes them")  # noqa: FBT003
    for path in paths:
        mode = stat.S_IMODE(path.stat().st_mode)
        yield Finding("密钥 secrets", mode == OWNER_ONLY, f"{path} has mode {mode:04o}", f"chmod 600 {path}")


def _manifests(settings: Settings) -> Iterator[Finding]:
    manifests, errors = load_all(folders(settings))
    yield Finding(
        "清单 manifests", not errors, f"{len(manifests)} good, {len(errors)} wrong", "correct what is named below"
    )
    for error in errors:
        yield Finding("清单 manifest", False, str(error), "shuqiao connectors check")  # noqa: FBT003


def _signing_keys(database_url: str) -> Iterator[Finding]:
    """Keys that sign licences and end soon; the master key is not needed to see that."""
    import psycopg  # noqa: PLC0415

    from registry.licences.keys import WARNING, expiring  # noqa: PLC0415
    from registry.storage.database import connect  # noqa: PLC0415

    subject = "印章 seals"
    try:
        with connect(database_url) as connection:
            found = expiring(connection)
    except psycopg.Error as error:
        cause = (str(error).strip() or type(error).__name__).splitlines()[0]
        remedy = "check SHUQIAO_DATABASE_URL; shuqiao migrate"
        yield Finding(subject, good=False, found=f"the registry cannot be asked: {cause}", remedy=remedy)
        return
    yield Finding(
        subject, not found, f"{len(found)} keys end within {WARNING.days} days", "shuqiao keys check says which"
    )
