"""What can be set, read from the environment once, at the edge: everything below takes values, not variables.

Every setting has a default that serves the local stack. A wrong value is named with what was got and what is expected,
all of them at once.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from registry.domain import public_address

PACKAGE = Path(__file__).resolve().parent
ROOT = PACKAGE.parent
"""The checkout, when this is one (see :func:`in_checkout`)."""


class SettingsError(ValueError):
    """One or more settings cannot be used; ``problems`` has a sentence for each, naming the variable."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting of the hub. The variable of each field is ``SHUQIAO_`` and the field's name in capitals."""

    database_url: str = field(default="", repr=False)
    """The registry's PostgreSQL, ``postgresql://user:password@host/database``. Empty: the embedded one."""
    run_dir: Path = Path(".run")
    """State of the local stack: the database's data, secrets, logs."""
    postgres_port: int = 5433
    api_port: int = 8000
    airflow_port: int = 8080
    tax_port: int = 8101
    sftp_port: int = 8102
    credit_port: int = 8103
    scale: int = 5000
    """How many enterprises the demo city has."""
    manifests: tuple[Path, ...] = ()
    """Further folders with manifests (``SHUQIAO_MANIFESTS``, separated like PATH), beside the demo departments' own."""
    demo_connectors: bool = True
    """Whether the demo departments' connectors are among them: ``no`` in a city of one's own."""
    timezone: str = "Asia/Shanghai"
    """Of schedules and of what people are shown; times are stored in UTC."""
    public_url: str = ""
    """Where the registry API is reached from outside. It is part of everything that is signed, so set it before the
    first licence is issued. Empty: the local API's address."""
    licence_types: tuple[Path, ...] = ()
    """Further folders with licence types (``SHUQIAO_LICENCE_TYPES``, separated like PATH), beside the hub's own."""
    credit_rules: tuple[Path, ...] = ()
    """Folders with the city's own rules of public credit data (``SHUQIAO_CREDIT_RULES``, separated like PATH), laid out
    like ``registry/credit_rules``; a file of the same name takes the place of the hub's."""
    credit_place: str = "national"
    """By whose rules repairs and objections are handled: a place of ``registry/credit_rules/cases``."""
    sm2: bool = False
    """Whether authorities get an SM2 key too, for a second, detached signature: ``yes`` needs shuqiao[sm2]."""

    webhook_http: str = "yes"
    """Whether webhooks may be sent without TLS. These three are the local stack's; elsewhere the defaults are stricter
    (:mod:`registry.delivery.settings`)."""
    webhook_networks: str = "127.0.0.0/8"
    """Networks that are not public and may be sent to, with commas between."""
    webhook_ports: str = "any"
    """Ports that may be sent to, with commas between."""


def read(environ: Mapping[str, str] | None = None) -> Settings:
    """The settings of this process's environment (or of ``environ``). Raises SettingsError naming every bad value."""
    given = os.environ if environ is None else environ
    values: dict[str, Any] = {}
    problems: list[str] = []
    for name, (parse, expected) in _READERS.items():
        text = given.get(variable(name), "").strip()
        if not text:
            continue
        try:
            values[name] = parse(text)
        except (KeyError, ValueError, ZoneInfoNotFoundError):
            got = "that" if name == "database_url" else repr(text)
            problems.append(f"{variable(name)} cannot be {got}; expected {expected}")
    values.setdefault("run_dir", (ROOT if in_checkout() else Path.cwd()) / ".run")
    settings = Settings(**values)
    problems += _shared_ports(settings)
    if problems:
        raise SettingsError(problems)
    return settings


def variable(name: str) -> str:
    """The environment variable of a setting: ``api_port`` -> ``SHUQIAO_API_PORT``."""
    return f"SHUQIAO_{name.upper()}"


def in_checkout() -> bool:
    """Whether this package lies in a checkout of the project (and not in an environment's site-packages)."""
    return (ROOT / "airflow.cfg").is_file() and (ROOT / "dags").is_dir()


