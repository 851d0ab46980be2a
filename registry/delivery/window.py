"""The newest stretch of the change feed, read once for all subscriptions and kept in memory for a while.

A subscription that is up to date is served from here. One that has fallen behind the window reads its own way back.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import attrgetter

from registry.storage.reads.changes import Position
from registry.storage.reads.pool import Row

MOST_CHANGES = 20_000
MOST_BYTES = 64 << 20
"""Of bodies, as the database wrote them."""
_position = attrgetter("position")


@dataclass(slots=True, eq=False)
class Item:
    """One change."""

    position: Position
    row: Row
    events: dict[int, tuple[bytes, str | None] | None] = field(default_factory=dict)
    """The event that those get who see it alike, by :attr:`Entitlement.look`, and which enterprise it names; None:
    they get nothing."""

    @classmethod
    def of(cls, row: Row) -> Item:
        """A change as the feed gives it."""
        return cls(Position(int(row["xid"]), row["seq"]), row)

    @property
    def size(self) -> int:
        """Roughly, in bytes."""
        return 200 + len(self.row["body"] or "")


class Window:
    """Every change of the followed datasets after ``start`` up to ``reached``."""

    def __init__(self, start: Position) -> None:
        self.start = self.reached = start
        self._items: dict[int, list[Item]] = {}
        self._count = self._bytes = 0

    def add(self, rows: Sequence[Row], reached: Position) -> set[int]:
        """What was read next; the datasets that it is of."""
        touched: set[int] = set()
        for row in rows:
            item = Item.of(row)
            self._items.setdefault(row["dataset_id"], []).append(item)
            touched.add(row["dataset_id"])
            self._count += 1
            self._bytes += item.size
        self.reached = reached
        if self._count > MOST_CHANGES or self._bytes > MOST_BYTES:
            self._forget_half()
        return touched

    def after(self, position: Position, dataset_id: int) -> Sequence[Item]:
        """The changes of a dataset after a position that is not before ``start``."""
        items = self._items.get(dataset_id, [])
        return items[bisect_right(items, position, key=_position) :]

    def _forget_half(self) -> None:
        kept = sorted((item for items in self._items.values() for item in items), key=_position)
        half = (len(kept) + 1) // 2
        self.start = kept[half - 1].position
        for dataset_id, items in self._items.items():
            self._items[dataset_id] = items[bisect_right(items, self.start, key=_position) :]
        self._count = len(kept) - half
        self._bytes = sum(item.size for item in kept[half:])
