"""The change feed, read so that nothing is skipped while many transactions commit at once.

Numbers of a sequence are handed out before their transactions commit, so a reader that has seen number 9 may meet
number 8 later. The feed is therefore read in the order of (transaction id, number), and only below the oldest
transaction that was still running when the statement's snapshot was taken: below it nothing can appear any more.

A change with the operation ``m`` is a mark beside the record (disputed, repaired, withdrawn); it made no version. It is
read with the version that it stands beside: the current one, or, where that is newer than the mark, the newest before
it; where the record is gone, with none. Marks are those that hold when the feed is read, on every change of the record;
a record that may no longer be shared has no body in any of them.

For datasets of which a reader may see some records only, a change also brings what the record was before (``before``)
and, whatever may be shared of it, what it is (``whole``): who reads decides whether it came in, went out or neither.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from registry.storage.reads.pool import Pool, Row
from registry.storage.reads.records import STALE

_READ = """
WITH horizon AS MATERIALIZED (
    SELECT pg_snapshot_xmin(s.now) AS xmin,
           {lost} AS lost
    FROM (SELECT pg_current_snapshot() AS now) s, registry.change_horizon k
)
SELECT h.xmin::text AS horizon, h.lost, f.xid::text AS xid, f.seq, f.at, f.dataset_id, f.batch_id, f.operation::text,
       f.key,
       CASE WHEN m.repaired_at IS NULL AND m.withdrawn_at IS NULL THEN coalesce(r.body, o.body) END AS body,
       CASE WHEN m.repaired_at IS NULL AND m.withdrawn_at IS NULL
            THEN CASE WHEN r.key IS NULL THEN o.personal ELSE r.personal END END AS personal,
       CASE WHEN r.key IS NULL THEN o.entity ELSE r.entity END AS entity, b.connector_id, c.name AS connector,
       s.since AS stale_since, s.reasons AS stale_reasons, m.disputed_since, m.repaired_at, m.withdrawn_at,
       p.body AS before, CASE WHEN f.dataset_id = ANY($5::smallint[]) THEN coalesce(r.body, o.body) END AS whole
FROM horizon h
LEFT JOIN LATERAL (
    SELECT * FROM registry.change
    WHERE {which} AND xid < h.xmin AND dataset_id = ANY($3::smallint[])
    ORDER BY xid, seq LIMIT $4
) f ON true
LEFT JOIN registry.record r ON r.dataset_id = f.dataset_id AND r.key = f.key
    AND (r.version = f.seq OR (f.operation = 'm' AND r.version < f.seq))
LEFT JOIN registry.record_history o ON o.dataset_id = f.dataset_id AND o.key = f.key
    AND o.version = CASE WHEN f.operation = 'm' THEN (
        SELECT max(h.version) FROM registry.record_history h JOIN registry.record n USING (dataset_id, key)
        WHERE h.dataset_id = f.dataset_id AND h.key = f.key AND h.version < f.seq
    ) ELSE f.seq END
LEFT JOIN LATERAL (
    SELECT e.body FROM registry.record_history e
    WHERE f.dataset_id = ANY($5::smallint[]) AND f.operation IN ('c', 'd')
      AND e.dataset_id = f.dataset_id AND e.key = f.key AND e.version < f.seq
    ORDER BY e.version DESC LIMIT 1
) p ON true
LEFT JOIN registry.credit_mark m ON m.dataset_id = f.dataset_id AND m.key = f.key
LEFT JOIN registry.batch b ON b.id = f.batch_id
LEFT JOIN registry.connector c ON c.id = b.connector_id
""" + STALE.format(version="r", until="", on="true") + """
ORDER BY f.xid, f.seq
"""  # fmt: skip

_CHANGES = _READ.replace(
    "{lost}", "(k.xid, k.seq) > ($1::text::xid8, $2::bigint) OR $1::text::xid8 > pg_snapshot_xmax(s.now)"
).replace("{which}", "(xid, seq) > ($1::text::xid8, $2::bigint)")
_CHOSEN = _READ.replace("{lost}", "false").replace(
    "{which}", "(xid, seq) IN (SELECT p.xid::xid8, p.seq FROM unnest($1::text[], $2::bigint[]) AS p (xid, seq))"
)

_HORIZON = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text AS horizon"


@dataclass(frozen=True, order=True, slots=True)
class Position:
    """A place in the feed: everything up to and including this change has been read."""

    xid: int
    seq: int


START = Position(0, 0)


@dataclass(frozen=True, slots=True)
class Changes:
    """A stretch of the feed."""

    rows: Sequence[Row]
    reached: Position
    more: bool
    """Whether the limit ended it, not the feed."""


class PositionLost(LookupError):  # noqa: N818  (named for the state met)
    """Changes after a position are no longer kept, or it is of another database: who stands there must begin anew."""


async def after(
    pool: Pool, position: Position, dataset_ids: Sequence[int], limit: int, *, partly: Sequence[int] = ()
) -> Changes:
    """The changes of some datasets after a position; ``reached`` moves on over the changes of all others too.

    ``partly``: those of the datasets of which the reader may see some records only. Raises PositionLost; never for
    :data:`START`, which stands before whatever is kept.
    """
    rows = await pool.rows(_CHANGES, str(position.xid), position.seq, list(dataset_ids), limit + 1, list(partly))
    if rows[0]["lost"] and position != START:
        raise PositionLost(f"the feed cannot be read after {position.xid}-{position.seq}")
    found = [row for row in rows if row["xid"] is not None]
    if len(found) > limit:
        last = found[limit - 1]
        return Changes(found[:limit], Position(int(last["xid"]), last["seq"]), more=True)
    return Changes(found, max(position, Position(int(rows[0]["horizon"]), 0)), more=False)


async def chosen(
    pool: Pool, positions: Sequence[Position], dataset_ids: Sequence[int], *, partly: Sequence[int] = ()
) -> Sequence[Row]:
    """Those changes at some places that are still kept, as :func:`after` reads them."""
    xids, seqs = [str(each.xid) for each in positions], [each.seq for each in positions]
    rows = await pool.rows(_CHOSEN, xids, seqs, list(dataset_ids), len(positions), list(partly))
    return [row for row in rows if row["xid"] is not None]


async def end(pool: Pool) -> Position:
    """The place after everything that is committed and can be read now."""
    rows = await pool.rows(_HORIZON)
    return Position(int(rows[0]["horizon"]), 0)
