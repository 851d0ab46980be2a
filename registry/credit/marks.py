"""Marks of records in the registry, and how they reach every subscriber: one change of the feed for each.

A mark makes no new version of the record, whose content the department has not changed. The feed's entry has the
operation ``m``; its readers get the record as it is, with its mark (:mod:`registry.storage.reads.changes`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import psycopg

from registry.domain.credit.marks import NO_MARK, Mark
from registry.storage import change_numbers

MARKED = "m"
"""The operation of a change that is a mark."""


@dataclass(frozen=True, slots=True)
class Place:
    """A record's place in the registry, whether it is there or was."""

    dataset_id: int
    key: str


def lock(connection: psycopg.Connection, place: Place) -> None:
    """Let nobody else change the record's cases and mark until this transaction ends."""
    connection.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"credit:{place.dataset_id}:{place.key}",)
    )


def of(connection: psycopg.Connection, places: Iterable[Place]) -> dict[Place, Mark]:
    """The marks of some records; those without any are left out."""
    wanted = list(places)
    rows = connection.execute(
        """
        SELECT dataset_id, key, disputed_since, repaired_at, withdrawn_at FROM registry.credit_mark
        JOIN unnest(%s::smallint[], %s::text[]) AS t(dataset_id, key) USING (dataset_id, key)
        """,
        ([place.dataset_id for place in wanted], [place.key for place in wanted]),
    )
    return {Place(row[0], row[1]): Mark(*row[2:]) for row in rows}


def one(connection: psycopg.Connection, place: Place) -> Mark:
    """The mark of a record; NO_MARK: none."""
    return of(connection, [place]).get(place, NO_MARK)


def write(connection: psycopg.Connection, place: Place, entity: str, mark: Mark, case_id: int) -> bool:
    """Give a record its mark and tell the feed, in the caller's transaction; False: it has this mark already.

    The caller holds :func:`lock`.
    """
    if one(connection, place) == mark:
        return False
    if mark == NO_MARK:
        connection.execute(
            "DELETE FROM registry.credit_mark WHERE dataset_id = %s AND key = %s", (place.dataset_id, place.key)
        )
    else:
        connection.execute(
            """
            INSERT INTO registry.credit_mark
                (dataset_id, key, entity, disputed_since, repaired_at, withdrawn_at, case_id)
            VALUES (%s, %s, %s, %s, %s, %s, %s)
            ON CONFLICT (dataset_id, key) DO UPDATE SET entity = excluded.entity,
                disputed_since = excluded.disputed_since, repaired_at = excluded.repaired_at,
                withdrawn_at = excluded.withdrawn_at, case_id = excluded.case_id
            """,
            (
                place.dataset_id,
                place.key,
                entity,
                mark.disputed_since,
                mark.repaired_at,
                mark.withdrawn_at,
                case_id,
            ),
        )
    _tell(connection, place)
    return True


def _tell(connection: psycopg.Connection, place: Place) -> None:
    """One change of the feed, numbered after the version that it stands beside.

    The record is locked for this: a publisher who is changing it has taken its number before, or waits. Of a record
    that is gone the mark is told too: a publisher may just be bringing it back.
    """
    row = connection.execute(
        "SELECT batch_id FROM registry.record WHERE dataset_id = %s AND key = %s FOR SHARE",
        (place.dataset_id, place.key),
    ).fetchone()
    row = row or connection.execute(
        "SELECT ended_batch_id FROM registry.record_history WHERE dataset_id = %s AND key = %s"
        " ORDER BY version DESC LIMIT 1",
        (place.dataset_id, place.key),
    ).fetchone()  # fmt: skip
    if row is None:  # never published: there is nothing that anybody could read again
        return
    connection.execute("SELECT registry.ensure_change_partition(clock_timestamp())")
    number = change_numbers.reserve(connection, 1) + 1
    connection.execute(
        """
        INSERT INTO registry.change (xid, seq, at, dataset_id, batch_id, operation, key)
        VALUES (pg_current_xact_id(), %s, clock_timestamp(), %s, %s, %s, %s)
        """,
        (number, place.dataset_id, row[0], MARKED, place.key),
    )
