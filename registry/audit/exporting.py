"""A stretch of the log into a file, for whoever checks it elsewhere; see :mod:`registry.domain.audit.export`."""

from __future__ import annotations

from typing import BinaryIO

import psycopg
from psycopg import IsolationLevel

from registry.audit import proofs, reading
from registry.audit.log import head
from registry.audit.proofs import NotInLog
from registry.domain.audit import export


def write(connection: psycopg.Connection, file: BinaryIO, *, first: int = 0, end: int | None = None) -> int:
    """Write the entries from ``first`` up to, and without, ``end``, as their rows are now; how many. Raises NotInLog.

    ``connection`` must not be in a transaction. Whoever checks a file that begins later than the log needs a checkpoint
    of just that size.
    """
    connection.isolation_level, before = IsolationLevel.REPEATABLE_READ, connection.isolation_level
    try:
        with connection.transaction():
            size = head(connection).size
            last = size if end is None else end
            if not 0 <= first <= last <= size:
                raise NotInLog(f"the log has {size} entries, none from {first} to {last}")
            file.write(export.head(proofs.frontier(connection, first)) + b"\n")
            count = 0
            for row in reading.every(connection, first, last):
                file.write(row.data + b"\n")
                count += 1
            return count
    finally:
        connection.isolation_level = before
