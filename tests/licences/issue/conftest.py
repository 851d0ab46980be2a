"""A fresh town for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.licences.issue.town import Town


@pytest.fixture
def town(registry_url: str) -> Iterator[Town]:
    """One bureau has been entered; nothing has been published."""
    made = Town(registry_url)
    made.enter()
    yield made
    found = made.disagreements()
    made.connection.close()
    assert found == []
