"""The city's records into the registry's own tables by COPY, as publishing leaves them; without the change feed.

What publishing makes besides is there too: datasets, connectors with the time of their last reading, one batch each,
old identifiers, marks. No history and no change is written: a card that is taken up goes through the records.
"""

from __future__ import annotations

import hashlib
import multiprocessing
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any

import orjson
import psycopg

from benchmarks.credit.city import DEPARTMENTS, SOME, Made, enterprises
from registry.domain.batches import Limits, Mode, State
from registry.intake import batches
from registry.intake.batches import ConnectorEntry, DatasetEntry, PlannedPart, Position
from registry.intake.publish import publish
from registry.intake.staging import Staging
from registry.storage.database import connect

_RECORDS = "dataset_id, key, body, hash, version, valid_from, batch_id, connector_id, row_id, entity"
_IDENTIFIERS = "kind, value, entity, dataset_id, key, since"
_VERSIONS_OF_ONE = 32
"""More records than one enterprise has: its versions are numbered without asking anybody."""

Place = tuple[int, int, int]
"""Ids of a dataset, its connector and its batch."""


def fill(url: str, count: int, day: date, now: datetime, processes: int = 2) -> int:
    """So many enterprises; how many records they have."""
    with connect(url) as connection:
        places = {dataset: place_of(connection, url, dataset) for dataset in DEPARTMENTS}
        # A bulk load's way: the indexes of the records are made once they are there.
        indexes = _without_indexes(connection)
    chunks = [(first, min(first + SOME, count)) for first in range(0, count, SOME)]
    context = multiprocessing.get_context("spawn")
    with context.Pool(processes) as pool:
        records = sum(pool.imap_unordered(_fill_some, [(url, chunk, places, day, now) for chunk in chunks]))
    with connect(url) as connection:
        for index in indexes:
            connection.execute(index.encode())
        connection.execute("SELECT setval('registry.change_seq', %s)", (count * _VERSIONS_OF_ONE,))
        connection.execute(b"VACUUM (ANALYZE) registry.record, registry.entity_identifier, registry.credit_mark")
    return records


def change(url: str, made: Iterable[tuple[str, Made]]) -> None:
    """Publish records of enterprises through the intake, a batch for each dataset."""
    by_dataset: dict[str, list[tuple[str, Made]]] = {}
    for entity, each in made:
        by_dataset.setdefault(each.dataset, []).append((entity, each))
    for dataset, rows in by_dataset.items():
        _publish(url, dataset, rows)


def place_of(connection: psycopg.Connection, url: str, dataset: str) -> Place:
    """Where a dataset's records come from: a connector, and a batch of it that was published."""
    _publish(url, dataset, [])
    row = connection.execute(
        "SELECT d.id, c.id, max(b.id) FROM registry.dataset d JOIN registry.connector c ON c.dataset_id = d.id"
        " JOIN registry.batch b ON b.connector_id = c.id WHERE d.name = %s GROUP BY d.id, c.id",
        (dataset,),
    ).fetchone()
    assert row is not None  # noqa: S101
    return row[0], row[1], row[2]


def _publish(url: str, dataset: str, rows: Sequence[tuple[str, Made]]) -> None:
    department = DEPARTMENTS[dataset]
    entry = DatasetEntry(dataset, f"{dataset}@1", dataset, dataset, department, ("key",), "uscc")
    connector = ConnectorEntry(
        f"{department}.{dataset}", department, dataset, dataset, "Office", "office@example.gov.cn", None, None, "d"
    )
    with connect(url) as connection:
        position: Position = batches.register(connection, entry, connector)
        batch = batches.plan(
            connection, position, [PlannedPart(0, "all", {})], mode=Mode.INCREMENTAL, schema=f"{dataset}@1",
            manifest_digest="d",
        )  # fmt: skip
        staging = Staging(connection, batch, 0)
        if rows:
            staging.add(
                list(range(len(rows))),
                [each.key for _, each in rows],
                [_row_id(each) for _, each in rows],
                [entity for entity, _ in rows],
                [_text(each) for _, each in rows],
            )
        staging.finish({"read": len(rows)})
        report = publish(connection, batch, {"cursor": batch}, Limits(max_refused=1.0, max_shrink=1.0))
        assert report.state is State.PUBLISHED, report  # noqa: S101


def _hash(body: bytes) -> str:
    return hashlib.md5(body, usedforsecurity=False).hexdigest()


def _row_id(each: Made) -> str:
    return f"row-{each.key}"


def _text(each: Made) -> bytes:
    return orjson.dumps(each.body, option=orjson.OPT_SORT_KEYS)


def _without_indexes(connection: psycopg.Connection) -> list[str]:
    """Drop the indexes beside the primary keys; the statements that make them again."""
    names = ("record_by_row", "record_by_entity", "entity_identifier_by_record")
    rows = connection.execute(
        "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'registry' AND indexname = ANY(%s)",
        (list(names),),
    ).fetchall()
    assert len(rows) == len(names), rows  # noqa: S101
    for name, _ in rows:
        connection.execute(f"DROP INDEX registry.{name}".encode())
    # On the table as a whole: the partitions get theirs with it.
    return [definition.replace(" ON ONLY ", " ON ") for _, definition in rows]


def _fill_some(given: tuple[str, tuple[int, int], dict[str, Place], date, datetime]) -> int:
    """One transaction: some enterprises."""
    url, (first, until), places, day, now = given
    records: list[str] = []
    identifiers: list[str] = []
    marks: list[tuple[Any, ...]] = []
    moment = now.isoformat()
    for number, (entity, mine) in enumerate(enterprises(first, until, day), first):
        registration = mine[0]
        place = places[registration.dataset][0]
        for kind, value in (
            ("organisation_code", entity[8:17]),
            ("registration_number", registration.body["registration_number"]),
        ):
            identifiers.append(f"{kind}\t{value}\t{entity}\t{place}\t{registration.key}\t{moment}")
        for version, each in enumerate(mine, number * _VERSIONS_OF_ONE + 1):
            dataset_id, connector_id, batch_id = places[each.dataset]
            body = _text(each)
            texts = (
                each.key,
                body.decode(),
                _hash(body),
                version,
                moment,
                batch_id,
                connector_id,
                _row_id(each),
                entity,
            )
            records.append("\t".join(map(str, (dataset_id, *texts))))
            if each.mark:
                marks.append((dataset_id, each.key, entity, *_marked(each, now)))
    with connect(url) as connection, connection.transaction(), connection.cursor() as cursor:
        for table, columns, lines in (
            ("record", _RECORDS, records),
            ("entity_identifier", _IDENTIFIERS, identifiers),
        ):
            with cursor.copy(f"COPY registry.{table} ({columns}) FROM STDIN".encode()) as copy:
                copy.write("\n".join([*lines, ""]))
        cursor.executemany(
            "INSERT INTO registry.credit_mark (dataset_id, key, entity, disputed_since, repaired_at)"
            " VALUES (%s, %s, %s, %s, %s)",
            marks,
        )
    return len(records)


def _marked(each: Made, now: datetime) -> tuple[datetime | None, datetime | None]:
    return (now if each.mark == "disputed_since" else None), (now if each.mark == "repaired_at" else None)
