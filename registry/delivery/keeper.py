"""What the delivery keeps in the database: who delivers what, how far each is, what could not be delivered.

Subscriptions are spread over 64 shards; a process holds a shard by an advisory lock of its one connection, so that a
process that dies lets go of all at once. Processes know of each other by a shared lock and take equal parts.
Everything here blocks; the service calls it in a thread, one call at a time.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from psycopg.rows import class_row

from registry.delivery.entitlements import Entitlements, current, none_yet
from registry.delivery.subscriptions import SHARDS
from registry.domain.delivery.states import Reason, State
from registry.storage.database import connect
from registry.storage.reads.changes import Position
from schemas.catalogue import Catalogue

_LOCKS = 0x53510007
"""The first number of the advisory locks; the second is the shard, or :data:`_PRESENT`."""
_PRESENT = SHARDS
LETTERS_AT_ONCE = 100
_OVERLAP = "5 seconds"
"""A change of a subscription is committed within this time after the moment it bears."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A subscription as the database has it."""

    id: str
    shard: int
    client: str
    dataset_id: int
    dataset: str
    url: str
    batch: bool
    purpose: str | None
    case_number: str | None
    secret: bytes = field(repr=False)
    previous_secret: bytes | None = field(repr=False)
    previous_until: datetime | None
    state: str
    changed_at: datetime
    epoch: int
    xid: int
    seq: int
    attempts: int
    failing_since: datetime | None
    next_attempt_at: datetime | None
    test_requested_at: datetime | None


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter that is to be sent once more."""

    id: int
    subscription: str
    position: Position


@dataclass(frozen=True, slots=True)
class Dead:
    """A change that is given up."""

    position: Position
    key: str
    attempts: int
    reason: str


@dataclass(slots=True)
class Progress:
    """What became of one subscription since it was last written down."""

    id: str
    epoch: int
    position: Position
    delivered: int
    delivered_at: datetime | None
    attempts: int
    failing_since: datetime | None
    next_attempt_at: datetime | None
    last_error: str | None
    state: State | None = None
    """None: as it is."""
    reason: Reason | None = None
    verified: bool = False
    dead: list[Dead] = field(default_factory=list)
    letters: list[tuple[int, str | None]] = field(default_factory=list)
    """Dead letters that were sent again: their number, and why it failed once more, if it did."""
    test: str | None = None
    """What became of a test."""


@dataclass(frozen=True, slots=True)
class News:
    """What a look at the database brought."""

    held: frozenset[int]
    leaving: frozenset[int]
    """Of those held: another process is to have them, so nothing new of theirs may begin."""
    stored: Sequence[Stored]
    letters: Sequence[Letter]
    entitlements: Entitlements


_STORED = """
SELECT s.id, s.shard, s.client_id AS client, s.dataset_id, d.name AS dataset, s.url, s.batch, s.purpose, s.case_number,
       s.secret, s.previous_secret, s.previous_until, s.state, s.changed_at, s.epoch,
       s.position_xid::text::bigint AS xid, s.position_seq AS seq, s.attempts, s.failing_since, s.next_attempt_at,
       s.test_requested_at
FROM registry.subscription s JOIN registry.dataset d ON d.id = s.dataset_id
"""
_LETTERS = """
SELECT l.id, l.subscription_id, l.xid::text::bigint, l.seq
FROM registry.dead_letter l JOIN registry.subscription s ON s.id = l.subscription_id
WHERE l.redeliver_at IS NOT NULL AND s.shard = ANY(%s) AND s.state = 'active' ORDER BY l.subscription_id, l.id LIMIT %s
"""
_MOVE = """
UPDATE registry.subscription s SET position_xid = u.xid::xid8, position_seq = u.seq,
    delivered = s.delivered + u.delivered, delivered_at = coalesce(u.delivered_at, s.delivered_at),
    attempts = u.attempts, failing_since = u.failing_since, next_attempt_at = u.next_attempt_at,
    last_error = u.last_error
