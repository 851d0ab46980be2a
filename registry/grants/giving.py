"""Grants given, changed and ended. A change is a new version; what a grant once said stays to be read."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, LiteralString

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from registry.domain.grants.rules import rules_on
from registry.domain.grants.terms import GrantError, Terms, checked
from registry.storage.grant_uses import day_of
from schemas.catalogue import default_catalogue

_DATASET_NAME = re.compile(r"[a-z][a-z0-9_.-]{0,62}")
_COLUMNS: LiteralString = """
g.id, g.client_id, c.name AS client_name, g.dataset, g.version, g.schema, g.fields, g.purposes, g.case_number, g.rows,
g.valid_from, g.valid_until, g.daily_quota, g.legal_basis, g.approval, g.given_by, g.ended_at, g.ended_by,
g.ended_because, g.ended_reason
"""


@dataclass(frozen=True, slots=True)
class HeldGrant:
    """A version of a grant as it is on record."""

    id: int
    client_id: str
    client_name: str
    dataset: str
    version: int
    schema: str
    fields: tuple[str, ...] | None
    purposes: tuple[str, ...]
    case_number: bool
    rows: Mapping[str, tuple[str, ...]]
    valid_from: datetime
    valid_until: datetime
    daily_quota: int | None
    legal_basis: str
    approval: str
    """Where the dataset's department agreed: a request, or its document."""
    given_by: str
    ended_at: datetime | None
    ended_by: str | None
    ended_because: str | None
    """``changed`` or ``revoked``."""
    ended_reason: str | None


def give(
    connection: psycopg.Connection,
    client_id: str,
    dataset: str,
    terms: Terms,
    *,
    given_by: str,
    approval: str = "",
    schema: str | None = None,
) -> HeldGrant:
    """Give a client a dataset; a standing grant of the same dataset is changed: it ends, and this is its next version.

    ``approval``: where its department agreed, for a dataset that is shared conditionally. For one that is not to be
    shared the terms must name their legal basis. ``schema``: the version in which the client gets records, the
    dataset's own if not said; to be said for a dataset that the registry does not hold yet. Raises GrantError.
    """
    with connection.transaction():
        lock_client(connection, client_id)
        found = connection.execute(
            "SELECT schema, key, entity_field, sharing, department FROM registry.dataset WHERE name = %s", (dataset,)
        ).fetchone()
        if found is None and schema is None:
            raise GrantError(
                f"the registry holds no dataset {dataset!r}; expected one of {_datasets(connection)}",
                f"登记库没有资源 {dataset!r}",
            )
        if not _DATASET_NAME.fullmatch(dataset):
            raise GrantError(f"{dataset!r} is no name of a dataset", f"{dataset!r} 不是资源名称")
        pinned = schema or str(found[0] if found else "")
        if found is not None:
            _expect_shared(found[3], found[4], approval, terms)
        always = () if found is None else (*found[1], *([found[2]] if found[2] else []))
        at = datetime.now(UTC)
        rules = rules_on(day_of(at))
        good = checked(terms, pinned, always, at, default_catalogue(), usual=rules.usual, longest=rules.longest)
        connection.execute(
            "UPDATE registry.access_grant SET ended_at = clock_timestamp(), ended_by = %s, ended_because = 'changed'"
            " WHERE client_id = %s AND dataset = %s AND ended_at IS NULL",
            (given_by, client_id, dataset),
        )
        row = connection.execute(
            "INSERT INTO registry.access_grant (client_id, dataset, version, schema, fields, purposes, case_number,"
            " rows, valid_from, valid_until, daily_quota, legal_basis, approval, given_by)"
            " VALUES (%(client)s, %(dataset)s, (SELECT coalesce(max(version), 0) + 1 FROM registry.access_grant"
            " WHERE client_id = %(client)s AND dataset = %(dataset)s), %(schema)s, %(fields)s, %(purposes)s, %(case)s,"
            " %(rows)s, clock_timestamp(), %(until)s, %(quota)s, %(basis)s, %(approval)s, %(by)s) RETURNING id",
            {
                "client": client_id,
                "dataset": dataset,
                "schema": pinned,
                "fields": None if good.fields is None else sorted(good.fields),
                "purposes": sorted(good.purposes),
                "case": good.case_number,
                "rows": Jsonb({name: sorted(values) for name, values in good.rows.items()}),
                "until": good.valid_until,
                "quota": good.daily_quota,
                "basis": good.legal_basis,
                "approval": approval.strip(),
                "by": given_by,
            },
        ).fetchone()
        assert row is not None  # noqa: S101  (RETURNING of one INSERT)
        return one(connection, row[0])


