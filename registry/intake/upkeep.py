"""Keep the registry tidy and true: retention, integrity, freshness. Called daily (freshness: every few minutes)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
import psycopg
from psycopg import sql

from registry.intake.staging import drop_staging
from registry.sealing.errors import PersonalValuesDamaged
from registry.sealing.records import digest_of
from registry.storage import exports, once

OPEN_BATCH_DAYS = 7
"""A batch that nobody published in so long is given up; its connector has read on since."""
CHANGE_DAYS = 400
"""The change feed reaches back so far, in whole months."""
CLOSED_REFUSAL_DAYS = 1100
MONTHS_AHEAD = 3
SAMPLE = 1000
"""Records per dataset whose content is compared with their digest in one check."""


@dataclass(frozen=True, slots=True)
class Tidied:
    """What retention took away."""

    batches_given_up: int
    staging_tables: int
    change_partitions: int
    refusals: int


@dataclass(frozen=True, slots=True)
class Fault:
    """The registry contradicts itself."""

    dataset: str
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Late:
    """A connector that has not been read to the end within its promise."""

    connector: str
    department: str
    freshness: timedelta
    read_at: datetime | None


def tidy(connection: psycopg.Connection) -> Tidied:
    """Give up forgotten batches, drop what nobody needs, make the coming months' partitions."""
    with connection.transaction():
        given_up = connection.execute(
            "UPDATE registry.batch SET state = 'discarded', ended_at = clock_timestamp()"
            " WHERE state IN ('pulling', 'held') AND started_at < now() - make_interval(days => %s) RETURNING id",
            (OPEN_BATCH_DAYS,),
        ).fetchall()
        orphans = connection.execute(
            """
            SELECT DISTINCT b.id FROM pg_class t JOIN registry.batch b
              ON b.id = split_part(substr(t.relname, 2), '_', 1)::bigint
            WHERE t.relnamespace = 'staging'::regnamespace AND t.relname ~ '^b[0-9]+_p'
              AND b.state NOT IN ('pulling', 'held')
            """
        ).fetchall()
        for (batch_id,) in orphans:
            drop_staging(connection, batch_id)
        connection.execute(
            "DELETE FROM registry.staged_refusal f USING registry.batch b"
            " WHERE b.id = f.batch_id AND b.state NOT IN ('pulling', 'held')"
        )
        connection.execute(
            "SELECT registry.ensure_change_partition(now() + make_interval(months => ahead))"
            " FROM generate_series(0, %s) AS ahead",
            (MONTHS_AHEAD,),
        )
        old = connection.execute(
            """
            SELECT relname FROM pg_class WHERE relnamespace = 'registry'::regnamespace AND relname ~ '^change_[0-9]{6}$'
              AND relname < 'change_' || to_char(now() - make_interval(days => %s), 'YYYYMM')
            """,
            (CHANGE_DAYS,),
        ).fetchall()
        for (name,) in old:
            partition = sql.Identifier("registry", name)
            connection.execute(
                sql.SQL(
                    "UPDATE registry.change_horizon h SET xid = l.xid, seq = l.seq"
                    " FROM (SELECT xid, seq FROM {} ORDER BY xid DESC, seq DESC LIMIT 1) l"
                    " WHERE (l.xid, l.seq) > (h.xid, h.seq)"
                ).format(partition)
            )
            connection.execute(sql.SQL("DROP TABLE {}").format(partition))
        refusals = connection.execute(
            "DELETE FROM registry.refusal WHERE closed_at < now() - make_interval(days => %s)", (CLOSED_REFUSAL_DAYS,)
        ).rowcount
        once.forget(connection)
        exports.forget(connection)
    return Tidied(len(given_up), len(orphans), len(old), refusals)


def faults(connection: psycopg.Connection) -> list[Fault]:
    """Where the registry contradicts itself; empty when it is sound."""
    found: list[Fault] = []
    counted = connection.execute(
        """
        SELECT d.name, c.name, c.records, count(r.key) FROM registry.connector c
        JOIN registry.dataset d ON d.id = c.dataset_id
        LEFT JOIN registry.record r ON r.dataset_id = c.dataset_id AND r.connector_id = c.id
        GROUP BY d.name, c.name, c.records HAVING c.records <> count(r.key)
        """
    )
    for dataset, connector, noted, there in counted:
        found.append(
            Fault(
                dataset,
                f"连接器 {connector} 记有 {noted} 条记录，实有 {there} 条",
                f"connector {connector} is noted with {noted} records, there are {there}",
            )
        )
    overlapping = connection.execute(
        """
        SELECT d.name, count(*) FROM registry.record r JOIN registry.dataset d ON d.id = r.dataset_id
        JOIN registry.record_history h ON h.dataset_id = r.dataset_id AND h.key = r.key
        WHERE h.valid_to > r.valid_from GROUP BY d.name
        """
    )
    for dataset, count in overlapping:
        found.append(
            Fault(
                dataset,
                f"{count} 个历史版本与现行版本时间重叠",
                f"{count} past version(s) reach into the present one's time",
            )
        )
    for dataset_id, dataset in connection.execute("SELECT id, name FROM registry.dataset ORDER BY id").fetchall():
        altered = _altered(connection, dataset_id)
        if altered:
            shown = ", ".join(altered[:3])
            found.append(
                Fault(
                    dataset,
                    f"抽查发现 {len(altered)} 条记录的内容与摘要不符：{shown}",
                    f"{len(altered)} sampled record(s) do not match their digest: {shown}",
                )
            )
    return found


def late(connection: psycopg.Connection) -> list[Late]:
    """The connectors that break their promise of freshness, the worst first."""
    rows = connection.execute(
        """
        SELECT name, department, freshness, read_at FROM registry.connector
        WHERE freshness IS NOT NULL AND coalesce(read_at, registered_at) + freshness < now()
        ORDER BY coalesce(read_at, registered_at) + freshness
        """
    ).fetchall()
    return [Late(*row) for row in rows]


def _altered(connection: psycopg.Connection, dataset_id: int) -> list[str]:
    """Keys of sampled records whose content no longer gives their digest. Raises PersonalKeysError."""
    rows = connection.execute(
        "SELECT key, body::text, personal, hash FROM registry.record WHERE dataset_id = %s"
        " ORDER BY md5(key || %s) LIMIT %s",
        (dataset_id, datetime.now().astimezone().date().isoformat(), SAMPLE),
    )
    return [key for key, text, personal, digest in rows if not _same(text, personal, digest, dataset_id, key)]


def _same(text: str, personal: bytes | None, digest: UUID, dataset_id: int, key: str) -> bool:
    body: dict[str, Any] = orjson.loads(text)
    try:
        return UUID(digest_of(body, personal, dataset_id, key)) == digest
    except PersonalValuesDamaged:
        return False