def dags_folder() -> Path:
    """The hub's DAG files: the checkout's, or the copy that the wheel brings."""
    return ROOT / "dags" if in_checkout() else PACKAGE / "dags"


def airflow_config() -> Path:
    """The hub's airflow.cfg: the checkout's, or the copy that the wheel brings."""
    return ROOT / "airflow.cfg" if in_checkout() else PACKAGE / "airflow.cfg"


def ports(settings: Settings) -> dict[str, int]:
    """Every port the local stack listens on, by the name of its setting."""
    names = [name for name in Settings.__dataclass_fields__ if name.endswith("_port")]
    return {name: getattr(settings, name) for name in names}


def public_url(settings: Settings) -> str:
    """The base of every address that is signed or printed, without a slash at its end."""
    return settings.public_url or f"http://127.0.0.1:{settings.api_port}"


def _shared_ports(settings: Settings) -> list[str]:
    by_port: dict[int, list[str]] = {}
    for name, port in ports(settings).items():
        by_port.setdefault(port, []).append(variable(name))
    return [f"{' and '.join(names)} are both {port}" for port, names in by_port.items() if len(names) > 1]


def _database_url(text: str) -> str:
    if not text.startswith(("postgresql://", "postgres://", "postgresql+psycopg://")):
        raise ValueError
    return text


def _port(text: str) -> int:
    port = int(text)
    if not 0 < port < 1 << 16:
        raise ValueError
    return port


def _count(text: str) -> int:
    count = int(text)
    if count < 1:
        raise ValueError
    return count


def _folder(text: str) -> Path:
    return Path(text).expanduser().absolute()


def _folders(text: str) -> tuple[Path, ...]:
    folders = tuple(_folder(part) for part in text.split(os.pathsep) if part)
    if not all(folder.is_dir() for folder in folders):
        raise ValueError
    return folders


def _yes_or_no(text: str) -> bool:
    return {"yes": True, "no": False}[text.lower()]


def _yes_or_no_word(text: str) -> str:
    return "yes" if _yes_or_no(text) else "no"


def _networks(text: str) -> str:
    return ",".join(str(ip_network(part.strip())) for part in text.split(",") if part.strip())


def _some_ports(text: str) -> str:
    return text if text == "any" else ",".join(str(_port(part)) for part in text.split(","))


def _place(text: str) -> str:
    if re.fullmatch(r"[a-z][a-z0-9_]{0,30}", text) is None:
        raise ValueError
    return text


def _timezone(text: str) -> str:
    return ZoneInfo(text).key


_READERS: dict[str, tuple[Callable[[str], Any], str]] = {
    "database_url": (_database_url, "postgresql://user:password@host:port/database"),
    "run_dir": (_folder, "a folder"),
    **{name: (_port, "a port number, 1 to 65535") for name in Settings.__dataclass_fields__ if name.endswith("_port")},
    "scale": (_count, "a whole number of enterprises, at least 1"),
    "manifests": (_folders, f"folders that exist, separated by {os.pathsep!r}"),
    "demo_connectors": (_yes_or_no, "yes or no"),
    "timezone": (_timezone, "a time zone such as Asia/Shanghai"),
    "public_url": (public_address.parse, public_address.EXPECTED),
    "licence_types": (_folders, f"folders that exist, separated by {os.pathsep!r}"),
    "credit_rules": (_folders, f"folders that exist, separated by {os.pathsep!r}"),
    "credit_place": (_place, "the name of a place with rules, such as national or zhejiang"),
    "sm2": (_yes_or_no, "yes or no"),
    "webhook_http": (_yes_or_no_word, "yes or no"),
    "webhook_networks": (_networks, "networks such as 10.20.0.0/16, with commas between"),
    "webhook_ports": (_some_ports, "port numbers with commas between, or any"),
}
