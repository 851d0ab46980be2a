"""How far each licence type has followed the registry, and what comes next (``registry.licence_type``).

A type that is new takes the feed's present end as its position, goes through the records that are there by key, and
follows the feed from that position: what changed meanwhile is looked at twice, and nothing is left out. One that has
not followed for longer than the feed is kept begins anew in the same way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import psycopg

from registry.domain.licences.types import LicenceType


@dataclass(frozen=True, order=True, slots=True)
class Position:
    """A place in the change feed: everything up to and including this change has been followed."""

    xid: int
    seq: int


@dataclass(frozen=True, slots=True)
class Followed:
    """Where a type stands."""

    name: str
    dataset_id: int
    position: Position
    first_load_key: str | None
    first_load_ended: bool
    swept_on: date | None
    refusals_examined: str | None


@dataclass(frozen=True, slots=True)
class Stretch:
    """Keys to look at next."""

    keys: Sequence[str]
    reached: Position
    more: bool
    """Whether the limit ended it, not the feed."""


def newest(connection: psycopg.Connection) -> int:
    """The transaction id below which everything lies that is committed now."""
    return _number(connection, "SELECT pg_snapshot_xmax(pg_current_snapshot())::text")


def horizon(connection: psycopg.Connection) -> int:
    """The oldest transaction still running: the feed can be read below it."""
    return _number(connection, "SELECT pg_snapshot_xmin(pg_current_snapshot())::text")


def register(connection: psycopg.Connection, licence_type: LicenceType) -> bool:
    """Know a type and its newest version; False while its dataset is not in the registry yet."""
    if not connection.execute("SELECT FROM registry.dataset WHERE name = %s", (licence_type.dataset,)).rowcount:
        return False
    connection.execute(
        """
        INSERT INTO registry.licence_type AS t
            (name, version, code, digest, dataset, title_zh, title_en, followed_xid, followed_seq)
        VALUES (%(name)s, %(version)s, %(code)s, %(digest)s, %(dataset)s, %(zh)s, %(en)s,
            pg_snapshot_xmin(pg_current_snapshot()), 0)
        ON CONFLICT (name) DO UPDATE SET version = excluded.version, code = excluded.code, digest = excluded.digest,
            title_zh = excluded.title_zh, title_en = excluded.title_en
        WHERE t.version <= excluded.version AND t.digest <> excluded.digest
        """,
        {
            "name": licence_type.name,
            "version": licence_type.version,
            "code": licence_type.code,
            "digest": licence_type.digest,
            "dataset": licence_type.dataset,
            "zh": licence_type.title.zh,
            "en": licence_type.title.en,
        },
    )
    # A registry that was moved to another cluster counts transactions anew: all is gone through again.
    connection.execute(
        "UPDATE registry.licence_type SET followed_xid = pg_snapshot_xmin(pg_current_snapshot()), followed_seq = 0,"
        " first_load_key = NULL, first_load_ended_at = NULL"
        " WHERE name = %s AND followed_xid > pg_snapshot_xmax(pg_current_snapshot())",
        (licence_type.name,),
    )
    return True


def begin_again_if_outrun(connection: psycopg.Connection, name: str) -> bool:
    """Go through all records anew if the feed no longer reaches back to where the type stands; whether it had to be.

    The feed is kept for some four hundred days: what has not followed for longer cannot tell what it missed.
    """
    return bool(
        connection.execute(
            """
            UPDATE registry.licence_type SET followed_xid = pg_snapshot_xmin(pg_current_snapshot()), followed_seq = 0,
                first_load_key = NULL, first_load_ended_at = NULL, followed_at = clock_timestamp()
            WHERE name = %s AND coalesce(followed_at, registered_at) < (
                SELECT to_date(min(substr(relname, 8)), 'YYYYMM')::timestamp AT TIME ZONE 'UTC' FROM pg_class
                WHERE relnamespace = 'registry'::regnamespace AND relname ~ '^change_[0-9]{6}$')
            """,
            (name,),
        ).rowcount
    )


def lock(connection: psycopg.Connection, name: str) -> Followed:
    """Where a type stands, for this transaction alone: whoever else follows it waits, and then finds it moved on."""
    row = connection.execute(
        "SELECT t.name, d.id, t.followed_xid::text, t.followed_seq, t.first_load_key,"
        " t.first_load_ended_at IS NOT NULL, t.swept_on, t.refusals_examined"
        " FROM registry.licence_type t JOIN registry.dataset d ON d.name = t.dataset WHERE t.name = %s FOR UPDATE OF t",
        (name,),
    ).fetchone()
    if row is None:
        raise LookupError(f"licence type {name} is not followed yet")
    return Followed(row[0], row[1], Position(int(row[2]), row[3]), *row[4:])


def next_records(connection: psycopg.Connection, followed: Followed, limit: int) -> list[str]:
    """The next keys of the first load: of records, and of licences (done again, it may find some without record)."""
    rows = connection.execute(
        """
        (SELECT key FROM registry.record WHERE dataset_id = %(dataset)s AND key > %(after)s
            ORDER BY key LIMIT %(limit)s)
        UNION
        (SELECT key FROM registry.licence WHERE type = %(type)s AND dataset_id = %(dataset)s AND key > %(after)s
            AND superseded_by IS NULL ORDER BY key LIMIT %(limit)s)
        ORDER BY key LIMIT %(limit)s
        """,
        {
            "type": followed.name,
            "dataset": followed.dataset_id,
            "after": followed.first_load_key or "",
            "limit": limit,
        },
    )
    return [key for (key,) in rows]


def next_changes(connection: psycopg.Connection, followed: Followed, limit: int) -> Stretch:
    """The keys of the next changes below the horizon; ``reached`` moves over other datasets' changes too."""
    rows = connection.execute(
        """
        WITH horizon AS MATERIALIZED (SELECT pg_snapshot_xmin(pg_current_snapshot()) AS xmin)
        SELECT h.xmin::text, f.xid::text, f.seq, f.key FROM horizon h
        LEFT JOIN LATERAL (
            SELECT xid, seq, key FROM registry.change
            WHERE (xid, seq) > (%s::text::xid8, %s) AND xid < h.xmin AND dataset_id = %s ORDER BY xid, seq LIMIT %s
        ) f ON true ORDER BY f.xid, f.seq
        """,
        (str(followed.position.xid), followed.position.seq, followed.dataset_id, limit + 1),
    ).fetchall()
    found = [row for row in rows if row[1] is not None]
    keys = list(dict.fromkeys(row[3] for row in found[:limit]))
    if len(found) > limit:
        return Stretch(keys, Position(int(found[limit - 1][1]), found[limit - 1][2]), more=True)
    return Stretch(keys, max(followed.position, Position(int(rows[0][0]), 0)), more=False)


