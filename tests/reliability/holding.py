"""Hold a run at a chosen statement inside the registry's database: a trigger that waits for a lock the test holds."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import psycopg

from registry.storage.database import connect

_LOCK = 4711
_FUNCTION = f"""
CREATE OR REPLACE FUNCTION public.hold() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN PERFORM pg_advisory_xact_lock_shared({_LOCK}); RETURN NEW; END $$
"""


@dataclass(frozen=True)
class Place:
    """A statement of a run: the trigger that holds it there."""

    name: str
    trigger: str
    constraint: bool = False

    def __str__(self) -> str:
        return self.name


_FIRST_PART, _SECOND_PART = "NEW.number = 0", "NEW.number = 1"
PLANNING = Place("planning", f"BEFORE INSERT ON registry.batch_part FOR EACH ROW WHEN ({_SECOND_PART})")
BEGINNING = Place(
    "beginning to stage",
    f"BEFORE UPDATE ON registry.batch_part FOR EACH ROW WHEN (NEW.attempts > OLD.attempts AND {_FIRST_PART})",
)
STAGING = Place("in the middle of staging", "BEFORE INSERT ON registry.staged_refusal FOR EACH STATEMENT")
FINISHING = Place(
    "finishing a part",
    "BEFORE UPDATE ON registry.batch_part FOR EACH ROW"
    f" WHEN (NEW.staged_attempt IS DISTINCT FROM OLD.staged_attempt AND {_FIRST_PART})",
)
BETWEEN_PARTS = Place(
    "between two parts",
    f"BEFORE UPDATE ON registry.batch_part FOR EACH ROW WHEN (NEW.attempts > OLD.attempts AND {_SECOND_PART})",
)
HISTORY = Place("publishing: history written", "AFTER INSERT ON registry.record_history FOR EACH STATEMENT")
FEED = Place("publishing: feed written", "AFTER INSERT ON registry.change FOR EACH STATEMENT")
QUARANTINE = Place("publishing: quarantine written", "AFTER INSERT ON registry.refusal FOR EACH STATEMENT")
CURSOR = Place("publishing: cursor moved", "AFTER UPDATE ON registry.connector FOR EACH STATEMENT")
ENDING = Place(
    "publishing: last statement", "BEFORE UPDATE ON registry.batch FOR EACH ROW WHEN (NEW.state = 'published')"
)
COMMITTING = Place(
    "committing",
    "AFTER UPDATE ON registry.batch DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.state = 'published')",
    constraint=True,
)


class Held:
    """As a context: whoever comes to the place waits there until released."""

    def __init__(self, url: str, place: Place) -> None:
        self._connection = connect(url, application="test")
        self._connection.execute(_FUNCTION.encode())
        kind = "CONSTRAINT TRIGGER" if place.constraint else "TRIGGER"
        self._connection.execute(f"CREATE {kind} hold {place.trigger} EXECUTE FUNCTION public.hold()".encode())
        self._connection.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def wait(self, alive: Callable[[], bool], seconds: float = 60) -> None:
        """Until somebody stands at the place."""
        until(
            lambda: bool(
                self._connection.execute(
                    "SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = %s AND NOT granted", (_LOCK,)
                ).rowcount
            ),
            alive,
            seconds,
        )

    def release(self) -> None:
        """Let everybody go on; returns when no connection of the hub is left in this database."""
        self._connection.execute("SELECT pg_advisory_unlock(%s)", (_LOCK,))
        until(lambda: not others(self._connection))


def others(connection: psycopg.Connection) -> int:
    """Connections to this database other than this one."""
    return connection.execute(
        "SELECT FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend'"
        " AND pid <> pg_backend_pid()"
    ).rowcount


def until(
    condition: Callable[[], bool], alive: Callable[[], bool] = lambda: True, seconds: float = 60, *, pause: float = 0.01
) -> None:
    """Wait for a condition; fails when what should bring it about is no longer alive. ``pause``: between two looks."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        assert alive(), "the process that should have come here has ended"
        time.sleep(pause)
