"""A fresh town for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.credit.cases.town import Town, disagreements, offence


@pytest.fixture
def town(registry_url: str) -> Iterator[Town]:
    """Three penalties of three enterprises. After each test everything must agree."""
    made = Town(registry_url)
    made.penalties(offence(1), offence(2), offence(3))
    yield made
    found = disagreements(made.connection)
    made.connection.close()
    assert found == []
