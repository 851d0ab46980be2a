"""A ring of keys for what a benchmark loads: personal values are sealed in what is measured."""

from __future__ import annotations

import os
from pathlib import Path

from registry.sealing import key_file


def use_own(folder: Path) -> None:
    """Make a ring in the benchmark's folder; this process and those it starts seal with it."""
    path = folder / "personal.keys"
    key_file.make(path)
    os.environ[key_file.VARIABLE] = str(path)
