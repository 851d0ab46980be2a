"""What the registry holds after a run, and whether its feed tells the same story."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from typing import Any

from registry.storage.database import connect
from registry.storage.reads import changes
from registry.storage.reads.pool import Pool


@dataclass(frozen=True)
class Registry:
    """All that must be the same, however the run went."""

    records: dict[str, tuple[str, Any, str, str | None]]
    """Key to hash, body, row id and entity."""
    history: Counter[tuple[str, str]]
    """Ended versions: key and hash."""
    refusals: list[tuple[Any, ...]]
    """Open tickets."""
    closed: Counter[tuple[Any, ...]]
    cursor: dict[str, Any] | None
    counted: int
    feed: Counter[tuple[str, str]]
    """Operation and key."""


def registry(url: str) -> Registry:
    """The state of a registry that one connector feeds; fails when it contradicts itself."""
    with connect(url) as connection:
        records = connection.execute(
            "SELECT key, hash::text, body, row_id, entity, version FROM registry.record"
        ).fetchall()
        history = connection.execute("SELECT key, hash::text, version FROM registry.record_history").fetchall()
        refusals = connection.execute(
            "SELECT row_id, key, raw, reasons FROM registry.refusal WHERE closed_at IS NULL ORDER BY row_id"
        ).fetchall()
        closed = connection.execute(
            "SELECT row_id, closed_because FROM registry.refusal WHERE closed_at IS NOT NULL"
        ).fetchall()
        cursor, counted = connection.execute("SELECT cursor, records FROM registry.connector").fetchone() or (None, 0)
        wrong_times = connection.execute(
            "SELECT key FROM registry.record_history WHERE valid_from >= valid_to"
            " UNION SELECT r.key FROM registry.record r JOIN registry.record_history h USING (dataset_id, key)"
            " WHERE r.valid_from < h.valid_to"
        ).fetchall()
    assert wrong_times == []
    feed = read_feed(url)
    versions = {row[0]: row[5] for row in records}
    assert replay(feed) == versions
    ended = {(key, version) for key, _, version in history}
    told = {(change.key, change.seq) for change in feed if change.operation != "d"}
    assert told == ended | set(versions.items())
    return Registry(
        records={row[0]: (row[1], row[2], row[3], row[4]) for row in records},
        history=Counter((key, digest) for key, digest, _ in history),
        refusals=refusals,
        closed=Counter(closed),
        cursor=None if cursor is None else {name: value for name, value in cursor.items() if name != "clock"},
        counted=counted,
        feed=Counter((change.operation, change.key) for change in feed),
    )


def staged_tables(url: str) -> int:
    """Staging tables that are left."""
    with connect(url) as connection:
        return connection.execute(
            "SELECT FROM pg_class WHERE relnamespace = 'staging'::regnamespace AND relkind = 'r'"
        ).rowcount


@dataclass(frozen=True)
class Change:
    xid: int
    seq: int
    operation: str
    key: str


def read_feed(url: str, page: int = 500) -> list[Change]:
    """The whole feed as a subscriber reads it, page by page, with the product's own query."""

    async def read() -> list[Change]:
        pool = Pool(url, size=1)
        await pool.open()
        try:
            ids = [row["id"] for row in await pool.rows("SELECT id FROM registry.dataset")]
            found: list[Change] = []
            position = changes.START
            while True:
                stretch = await changes.after(pool, position, ids, page)
                found += [change(row) for row in stretch.rows]
                if not stretch.more:
                    return found
                position = stretch.reached
        finally:
            await pool.close()

    return asyncio.run(read())


def change(row: Any) -> Change:
    operation = row["operation"]
    return Change(
        int(row["xid"]), row["seq"], operation if isinstance(operation, str) else operation.decode(), row["key"]
    )


def replay(feed: list[Change]) -> dict[str, int]:
    """What a subscriber believes after the whole feed: key to version. Each change must make sense where it stands."""
    held: dict[str, int] = {}
    seen = Counter((change.key, change.seq) for change in feed)
    assert [twice for twice, times in seen.items() if times > 1] == []
    for each in feed:
        if each.operation == "n":
            assert each.key not in held, f"{each} is told as new twice"
            held[each.key] = each.seq
        elif each.operation == "c":
            assert each.seq > held[each.key], f"{each} follows version {held[each.key]}"
            held[each.key] = each.seq
        else:
            del held[each.key]
    return held
