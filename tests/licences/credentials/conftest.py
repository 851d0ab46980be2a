from __future__ import annotations

import pytest

from registry.credentials.trust_list import TrustList
from tests.licences.credentials.city import City


@pytest.fixture(scope="session")
def city() -> City:
    return City()


@pytest.fixture(scope="session")
def trust(city: City) -> TrustList:
    return city.trust()
