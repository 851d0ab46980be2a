"""schemathesis over the whole description: sequences of requests made up from it, every answer held against it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.description.city import City

CHECKS = (
    "not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance",
    "response_headers_conformance", "ignored_auth", "unsupported_method",
)  # fmt: skip
_PROBABILITY = 0.7
"""How often a parameter has a value that leads somewhere, where it does not have one that was made up."""


@dataclass(frozen=True, slots=True)
class Run:
    """What came of it."""

    good: bool
    said: str

    @property
    def failures(self) -> str:
        """What schemathesis says of them, and how to send them again."""
        return self.said[max(0, self.said.find("= FAILURES =")) :]


def fuzz(
    city: City, folder: Path, seconds: int, token: str | None, known: Mapping[str, object], seed: int | None = None
) -> Run:
    """So many seconds of it, without a seed other requests each time. ``known``: values that lead somewhere."""
    (folder / "schemathesis.toml").write_text(_settings(known), "utf-8")
    # one worker: CPython 3.11 cannot read its own source from two threads at once, as Hypothesis does
    program = "from schemathesis.cli import schemathesis; schemathesis()"
    command = [
        sys.executable, "-c", program, "--config-file", f"{folder / 'schemathesis.toml'}", "--no-color",
        "run", f"{city.api.address}/api/v1/openapi.json", "--url", city.api.address,
        "--phases", "coverage,fuzzing,stateful",
        "--checks", ",".join(CHECKS), "--max-time", f"{seconds}", "--continue-on-failure", "--request-timeout", "40",
        "--generation-database", "none", "--no-shrink", "--warnings", "off", "--suppress-health-check", "all",
        *(["--header", f"Authorization: Bearer {token}"] if token else []),
        *(["--seed", f"{seed}"] if seed is not None else []),
    ]  # fmt: skip
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=seconds + 300)
    return Run(ended.returncode == 0, ended.stdout + ended.stderr)


def _settings(known: Mapping[str, object]) -> str:
    """Its settings: a list of values for each parameter that is known (JSON's strings and numbers are TOML's too)."""
    lists = [f"[dictionaries.{name}]\nvalues = [{json.dumps(value)}]\n" for name, value in known.items()]
    bound = [f'"path.{name}" = {{ dictionary = "{name}", probability = {_PROBABILITY} }}' for name in known]
    return "\n".join([*lists, "[parameters]", *bound, ""])
