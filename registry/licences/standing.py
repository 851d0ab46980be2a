"""Records and the licences that stand for them, read set-wise: one query for a thousand keys."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

import orjson
import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import set_json_loads

from registry.domain.licences.licence import Origin, StatusEntry
from registry.licences.storing import opened_content
from registry.sealing.records import opened


@dataclass(frozen=True, slots=True)
class SourceRecord:
    """The current version of one record."""

    key: str
    body: Mapping[str, Any]
    version: int
    batch_id: int
    connector_id: int
    row_id: str


@dataclass(frozen=True, slots=True)
class Standing:
    """The newest version of a licence, as far as a decision needs it."""

    id: int
    identifier: str
    serial: str
    version: int
    type: str
    type_version: int
    issuer_code: str
    content: Mapping[str, Any]
    content_hash: UUID
    dataset_id: int
    key: str
    record_version: int
    batch_id: int
    connector_id: int
    row_id: str
    state: str
    state_text: str | None
    valid_to: date | None
    status_group_id: int
    status_index: int
    key_id: str
    events: int
    """How many there are; the next one's number is one more."""

    @property
    def status(self) -> StatusEntry:
        """Where its state is published."""
        return StatusEntry(self.status_group_id, self.status_index)


_COLUMNS = """
    l.id, l.identifier, l.serial, l.version, l.type, l.type_version, l.issuer_code, l.content, l.personal,
    l.content_hash, l.dataset_id, l.key, l.record_version, l.batch_id, l.connector_id, l.row_id, l.state, l.state_text,
    l.valid_to, l.status_group_id, l.status_index, l.key_id,
    (SELECT coalesce(max(e.number), 0) FROM registry.licence_event e WHERE e.licence_id = l.id) AS events
"""
# One look into the index for each key: while a table grows under statistics that know nothing of it yet, a join may be
# planned as a scan of all of it. OFFSET 0 keeps the planner from taking the subquery apart.
_BY_KEY = f"""
SELECT {_COLUMNS} FROM unnest(%(keys)s::text[]) AS w(key) CROSS JOIN LATERAL (
    SELECT * FROM registry.licence l
    WHERE l.type = %(type)s AND l.dataset_id = %(dataset)s AND l.key = w.key AND l.superseded_by IS NULL OFFSET 0
) l
"""
_LEFT_BEHIND = f"""
SELECT {_COLUMNS} FROM unnest(%(connectors)s::int[], %(rows)s::text[]) AS w(connector_id, row_id) CROSS JOIN LATERAL (
    SELECT * FROM registry.licence l
    WHERE l.connector_id = w.connector_id AND l.row_id = w.row_id AND l.superseded_by IS NULL OFFSET 0
) l
WHERE l.type = %(type)s AND l.dataset_id = %(dataset)s AND NOT EXISTS (
    SELECT FROM registry.record r WHERE r.dataset_id = l.dataset_id AND r.key = l.key)
ORDER BY l.id
"""


def read_json_quickly(connection: psycopg.Connection) -> None:
    """A thousand records a batch: orjson reads them several times faster than the standard library."""
    set_json_loads(orjson.loads, connection)


def records(connection: psycopg.Connection, dataset_id: int, keys: Sequence[str]) -> dict[str, SourceRecord]:
    """The records that are there now, by key, personal values whole. Raises PersonalKeysError."""
    rows = connection.execute(
        "SELECT key, body, version, batch_id, connector_id, row_id, personal FROM registry.record"
        " WHERE dataset_id = %s AND key = ANY(%s)",
        (dataset_id, list(keys)),
    )
    return {
        key: SourceRecord(key, opened(body, personal, dataset_id, key), *rest) for key, body, *rest, personal in rows
    }


def by_key(
    connection: psycopg.Connection, licence_type: str, dataset_id: int, keys: Sequence[str]
) -> dict[str, Standing]:
    """The licences of a type that stand for some keys."""
    with connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute(_BY_KEY, {"keys": list(keys), "type": licence_type, "dataset": dataset_id})
        return {each.key: each for each in map(_standing, cursor)}


def left_behind(
    connection: psycopg.Connection, licence_type: str, dataset_id: int, rows: Sequence[tuple[int, str]]
) -> dict[tuple[int, str], Standing]:
    """Licences whose record is gone, by the row of the source (connector and row id) that it stood in."""
    if not rows:
        return {}
    values = {
        "connectors": [row[0] for row in rows],
        "rows": [row[1] for row in rows],
        "type": licence_type,
        "dataset": dataset_id,
    }
    with connection.cursor(row_factory=dict_row) as cursor:
        found = map(_standing, cursor.execute(_LEFT_BEHIND, values))
        return {(each.connector_id, each.row_id): each for each in found}


def last_rows(connection: psycopg.Connection, dataset_id: int, keys: Sequence[str]) -> dict[str, tuple[int, str]]:
    """Where records that are gone stood at their source when they ended, by key."""
    if not keys:
        return {}
    return {
        key: (connector_id, row_id)
        for key, connector_id, row_id in connection.execute(
            "SELECT DISTINCT ON (key) key, connector_id, row_id FROM registry.record_history"
            " WHERE dataset_id = %s AND key = ANY(%s) ORDER BY key, version DESC",
            (dataset_id, list(keys)),
        )
    }


def keys_at(connection: psycopg.Connection, dataset_id: int, rows: Iterable[tuple[int, str]]) -> list[str]:
    """The keys of the records that stand in some rows of their sources now."""
    wanted = list(rows)
    if not wanted:
        return []
    return [
        key
        for (key,) in connection.execute(
            "SELECT r.key FROM registry.record r JOIN unnest(%s::int[], %s::text[]) AS w(connector_id, row_id)"
            " USING (connector_id, row_id) WHERE r.dataset_id = %s",
            ([row[0] for row in wanted], [row[1] for row in wanted], dataset_id),
        )
    ]


def select(connection: psycopg.Connection, where: str, values: Sequence[object]) -> list[Standing]:
    """Licences by a WHERE clause on ``l``, with ``l.superseded_by IS NULL`` in it."""
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(f"SELECT {_COLUMNS} FROM registry.licence l {where}".encode(), values)
        return [_standing(row) for row in rows]


def _standing(row: dict[str, Any]) -> Standing:
    """Raises PersonalKeysError."""
    personal = row.pop("personal")
    return Standing(**row | {"content": opened_content(row["content"], personal, row["id"])})


@dataclass(frozen=True, slots=True)
class _Batch:
    schema: str
    connector: str
    department: str


class Origins:
    """Evidence of records: which dataset, batch, schema and department they came from."""

    def __init__(self, connection: psycopg.Connection, dataset: str) -> None:
        self._connection, self._dataset = connection, dataset
        self._batches: dict[int, _Batch] = {}

    def know(self, batch_ids: Iterable[int]) -> None:
        """Read what is to be known of some batches, at once."""
        unknown = set(batch_ids) - self._batches.keys()
        if unknown:
            for batch_id, schema, connector, department in self._connection.execute(
                "SELECT b.id, b.schema, c.name, c.department FROM registry.batch b"
                " JOIN registry.connector c ON c.id = b.connector_id WHERE b.id = ANY(%s)",
                (list(unknown),),
            ):
                self._batches[batch_id] = _Batch(schema, connector, department)

    def of(self, key: str, version: int, batch_id: int) -> Origin:
        """One record's."""
        batch = self._batches[batch_id]
        return Origin(self._dataset, batch.schema, key, version, batch_id, batch.connector, batch.department)

    def connector(self, batch_id: int) -> str:
        """The name of the connector that ran a batch."""
        return self._batches[batch_id].connector
