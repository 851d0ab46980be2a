"""Stage one part of a batch: COPY into an unlogged table of this attempt's own.

Every few thousand rows commit on their own, so a pull of hours holds nobody back. An attempt counts only once
:meth:`Staging.finish` has said so; what a killed attempt left behind is dropped by the next one. The table is
unlogged: after a crash of the database it is empty, the count no longer matches, and publishing asks for the part
again (:class:`registry.intake.errors.StagingMissing`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from registry.domain.batches import State
from registry.intake.errors import BatchNotOpen, IntakeError
from registry.intake.own_ring import expect_own
from registry.sealing.records import RecordSealer, SealedRecord, masked_row, without_personal
from schemas.personal import of_dataset

NULL = "\\N"
"""How COPY's text format writes a missing value."""
_MUST_ESCAPE = re.compile(r"[\\\t\n\r]")
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


@dataclass(frozen=True, slots=True)
class Refusal:
    """A row on its way to quarantine."""

    ordinal: int
    row_id: str
    key: str | None
    place: str
    raw: Mapping[str, Any]
    reasons: Sequence[Mapping[str, str]]
    public: Sequence[str] = ()
    """Columns that are known to hold nothing personal; the others are masked where a dataset has personal fields."""


def table_name(batch_id: int, part: int, attempt: int) -> sql.Identifier:
    """The staging table of one attempt to pull one part."""
    return sql.Identifier("staging", f"b{batch_id}_p{part}_a{attempt}")


def drop_staging(connection: psycopg.Connection, batch_id: int) -> None:
    """Take away what a batch staged."""
    rows = connection.execute(
        "SELECT relname FROM pg_class WHERE relnamespace = 'staging'::regnamespace AND relkind = 'r'"
        " AND relname LIKE %s",
        (f"b{batch_id}\\_p%",),
    ).fetchall()
    for (name,) in rows:
        connection.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier("staging", name)))
    connection.execute("DELETE FROM registry.staged_refusal WHERE batch_id = %s", (batch_id,))


