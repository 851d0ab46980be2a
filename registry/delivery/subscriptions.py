"""Subscriptions: entered, paused, resumed, set back and ended by their owner or the hub's operator.

The service reads what is written here within a second (:mod:`registry.delivery.service`). Owners see their own only:
every function that takes ``owner`` treats another's subscription as one that is not there; None is the operator.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import LiteralString

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from registry.domain.delivery import signatures
from registry.domain.delivery.states import Reason, State
from registry.signing.master_key import MasterKey
from registry.storage.reads.changes import Position

SHARDS = 64
MOST_OF_A_CLIENT = 100
"""Subscriptions that one client may have."""
OVERLAP = timedelta(hours=24)
"""After a secret was replaced, messages are signed with both for so long."""


class SubscriptionError(Exception):
    """Something cannot be done with a subscription; ``code`` is stable, ``zh`` and ``en`` say why."""

    def __init__(self, code: str, zh: str, en: str) -> None:
        super().__init__(en)
        self.code, self.zh, self.en = code, zh, en


class NoSubscription(SubscriptionError):  # noqa: N818
    """There is none of that id, or it is another's."""

    def __init__(self, subscription: str) -> None:
        super().__init__("not_found", f"没有订阅 {subscription}", f"there is no subscription {subscription}")


@dataclass(frozen=True, slots=True)
class Subscription:
    """A subscription as it stands; secrets are not part of it."""

    id: str
    client: str
    dataset: str
    url: str
    batch: bool
    purpose: str | None
    case_number: str | None
    state: State
    reason: Reason | None
    created_at: datetime
    changed_at: datetime
    verified_at: datetime | None
    position: Position
    attempts: int
    failing_since: datetime | None
    next_attempt_at: datetime | None
    last_error: str | None
    delivered: int
    delivered_at: datetime | None
    dead_letters: int
    previous_secret_until: datetime | None
    tested_at: datetime | None
    test_result: str | None


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A change that was not delivered."""

    id: int
    change: str
    key: str
    attempts: int
    reason: str
    died_at: datetime
    redeliver_at: datetime | None
    redelivered_at: datetime | None


_SELECT = """
SELECT s.id, s.client_id, d.name, s.url, s.batch, s.purpose, s.case_number, s.state, s.reason, s.created_at,
       s.changed_at, s.verified_at, s.position_xid::text, s.position_seq, s.attempts, s.failing_since,
       s.next_attempt_at, s.last_error, s.delivered, s.delivered_at,
       (SELECT count(*) FROM registry.dead_letter l WHERE l.subscription_id = s.id AND l.redelivered_at IS NULL),
       s.previous_until, s.tested_at, s.test_result
