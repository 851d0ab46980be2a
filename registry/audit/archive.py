"""Old entries of the log in files instead of the database, and back again.

A file is an export (:mod:`registry.domain.audit.export`), compressed, that begins and ends where a checkpoint was
signed: whoever keeps those two checkpoints verifies it without the hub. Tiles and nodes stay in the database, so that
every entry can be proven as before; only what it says has to be read from its file. Nothing is taken out of the
database before the file has been read back and found to be what was signed.
"""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import file_digest
from pathlib import Path
from typing import BinaryIO, cast

import psycopg
from psycopg import IsolationLevel
from psycopg.rows import class_row

from registry.audit import checkpoints, log, notes, proofs, reading
from registry.audit.checkpoints import Kept, LogAltered
from registry.audit.log import STRETCH_LEVEL, TILE
from registry.audit.notes import LogKey
from registry.audit.reading import Logged
from registry.domain.audit import entry as entries
from registry.domain.audit import export
from registry.domain.audit.checkpoint import Checkpoint
from registry.domain.audit.merkle import Frontier, leaf_hash

LOCK_SECONDS = 1
"""How long writers may be held up by the removal of whole partitions; then it is given up."""
_COMPRESSION = 6
_LOCK = 0x415243  # advisory: one archive after the other
_COLUMNS = "first, until, file, digest, bytes, newest_at, keep_until, archived_at, restored_at"


class ArchiveRefused(Exception):  # noqa: N818  (named for what was met)
    """A file cannot be restored, or is not the one that was made."""


@dataclass(frozen=True, slots=True)
class Archived:
    """A stretch of the log that was moved into a file."""

    first: int
    until: int
    """The entries from ``first`` up to, and without, ``until``."""
    file: str
    """The file's name; where it lies is the operator's business."""
    digest: bytes
    """SHA-256 of the file."""
    bytes: int
    newest_at: datetime
    keep_until: datetime
    """Before that it may not be thrown away. Nothing of the hub ever does it."""
    archived_at: datetime
    restored_at: datetime | None


def boundary(connection: psycopg.Connection) -> int:
    """Entries below this index stand in files."""
    row = connection.execute(
        "SELECT coalesce(max(until), 0) FROM registry.access_log_archive WHERE restored_at IS NULL"
    ).fetchone()
    return int(row[0]) if row else 0


def every(connection: psycopg.Connection) -> list[Archived]:
    """All that was ever archived, by its place in the log."""
    with connection.cursor(row_factory=class_row(Archived)) as cursor:
        statement = f"SELECT {_COLUMNS} FROM registry.access_log_archive ORDER BY number"
        return cursor.execute(statement.encode()).fetchall()


def holding(connection: psycopg.Connection, index: int) -> Archived | None:
    """The archive in which an entry stands; None for one that is in the database."""
    with connection.cursor(row_factory=class_row(Archived)) as cursor:
        statement = f"""
            SELECT {_COLUMNS} FROM registry.access_log_archive
            WHERE restored_at IS NULL AND first <= %(index)s AND until > %(index)s
        """
        return cursor.execute(statement.encode(), {"index": index}).fetchone()


def online_since(connection: psycopg.Connection, now: datetime) -> datetime:
    """What was signed before may be archived, by the term that the registry holds."""
    row = connection.execute("SELECT online_days FROM registry.access_log_term").fetchone()
    if row is None:
        raise LookupError("registry.access_log_term has no row")
    return now - timedelta(days=row[0])


def write(
    connection: psycopg.Connection, folder: Path, keys: Sequence[LogKey], *, before: datetime, now: datetime
) -> Archived | None:
    """Move what was signed before a moment into a file; None where there is nothing to move.

    ``connection`` must not be in a transaction. Raises LogAltered where the entries are not those that were signed;
    then the file is gone again and the database is as it was. Raises psycopg.errors.LockNotAvailable when others hold
    the log: try again.
    """
    connection.isolation_level, usual = IsolationLevel.REPEATABLE_READ, connection.isolation_level
    try:
        with connection.transaction():
            first = boundary(connection)
            size = log.head(connection).size
            # The tile that the last entry stands in must be complete, for its rows will be gone.
            end = checkpoints.newest_before(connection, before, larger=first, at_most=size - size % TILE)
            if end is None:
                return None
            signed = _signed(end, keys)
            start = proofs.frontier(connection, first)
            _expect_signed_start(connection, start, keys)
            name = f"access-log-{first:012}-{end.size:012}.ndjson.gz"
            part = folder / f"{name}.part"
            try:
                newest_at = _written(connection, part, start, signed)
                _expect_readable(part, start, signed)
            except BaseException:
                part.unlink(missing_ok=True)
                raise
    finally:
        connection.isolation_level = usual
    file = folder / name
    part.rename(file)
    _keep(file.with_name(name.removesuffix(".ndjson.gz") + ".note"), end.note.encode())
    _sync(folder)
    with file.open("rb") as made:
        digest = file_digest(made, "sha256").digest()
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
        if boundary(connection) != first:
            raise ArchiveRefused(f"另一归档已完成 another archive was made meanwhile; {file} is not needed")
        with connection.cursor(row_factory=class_row(Archived)) as cursor:
            done = cursor.execute(
                f"INSERT INTO registry.access_log_archive ({_COLUMNS})"
                " SELECT %s, %s, %s, %s, %s, %s::timestamptz, %s::timestamptz + make_interval(years => keep_years),"
                f" %s, NULL FROM registry.access_log_term RETURNING {_COLUMNS}".encode(),
                (first, end.size, name, digest, file.stat().st_size, newest_at, newest_at, now),
            ).fetchone()
        _remove(connection, first, end.size)
    return done


