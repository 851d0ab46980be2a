"""How services of public credit data follow the change feed (``registry.follower``).

A follower has a name and its datasets. One that is new takes the feed's present end as its position, goes through the
records that are there, and those that once were, by key, dataset by dataset, and follows the feed from that position:
what changed meanwhile is looked at twice, and nothing is left out. A dataset that a follower takes up later is gone
through in the same way.

Beside the registry's own changes stand those that a service of public credit data announces: a record that was matched
with an enterprise means something else now, although it did not change (:func:`announce`).

Each step is ONE transaction: the follower's row is locked, the next records are handed to ``look``, what it writes and
the new position commit together. Killed anywhere, a step has happened or it has not; two who run the same follower take
turns; ``look`` sees a record again now and then and must find it in order.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

import psycopg
from psycopg.types.json import Jsonb

STEP = 1000
"""Records that one transaction looks at."""
_LOOK_AGAIN = 0.05
"""Seconds between two looks at whether the oldest transaction has ended."""


@dataclass(frozen=True, order=True, slots=True)
class Position:
    """A place in the change feed: everything up to and including this change has been followed."""

    xid: int
    seq: int


@dataclass(frozen=True, order=True, slots=True)
class RecordKey:
    """A record that is there, or was."""

    dataset_id: int
    key: str


Look = Callable[[psycopg.Connection, Sequence[RecordKey]], Mapping[str, int]]
"""What a service does with records that may have changed, in the step's transaction; it returns its counts."""


@dataclass(frozen=True, slots=True)
class FollowReport:
    """What following came to."""

    counts: Counter[str] = field(default_factory=Counter)
    """``looked_at``: records, and what the service counted."""
    caught_up: bool = True
    """Whether everything has been followed that was committed when it began. False: an older transaction ran longer
    than was to be waited for; what is behind it comes next time."""


@dataclass(frozen=True, slots=True)
class _Followed:
    name: str
    datasets: Mapping[str, int]
    """Those that are in the registry, by name, in the follower's order."""
    position: Position
    first_load: Mapping[str, str | None]
    """Dataset -> the key up to which it has been gone through; None: to its end."""


@dataclass(frozen=True, slots=True)
class _Work:
    records: Sequence[RecordKey]
    more: bool
    done: Callable[[], None]


def follow(
    connection: psycopg.Connection,
    name: str,
    datasets: Sequence[str],
    look: Look,
    *,
    wait: float = 0.0,
    step: int | None = None,
) -> FollowReport:
    """Hand ``look`` every record of the datasets that may have changed since the last time, step by step.

    ``wait``: seconds for which an older transaction is waited for, beside which the changes to follow were committed
    (the feed can be read only below the oldest transaction that is running). The connection is in autocommit.
    """
    register(connection, name, datasets)
    wanted, deadline = _newest(connection), time.monotonic() + wait
    report = FollowReport()
    while True:
        while _one_step(connection, name, datasets, look, report.counts, step or STEP):
            pass
        if position(connection, name).xid >= wanted:
            return report
        if not _wait_for(connection, wanted, deadline):
            return FollowReport(report.counts, caught_up=False)


def register(connection: psycopg.Connection, name: str, datasets: Sequence[str]) -> None:
    """Know a follower, and the datasets that it follows from now on.

    A dataset that is not in the registry yet needs no first load: all its changes are still to come.
    """
    with connection.transaction():
        connection.execute(
            "INSERT INTO registry.follower (name, followed_xid, followed_seq, first_load)"
            " VALUES (%s, pg_snapshot_xmin(pg_current_snapshot()), 0, '{}') ON CONFLICT DO NOTHING",
            (name,),
        )
        # A registry that was moved to another cluster counts transactions anew, and the feed is not kept for ever:
        # where it no longer reaches back to the follower, all is gone through again.
        connection.execute(
            "UPDATE registry.follower f SET followed_xid = pg_snapshot_xmin(pg_current_snapshot()), followed_seq = 0,"
            " first_load = '{}' FROM registry.change_horizon h WHERE f.name = %s"
            " AND (f.followed_xid > pg_snapshot_xmax(pg_current_snapshot())"
            " OR (h.xid, h.seq) > (f.followed_xid, f.followed_seq))",
            (name,),
        )
        row = connection.execute(
            "SELECT first_load FROM registry.follower WHERE name = %s FOR UPDATE", (name,)
        ).fetchone()
        known: Mapping[str, str | None] = row[0] if row else {}
        new = [dataset for dataset in datasets if dataset not in known]
        if new:
            there = _ids(connection, new)
            first_load = {**known, **{dataset: "" if dataset in there else None for dataset in new}}
            _keep_first_load(connection, name, first_load)