class Staging:
    """One attempt to stage one part of a batch. Use: add/delete/refuse as rows come, then :meth:`finish`."""

    def __init__(self, connection: psycopg.Connection, batch_id: int, part: int) -> None:
        """Begin a new attempt. ``connection`` is autocommit and this attempt's alone.

        Raises BatchNotOpen; PersonalKeysError where the dataset has personal fields and nothing to seal them with.
        """
        self._connection, self._batch_id, self._part = connection, batch_id, part
        self._sealer = _sealer(connection, batch_id)
        connection.execute("SET synchronous_commit = off")
        with connection.transaction():
            _lock_open(connection, batch_id)
            row = connection.execute(
                "UPDATE registry.batch_part SET attempts = attempts + 1 WHERE batch_id = %s AND number = %s"
                " RETURNING attempts, staged_attempt",
                (batch_id, part),
            ).fetchone()
            if row is None:
                raise IntakeError(f"batch {batch_id} has no part {part}")
            self._attempt, staged = int(row[0]), row[1]
            for attempt in range(1, self._attempt):
                if attempt != staged:
                    connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(table_name(batch_id, part, attempt)))
            table = table_name(batch_id, part, self._attempt)
            connection.execute(
                sql.SQL(
                    'CREATE UNLOGGED TABLE {} (ordinal bigint NOT NULL, key text COLLATE "C",'
                    ' row_id text COLLATE "C" NOT NULL, entity text COLLATE "C", hash uuid, deleted bool NOT NULL,'
                    " body jsonb, personal bytea, blind uuid[]) WITH (autovacuum_enabled = false)"
                ).format(table)
            )
        self._copy = sql.SQL(
            "COPY {} (ordinal, key, row_id, entity, hash, deleted, personal, blind, body) FROM STDIN"
        ).format(table)
        self._accepted = self._refused = self._deletes = 0

    def add(
        self,
        ordinals: Iterable[int],
        keys: Iterable[str],
        row_ids: Iterable[str],
        entities: Iterable[str | None],
        bodies: Iterable[bytes],
        personal: Sequence[bytes] | None = None,
    ) -> None:
        """Stage valid records, their personal values sealed; the columns run side by side. Raises IntakeError.

        ``ordinal`` orders rows within the part; ``bodies`` are canonical JSON, so that equal records hash equal.
        ``personal`` are the values that are masked in the bodies; without them the bodies are whole records.
        """
        lines = []
        keys = list(keys)
        if self._sealer is None:
            if personal is not None and any(personal):
                raise IntakeError(
                    f"batch {self._batch_id} was planned under a schema without personal fields, and its rows have"
                    " them: the manifest names another schema now; run the connector again"
                )
            stored: Iterable[SealedRecord] = map(without_personal, bodies)
        else:
            stored = self._sealer.seal(keys, *(self._sealer.apart(bodies) if personal is None else (bodies, personal)))
        named = (_escaped(keys), _escaped(list(row_ids)), _escaped([entity or "" for entity in entities]))
        for ordinal, key, row_id, entity, (digest, body, sealed, blind) in zip(ordinals, *named, stored, strict=True):
            values = f"\\\\x{sealed.hex()}" if sealed else NULL
            sought = f"{{{','.join(blind)}}}" if blind else NULL
            head = f"{ordinal}\t{key}\t{row_id}\t{entity or NULL}\t{digest}\tf\t{values}\t{sought}\t"
            lines.append(head.encode() + body.replace(b"\\", b"\\\\"))
        if lines:
            self._accepted += len(lines)
            self._send(lines)

    def delete(self, rows: Iterable[tuple[int, str | None, str]]) -> None:
        """Stage deletions: (ordinal, key if the row has one, row id)."""
        lines = [
            f"{ordinal}\t{NULL if key is None else key.translate(_ESCAPES)}\t{row_id.translate(_ESCAPES)}"
            "\t\\N\t\\N\tt\t\\N\t\\N\t\\N".encode()
            for ordinal, key, row_id in rows
        ]
        if lines:
            self._deletes += len(lines)
            self._send(lines)

    def refuse(self, refusals: Sequence[Refusal]) -> None:
        """Stage refused rows with their reasons."""
        if not refusals:
            return
        self._refused += len(refusals)
        attempt = (self._batch_id, self._part, self._attempt)
        with (
            self._connection.cursor() as cursor,
            cursor.copy(
                "COPY registry.staged_refusal (batch_id, part, attempt, ordinal, row_id, key, place, raw, personal,"
                " reasons) FROM STDIN"
            ) as copy,
        ):
            for refusal in refusals:
                raw, personal = self._row(refusal)
                copy.write_row(
                    (*attempt, refusal.ordinal, refusal.row_id, refusal.key, refusal.place)
                    + (orjson.dumps(raw).decode(), personal, orjson.dumps(refusal.reasons).decode())
                )

    def finish(
        self, reached: Mapping[str, Any] | None, *, unchanged: bool = False, missing_columns: Sequence[str] = ()
    ) -> None:
        """Declare this attempt the part's staged content. Raises BatchNotOpen when the batch has ended meanwhile."""
        with self._connection.transaction():
            _lock_open(self._connection, self._batch_id)
            self._connection.execute(
                """
                UPDATE registry.batch_part SET staged_attempt = %s, staged_at = clock_timestamp(), pulled = %s,
                    accepted = %s, refused = %s, delete_flags = %s, unchanged = %s, reached = %s, missing_columns = %s
                WHERE batch_id = %s AND number = %s
                """,
                (self._attempt, self._accepted + self._refused + self._deletes, self._accepted, self._refused)
                + (self._deletes, unchanged, None if reached is None else Jsonb(reached), list(missing_columns))
                + (self._batch_id, self._part),
            )

    @property
    def counts(self) -> tuple[int, int, int]:
        """Rows so far: accepted, refused, deletions."""
        return self._accepted, self._refused, self._deletes

    def _row(self, refusal: Refusal) -> tuple[Mapping[str, Any], bytes | None]:
        """A refused row as it is kept: whole where its dataset has nothing personal, else masked, and sealed."""
        if self._sealer is None:
            return refusal.raw, None
        return masked_row(refusal.raw, refusal.public), self._sealer.seal_row(refusal.row_id, refusal.raw)

    def _send(self, lines: list[bytes]) -> None:
        lines.append(b"")
        try:
            with self._connection.cursor() as cursor, cursor.copy(self._copy) as copy:
                copy.write(b"\n".join(lines))
        except psycopg.errors.UndefinedTable:  # the batch ended meanwhile, and its staging went with it
            _lock_open(self._connection, self._batch_id)
            raise


def _sealer(connection: psycopg.Connection, batch_id: int) -> RecordSealer | None:
    """What seals the records of the batch's dataset; None where its schema has no personal fields."""
    row = connection.execute(
        "SELECT c.dataset_id, b.schema FROM registry.batch b JOIN registry.connector c ON c.id = b.connector_id"
        " WHERE b.id = %s",
        (batch_id,),
    ).fetchone()
    if row is None:
        raise IntakeError(f"there is no batch {batch_id}")
    fields = of_dataset(row[1])
    if not fields:
        return None
    expect_own(connection)  # before anything is read: it may not be there
    return RecordSealer(row[0], fields)


def _escaped(texts: Sequence[str]) -> Sequence[str]:
    """Texts as COPY takes them; hardly ever has one to be changed, so all are looked at in one go."""
    return [text.translate(_ESCAPES) for text in texts] if _MUST_ESCAPE.search(" ".join(texts)) else texts


def _lock_open(connection: psycopg.Connection, batch_id: int) -> None:
    row = connection.execute("SELECT state FROM registry.batch WHERE id = %s FOR SHARE", (batch_id,)).fetchone()
    if row is None:
        raise IntakeError(f"there is no batch {batch_id}")
    if row[0] != State.PULLING:
        raise BatchNotOpen(batch_id, State(row[0]))