def revoke(connection: psycopg.Connection, grant_id: int, *, by: str, reason: str) -> HeldGrant:
    """End a grant, with the reason. Raises GrantError if there is none of that number, or it has ended."""
    if not reason.strip():
        raise GrantError("a grant is not revoked without a reason", "撤销授权须说明理由")
    ended = connection.execute(
        "UPDATE registry.access_grant SET ended_at = clock_timestamp(), ended_by = %s, ended_because = 'revoked',"
        " ended_reason = %s WHERE id = %s AND ended_at IS NULL",
        (by, reason.strip(), grant_id),
    ).rowcount
    found = one(connection, grant_id)
    if not ended:
        raise GrantError(
            f"grant {grant_id} has ended on {found.ended_at:%Y-%m-%d}: {found.ended_because}",
            f"第 {grant_id} 号授权已于 {found.ended_at:%Y-%m-%d} 终止",
            "grant_ended",
        )
    return found


def owner(connection: psycopg.Connection, dataset: str) -> str | None:
    """The department whose dataset it is; None if the registry holds none of that name."""
    row = connection.execute("SELECT department FROM registry.dataset WHERE name = %s", (dataset,)).fetchone()
    return None if row is None else str(row[0])


def one(connection: psycopg.Connection, grant_id: int) -> HeldGrant:
    """A grant by its number. Raises GrantError."""
    found = _grants(connection, "g.id = %(id)s", {"id": grant_id})
    if not found:
        raise GrantError(f"there is no grant {grant_id}", f"没有第 {grant_id} 号授权", "grant_unknown")
    return found[0]


def held(
    connection: psycopg.Connection,
    *,
    client_id: str | None = None,
    dataset: str | None = None,
    departments: Sequence[str] | None = None,
    own: str | None = None,
    ended: bool = False,
) -> list[HeldGrant]:
    """Grants by client and dataset, the newest version first; ``ended``: also those that ended.

    ``departments``: only of datasets that they own; with ``own``: also those of that client.
    """
    return _grants(
        connection,
        "(%(client)s::text IS NULL OR g.client_id = %(client)s)"
        " AND (%(dataset)s::text IS NULL OR g.dataset = %(dataset)s) AND (%(ended)s OR g.ended_at IS NULL)"
        " AND (%(departments)s::text[] IS NULL OR g.client_id = %(own)s OR g.dataset IN"
        " (SELECT name FROM registry.dataset WHERE department = ANY(%(departments)s::text[])))",
        {
            "client": client_id,
            "dataset": dataset,
            "departments": None if departments is None else list(departments),
            "own": own,
            "ended": ended,
        },
    )


def _grants(connection: psycopg.Connection, where: LiteralString, values: Mapping[str, Any]) -> list[HeldGrant]:
    with connection.cursor(row_factory=dict_row) as cursor:
        rows: Sequence[dict[str, Any]] = cursor.execute(
            f"SELECT {_COLUMNS} FROM registry.access_grant g JOIN registry.client c ON c.id = g.client_id"
            f" WHERE {where} ORDER BY c.created_at, g.client_id, g.dataset, g.version DESC",
            values,
        ).fetchall()
    return [_held(row) for row in rows]


def _held(row: Mapping[str, Any]) -> HeldGrant:
    listed = None if row["fields"] is None else tuple(row["fields"])
    rows = {name: tuple(values) for name, values in row["rows"].items()}
    return HeldGrant(**{**row, "fields": listed, "purposes": tuple(row["purposes"]), "rows": rows})


def _expect_shared(sharing: str, department: str, approval: str, terms: Terms) -> None:
    """What the way in which a dataset is shared asks for. Raises GrantError."""
    if sharing == "conditional" and not approval.strip():
        raise GrantError(
            f"the dataset is shared conditionally: say where {department} agreed, or let the client file a request",
            f"该资源有条件共享：请注明 {department} 同意的文件，或由客户端提交申请",
            "approval_missing",
        )
    if sharing == "none" and not terms.legal_basis.strip():
        raise GrantError(
            "the dataset is not to be shared: name the law or administrative regulation that allows it",
            "该资源不予共享：须注明允许共享的法律、行政法规依据",
            "legal_basis_missing",
        )


def lock_client(connection: psycopg.Connection, client_id: str) -> None:
    """One change of a client's grants at a time."""
    found = connection.execute(
        "SELECT revoked_at FROM registry.client WHERE id = %s FOR NO KEY UPDATE", (client_id,)
    ).fetchone()
    if found is None:
        raise GrantError(
            f"there is no client {client_id!r}; list them to see their ids: shuqiao clients list",
            f"没有客户端 {client_id!r}",
        )
    if found[0] is not None:
        raise GrantError(
            f"the client {client_id} was revoked on {found[0]:%Y-%m-%d}",
            f"客户端 {client_id} 已于 {found[0]:%Y-%m-%d} 撤销",
        )


def _datasets(connection: psycopg.Connection) -> str:
    names = [row[0] for row in connection.execute("SELECT name FROM registry.dataset ORDER BY name")]
    return ", ".join(names) or "none yet: publish a batch first"
