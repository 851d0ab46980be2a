"""What a verifier brings along besides the trust list: status lists, fetched or kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class FetchedList:
    """A status list as it came, and when it came."""

    body: bytes
    fetched_at: datetime
    newest_seen: datetime | None = None
    """The ``validFrom`` of the newest edition that this source ever had: an older one is a replay."""


class StatusSource(Protocol):
    """Where status lists come from: the network, a folder, the registry itself."""

    def status_list(self, url: str) -> FetchedList | None:
        """The list published at this address, unchecked; None when it cannot be had."""


@dataclass(frozen=True, slots=True)
class KeptLists:
    """Status lists at hand, by address: verification without network."""

    lists: Mapping[str, FetchedList]

    def status_list(self, url: str) -> FetchedList | None:
        """The list kept for this address."""
        return self.lists.get(url)


NO_LISTS = KeptLists({})
"""Nothing at hand: every licence that has a status is answered with ``status_unknown``."""
