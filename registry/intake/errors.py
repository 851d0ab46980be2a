"""What can go wrong on the way into the registry, sorted by what the caller does next.

::

    IntakeError
    ├── BatchNotOpen       the batch is published, superseded or discarded      -> nothing to do, stop
    └── StagingMissing     parts are not staged (any more)                      -> pull those parts, then publish again
"""

from __future__ import annotations

from collections.abc import Sequence

from registry.domain.batches import State


class IntakeError(Exception):
    """A batch cannot go on as asked."""


class BatchNotOpen(IntakeError):  # noqa: N818  (named for the state met)
    """Something was to be staged into, or done to, a batch that has ended."""

    def __init__(self, batch_id: int, state: State) -> None:
        self.batch_id, self.state = batch_id, state
        super().__init__(f"batch {batch_id} is {state.value}: it takes no more rows and no decision")


class StagingMissing(IntakeError):  # noqa: N818
    """Parts of a batch were never staged, or their staged rows went with a crash of the database."""

    def __init__(self, batch_id: int, parts: Sequence[int]) -> None:
        self.batch_id, self.parts = batch_id, tuple(parts)
        super().__init__(f"batch {batch_id}: part(s) {', '.join(map(str, parts))} not staged; pull them (again)")
