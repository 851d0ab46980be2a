"""Where the master key comes from: the environment, a file, else Airflow's variables, connections and secrets backend.

Airflow is asked only where the first two say nothing, and only in a process that has to do with it: a running task, or
one whose environment names Airflow's configuration or a secrets backend.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from registry.signing import master_key
from registry.signing.master_key import MasterKey, MasterKeyMissing

TEXT = "SHUQIAO_MASTER_KEY"
FILE = "SHUQIAO_MASTER_KEY_FILE"
NAME = "shuqiao_master_key"
"""Of the variable, or of the connection whose password it is, in Airflow."""
_CONFIGURED = ("AIRFLOW__SECRETS__BACKEND", "AIRFLOW_CONFIG")


def load() -> MasterKey:
    """The master key. Raises MasterKeyMissing and MasterKeyMalformed, which say what to do."""
    if text := os.environ.get(TEXT, "").strip():
        return master_key.from_text(text)
    if path := os.environ.get(FILE, "").strip():
        return master_key.from_file(Path(path).expanduser())
    if found := _airflow_text():
        return master_key.from_text(found)
    raise MasterKeyMissing(
        f"没有主密钥，请设置 {FILE}（由 `openssl rand -base64 32` 生成的文件）或 {TEXT}，"
        f"或在 Airflow 的密钥后端中添加连接 {NAME}。",
        f"There is no master key: set {FILE} to a file made with `openssl rand -base64 32`, or {TEXT}, or add the "
        f"connection {NAME} to Airflow's secrets backend.",
    )


def _airflow_text() -> str | None:
    if "airflow.sdk" in sys.modules:
        return _of_task()
    if any(os.environ.get(name) for name in _CONFIGURED):
        return _of_backend()
    return None


def _of_task() -> str | None:
    """Inside a task: Airflow asks its environment, secrets backend and database, in this order."""
    from airflow.sdk import BaseHook, Variable  # noqa: PLC0415
    from airflow.sdk.exceptions import AirflowNotFoundException  # noqa: PLC0415

    text: Any = Variable.get(NAME, default=None)
    if not text:
        try:
            text = BaseHook.get_connection(NAME).password
        except AirflowNotFoundException:
            return None
    return _masked(text)


def _of_backend() -> str | None:
    """Outside a task: the secrets backend alone; Airflow's database is not for other programs."""
    try:
        from airflow.configuration import ensure_secrets_loaded  # noqa: PLC0415
        from airflow.secrets.metastore import MetastoreBackend  # noqa: PLC0415
    except ImportError:
        return None
    for backend in ensure_secrets_loaded():
        if isinstance(backend, MetastoreBackend):
            continue
        if text := backend.get_variable(NAME):
            return _masked(text)
        connection = backend.get_connection(NAME)
        if connection is not None and connection.password:
            return _masked(connection.password)
    return None


def _masked(text: str | None) -> str | None:
    """Never in a task's log."""
    from airflow.sdk.log import mask_secret  # noqa: PLC0415

    if text:
        mask_secret(text, NAME)
    return text