FROM registry.subscription s JOIN registry.dataset d ON d.id = s.dataset_id
WHERE s.state <> 'ended'
"""


def enter(
    connection: psycopg.Connection,
    master_key: MasterKey,
    *,
    client: str,
    dataset_id: int,
    url: str,
    position: Position | None,
    batch: bool = False,
    purpose: str | None = None,
    case_number: str | None = None,
) -> tuple[str, str]:
    """Enter a subscription; its id, and its secret as the owner gets it this once.

    ``position``: after which change it begins; None: from now on. Raises SubscriptionError for one too many.
    """
    subscription, secret = f"sub_{secrets.token_hex(12)}", signatures.new_secret()
    with connection.transaction():
        # Who enters many at once waits here for himself: the limit holds.
        connection.execute("SELECT FROM registry.client WHERE id = %s FOR NO KEY UPDATE", (client,))
        row = connection.execute(
            "SELECT count(*) FROM registry.subscription WHERE client_id = %s AND state <> 'ended'", (client,)
        ).fetchone()
        if row is not None and row[0] >= MOST_OF_A_CLIENT:
            raise SubscriptionError(
                "too_many",
                f"每个客户端最多 {MOST_OF_A_CLIENT} 个订阅",
                f"a client may have {MOST_OF_A_CLIENT} subscriptions; end one first",
            )
        connection.execute(
            "INSERT INTO registry.subscription (id, shard, client_id, dataset_id, url, batch, purpose, case_number,"
            " secret, position_xid, position_seq) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s,"
            " coalesce(%s::text::xid8, pg_snapshot_xmin(pg_current_snapshot())), %s)",
            (
                subscription,
                secrets.randbelow(SHARDS),
                client,
                dataset_id,
                url,
                batch,
                purpose,
                case_number,
                master_key.seal(secret, context(subscription)),
                None if position is None else str(position.xid),
                0 if position is None else position.seq,
            ),
        )
    return subscription, signatures.shown(secret)


def context(subscription: str) -> str:
    """What a secret is sealed for."""
    return f"subscription {subscription}"


def listed(connection: psycopg.Connection, owner: str | None = None) -> list[Subscription]:
    """A client's subscriptions, or everybody's, the oldest first."""
    found = connection.execute(
        (_SELECT + " AND (%(owner)s::text IS NULL OR s.client_id = %(owner)s) ORDER BY s.created_at, s.id").encode(),
        {"owner": owner},
    )
    return [_subscription(row) for row in found]


def one(connection: psycopg.Connection, subscription: str, owner: str | None = None) -> Subscription:
    """A subscription. Raises NoSubscription."""
    row = connection.execute(
        (_SELECT + " AND s.id = %(id)s AND (%(owner)s::text IS NULL OR s.client_id = %(owner)s)").encode(),
        {"id": subscription, "owner": owner},
    ).fetchone()
    if row is None:
        raise NoSubscription(subscription)
    return _subscription(row)


def pause(connection: psycopg.Connection, subscription: str, owner: str | None = None) -> None:
    """Send nothing more until it is resumed. Raises NoSubscription."""
    reason = Reason.OPERATOR if owner is None else Reason.OWNER
    _write(connection, subscription, owner, "state = 'paused', reason = %(reason)s", reason=reason)


def resume(connection: psycopg.Connection, subscription: str, owner: str | None = None) -> None:
    """Go on where it stopped; the receiver is asked again whether it agrees. Raises NoSubscription, SubscriptionError.

    What the operator paused only the operator resumes.
    """
    found = one(connection, subscription, owner)
    if owner is not None and found.reason is Reason.OPERATOR:
        raise SubscriptionError(
            "paused_by_operator",
            "由运营方暂停，须由运营方恢复",
            "the operator paused it, and only the operator resumes it",
        )
    _write(
        connection,
        subscription,
        owner,
        "state = CASE WHEN state = 'paused' THEN 'pending' ELSE state END, reason = NULL,"
        " attempts = 0, failing_since = NULL, next_attempt_at = NULL",
    )


def replay(
    connection: psycopg.Connection, subscription: str, position: Position | None, owner: str | None = None
) -> None:
    """Set it back, or forward, to after a change (None: to the feed's end). Raises NoSubscription."""
    _write(
        connection,
        subscription,
        owner,
        "position_xid = coalesce(%(xid)s::text::xid8, pg_snapshot_xmin(pg_current_snapshot())), position_seq = %(seq)s,"
        " epoch = epoch + 1, attempts = 0, failing_since = NULL, next_attempt_at = NULL",
        xid=None if position is None else str(position.xid),
        seq=0 if position is None else position.seq,
    )


def end(connection: psycopg.Connection, subscription: str, owner: str | None = None) -> None:
    """End it for good: nothing more is sent, its secrets and dead letters are gone. Raises NoSubscription."""
    with connection.transaction():
        _write(
            connection,
            subscription,
            owner,
            "state = 'ended', reason = NULL, secret = '', previous_secret = NULL, previous_until = NULL",
        )
        connection.execute("DELETE FROM registry.dead_letter WHERE subscription_id = %s", (subscription,))


def request_test(connection: psycopg.Connection, subscription: str, owner: str | None = None) -> None:
    """Have an event sent that tells nothing, whatever state it is in. Raises NoSubscription."""
    _write(
        connection, subscription, owner, "test_requested_at = clock_timestamp(), tested_at = NULL, test_result = NULL"
    )


def new_secret(
    connection: psycopg.Connection, master_key: MasterKey, subscription: str, owner: str | None = None
) -> str:
    """A new secret, shown this once; until :data:`OVERLAP` has passed, messages bear signatures by both.

    Raises NoSubscription.
    """
    secret = signatures.new_secret()
    _write(
        connection,
        subscription,
        owner,
        "previous_secret = secret, previous_until = clock_timestamp() + %(overlap)s, secret = %(secret)s",
        overlap=OVERLAP,
        secret=master_key.seal(secret, context(subscription)),
    )
    return signatures.shown(secret)


def dead_letters(
    connection: psycopg.Connection, subscription: str, after: int, limit: int, owner: str | None = None
) -> Sequence[DeadLetter]:
    """What a receiver did not take, in the order in which it was given up. Raises NoSubscription."""
    one(connection, subscription, owner)
    with connection.cursor(row_factory=class_row(DeadLetter)) as cursor:
        return cursor.execute(
            "SELECT id, xid::text || '-' || seq AS change, key, attempts, reason, died_at, redeliver_at, redelivered_at"
            " FROM registry.dead_letter WHERE subscription_id = %s AND id > %s ORDER BY id LIMIT %s",
            (subscription, after, limit),
        ).fetchall()


def redeliver(
    connection: psycopg.Connection, subscription: str, letters: Sequence[int] | None = None, owner: str | None = None
) -> int:
    """Have dead letters sent once more, all that were not yet, or those named; how many. Raises NoSubscription."""
    with connection.transaction():
        _write(connection, subscription, owner, "reason = reason")
        return connection.execute(
            "UPDATE registry.dead_letter SET redeliver_at = clock_timestamp() WHERE subscription_id = %s"
            " AND redelivered_at IS NULL AND redeliver_at IS NULL AND (%s::bigint[] IS NULL OR id = ANY(%s))",
            (subscription, None if letters is None else list(letters), None if letters is None else list(letters)),
        ).rowcount


def _write(
    connection: psycopg.Connection, subscription: str, owner: str | None, change: LiteralString, **values: object
) -> None:
    """Change one subscription, and say so to the service. ``change`` is written here, never by a caller elsewhere."""
    statement = sql.SQL(
        "UPDATE registry.subscription SET {}, changed_at = clock_timestamp()"
        " WHERE id = %(id)s AND state <> 'ended' AND (%(owner)s::text IS NULL OR client_id = %(owner)s)"
    ).format(sql.SQL(change))
    if not connection.execute(statement, {"id": subscription, "owner": owner, **values}).rowcount:
        raise NoSubscription(subscription)


def _subscription(row: tuple[object, ...]) -> Subscription:
    names = [each.name for each in fields(Subscription)]
    values = [*row[:12], Position(int(str(row[12])), int(str(row[13]))), *row[14:]]
    found = dict(zip(names, values, strict=True))
    found["state"] = State(str(found["state"]))
    found["reason"] = None if found["reason"] is None else Reason(str(found["reason"]))
    return Subscription(**found)  # type: ignore[arg-type]
