"""What the clients who subscribe may get, as it stands now or stood a moment ago: read in one go for all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

import psycopg

from registry.domain.delivery.states import Reason
from registry.domain.grants.grant import Grant
from registry.domain.grants.projection import View, view
from registry.domain.grants.versions import SERVED, superseded_at
from schemas.catalogue import Catalogue
from schemas.errors import SchemaError

_STANDING = """
SELECT g.id, g.client_id, g.dataset, g.fields, g.purposes, g.case_number, g.rows, g.schema, g.valid_until,
       g.daily_quota, d.schema
FROM registry.access_grant g JOIN registry.client c ON c.id = g.client_id JOIN registry.dataset d ON d.name = g.dataset
WHERE g.ended_at IS NULL AND c.revoked_at IS NULL
"""
_VERSIONS = """
SELECT d.name, d.schema, d.registered_at, array_agg(s.schema), array_agg(s.since)
FROM registry.dataset d JOIN registry.dataset_schema s ON s.dataset_id = d.id GROUP BY d.id
"""
_EDITION = """
SELECT count(*), coalesce(max(id), 0), (SELECT count(*) FROM registry.client WHERE revoked_at IS NOT NULL),
       (SELECT string_agg(schema, ' ' ORDER BY id) FROM registry.dataset)
FROM registry.access_grant WHERE ended_at IS NULL
"""
"""Differs whenever a grant was given, changed or ended, a client revoked, or a dataset has another schema."""

Edition = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Entitlement:
    """A grant, what it shows, and a number that those share to whom a change looks the same."""

    grant: Grant
    view: View
    look: int
    served_until: datetime | None
    """When its version of the schema ends, where that is an older one."""

    def refusal(self, purpose: str | None, case_number: str | None, at: datetime) -> Reason | None:
        """Why a subscription gets nothing by it now, if so."""
        if not self.grant.is_in_force(at):
            return Reason.GRANT_ENDED
        if self.served_until is not None and at >= self.served_until:
            return Reason.VERSION_ENDED
        if not self.grant.allows_purpose(purpose) or (self.grant.case_number and case_number is None):
            return Reason.GRANT_NEEDS_PURPOSE
        return None


@dataclass(frozen=True, slots=True)
class Entitlements:
    """Every standing grant, by client and dataset."""

    edition: Edition
    by_client: Mapping[tuple[str, str], Entitlement]
    looks: dict[object, int]
    """Every number that was given so far: it goes on meaning the same."""


def none_yet() -> Entitlements:
    """Before anything was read."""
    return Entitlements((), {}, {})


def current(connection: psycopg.Connection, known: Entitlements, catalogue: Catalogue) -> Entitlements:
    """The grants as they stand now; those that are known where nothing happened since. Raises psycopg.Error."""
    edition: Edition = connection.execute(_EDITION).fetchone() or ()
    if edition == known.edition:
        return known
    looks = known.looks
    standing = connection.execute(_STANDING)
    versions = {
        name: (schema, dict(zip(schemas, moments, strict=True)), registered_at)
        for name, schema, registered_at, schemas, moments in connection.execute(_VERSIONS)
    }
    found: dict[tuple[str, str], Entitlement] = {}
    for row in standing:
        grant = Grant(
            id=row[0],
            client=row[1],
            dataset=row[2],
            fields=None if row[3] is None else frozenset(row[3]),
            purposes=frozenset(row[4]),
            case_number=row[5],
            rows={name: frozenset(values) for name, values in row[6].items()},
            schema=row[7],
            valid_until=row[8],
            daily_quota=row[9],
        )
        try:
            seen = view(grant.fields, row[10], catalogue, grant.schema)
        except SchemaError:
            continue  # what is personal in records of a schema that is not there nobody can tell: nothing leaves
        alike = (grant.dataset, grant.fields, frozenset(grant.rows.items()), row[10], grant.schema)
        if grant.schema != row[10]:  # its rows are said in its version, and records stored in the dataset's
            grant = replace(grant, rows=seen.stored_rows(grant.rows))
        superseded = superseded_at(grant.schema, *versions[grant.dataset])
        found[grant.client, grant.dataset] = Entitlement(
            grant,
            seen,
            looks.setdefault(alike, len(looks)),
            served_until=None if superseded is None else superseded + SERVED,
        )
    return Entitlements(edition, found, looks)
