"""The environment that makes a program part of the local stack, and a terminal beside it know where everything is."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from shuqiao.stack.secrets import write_private

FILE = "environment.json"
_OURS = ("AIRFLOW_", "AIRFLOW__", "SHUQIAO_", "PG")
_KEPT = (
    "SHUQIAO_DEMO_",  # how the demo behaves
    "AIRFLOW_CONN_",  # connections of the user's own
    "SHUQIAO_API_WORKERS", "SHUQIAO_SMALLEST_GROUP", "SHUQIAO_TRUSTED_", "SHUQIAO_CLIENT_REQUESTS_",  # the API's own
)  # fmt: skip


def clean(environ: Mapping[str, str]) -> dict[str, str]:
    """What a part inherits from the user's shell: everything but settings that the stack makes itself."""
    kept = {name: text for name, text in environ.items() if not name.startswith(_OURS) or name.startswith(_KEPT)}
    direct = [text for name in ("NO_PROXY", "no_proxy") if (text := environ.get(name))]
    kept["NO_PROXY"] = kept["no_proxy"] = ",".join(dict.fromkeys([*direct, "127.0.0.1", "localhost"]))
    return kept | {"PYTHONUNBUFFERED": "1"}


def keep(run_dir: Path, given: Mapping[str, str]) -> None:
    """Write down what other terminals need: ``shuqiao`` commands in this folder then speak to this stack."""
    write_private(run_dir / FILE, json.dumps(dict(given), indent=2) + "\n")


def join(run_dir: Path) -> bool:
    """Take on the environment of the stack whose state is in ``run_dir``, where this process's own says nothing."""
    try:
        kept: dict[str, str] = json.loads((run_dir / FILE).read_text("utf-8"))
    except (OSError, ValueError):
        return False
    for name, text in kept.items():
        os.environ.setdefault(name, text)
    return True
