"""One subscription while it is delivered: where it stands, what is under way, what is to be written down."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime

from registry.delivery.entitlements import Entitlement
from registry.delivery.keeper import Dead, Letter, Progress, Stored
from registry.domain.delivery.states import Reason, State
from registry.storage.reads.changes import Position


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent in one request; the same however often it is sent."""

    id: str
    body: bytes
    content_type: str
    changes: tuple[tuple[Position, str], ...]
    """Position and key of each."""
    entities: tuple[str, ...]
    reached: Position
    by: Entitlement
    """The grant by which it was made: under another one it is made anew."""


@dataclass(slots=True, eq=False)
class Line:
    """A subscription in memory."""

    stored: Stored
    key: bytes = field(repr=False)
    previous_key: bytes | None = field(repr=False)
    position: Position
    state: State
    attempts: int = 0
    failing_since: datetime | None = None
    next_attempt_at: datetime | None = None
    last_error: str | None = None
    slow: bool = False
    """It failed, or took long: it waits among its kind."""
    test_wanted: bool = False
    letters: dict[int, Letter] = field(default_factory=dict)
    message: Message | None = None
    """What is tried again."""
    task: asyncio.Task[None] | None = None
    timer: asyncio.TimerHandle | None = None
    queued: bool = False
    """It waits for a place in a lane."""
    woken: bool = False
    """Something came up while it was at work."""
    caught_up: bool = False
    """It got everything that the window holds; from being woken until it was looked at that is not known."""
    changed: bool = False
    """There is something to write down."""
    delivered: int = 0
    delivered_at: datetime | None = None
    decided: State | None = None
    reason: Reason | None = None
    verified: bool = False
    dead: list[Dead] = field(default_factory=list)
    answered: list[tuple[int, str | None]] = field(default_factory=list)
    test_result: str | None = None

    @property
    def is_active(self) -> bool:
        """Whether changes are sent."""
        return self.state is State.ACTIVE

    def keys_at(self, at: datetime) -> list[bytes]:
        """The secrets that messages are signed with: while one is being replaced, both."""
        until = self.stored.previous_until
        previous = self.previous_key
        return [self.key] if previous is None or until is None or at >= until else [self.key, previous]

    def waits(self) -> float:
        """Seconds until it is tried again."""
        if self.next_attempt_at is None:
            return 0.0
        return (self.next_attempt_at - datetime.now(UTC)).total_seconds()

    def failed(self, why: str, wait: float | None, at: datetime) -> None:
        """An attempt brought nothing; ``wait`` seconds until the next one, None if there will be none."""
        self.attempts += 1
        self.failing_since = self.failing_since or at
        self.next_attempt_at = None if wait is None else datetime.fromtimestamp(at.timestamp() + wait, UTC)
        self.last_error, self.slow, self.changed = why, True, True

    def rest_until(self, moment: datetime, why: str) -> None:
        """Nothing failed, but nothing may be sent before a moment."""
        self.next_attempt_at, self.last_error, self.changed = moment, why, True

    def succeeded(self) -> None:
        """Nothing is wrong any more."""
        self.attempts, self.failing_since, self.next_attempt_at, self.last_error = 0, None, None, None
        self.changed = True

    def pass_on(self, message: Message) -> None:
        """A message is done with, delivered or given up."""
        self.message, self.position, self.changed = None, message.reached, True

    def decide(self, state: State, reason: Reason | None = None) -> None:
        """Another state from now on."""
        self.state = self.decided = state
        self.reason, self.message, self.changed = reason, None, True

    def progress(self) -> Progress:
        """What there is to write down; it counts as written."""
        found = Progress(
            id=self.stored.id,
            epoch=self.stored.epoch,
            position=self.position,
            delivered=self.delivered,
            delivered_at=self.delivered_at,
            attempts=self.attempts,
            failing_since=self.failing_since,
            next_attempt_at=self.next_attempt_at,
            last_error=self.last_error,
            state=self.decided,
            reason=self.reason,
            verified=self.verified,
            dead=self.dead,
            letters=self.answered,
            test=self.test_result,
        )
        self.delivered, self.delivered_at, self.decided, self.verified, self.changed = 0, None, None, False, False
        self.dead, self.answered, self.test_result = [], [], None
        return found
