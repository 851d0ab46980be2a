"""Places for messages under way: whoever is woken waits in a line for one, and everybody has a turn before the next."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from registry.delivery.lines import Line


class Lane:
    """A number of places, and who waits for one. ``start`` begins work; it must lead to :meth:`Place.give_back`."""

    def __init__(self, places: int, start: Callable[[Line, Place], bool]) -> None:
        self._free, self._start = places, start
        self._waiting: deque[Line] = deque()

    def queue(self, line: Line) -> None:
        """Begin when a place is free; the line is in the queue once."""
        if not line.queued:
            line.queued = True
            self._waiting.append(line)
            self._fill()

    def _fill(self) -> None:
        while self._free and self._waiting:
            line = self._waiting.popleft()
            line.queued = False
            self._free -= 1
            place = Place(self)
            if not self._start(line, place):
                self._free += 1

    def freed(self) -> None:
        """A place is there again."""
        self._free += 1
        self._fill()


class Place:
    """One place, given back once."""

    def __init__(self, lane: Lane) -> None:
        self._lane: Lane | None = lane

    def give_back(self) -> None:
        """Let the next one have it; who turns out to be slow does so before it is done."""
        lane, self._lane = self._lane, None
        if lane is not None:
            lane.freed()
