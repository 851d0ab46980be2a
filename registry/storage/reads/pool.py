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
    asyncpg.InternalClientError,  # the server has said that the connection ends, and not ended it yet
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
    """Connections made when needed, so that it starts without a database and recovers when one comes back.

    asyncpg's own pool makes two tasks for each read, to be able to do more than is needed here: half of what a read by
    key costs. Here a connection is taken from a list and put back, or dropped when anything was wrong with it.
    """

    def __init__(self, url: str, *, size: int = 10, statement_seconds: float = 10.0) -> None:
        self._url = url.replace("postgresql+psycopg://", "postgresql://", 1)
        self._statement_seconds = statement_seconds
        self._places = asyncio.Semaphore(size)
        self._free: list[Any] = []
        self._open = False

    async def open(self) -> None:
        """Get ready; connects to nothing yet."""
        self._open = True

    async def close(self) -> None:
        """Give every connection back; reads that still work lose theirs when they end."""
        self._open = False
        free, self._free = self._free, []
        for connection in free:
            try:
                await connection.close(timeout=2)
            except (TimeoutError, *_LOST):
                connection.terminate()

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
        await self._take_place()
        try:
            connection = self._living() or await self._connect()
            try:
                found: list[Row] = await connection.fetch(statement, *arguments)
            except BaseException as error:
                if isinstance(error, asyncpg.PostgresError | ValueError) and not isinstance(error, _LOST):
                    self._put_back(connection)
                else:  # lost, or given up while its answer is on the way
                    connection.terminate()
                raise
            self._put_back(connection)
        except asyncpg.QueryCanceledError as error:
            raise ReadTookTooLong from error
        except _NotConnected as error:
            raise DatabaseUnavailable from error.__cause__
        except TimeoutError as error:
            raise ReadTookTooLong from error
        except ValueError:  # a value that the driver cannot send: one of its InterfaceErrors, but no lost connection
            raise
        except _LOST as error:
            raise DatabaseUnavailable from error
        finally:
            self._places.release()
        return found

    async def _take_place(self) -> None:
        if not self._places.locked():
            await self._places.acquire()  # at once: no timer is needed
            return
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await self._places.acquire()
        except TimeoutError as error:
            raise DatabaseBusy from error

    async def _connect(self) -> Any:
        if not self._open:
            raise DatabaseUnavailable
        try:
            return await asyncpg.connect(
                self._url,
                timeout=CONNECT_SECONDS,
                command_timeout=self._statement_seconds + 5,
                server_settings={
                    "application_name": "shuqiao-api",
                    "default_transaction_read_only": "on",
                    "statement_timeout": str(int(self._statement_seconds * 1000)),
                    "timezone": "UTC",
                    "jit": "off",
                },
            )
        except (TimeoutError, *_LOST) as error:
            raise _NotConnected from error

    def _put_back(self, connection: Any) -> None:
        """A read outside any transaction leaves nothing behind: there is nothing to reset."""
        if self._open and not connection.is_closed():
            self._free.append(connection)
        else:
            connection.terminate()

    def _living(self) -> Any:
        """A connection that is free, the one used last; None if there is none."""
        while self._free:
            connection = self._free.pop()
            if not connection.is_closed():
                return connection
        return None


class _NotConnected(Exception):  # noqa: N818
    """No connection could be made."""