def next_refused(connection: psycopg.Connection, followed: Followed, after: str, limit: int) -> list[str]:
    """The next keys that were refused."""
    rows = connection.execute(
        "SELECT key FROM registry.licence_refusal WHERE type = %s AND dataset_id = %s AND key > %s"
        " ORDER BY key LIMIT %s",
        (followed.name, followed.dataset_id, after, limit),
    )
    return [key for (key,) in rows]


def _number(connection: psycopg.Connection, query: str) -> int:
    row = connection.execute(query.encode()).fetchone()
    assert row is not None  # noqa: S101  (one row always)
    return int(row[0])


def position(connection: psycopg.Connection, name: str) -> Position:
    """How far a type has followed, as committed."""
    row = connection.execute(
        "SELECT followed_xid::text, followed_seq FROM registry.licence_type WHERE name = %s", (name,)
    ).fetchone()
    if row is None:
        raise LookupError(f"licence type {name} is not followed yet")
    return Position(int(row[0]), row[1])


def move(connection: psycopg.Connection, name: str, reached: Position) -> None:
    """A type has followed so far."""
    connection.execute(
        "UPDATE registry.licence_type SET followed_xid = %s::text::xid8, followed_seq = %s,"
        " followed_at = clock_timestamp() WHERE name = %s",
        (str(reached.xid), reached.seq, name),
    )


def first_load_reached(connection: psycopg.Connection, name: str, key: str) -> None:
    """The first load has gone through the records up to a key."""
    connection.execute("UPDATE registry.licence_type SET first_load_key = %s WHERE name = %s", (key, name))


def first_load_ended(connection: psycopg.Connection, name: str) -> None:
    """The first load has gone through all records."""
    connection.execute(
        "UPDATE registry.licence_type SET first_load_key = NULL, first_load_ended_at = clock_timestamp()"
        " WHERE name = %s",
        (name,),
    )


def swept(connection: psycopg.Connection, name: str, day: date) -> None:
    """The ends of term before a day have been entered."""
    connection.execute("UPDATE registry.licence_type SET swept_on = %s WHERE name = %s", (day, name))


def examined(connection: psycopg.Connection, name: str, known: str) -> None:
    """All refusals have been looked at again with these authorities and this edition of the type."""
    connection.execute("UPDATE registry.licence_type SET refusals_examined = %s WHERE name = %s", (known, name))
