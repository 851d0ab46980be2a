"""An API over a town whose food licences are e-licences."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.api.conftest import Api, Reader
from tests.licences.issue.town import BASE, MASTER_KEY, Town

IDENTIFIER_LENGTH = 84


@dataclass
class LicenceOffice:
    """The town and an API over it."""

    town: Town
    api: Api

    def identifier(self, number: int) -> str:
        """Of the current version."""
        return str(self.town.current(number)["identifier"])

    def reader(self, *scopes: str) -> Reader:
        return self.api.client(*(scopes or ("licence:*",)))


def office(start: Callable[..., Api], town: Town, **settings: Any) -> LicenceOffice:
    """Start an API that signs, unless told otherwise."""
    return LicenceOffice(town, start(**{"public_url": BASE, "master_key": MASTER_KEY, **settings}))
