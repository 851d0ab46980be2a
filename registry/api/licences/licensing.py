"""What the API needs to make and sign: the licence types, the issuers' keys, and work on the database in threads.

The keys are read when something is to be signed for the first time, and again whenever one was entered, retired or
revoked. Without the master key everything that is stored is served all the same.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import TypeVar

import psycopg

from registry.api.problems import SIGNING_UNAVAILABLE, Problem
from registry.api.settings import ApiSettings
from registry.api.workroom import Workroom
from registry.domain.licences.loading import load_types
from registry.licences.keys import KeyNotActive, KeyRing, KeysError, NoActiveKey
from registry.signing.master_key import MasterKeyError
from registry.signing.p256 import P256Signer
from registry.signing.sm2 import Sm2Missing
from registry.storage.database import connect
from registry.storage.once import carried_out
from registry.storage.reads import trust
from registry.storage.reads.pool import DatabaseUnavailable, Pool

Result = TypeVar("Result")
_log = logging.getLogger(__name__)


class Licensing:
    """The parts of a running API that make licences' forms, copies and credentials."""

    def __init__(self, settings: ApiSettings, pool: Pool) -> None:
        """Raises LicenceTypeError with everything that is wrong with a type's file."""
        self.types = load_types(settings.licence_types)
        self.base = settings.base
        self._drawing = Workroom(2, 20)
        """PDFs are drawn here: each takes a processor for a good part of a second."""
        self._writing = Workroom(4, 40)
        self._settings, self._pool = settings, pool
        self._keys: tuple[str, KeyRing] | None = None
        self._lock = asyncio.Lock()

    async def keys(self) -> KeyRing:
        """The issuers' keys as they are now. Raises Problem without the master key, or with another one."""
        master_key = self._settings.master_key
        if master_key is None:
            raise Problem(SIGNING_UNAVAILABLE)
        mark = await trust.mark(self._pool)
        async with self._lock:
            if self._keys is None or self._keys[0] != mark:
                try:
                    ring = await self._writing.do(lambda: self._on_database(lambda it: KeyRing.load(it, master_key)))
                except MasterKeyError as error:
                    _log.error("nothing can be signed: %s", error)
                    raise Problem(SIGNING_UNAVAILABLE) from error
                self._keys = (mark, ring)
            return self._keys[1]

    async def hub(self) -> P256Signer | None:
        """Signs for the hub; None where nobody does. Raises ReadError."""
        try:
            return (await self.keys()).hub
        except (Problem, KeysError, MasterKeyError):
            return None

    async def sign(self, work: Callable[[psycopg.Connection, KeyRing], Result], *, drawing: bool = False) -> Result:
        """Do something that signs, in a thread, on a connection that may write. ``drawing``: it makes a PDF.

        Raises Problem when nobody signs here, or too many wait. A key that was replaced meanwhile is no error.
        """
        room = self._drawing if drawing else self._writing
        for last in (False, True):
            keys = await self.keys()
            try:
                return await room.do(partial(self._on_database, partial(_signed, work, keys)))
            except (NoActiveKey, Sm2Missing, MasterKeyError) as error:
                raise Problem(SIGNING_UNAVAILABLE) from error
            except KeyNotActive:
                if last:
                    raise
        raise AssertionError

    async def write(self, work: Callable[[psycopg.Connection], Result]) -> Result:
        """Do something on a connection that may write, in a thread. Raises Problem when too many wait."""
        return await self._writing.do(lambda: self._on_database(partial(carried_out, work=work)))

    def _on_database(self, work: Callable[[psycopg.Connection], Result]) -> Result:
        """Blocks: for threads. Raises DatabaseUnavailable."""
        try:
            with connect(self._settings.database_url, application="shuqiao-api") as connection:
                return work(connection)
        except psycopg.OperationalError as error:
            raise DatabaseUnavailable from error


def _signed(
    work: Callable[[psycopg.Connection, KeyRing], Result], keys: KeyRing, connection: psycopg.Connection
) -> Result:
    return carried_out(connection, lambda it: work(it, keys))
