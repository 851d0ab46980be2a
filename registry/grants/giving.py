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

from registry.domain.grants.terms import GrantError, Terms, checked
from schemas.catalogue import default_catalogue

_DATASET_NAME = re.compile(r"[a-z][a-z0-9_.-]{0,62}")
_COLUMNS: LiteralString = """
g.id, g.client_id, c.name AS client_name, g.dataset, g.version, g.schema, g.fields, g.purposes, g.case_number, g.rows,
g.valid_from, g.valid_until, g.daily_quota, g.legal_basis, g.given_by, g.ended_at, g.ended_by, g.ended_because,
g.ended_reason
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
    schema: str | None = None,
) -> HeldGrant:
    """Give a client a dataset; a standing grant of the same dataset is changed: it ends, and this is its next version.

    ``schema``: the version in which the client gets records, the dataset's own if not said; to be said for a dataset
    that the registry does not hold yet. Raises GrantError.
    """
    with connection.transaction():
        _lock_client(connection, client_id)
        found = connection.execute(
            "SELECT schema, key, entity_field, clock_timestamp() FROM registry.dataset WHERE name = %s", (dataset,)
        ).fetchone()
        if found is None and schema is None:
            raise GrantError(f"the registry holds no dataset {dataset!r}; expected one of {_datasets(connection)}")
        if not _DATASET_NAME.fullmatch(dataset):
            raise GrantError(f"{dataset!r} is no name of a dataset")
        pinned = schema or str(found[0] if found else "")
        always = () if found is None else (*found[1], *([found[2]] if found[2] else []))
        good = checked(terms, pinned, always, datetime.now(UTC), default_catalogue())
        connection.execute(
            "UPDATE registry.access_grant SET ended_at = clock_timestamp(), ended_by = %s, ended_because = 'changed'"
            " WHERE client_id = %s AND dataset = %s AND ended_at IS NULL",
            (given_by, client_id, dataset),
        )
        row = connection.execute(
            "INSERT INTO registry.access_grant (client_id, dataset, version, schema, fields, purposes, case_number,"
            " rows, valid_from, valid_until, daily_quota, legal_basis, given_by)"
            " VALUES (%(client)s, %(dataset)s, (SELECT coalesce(max(version), 0) + 1 FROM registry.access_grant"
            " WHERE client_id = %(client)s AND dataset = %(dataset)s), %(schema)s, %(fields)s, %(purposes)s, %(case)s,"
            " %(rows)s, clock_timestamp(), %(until)s, %(quota)s, %(basis)s, %(by)s) RETURNING id",
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
                "by": given_by,
            },
        ).fetchone()
        assert row is not None  # noqa: S101  (RETURNING of one INSERT)
        return one(connection, row[0])


def revoke(connection: psycopg.Connection, grant_id: int, *, by: str, reason: str) -> HeldGrant:
    """End a grant, with the reason. Raises GrantError if there is none of that number, or it has ended."""
    if not reason.strip():
        raise GrantError("a grant is not revoked without a reason")
    ended = connection.execute(
        "UPDATE registry.access_grant SET ended_at = clock_timestamp(), ended_by = %s, ended_because = 'revoked',"
        " ended_reason = %s WHERE id = %s AND ended_at IS NULL",
        (by, reason.strip(), grant_id),
    ).rowcount
    found = one(connection, grant_id)
    if not ended:
        raise GrantError(f"grant {grant_id} has ended on {found.ended_at:%Y-%m-%d}: {found.ended_because}")
    return found


def one(connection: psycopg.Connection, grant_id: int) -> HeldGrant:
    """A grant by its number. Raises GrantError."""
    found = _grants(connection, "g.id = %(id)s", {"id": grant_id})
    if not found:
        raise GrantError(f"there is no grant {grant_id}")
    return found[0]


def held(
    connection: psycopg.Connection,
    *,
    client_id: str | None = None,
    dataset: str | None = None,
    department: str | None = None,
    ended: bool = False,
) -> list[HeldGrant]:
    """Grants by client and dataset, the newest version first; ``ended``: also those that ended.

    ``department``: only of datasets that it owns.
    """
    return _grants(
        connection,
        "(%(client)s::text IS NULL OR g.client_id = %(client)s) AND (%(dataset)s::text IS NULL OR g.dataset ="
        " %(dataset)s) AND (%(ended)s OR g.ended_at IS NULL) AND (%(department)s::text IS NULL OR g.dataset IN"
        " (SELECT name FROM registry.dataset WHERE department = %(department)s))",
        {"client": client_id, "dataset": dataset, "department": department, "ended": ended},
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


def _lock_client(connection: psycopg.Connection, client_id: str) -> None:
    """One change of a client's grants at a time."""
    found = connection.execute(
        "SELECT revoked_at FROM registry.client WHERE id = %s FOR NO KEY UPDATE", (client_id,)
    ).fetchone()
    if found is None:
        raise GrantError(f"there is no client {client_id!r}; list them to see their ids: shuqiao clients list")
    if found[0] is not None:
        raise GrantError(f"the client {client_id} was revoked on {found[0]:%Y-%m-%d}")


def _datasets(connection: psycopg.Connection) -> str:
    names = [row[0] for row in connection.execute("SELECT name FROM registry.dataset ORDER BY name")]
    return ", ".join(names) or "none yet: publish a batch first"