def position(connection: psycopg.Connection, name: str) -> Position:
    """How far a follower has followed, as committed. Raises LookupError of one that is not known."""
    row = connection.execute(
        "SELECT followed_xid::text, followed_seq FROM registry.follower WHERE name = %s", (name,)
    ).fetchone()
    if row is None:
        raise LookupError(f"follower {name} is not known")
    return Position(int(row[0]), row[1])


def followed_at(connection: psycopg.Connection, name: str) -> datetime | None:
    """When a follower last moved on; None: never."""
    row = connection.execute("SELECT followed_at FROM registry.follower WHERE name = %s", (name,)).fetchone()
    return row[0] if row else None


def is_behind(connection: psycopg.Connection, name: str, datasets: Sequence[str]) -> bool:
    """Whether a follower of these datasets has records or changes of theirs still to look at.

    What services announced to each other meanwhile is not counted: it may wait for the next time.
    """
    followed = connection.execute(
        "SELECT followed_xid::text, followed_seq, first_load FROM registry.follower WHERE name = %s", (name,)
    ).fetchone()
    ids = list(_ids(connection, datasets).values())
    if followed is None:
        return connection.execute("SELECT FROM registry.record WHERE dataset_id = ANY(%s) LIMIT 1", (ids,)).rowcount > 0
    if any(key is not None for key in followed[2].values()):
        return True
    return (
        connection.execute(
            "SELECT FROM registry.change WHERE (xid, seq) > (%s::xid8, %s) AND dataset_id = ANY(%s) LIMIT 1",
            (followed[0], followed[1], ids),
        ).rowcount
        > 0
    )


def announce(connection: psycopg.Connection, records: Sequence[RecordKey]) -> None:
    """Let every follower look at some records again when the caller's transaction has committed."""
    if records:
        connection.execute(
            "INSERT INTO registry.credit_change (xid, seq, dataset_id, key)"
            " SELECT pg_current_xact_id(), nextval('registry.change_seq'), dataset_id, key"
            " FROM unnest(%s::smallint[], %s::text[]) AS t(dataset_id, key)",
            columns(records),
        )


def entities_of(connection: psycopg.Connection, records: Sequence[RecordKey]) -> list[str]:
    """The enterprises that some records are about, or were about in any earlier version, also by an accepted match."""
    rows = connection.execute(
        """
        WITH touched AS (SELECT * FROM unnest(%s::smallint[], %s::text[]) AS t(dataset_id, key))
        SELECT r.entity FROM touched t JOIN registry.record r USING (dataset_id, key) WHERE r.entity IS NOT NULL
        UNION
        SELECT h.entity FROM touched t JOIN registry.record_history h USING (dataset_id, key) WHERE h.entity IS NOT NULL
        UNION
        SELECT m.entity FROM touched t JOIN registry.entity_match m USING (dataset_id, key)
        WHERE m.state IN ('accepted', 'undone', 'lapsed')
        """,
        columns(records),
    )
    return sorted(entity for (entity,) in rows)


def columns(records: Sequence[RecordKey]) -> tuple[list[int], list[str]]:
    """Dataset ids and keys, for ``unnest(%s::smallint[], %s::text[])``."""
    return [record.dataset_id for record in records], [record.key for record in records]


def _one_step(
    connection: psycopg.Connection, name: str, datasets: Sequence[str], look: Look, counts: Counter[str], limit: int
) -> bool:
    """One transaction; whether there is more. It counts only once it is committed."""
    with connection.transaction():
        followed = _lock(connection, name, datasets)
        work = _next_records(connection, followed, limit) or _next_changes(connection, followed, limit)
        done: Counter[str] = Counter(look(connection, work.records)) if work.records else Counter()
        work.done()
    counts.update(done)
    counts["looked_at"] += len(work.records)
    return work.more


def _lock(connection: psycopg.Connection, name: str, datasets: Sequence[str]) -> _Followed:
    """Where a follower stands, for this transaction alone: whoever else runs it waits, and then finds it moved on."""
    row = connection.execute(
        "SELECT followed_xid::text, followed_seq, first_load FROM registry.follower WHERE name = %s FOR UPDATE", (name,)
    ).fetchone()
    if row is None:
        raise LookupError(f"follower {name} is not known")
    return _Followed(name, _ids(connection, datasets), Position(int(row[0]), row[1]), row[2] or {})


