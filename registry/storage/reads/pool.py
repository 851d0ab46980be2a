"""Read-only connections for hot reads: asyncpg, with its failures told apart by what the caller does next.

::

    ReadError
    ├── DatabaseUnavailable    the database is down or restarting   -> try again in some seconds
    ├── DatabaseBusy           every connection is in use           -> try again in a moment
    └── ReadTookTooLong        the statement timeout cut it         -> ask for less
"""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg

CONNECT_SECONDS = 5.0
WAIT_SECONDS = 5.0
"""How long a read waits for a free connection."""

Row = Any
"""An asyncpg record: values by column name."""

_LOST = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InvalidAuthorizationSpecificationError,
    OSError,
)


class ReadError(Exception):
    """The registry could not be read."""


class DatabaseUnavailable(ReadError):  # noqa: N818  (named for the state met)
    """The database does not answer."""


class DatabaseBusy(ReadError):  # noqa: N818
    """No connection became free in time."""


class ReadTookTooLong(ReadError):  # noqa: N818
    """The statement timeout ended the read."""


class Pool:
    """Connections made when needed, so that it starts without a database and recovers when one comes back."""

    def __init__(self, url: str, *, size: int = 10, statement_seconds: float = 10.0) -> None:
        self._url = url.replace("postgresql+psycopg://", "postgresql://", 1)
        self._size = size
        self._statement_seconds = statement_seconds
        self._pool: Any = None

    async def open(self) -> None:
        """Get ready; connects to nothing yet."""
        self._pool = await asyncpg.create_pool(
            self._url,
            min_size=0,
            max_size=self._size,
            timeout=CONNECT_SECONDS,
            command_timeout=self._statement_seconds + 5,
            reset=_nothing_to_reset,
            server_settings={
                "application_name": "shuqiao-api",
                "default_transaction_read_only": "on",
                "statement_timeout": str(int(self._statement_seconds * 1000)),
                "timezone": "UTC",
                "jit": "off",
            },
        )

    async def close(self) -> None:
        """Give every connection back; those that still work are cut after some seconds."""
        if self._pool is not None:
            try:
                await asyncio.wait_for(self._pool.close(), 5)
            except (TimeoutError, *_LOST):
                self._pool.terminate()

    async def rows(self, statement: str, *arguments: object) -> list[Row]:
        """Every row of a read. Raises ReadError.

        A read on a connection that turns out to be dead is repeated once on another: nothing was changed by it.
        """
        try:
            return await self._rows(statement, arguments)
        except DatabaseUnavailable:
            return await self._rows(statement, arguments)

    async def row(self, statement: str, *arguments: object) -> Row | None:
        """The first row of a read, if there is one. Raises ReadError."""
        found = await self.rows(statement, *arguments)
        return found[0] if found else None

    async def _rows(self, statement: str, arguments: tuple[object, ...]) -> list[Row]:
        try:
            connection = await self._pool.acquire(timeout=WAIT_SECONDS)
        except TimeoutError as error:
            if self._pool.get_idle_size() == 0 and self._pool.get_size() >= self._size:
                raise DatabaseBusy from error
            raise DatabaseUnavailable from error
        except _LOST as error:
            raise DatabaseUnavailable from error
        try:
            return list(await connection.fetch(statement, *arguments))
        except asyncpg.QueryCanceledError as error:
            raise ReadTookTooLong from error
        except TimeoutError as error:
            raise ReadTookTooLong from error
        except ValueError:  # a value that the driver cannot send: one of its InterfaceErrors, but no lost connection
            raise
        except _LOST as error:
            raise DatabaseUnavailable from error
        finally:
            await self._release(connection)

    async def _release(self, connection: Any) -> None:
        try:
            await self._pool.release(connection, timeout=2)
        except (TimeoutError, *_LOST):
            connection.terminate()


async def _nothing_to_reset(connection: Any) -> None:
    """A read outside any transaction leaves nothing behind: a round trip to the database for each is spared."""
    del connection
