"""Discrepancies in the registry: opened for the department that is not authoritative, closed by what changes.

One stays open, with the day it was opened on, as long as the two disagree, also when what they say changes meanwhile.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson
import psycopg

from registry.credit.enterprise_file import read_records
from registry.domain.credit.discrepancies import Discrepancy, discrepancies
from registry.domain.credit.enterprise_file import FileRecord
from registry.domain.credit.sources import Sources
from registry.sealing.documents import opened_document, sealed_document
from schemas.masking import mask


def keep(connection: psycopg.Connection, entities: Sequence[str], sources: Sources, *, now: datetime) -> Counter[str]:
    """Bring the discrepancies of some enterprises to what their records say; in the caller's transaction."""
    counted: Counter[str] = Counter()
    ids: dict[str, int] = dict(connection.execute("SELECT name, id FROM registry.dataset").fetchall())
    records = read_records(connection, entities, sorted(sources.compared))
    personal = {rule.name for rule in sources.fields if rule.personal}
    standing: dict[str, dict[tuple[str, int, str], tuple[Any, ...]]] = {}
    for row in connection.execute(
        "SELECT o.entity, o.field, o.dataset_id, o.key, d.name, o.personal, o.id, o.value, o.authoritative_value,"
        " o.department, o.authoritative_department, o.authoritative_dataset_id, o.authoritative_key"
        " FROM registry.discrepancy o JOIN registry.dataset d ON d.id = o.dataset_id"
        " WHERE o.entity = ANY(%s) AND o.closed_at IS NULL",
        (list(entities),),
    ):
        entity, field, dataset_id, key, dataset, sealed, number, value, authoritative, *others = row
        said = opened_values(value, authoritative, sealed, entity, field, dataset, key)
        standing.setdefault(entity, {})[field, dataset_id, key] = (number, *said, *others)
    for entity in entities:
        found = {
            (each.field, ids[each.other.dataset], each.other.key): each
            for each in discrepancies(records[entity], sources)
        }
        there = standing.get(entity, {})
        for place in found.keys() - there.keys():
            _open(connection, entity, found[place], ids, now, personal)
            counted["discrepancies_opened"] += 1
        for place in found.keys() & there.keys():
            _refresh(connection, entity, there[place], found[place], ids, personal)
        for place in there.keys() - found.keys():
            why = _why_closed(place, there[place], records[entity], sources, ids)
            connection.execute(
                "UPDATE registry.discrepancy SET closed_at = %s, closed_because = %s WHERE id = %s",
                (now, why, there[place][0]),
            )
            counted["discrepancies_closed"] += 1
    return counted


def opened_values(
    value: str, authoritative: str, personal: bytes | None, entity: str, field: str, dataset: str, key: str
) -> tuple[str, str]:
    """What the two departments say, whole. Raises PersonalKeysError."""
    if personal is None:
        return value, authoritative
    said, other = orjson.loads(opened_document("discrepancy", _place(entity, field, dataset, key), personal))
    return said, other


def stored_values(
    value: str, authoritative: str, entity: str, field: str, dataset: str, key: str
) -> tuple[str, str, bytes]:
    """What the two say of a person, as it is stored: masked, and sealed. Raises PersonalKeysError."""
    plain = orjson.dumps([value, authoritative])
    return mask(value), mask(authoritative), sealed_document("discrepancy", _place(entity, field, dataset, key), plain)


def _place(entity: str, field: str, dataset: str, key: str) -> str:
    return f"{entity}/{field}/{dataset}/{key}"


def _stored(entity: str, found: Discrepancy, personal: Collection[str]) -> tuple[str, str, bytes | None]:
    other = found.other
    if found.field not in personal:
        return other.value, found.authority.value, None
    return stored_values(other.value, found.authority.value, entity, found.field, other.dataset, other.key)


def _open(
    connection: psycopg.Connection,
    entity: str,
    found: Discrepancy,
    ids: Mapping[str, int],
    now: datetime,
    personal: Collection[str],
) -> None:
    value, authoritative, sealed = _stored(entity, found, personal)
    connection.execute(
        """
        INSERT INTO registry.discrepancy
            (entity, field, department, dataset_id, key, value, authoritative_department, authoritative_dataset_id,
             authoritative_key, authoritative_value, opened_at, personal)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
        """,
        (
            *(entity, found.field, found.other.department, ids[found.other.dataset], found.other.key),
            *(value, found.authority.department, ids[found.authority.dataset], found.authority.key),
            *(authoritative, now, sealed),
        ),
    )


def _refresh(
    connection: psycopg.Connection,
    entity: str,
    there: tuple[Any, ...],
    found: Discrepancy,
    ids: Mapping[str, int],
    personal: Collection[str],
) -> None:
    """What is said may change while the two still disagree."""
    said = (
        *(found.other.value, found.authority.value, found.other.department, found.authority.department),
        *(ids[found.authority.dataset], found.authority.key),
    )
    if said != there[1:]:
        value, authoritative, sealed = _stored(entity, found, personal)
        connection.execute(
            "UPDATE registry.discrepancy SET value = %s, authoritative_value = %s, personal = %s, department = %s,"
            " authoritative_department = %s, authoritative_dataset_id = %s, authoritative_key = %s WHERE id = %s",
            (value, authoritative, sealed, *said[2:], there[0]),
        )


def _why_closed(
    place: tuple[str, int, str],
    there: tuple[Any, ...],
    records: Sequence[FileRecord],
    sources: Sources,
    ids: Mapping[str, int],
) -> str:
    """Why two no longer disagree.

    ``corrected``: the department's record says something else now; ``authority_changed``: the other's does; ``gone``:
    one of the two says nothing any more.
    """
    field, dataset_id, key = place
    rule = next((rule for rule in sources.fields if rule.name == field), None)
    if rule is None:
        return "gone"
    stated = {
        (ids[record.dataset], record.key): str(record.body[source.field])
        for source in (*rule.authoritative, *rule.others)
        for record in records
        if record.dataset == source.dataset and not record.matched and record.body.get(source.field) is not None
    }
    value, authority = stated.get((dataset_id, key)), stated.get((there[5], there[6]))
    if value is None or authority is None:
        return "gone"
    return "corrected" if value != there[1] else "authority_changed"


def whole(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of discrepancies as departments get it: values whole, nothing sealed. Raises PersonalKeysError."""
    told = {name: value for name, value in row.items() if name != "personal"}
    told["value"], told["authoritative_value"] = opened_values(
        *(row["value"], row["authoritative_value"], row["personal"], row["entity"], row["field"], row["dataset"]),
        row["key"],
    )
    return told