FROM unnest(%(ids)s::text[], %(epochs)s::int[], %(xids)s::text[], %(seqs)s::bigint[], %(delivered)s::bigint[],
    %(delivered_at)s::timestamptz[], %(attempts)s::int[], %(failing)s::timestamptz[], %(next)s::timestamptz[],
    %(errors)s::text[])
    AS u (id, epoch, xid, seq, delivered, delivered_at, attempts, failing_since, next_attempt_at, last_error)
WHERE s.id = u.id AND s.epoch = u.epoch AND s.state <> 'ended'
"""


class Keeper:
    """One process's hold on the subscriptions; everything raises psycopg.Error when the connection is lost."""

    def __init__(self, url: str, catalogue: Catalogue) -> None:
        self._connection = connect(url, application="shuqiao-delivery")
        self._connection.execute("SET statement_timeout = '30s'")
        self._catalogue = catalogue
        self._held: set[int] = set()
        self._loaded: set[int] = set()
        self._leaving: frozenset[int] = frozenset()
        self._seen = datetime.min.replace(tzinfo=UTC)
        self._entitlements = none_yet()
        self._connection.execute("SELECT pg_advisory_lock_shared(%s, %s)", (_LOCKS, _PRESENT))

    def close(self) -> None:
        """Let go of everything."""
        self._connection.close()

    def sync(self, progress: Sequence[Progress], busy: Collection[int]) -> News:
        """Write down what was done, then look what there is to do.

        ``busy``: shards of which something is under way; they are not given to another process yet.
        """
        self.write(progress)
        leaving = self._share(busy)
        return News(
            held=frozenset(self._held),
            leaving=leaving,
            stored=self._changed(),
            letters=self._letters(),
            entitlements=self._current(),
        )

    def start(self, dataset_ids: Sequence[int], most: int) -> Position:
        """From where to read the feed for all at once: so that it is few changes, and holds what most of them need."""
        far = self._connection.execute(
            "SELECT xid::text::bigint, seq FROM registry.change WHERE dataset_id = ANY(%s)"
            " ORDER BY xid DESC, seq DESC OFFSET %s LIMIT 1",
            (list(dataset_ids), most),
        ).fetchone()
        low = self._connection.execute(
            "SELECT position_xid::text::bigint, position_seq FROM registry.subscription"
            " WHERE state IN ('active', 'pending') ORDER BY position_xid, position_seq LIMIT 1"
        ).fetchone()
        return max(Position(*(far or (0, 0))), Position(*(low or (0, 0))))

    def write(self, progress: Sequence[Progress]) -> None:
        """Write down what was done: all of it, or nothing."""
        if not progress:
            return
        with self._connection.transaction():
            self._connection.execute(_MOVE, _columns(progress))
            self._bury(progress)
            for each in progress:
                if each.state is not None:
                    self._connection.execute(
                        "UPDATE registry.subscription SET state = %s, reason = %s, changed_at = clock_timestamp(),"
                        " verified_at = CASE WHEN %s THEN clock_timestamp() ELSE verified_at END"
                        " WHERE id = %s AND epoch = %s AND state IN ('pending', 'active')",
                        (each.state, each.reason, each.verified, each.id, each.epoch),
                    )
                if each.test is not None:
                    self._connection.execute(
                        "UPDATE registry.subscription SET test_requested_at = NULL, tested_at = clock_timestamp(),"
                        " test_result = %s WHERE id = %s",
                        (each.test, each.id),
                    )

    def _bury(self, progress: Iterable[Progress]) -> None:
        with self._connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO registry.dead_letter (subscription_id, xid, seq, key, attempts, reason)"
                " SELECT %s, %s::text::xid8, %s, %s, %s, %s"
                " WHERE EXISTS (SELECT FROM registry.subscription WHERE id = %s AND state <> 'ended')"
                " ON CONFLICT (subscription_id, xid, seq) DO UPDATE SET attempts = excluded.attempts,"
                " reason = excluded.reason, died_at = clock_timestamp(), redeliver_at = NULL, redelivered_at = NULL",
                [
                    (each.id, str(dead.position.xid), dead.position.seq, dead.key, dead.attempts, dead.reason, each.id)
                    for each in progress
                    for dead in each.dead
                ],
            )
            cursor.executemany(
                "UPDATE registry.dead_letter SET redeliver_at = NULL, attempts = attempts + 1,"
                " reason = coalesce(%s, reason),"
                " redelivered_at = CASE WHEN %s::text IS NULL THEN clock_timestamp() END WHERE id = %s",
                [(why, why, number) for each in progress for number, why in each.letters],
            )

    def _part(self) -> int:
        """How many shards are this process's fair part."""
        row = self._connection.execute(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = %s AND objid = %s AND granted"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
            (_LOCKS, _PRESENT),
        ).fetchone()
        present = max(1, row[0] if row else 1)
        return -(-SHARDS // present)

    def _share(self, busy: Collection[int]) -> frozenset[int]:
        """Give up what is too much, take what is free and there is room for; what is still to be given up."""
        part = self._part()
        for shard in sorted(self._held)[part:]:
            if shard in self._leaving and shard not in busy:  # told before: nothing of it has begun since
                self._connection.execute("SELECT pg_advisory_unlock(%s, %s)", (_LOCKS, shard))
                self._held.discard(shard)
                self._loaded.discard(shard)
        free = [shard for shard in range(SHARDS) if shard not in self._held]
        while free and len(self._held) < part:
            shard = free.pop()
            row = self._connection.execute("SELECT pg_try_advisory_lock(%s, %s)", (_LOCKS, shard)).fetchone()
            if row is not None and row[0]:
                self._held.add(shard)
        self._leaving = frozenset(sorted(self._held)[part:])
        return self._leaving

    def _changed(self) -> Sequence[Stored]:
        """Subscriptions that somebody changed since the last look, and all of shards that were just taken."""
        new, known = self._held - self._loaded, self._held & self._loaded
        with self._connection.cursor(row_factory=class_row(Stored)) as cursor:
            row = self._connection.execute("SELECT clock_timestamp()").fetchone()
            changed = (
                cursor.execute(
                    (_STORED + f"WHERE s.shard = ANY(%s) AND s.changed_at > %s - interval '{_OVERLAP}'").encode(),
                    (list(known), self._seen),
                ).fetchall()
                if known
                else []
            )
            taken = (
                cursor.execute(
                    (_STORED + "WHERE s.shard = ANY(%s) AND s.state <> 'ended'").encode(), (list(new),)
                ).fetchall()
                if new
                else []
            )
        assert row is not None  # noqa: S101  (one row always)
        self._seen = row[0]
        self._loaded |= new
        return [*changed, *taken]

    def _letters(self) -> Sequence[Letter]:
        found = self._connection.execute(_LETTERS, (list(self._held), LETTERS_AT_ONCE))
        return [Letter(number, subscription, Position(xid, seq)) for number, subscription, xid, seq in found]

    def _current(self) -> Entitlements:
        self._entitlements = current(self._connection, self._entitlements, self._catalogue)
        return self._entitlements


def _columns(progress: Sequence[Progress]) -> dict[str, list[Any]]:
    return {
        "ids": [each.id for each in progress],
        "epochs": [each.epoch for each in progress],
        "xids": [str(each.position.xid) for each in progress],
        "seqs": [each.position.seq for each in progress],
        "delivered": [each.delivered for each in progress],
        "delivered_at": [each.delivered_at for each in progress],
        "attempts": [each.attempts for each in progress],
        "failing": [each.failing_since for each in progress],
        "next": [each.next_attempt_at for each in progress],
        "errors": [each.last_error for each in progress],
    }
