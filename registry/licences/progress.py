"""How far the licences have followed their records, and how many there are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import psycopg

from registry.domain.licences.loading import LicenceTypes


@dataclass(frozen=True, slots=True)
class TypeCount:
    """Current licences of one type."""

    type: str
    title_zh: str
    title_en: str
    valid: int
    suspended: int
    ended: int
    refused: int
    """Records that do not make a licence, or do not agree with theirs any more."""


def behind(connection: psycopg.Connection, types: LicenceTypes) -> list[str]:
    """The types that have changes of their dataset still to follow, or records that were there before still to read."""
    return [each.name for each in types.newest if _is_behind(connection, each.name, each.dataset)]


def counts(connection: psycopg.Connection) -> list[TypeCount]:
    """Every type that the registry follows, with its current licences by state."""
    rows = connection.execute(
        """
        SELECT t.name, t.title_zh, t.title_en,
            count(l.id) FILTER (WHERE l.state = '01'), count(l.id) FILTER (WHERE l.state = '02'),
            count(l.id) FILTER (WHERE l.state NOT IN ('01', '02')),
            (SELECT count(*) FROM registry.licence_refusal r WHERE r.type = t.name)
        FROM registry.licence_type t
        LEFT JOIN registry.licence l ON l.type = t.name AND l.superseded_by IS NULL
        GROUP BY t.name, t.title_zh, t.title_en ORDER BY t.name
        """
    ).fetchall()
    return [TypeCount(*row) for row in rows]


def _is_behind(connection: psycopg.Connection, name: str, dataset: str) -> bool:
    followed = connection.execute(
        "SELECT followed_xid::text, followed_seq, first_load_ended_at FROM registry.licence_type WHERE name = %s",
        (name,),
    ).fetchone()
    if followed is None or followed[2] is None:
        found = connection.execute(
            "SELECT FROM registry.record r JOIN registry.dataset d ON d.id = r.dataset_id WHERE d.name = %s LIMIT 1",
            (dataset,),
        )
    else:
        found = connection.execute(
            "SELECT FROM registry.change c JOIN registry.dataset d ON d.id = c.dataset_id"
            " WHERE d.name = %s AND (c.xid, c.seq) > (%s::xid8, %s) LIMIT 1",
            (dataset, followed[0], followed[1]),
        )
    return found.rowcount > 0


@dataclass(frozen=True, slots=True)
class Refusal:
    """A record that does not make a licence, or does not agree with its licence any more."""

    type: str
    dataset: str
    key: str
    department: str
    reasons: tuple[dict[str, str], ...]
    """``code``, ``field``, ``zh``, ``en``; never a personal value."""
    first_seen: datetime
    last_seen: datetime


def refusals(connection: psycopg.Connection, *, type_name: str | None = None, limit: int = 100) -> list[Refusal]:
    """What keeps records from becoming licences, the latest first."""
    rows = connection.execute(
        """
        SELECT f.type, d.name, f.key, d.department, f.reasons, f.first_seen, f.last_seen
        FROM registry.licence_refusal f JOIN registry.dataset d ON d.id = f.dataset_id
        WHERE %(type)s::text IS NULL OR f.type = %(type)s ORDER BY f.last_seen DESC, f.type, f.key LIMIT %(limit)s
        """,
        {"type": type_name, "limit": limit},
    ).fetchall()
    return [
        Refusal(name, dataset, key, department, tuple(reasons), first_seen, last_seen)
        for name, dataset, key, department, reasons, first_seen, last_seen in rows
    ]
