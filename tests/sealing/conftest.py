"""What everything said while a test ran."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest


@pytest.fixture
def heard(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """Every log of this process; not what the HTTP client of the tests notes of its own requests."""
    with caplog.at_level(logging.DEBUG), caplog.at_level(logging.INFO, logger="urllib3"):
        yield caplog
