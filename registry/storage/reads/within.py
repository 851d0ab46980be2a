"""Hot reads within a transaction that writes, for answers that must stand or fall with what is put down of them.

An answer that rests on a consent is given only if its use is on record; both happen on one connection, in one
transaction. The statements are those of the pool.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import psycopg
from psycopg.rows import dict_row
from psycopg.types.string import TextLoader

from registry.storage.reads.pool import Pool, Row

Answer = TypeVar("Answer")


class Within(Pool):
    """Reads as the pool does, on a psycopg connection whose transaction is the caller's. Blocks: for threads."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection

    async def rows(self, statement: str, *arguments: object) -> list[Row]:
        """Every row; JSON as its text, as the pool gives it."""
        with psycopg.RawCursor(self._connection, row_factory=dict_row) as cursor:
            for kind in ("json", "jsonb"):
                cursor.adapters.register_loader(kind, TextLoader)
            return list(cursor.execute(statement, arguments or None))


def answered(work: Coroutine[Any, Any, Answer]) -> Answer:
    """What a read comes to that is written for the event loop, in a thread without one."""
    return asyncio.run(work)
