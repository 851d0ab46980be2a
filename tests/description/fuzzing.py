"""schemathesis over the whole description: sequences of requests made up from it, every answer held against it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.description.city import City

CHECKS = (
    "not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance",
    "response_headers_conformance", "ignored_auth", "unsupported_method",
)  # fmt: skip
_PROBABILITY = 0.7
"""How often a parameter has a value that leads somewhere, where it does not have one that was made up."""


def fuzz(city: City, folder: Path, seconds: int, token: str | None, known: Mapping[str, object]) -> str:
    """What schemathesis says of so many seconds; empty if nothing is wrong. ``known``: values of path parameters."""
    (folder / "schemathesis.toml").write_text(_settings(known), "utf-8")
    program = "from schemathesis.cli import schemathesis; schemathesis()"
    command = [
        sys.executable, "-c", program, "--config-file", f"{folder / 'schemathesis.toml'}", "--no-color",
        "run", f"{city.api.address}/api/v1/openapi.json", "--url", city.api.address,
        "--checks", ",".join(CHECKS), "--max-time", f"{seconds}", "--continue-on-failure", "--request-timeout", "40",
        "--generation-database", "none", "--warnings", "off", "--suppress-health-check", "all",
        *(["--header", f"Authorization: Bearer {token}"] if token else []),
    ]  # fmt: skip
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=seconds + 300)
    return "" if ended.returncode == 0 else ended.stdout + ended.stderr


def _settings(known: Mapping[str, object]) -> str:
    """Its settings: a list of values for each parameter that is known (JSON's strings and numbers are TOML's too)."""
    lists = [f"[dictionaries.{name}]\nvalues = [{json.dumps(value)}]\n" for name, value in known.items()]
    bound = [f'"path.{name}" = {{ dictionary = "{name}", probability = {_PROBABILITY} }}' for name in known]
    return "\n".join([*lists, "[parameters]", *bound, ""])
