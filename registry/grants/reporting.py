"""What somebody has to look at: grants about to end or that nobody uses, requests that should have been answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import psycopg

from registry.domain.grants.rules import rules_on
from registry.grants import giving, requests
from registry.grants.giving import HeldGrant
from registry.grants.requests import GrantRequest
from registry.storage.grant_uses import day_of


@dataclass(frozen=True, slots=True)
class Usage:
    """How a grant is used; a changed grant's uses are those of all its versions."""

    today: int
    last_thirty_days: int
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True)
class Report:
    """Everything of one day."""

    on: date
    expiring_days: int
    unused_days: int
    expired: tuple[HeldGrant, ...]
    """Their time is over, and nobody ended or renewed them."""
    expiring: tuple[HeldGrant, ...]
    unused: tuple[HeldGrant, ...]
    """Given longer ago than that, and not used since."""
    overdue: tuple[GrantRequest, ...]


def usage(connection: psycopg.Connection, grants: Sequence[HeldGrant], at: datetime) -> dict[int, Usage]:
    """How grants are used, by the number of the grant."""
    rows = connection.execute(
        "SELECT g.id, coalesce(sum(u.uses) FILTER (WHERE u.day = %(day)s), 0)::bigint,"
        " coalesce(sum(u.uses) FILTER (WHERE u.day > %(since)s), 0)::bigint, max(u.last_used_at)"
        " FROM registry.access_grant g JOIN registry.access_grant v USING (client_id, dataset)"
        " JOIN registry.access_grant_use u ON u.grant_id = v.id WHERE g.id = ANY(%(ids)s) GROUP BY g.id",
        {"day": day_of(at), "since": day_of(at) - timedelta(days=30), "ids": [grant.id for grant in grants]},
    ).fetchall()
    found = {number: Usage(today, month, last) for number, today, month, last in rows}
    return {grant.id: found.get(grant.id, Usage(0, 0, None)) for grant in grants}


def report(
    connection: psycopg.Connection,
    at: datetime,
    *,
    departments: Sequence[str] | None = None,
    expiring_days: int | None = None,
    unused_days: int | None = None,
) -> Report:
    """What is to be looked at, of all datasets or those of some departments. Without days: as the rules have it."""
    rules = rules_on(day_of(at))
    expiring = rules.expiring.days if expiring_days is None else expiring_days
    unused = rules.unused.days if unused_days is None else unused_days
    standing = giving.held(connection, departments=departments)
    used = usage(connection, standing, at)
    begun = {grant.id: _begun(connection, grant) for grant in standing}
    living = [grant for grant in standing if grant.valid_until > at]
    limit = at - timedelta(days=unused)
    return Report(
        day_of(at),
        expiring,
        unused,
        tuple(grant for grant in standing if grant.valid_until <= at),
        tuple(grant for grant in living if grant.valid_until <= at + timedelta(days=expiring)),
        tuple(
            grant for grant in living if max(begun[grant.id], used[grant.id].last_used_at or begun[grant.id]) <= limit
        ),
        tuple(requests.listed(connection, departments=departments, state="open", overdue_on=day_of(at))),
    )


def _begun(connection: psycopg.Connection, grant: HeldGrant) -> datetime:
    """Since when the client has the dataset without a break: a changed grant is no new one."""
    row = connection.execute(
        "SELECT min(v.valid_from) FROM registry.access_grant v WHERE v.client_id = %s AND v.dataset = %s"
        " AND v.version > (SELECT coalesce(max(version), 0) FROM registry.access_grant"
        " WHERE client_id = v.client_id AND dataset = v.dataset AND ended_because = 'revoked')",
        (grant.client_id, grant.dataset),
    ).fetchone()
    found: datetime = grant.valid_from if row is None or row[0] is None else row[0]
    return found