def _next_records(connection: psycopg.Connection, followed: _Followed, limit: int) -> _Work | None:
    """The next records of the first load; None when it has ended."""
    for dataset, dataset_id in followed.datasets.items():
        after = followed.first_load.get(dataset)
        if after is None:
            continue
        rows = connection.execute(
            """
            (SELECT key FROM registry.record WHERE dataset_id = %(dataset)s AND key > %(after)s
             ORDER BY key LIMIT %(limit)s)
            UNION
            (SELECT DISTINCT key FROM registry.record_history WHERE dataset_id = %(dataset)s AND key > %(after)s
             ORDER BY key LIMIT %(limit)s)
            ORDER BY key LIMIT %(limit)s
            """,
            {"dataset": dataset_id, "after": after, "limit": limit},
        ).fetchall()
        reached = rows[-1][0] if len(rows) == limit else None
        records = [RecordKey(dataset_id, key) for (key,) in rows]
        kept = partial(_keep_first_load, connection, followed.name, {**followed.first_load, dataset: reached})
        return _Work(records, more=True, done=kept)
    return None


def _next_changes(connection: psycopg.Connection, followed: _Followed, limit: int) -> _Work:
    """The records of the next changes below the horizon; the position moves over other datasets' changes too."""
    rows = connection.execute(
        """
        WITH horizon AS MATERIALIZED (SELECT pg_snapshot_xmin(pg_current_snapshot()) AS xmin)
        SELECT h.xmin::text, f.xid::text, f.seq, f.dataset_id, f.key FROM horizon h
        LEFT JOIN LATERAL (
            (SELECT xid, seq, dataset_id, key FROM registry.change
             WHERE (xid, seq) > (%(xid)s::text::xid8, %(seq)s) AND xid < h.xmin AND dataset_id = ANY(%(datasets)s)
             ORDER BY xid, seq LIMIT %(limit)s)
            UNION ALL
            (SELECT xid, seq, dataset_id, key FROM registry.credit_change
             WHERE (xid, seq) > (%(xid)s::text::xid8, %(seq)s) AND xid < h.xmin AND dataset_id = ANY(%(datasets)s)
             ORDER BY xid, seq LIMIT %(limit)s)
            ORDER BY xid, seq LIMIT %(limit)s
        ) f ON true ORDER BY f.xid, f.seq
        """,
        {
            "xid": str(followed.position.xid),
            "seq": followed.position.seq,
            "datasets": list(followed.datasets.values()),
            "limit": limit + 1,
        },
    ).fetchall()
    found = [row for row in rows if row[1] is not None]
    more = len(found) > limit
    last = found[limit - 1] if more else None
    reached = Position(int(last[1]), last[2]) if last else max(followed.position, Position(int(rows[0][0]), 0))
    records = list(dict.fromkeys(RecordKey(row[3], row[4]) for row in found[:limit]))
    return _Work(records, more, lambda: _move(connection, followed, reached))


def _move(connection: psycopg.Connection, followed: _Followed, reached: Position) -> None:
    if reached != followed.position:
        connection.execute(
            "UPDATE registry.follower SET followed_xid = %s::text::xid8, followed_seq = %s,"
            " followed_at = clock_timestamp() WHERE name = %s",
            (str(reached.xid), reached.seq, followed.name),
        )


def _keep_first_load(connection: psycopg.Connection, name: str, first_load: Mapping[str, str | None]) -> None:
    connection.execute("UPDATE registry.follower SET first_load = %s WHERE name = %s", (Jsonb(first_load), name))


def _ids(connection: psycopg.Connection, datasets: Sequence[str]) -> dict[str, int]:
    """The datasets that are in the registry, in the order given."""
    rows = connection.execute("SELECT name, id FROM registry.dataset WHERE name = ANY(%s)", (list(datasets),))
    ids: dict[str, int] = dict(rows.fetchall())
    return {dataset: ids[dataset] for dataset in datasets if dataset in ids}


def _newest(connection: psycopg.Connection) -> int:
    """The transaction id below which everything lies that is committed now."""
    return _number(connection, b"SELECT pg_snapshot_xmax(pg_current_snapshot())::text")


def _wait_for(connection: psycopg.Connection, wanted: int, deadline: float) -> bool:
    """Until the feed can be read up to ``wanted``; False when the time is over."""
    while _number(connection, b"SELECT pg_snapshot_xmin(pg_current_snapshot())::text") < wanted:
        if time.monotonic() > deadline:
            return False
        time.sleep(_LOOK_AGAIN)
    return True


def _number(connection: psycopg.Connection, query: bytes) -> int:
    row = connection.execute(query).fetchone()
    assert row is not None  # noqa: S101  (one row always)
    return int(row[0])
