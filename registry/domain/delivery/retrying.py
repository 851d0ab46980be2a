"""What becomes of a message after an attempt to deliver it: delivered, tried again later, given up.

A receiver may refuse one message (it answers 400 or 422, say): then that message is tried a few times, put among the
dead letters, and the next ones go on. Or the receiver fails altogether (nobody answers, 5xx, 401, 404, 429 ...): then
it is tried less and less often until the time is up, and the subscription pauses before that message; who resumes it
gets everything from there. 410 pauses it at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

REFUSALS = 5
"""So many times a message is sent to a receiver that refuses it."""
_FAILS_ALTOGETHER = frozenset({401, 403, 404, 405, 407, 408, 421, 425, 429})
GONE = 410


class Next(StrEnum):
    """What to do after an attempt."""

    DELIVERED = "delivered"
    AGAIN = "again"
    DEAD_LETTER = "dead_letter"
    """This message is given up; the next one may be taken."""
    PAUSE = "pause"
    """The receiver is given up: nothing more is sent until somebody resumes, and then this message first."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """When it is tried again, and for how long; in seconds."""

    first: float = 1.0
    longest: float = 3600.0
    give_up: float = 86_400.0
    """After the first failure of a message, a receiver that fails altogether has so long."""


def after_attempt(
    schedule: Schedule, status: int | None, attempts: int, failing_for: float, *, asked_to_wait: float = 0.0
) -> tuple[Next, float]:
    """What comes next, and how many seconds from now at the most, before chance shortens it.

    ``status``: the HTTP status of the answer, None if there was none. ``attempts``: those made of this message, this
    one too. ``failing_for``: since its first attempt. ``asked_to_wait``: the answer's ``Retry-After``.
    """
    if status is not None and 200 <= status < 300:  # noqa: PLR2004
        return Next.DELIVERED, 0.0
    if status == GONE:
        return Next.PAUSE, 0.0
    wait = min(schedule.longest, schedule.first * 2 ** min(attempts - 1, 30))
    wait = min(schedule.longest, max(wait, asked_to_wait))
    if refuses(status):
        return (Next.DEAD_LETTER, 0.0) if attempts >= REFUSALS else (Next.AGAIN, wait)
    return (Next.PAUSE, 0.0) if failing_for >= schedule.give_up else (Next.AGAIN, wait)


def refuses(status: int | None) -> bool:
    """Whether an answer is about the one message, not about the receiver's own state."""
    return status is not None and 400 <= status < 500 and status not in _FAILS_ALTOGETHER  # noqa: PLR2004


def delay(wait: float, chance: float) -> float:
    """The wait with jitter, so that many subscribers of one receiver do not come back together: half of it or more."""
    return wait * (0.5 + chance / 2)
