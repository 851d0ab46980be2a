"""E-licences in the local stack: the demo's issuing authorities with their seals, and one licence to look at."""

from __future__ import annotations

import secrets
import time
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import psycopg
import requests

from registry.licences import issuers, progress
from registry.signing import master_key
from registry.storage.database import connect
from shuqiao import demo
from shuqiao.licence_types import licence_types
from shuqiao.stack.ports import HOST
from shuqiao.stack.secrets import write_private

MASTER_KEY = "master.key"
ISSUERS = Path(demo.__file__).parent / "issuers.yaml"
"""The authorities that the demo city's records name."""
_STALL_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Example:
    """A licence that a person can look at."""

    identifier: str
    page: str
    pdf: Path


def master_key_file(run_dir: Path) -> Path:
    """Where the master key lies, mode 0600; made now if there is none."""
    path = run_dir / MASTER_KEY
    if not path.exists():
        write_private(path, b64encode(secrets.token_bytes(master_key.LENGTH)).decode() + "\n")
    return path


def enter_issuers(database_url: str, base: str, key_file: Path, *, sm2: bool) -> None:
    """The demo city's issuing authorities, each with a key and a seal certificate under the hub's root.

    ``sm2``: each with an SM2 key too. Raises Sm2Missing where the extra ``shuqiao[sm2]`` is not installed.
    """
    with connect(database_url) as connection:
        issuers.load_file(
            connection, ISSUERS, base=base, master_key=master_key.from_file(key_file), now=datetime.now(UTC), sm2=sm2
        )


def wait(database_url: str, sleep: Callable[[float], None]) -> list[progress.TypeCount]:
    """Wait until the licences have followed everything that was published; how many there are.

    Ends early when nothing has moved for two minutes: what is behind then is seen in the counts.
    """
    types = licence_types()
    with connect(database_url) as connection:
        moved, last = time.monotonic(), ""
        while progress.behind(connection, types) and time.monotonic() - moved < _STALL_SECONDS:
            if (now := _moved(connection)) != last:
                moved, last = time.monotonic(), now
            sleep(0.5)
        return progress.counts(connection)


def example(database_url: str, base: str, api_port: int, token: str, folder: Path) -> Example | None:
    """A valid licence whose document is fetched as a downstream system would. None when there is none."""
    with connect(database_url) as connection:
        row = connection.execute(
            "SELECT identifier FROM registry.licence WHERE superseded_by IS NULL AND state = '01'"
            " ORDER BY type <> 'food_business_licence', id LIMIT 1"
        ).fetchone()
    if row is None:
        return None
    identifier = str(row[0])
    answer = _session().get(
        f"http://{HOST}:{api_port}/api/v1/licences/{quote(identifier)}",
        headers={"Authorization": f"Bearer {token}", "Accept": "application/pdf"},
        timeout=60,
    )
    answer.raise_for_status()
    folder.mkdir(parents=True, exist_ok=True)
    pdf = folder / f"{identifier}.pdf"
    pdf.write_bytes(answer.content)
    return Example(identifier, f"{base}/verify/{identifier}", pdf)


def _moved(connection: psycopg.Connection) -> str:
    return str(
        connection.execute(
            "SELECT array_agg((name, followed_xid, followed_seq, first_load_key) ORDER BY name)"
            " FROM registry.licence_type"
        ).fetchone()
    )


def _session() -> requests.Session:
    """A session that asks loopback directly, whatever proxy the environment names."""
    session = requests.Session()
    session.trust_env = False
    return session
