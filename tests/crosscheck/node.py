"""The tools from npm: installed once, as the lock says, where no checkout is; then asked through one process."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
_FILES = ("package.json", "package-lock.json", "verify.mjs")


def missing() -> str:
    """Why the tools cannot be asked here; empty if they can."""
    absent = [name for name in ("node", "npm") if shutil.which(name) is None]
    return f"no {' and no '.join(absent)} here (Debian packages nodejs, npm)" if absent else ""


def installed() -> Path:
    """The folder with the script and its packages; made when it is not there yet. Raises CalledProcessError."""
    digest = hashlib.sha256(b"".join((HERE / name).read_bytes() for name in _FILES)).hexdigest()[:16]
    shelf = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "shuqiao-crosscheck"
    shelf.mkdir(parents=True, exist_ok=True)
    folder = shelf / digest
    with (shelf / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            _install(folder)
    return folder


def ask(checks: Sequence[dict[str, Any]], *, documents: dict[str, Any] | None = None, now: str | None = None) -> Any:
    """The verdict of each check, in their order."""
    job = {"checks": list(checks), "documents": documents or {}, "now": now}
    done = subprocess.run(
        ["node", "verify.mjs"], cwd=installed(), input=json.dumps(job), capture_output=True, text=True, timeout=120,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def _install(folder: Path) -> None:
    with tempfile.TemporaryDirectory(dir=folder.parent) as made:
        unfinished = Path(made) / "unfinished"
        unfinished.mkdir()
        for name in _FILES:
            shutil.copy(HERE / name, unfinished)
        npm = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        done = subprocess.run(npm, cwd=unfinished, capture_output=True, text=True, timeout=240, check=False)
        assert done.returncode == 0, f"npm ci failed:\n{done.stdout}\n{done.stderr}"
        unfinished.rename(folder)
