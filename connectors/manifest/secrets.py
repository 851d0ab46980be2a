"""No secret may stand in a manifest: manifests are committed, reviewed and shown; Airflow connections are not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from schemas.documents import Key

_WORDS = (
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "api_key",
    "apikey",
    "access_key",
    "private_key",
    "secret_key",
)
_NAMES = frozenset(
    {"pwd", "pass", "auth_header", "authorization", "cookie", "credentials", "secret_id", "client_id_and_secret"}
)
_ADDRESS_WITH_PASSWORD = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/\s@]*:[^/\s@]+@")

ADVICE = (
    "a manifest holds no secrets: put it into the Airflow connection (AIRFLOW_CONN_<ID>) that source.connection names"
)


def secret_faults(data: Any, key: Key) -> Iterator[tuple[Key, str]]:
    """Keys that are named like secrets and addresses with a password; the value is never repeated."""
    if isinstance(data, dict):
        for name, value in data.items():
            plain = str(name).lower().replace("-", "_")
            if plain in _NAMES or plain.endswith(_WORDS):
                yield (*key, name), ADVICE
            else:
                yield from secret_faults(value, (*key, name))
    elif isinstance(data, list):
        for number, value in enumerate(data):
            yield from secret_faults(value, (*key, number))
    elif isinstance(data, str) and _ADDRESS_WITH_PASSWORD.search(data):
        yield key, f"an address with a password; {ADVICE}"
