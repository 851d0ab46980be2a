"""A fresh town for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.credit.enterprise_file.town import Town


@pytest.fixture
def town(registry_url: str) -> Iterator[Town]:
    """Nothing has been published."""
    made = Town(registry_url)
    yield made
    made.connection.close()
