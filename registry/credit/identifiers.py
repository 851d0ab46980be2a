"""The cross-walk from old identifiers 旧标识 to the unified social credit code, and the records that say so.

Registration number 注册号, organisation code 组织机构代码, taxpayer number 纳税人识别号, and the own code of the
registration authority 主体身份代码. Where records name several enterprises for one number, all are given:
nobody is guessed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import psycopg
from psycopg.rows import class_row

from registry.credit.following import RecordKey, columns
from registry.domain.credit.matching import normalise_identifier
from registry.domain.credit.sources import IdentifierSource, Sources

IdentifierKind = Literal["registration_number", "organisation_code", "taxpayer_number", "entity_code"]


@dataclass(frozen=True, slots=True)
class Evidence:
    """A record that gives an old identifier to an enterprise."""

    entity: str
    kind: str
    dataset: str
    key: str
    since: datetime
    """When the registry first held it."""


def resolve(connection: psycopg.Connection, kind: IdentifierKind, value: str) -> list[str]:
    """The codes of the enterprises that an old identifier belongs to: none, one, or several where records disagree."""
    return list(dict.fromkeys(found.entity for found in evidence(connection, kind, value)))


def evidence(connection: psycopg.Connection, kind: IdentifierKind, value: str) -> list[Evidence]:
    """Every record that gives this identifier to an enterprise; hyphens, brackets and letter case do not count."""
    with connection.cursor(row_factory=class_row(Evidence)) as cursor:
        return cursor.execute(
            "SELECT i.entity, i.kind, d.name AS dataset, i.key, i.since FROM registry.entity_identifier i"
            " JOIN registry.dataset d ON d.id = i.dataset_id WHERE i.kind = %s AND i.value = %s"
            " ORDER BY i.entity, d.name, i.key",
            (kind, normalise_identifier(value)),
        ).fetchall()


def of_entity(connection: psycopg.Connection, entity: str) -> dict[str, list[str]]:
    """The old identifiers of an enterprise, by kind."""
    found: dict[str, list[str]] = {}
    for kind, value in connection.execute(
        "SELECT DISTINCT kind, value FROM registry.entity_identifier WHERE entity = %s ORDER BY kind, value", (entity,)
    ):
        found.setdefault(kind, []).append(value)
    return found


def keep(connection: psycopg.Connection, records: Sequence[RecordKey], sources: Sources, *, now: datetime) -> int:
    """Bring the cross-walk to what some records say now; how many rows came or went. In the caller's transaction."""
    stating = {source.dataset for source in sources.identifiers}
    rows = connection.execute(
        "SELECT d.name, r.dataset_id, r.key, r.entity, r.row_id, r.body"
        " FROM unnest(%s::smallint[], %s::text[]) AS t(dataset_id, key)"
        " JOIN registry.record r USING (dataset_id, key) JOIN registry.dataset d ON d.id = r.dataset_id"
        " WHERE r.entity IS NOT NULL AND d.name = ANY(%s)",
        (*columns(records), list(stating)),
    )
    wanted = sorted(
        {
            (source.kind, value, entity, dataset_id, key)
            for dataset, dataset_id, key, entity, row_id, body in rows
            for source in sources.identifiers_of(dataset)
            if (value := _stated(source, entity, row_id, body))
        }
    )
    by_column = [list(column) for column in zip(*wanted, strict=True)] or [[]] * 5
    gone = connection.execute(
        """
        DELETE FROM registry.entity_identifier i USING unnest(%s::smallint[], %s::text[]) AS t(dataset_id, key)
        WHERE i.dataset_id = t.dataset_id AND i.key = t.key
          AND (i.kind, i.value, i.entity, i.dataset_id, i.key) NOT IN (
            SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::smallint[], %s::text[]))
        """,
        (*columns(records), *by_column),
    ).rowcount
    come = connection.execute(
        "INSERT INTO registry.entity_identifier (kind, value, entity, dataset_id, key, since)"
        " SELECT kind, value, entity, dataset_id, key, %s"
        " FROM unnest(%s::text[], %s::text[], %s::text[], %s::smallint[], %s::text[])"
        " AS w(kind, value, entity, dataset_id, key) ON CONFLICT DO NOTHING",
        (now, *by_column),
    ).rowcount
    return gone + come


def _stated(source: IdentifierSource, entity: str, row_id: str, body: Mapping[str, Any]) -> str:
    """The identifier that a record states; empty: none."""
    if source.part_of_uscc:
        return entity[8:17]
    value = row_id if source.row_id else body.get(source.field or "")
    return normalise_identifier(value) if isinstance(value, str) else ""
