"""A million enterprises' registrations into the registry's own tables by COPY, as publishing leaves them.

A few have what makes an answer longer: a refused newer edition at the source (``stale``), a mark beside the record.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

import orjson
import psycopg

from benchmarks.credit.city import registration, uscc
from benchmarks.credit.fill import place_of
from registry.storage.database import connect

DATASET = "legal_entity"
STALE_ONE_IN = 500
MARKED_ONE_IN = 2000
_SOME = 20_000
_COPY = b"""
COPY registry.record (dataset_id, connector_id, batch_id, key, body, hash, version, valid_from, row_id, entity)
FROM STDIN
"""
_STALE = """
INSERT INTO registry.refusal (connector_id, dataset_id, department, row_id, key, place, raw, reasons, first_seen,
    last_seen, first_batch_id, last_batch_id)
SELECT connector_id, dataset_id, 'market-supervision', row_id, key, 'row', '{}',
    '[{"code": "required", "field": "name"}]', now(), now(), batch_id, batch_id
FROM registry.record WHERE version %% %s = 0
"""
_MARKED = """
INSERT INTO registry.credit_mark (dataset_id, key, entity, disputed_since)
SELECT dataset_id, key, entity, now() FROM registry.record WHERE version %% %s = 0
"""


def fill(url: str, count: int) -> None:
    """So many enterprises, a record each."""
    now = datetime.now(UTC)
    with connect(url) as connection:
        dataset_id, connector_id, batch_id = place_of(connection, url, DATASET)
        place = f"{dataset_id}\t{connector_id}\t{batch_id}"
        for first in range(0, count, _SOME):
            _copy(connection, place, range(first, min(first + _SOME, count)), now)
        connection.execute("SELECT setval('registry.change_seq', %s)", (count + 1,))
        connection.execute("UPDATE registry.connector SET records = %s", (count,))
        connection.execute(_STALE, (STALE_ONE_IN,))
        connection.execute(_MARKED, (MARKED_ONE_IN,))
        connection.execute(b"VACUUM (ANALYZE) registry.record, registry.refusal, registry.credit_mark")
        connection.execute(b"CHECKPOINT")


def _copy(connection: psycopg.Connection, place: str, numbers: range, now: datetime) -> None:
    with connection.cursor() as cursor, cursor.copy(_COPY) as copy:
        for number in numbers:
            code = uscc(number)
            made = registration(number, code, f"桥州第{number}号商贸有限公司", "active", now.date() - timedelta(1000))
            body = orjson.dumps(made.body, option=orjson.OPT_SORT_KEYS)
            digest = hashlib.md5(body, usedforsecurity=False).hexdigest()
            fields = f"{made.key}\t{body.decode()}\t{digest}\t{number + 1}\t{now.isoformat()}\trow-{number}\t{code}"
            copy.write(f"{place}\t{fields}\n")
