"""What everything said while a test ran, and keys of its own."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from registry.sealing import key_file


@pytest.fixture
def heard(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """Every log of this process; not what the HTTP client of the tests notes of its own requests."""
    with caplog.at_level(logging.DEBUG), caplog.at_level(logging.INFO, logger="urllib3"):
        yield caplog


@pytest.fixture
def own_ring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A ring that no other test has."""
    path = tmp_path / "ring" / "personal.keys"
    key_file.make(path)
    monkeypatch.setenv(key_file.VARIABLE, str(path))
    return path
