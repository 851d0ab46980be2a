"""The local stack's secrets: made once, kept in one file that only its owner can read. No default passwords."""

from __future__ import annotations

import json
import os
import secrets
import stat
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

from cryptography.fernet import Fernet

from registry.sealing import key_file

FILE = "secrets.json"
PERSONAL_KEYS = "personal.keys"
OWNER_ONLY = 0o600


@dataclass(frozen=True, slots=True)
class Secrets:
    """Every secret of one local stack."""

    postgres: str = field(repr=False)
    airflow_admin: str = field(repr=False)
    airflow_fernet: str = field(repr=False)
    airflow_api: str = field(repr=False)
    airflow_jwt: str = field(repr=False)
    market_supervision: str = field(repr=False)
    tax: str = field(repr=False)
    licensing: str = field(repr=False)
    credit: str = field(repr=False)


def load(run_dir: Path) -> Secrets:
    """The secrets kept in ``run_dir``, made now as far as they are missing. The file's mode is 0600, always."""
    path = run_dir / FILE
    kept: dict[str, str] = json.loads(path.read_text("utf-8")) if path.exists() else {}
    names = [each.name for each in fields(Secrets)]
    made = Secrets(**{name: kept.get(name) or _new(name) for name in names})
    if asdict(made) != kept or stat.S_IMODE(path.stat().st_mode) != OWNER_ONLY:
        write_private(path, json.dumps(asdict(made), indent=2) + "\n")
    return made


def personal_keys_file(run_dir: Path) -> Path:
    """Where the ring of keys lies that personal values are sealed with, mode 0600; made now if there is none."""
    path = run_dir / PERSONAL_KEYS
    if not path.exists():
        key_file.make(path)
    return path


def write_private(path: Path, text: str) -> None:
    """Put ``text`` into ``path`` with mode 0600, whole or not at all; it is never readable for others on the way."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY)
    with os.fdopen(handle, "w", encoding="utf-8") as output:
        output.write(text)
        output.flush()
        os.fsync(output.fileno())
    draft.replace(path)


def _new(name: str) -> str:
    if name == "airflow_fernet":
        return Fernet.generate_key().decode()
    if name == "airflow_admin":
        return secrets.token_urlsafe(12)  # people type this one
    return secrets.token_urlsafe(48 if name.startswith("airflow_") else 24)