def restore(connection: psycopg.Connection, file: Path, *, now: datetime) -> Archived:
    """Put the entries of the newest archive back into the database. Raises ArchiveRefused; the file stays."""
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
        live = [each for each in every(connection) if each.restored_at is None]
        with file.open("rb") as given:
            digest = file_digest(given, "sha256").digest()
        if not live or digest != live[-1].digest:
            expected = f"; the newest is {live[-1].file}" if live else ", none is"
            raise ArchiveRefused(f"{file.name} 不是最近的归档 is not the newest archive{expected}")
        last = live[-1]
        stretches = range(last.first >> STRETCH_LEVEL, (last.until - 1 >> STRETCH_LEVEL) + 1)
        for stretch in stretches:
            connection.execute("SELECT registry.ensure_access_log_stretch(%s)", (stretch,))
        connection.execute(
            "DELETE FROM registry.access_log WHERE index >= %s AND index < %s", (last.first, last.until)
        )  # what was put there meanwhile by whoever may write to the database
        log.write_rows(
            connection,
            last.first,
            (row.entry for row in rows(file)),
            (row.leaf for row in rows(file)),
        )
        connection.execute(
            "UPDATE registry.access_log_archive SET restored_at = %s WHERE first = %s AND restored_at IS NULL",
            (now, last.first),
        )
    return last


def lines(file: Path) -> Iterator[bytes]:
    """The lines of an export, compressed or not."""
    with file.open("rb") as opened:
        packed = opened.read(2) == b"\x1f\x8b"
        opened.seek(0)
        if not packed:
            yield from opened
            return
        with gzip.GzipFile(fileobj=opened) as inside:
            yield from inside


def rows(file: Path) -> Iterator[Logged]:
    """The entries of an archive's file. Raises ExportMalformed."""
    following = lines(file)
    next(following, b"")
    for line in following:
        data = line.rstrip(b"\r\n")
        try:
            index, entry = entries.parsed(data)
        except ValueError as error:
            raise export.ExportMalformed(str(error)) from error
        yield Logged(index, entry, leaf_hash(data))


def about(files: Iterable[Path], entity: str, *, client: str | None = None) -> Iterator[Logged]:
    """Who read the data of an enterprise, as archives tell it, in the order of the files."""
    for file in files:
        for row in rows(file):
            named = row.entry.entity == entity or entity in (row.entry.entities or ())
            if named and client in {None, row.entry.client}:
                yield row


def _signed(kept: Kept, keys: Sequence[LogKey]) -> Checkpoint:
    """What the checkpoint's signature stands for. Raises LogAltered."""
    try:
        opened = notes.opened(kept.note, keys)
    except (ValueError, notes.NotSigned) as error:
        raise LogAltered(f"检查点签名无效 the checkpoint of size {kept.size}: {error}") from error
    if (opened.size, opened.root) != (kept.size, kept.root):
        raise LogAltered(f"检查点被改动 the checkpoint of size {kept.size} says something else than its row")
    return opened


def _expect_signed_start(connection: psycopg.Connection, start: Frontier, keys: Sequence[LogKey]) -> None:
    if not start.size:
        return
    kept = checkpoints.of_size(connection, start.size)
    if kept is None or _signed(kept, keys).root != start.root:
        raise _altered(f"the first {start.size} entries are not those that were signed")


def _written(connection: psycopg.Connection, part: Path, start: Frontier, end: Checkpoint) -> datetime:
    """Write the file; when its newest entry was made. Raises LogAltered where it does not come to the checkpoint."""
    edge, newest, leaves = start, None, list[bytes]()
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        with gzip.GzipFile("", "wb", _COMPRESSION, cast("BinaryIO", file), mtime=0) as packed:
            packed.write(export.head(start) + b"\n")
            for row in reading.every(connection, start.size, end.size):
                if row.index != edge.size + len(leaves):
                    raise _altered(f"entry {edge.size + len(leaves)} is gone")
                data = row.data
                packed.write(data + b"\n")
                leaves.append(leaf_hash(data))
                if len(leaves) == TILE:
                    edge, _ = edge.extended(leaves, keep_from=64)
                    leaves.clear()
                newest = max(newest or row.entry.at, row.entry.at)
        file.flush()
        os.fsync(file.fileno())
    edge, _ = edge.extended(leaves, keep_from=64)
    if newest is None or edge.size != end.size or edge.root != end.root:
        raise _altered(f"entries {start.size} to {end.size - 1} are not those that were signed")
    return newest


def _expect_readable(part: Path, start: Frontier, end: Checkpoint) -> None:
    """The file as it lies there, read back."""
    beginning = Checkpoint(end.origin, start.size, start.root)
    found = export.check(lines(part), [beginning, end])
    if found.findings or found.end != end.size or end.size not in found.confirmed:
        raise OSError(f"{part} cannot be read back as it was written")


def _remove(connection: psycopg.Connection, first: int, until: int) -> None:
    """Take rows out: whole partitions at once, the rest of one row by row."""
    connection.execute(f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'".encode())
    whole = until >> STRETCH_LEVEL
    for stretch in range(first >> STRETCH_LEVEL, whole):
        name = f"registry.access_log_{stretch}"
        connection.execute(f"ALTER TABLE registry.access_log DETACH PARTITION {name}".encode())
        connection.execute(f"DROP TABLE {name}".encode())
    connection.execute(
        "DELETE FROM registry.access_log WHERE index >= %s AND index < %s",
        (max(first, whole << STRETCH_LEVEL), until),
    )


def _keep(file: Path, content: bytes) -> None:
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644), "wb") as opened:
        opened.write(content)
        opened.flush()
        os.fsync(opened.fileno())


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _altered(what: str) -> LogAltered:
    return LogAltered(f"日志与已签名的检查点不符，未归档 {what}: nothing was archived; run: shuqiao audit verify")
