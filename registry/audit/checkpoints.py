"""Checkpoints of the access log: made, kept, read. Never one that contradicts the last."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import psycopg
from psycopg.rows import class_row

from registry.audit import notes, proofs
from registry.audit.log import head
from registry.audit.proofs import NotInLog
from registry.domain.audit.checkpoint import Checkpoint
from registry.signing.p256 import P256Signer

_LOCK = 0x4C4F47  # advisory: one checkpoint after the other
_SELECT = "SELECT size, root, note, key_id, made_at FROM registry.access_log_checkpoint"


class LogAltered(Exception):  # noqa: N818  (named for what was met)
    """The log no longer holds what was signed before: nothing is signed, an operator has to look."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A checkpoint as it is kept."""

    size: int
    root: bytes
    note: str
    key_id: str
    """Of the key that signed it (RFC 7638)."""
    made_at: datetime


def make(connection: psycopg.Connection, signer: P256Signer, now: datetime) -> Kept:
    """Sign the log as it is now; the one that is there already where nothing was added. Raises LogAltered."""
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
        edge, last = head(connection), latest(connection)
        if last is not None:
            _check_continues(connection, last, edge.size)
            if last.size == edge.size:
                return last
        name = notes.origin(signer.verification_method.partition("#")[0])
        note = notes.sign(Checkpoint(name, edge.size, edge.root), signer)
        made = Kept(edge.size, edge.root, note, signer.key_id, now)
        connection.execute(
            "INSERT INTO registry.access_log_checkpoint (size, root, note, key_id, made_at)"
            " VALUES (%s, %s, %s, %s, %s)",
            (made.size, made.root, made.note, made.key_id, made.made_at),
        )
    return made


def latest(connection: psycopg.Connection) -> Kept | None:
    """The newest checkpoint."""
    with connection.cursor(row_factory=class_row(Kept)) as cursor:
        return cursor.execute(_SELECT + " ORDER BY size DESC LIMIT 1").fetchone()


def every(connection: psycopg.Connection, *, since: int = 0) -> list[Kept]:
    """All checkpoints of at least so many entries, the oldest first."""
    with connection.cursor(row_factory=class_row(Kept)) as cursor:
        return cursor.execute(_SELECT + " WHERE size >= %s ORDER BY size", (since,)).fetchall()


def of_size(connection: psycopg.Connection, size: int) -> Kept | None:
    """The checkpoint of just that size."""
    with connection.cursor(row_factory=class_row(Kept)) as cursor:
        return cursor.execute(_SELECT + " WHERE size = %s", (size,)).fetchone()


def newest_before(connection: psycopg.Connection, moment: datetime, *, larger: int, at_most: int) -> Kept | None:
    """The largest checkpoint that was made before a moment, within limits of its size."""
    with connection.cursor(row_factory=class_row(Kept)) as cursor:
        where = " WHERE made_at < %s AND size > %s AND size <= %s ORDER BY size DESC LIMIT 1"
        return cursor.execute(_SELECT + where, (moment, larger, at_most)).fetchone()


def _check_continues(connection: psycopg.Connection, last: Kept, size: int) -> None:
    try:
        if proofs.frontier(connection, last.size).root == last.root:
            return
    except NotInLog as error:
        raise LogAltered(
            f"访问日志（{size} 条）与检查点（{last.size} 条）不符，请运行 "
            f"the access log ({size} entries) lacks what was signed ({last.size}); run: shuqiao audit verify"
        ) from error
    raise LogAltered(
        f"访问日志前 {last.size} 条与其检查点不符，请运行 "
        f"the first {last.size} entries of the access log are not those that were signed; run: shuqiao audit verify"
    )
