"""What the routes share while the API runs: the pool, tokens, and short memories of clients and datasets."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Generic, TypeVar

from starlette.requests import Request

from registry.api.access.allowance import Allowances
from registry.api.access.gate import Gate
from registry.api.access_log.checkpoints import Checkpoints
from registry.api.clients.attempts import Attempts
from registry.api.clients.authentication import Authentication
from registry.api.clients.presented import Presented
from registry.api.licences.licensing import Licensing
from registry.api.licences.trust_documents import TrustDocuments
from registry.api.licences.verifying import Verifier
from registry.api.limits import Places
from registry.api.settings import ApiSettings
from registry.api.tokens.external_issuer import ExternalTokens
from registry.api.tokens.tokens import Tokens
from registry.audit.writer import AccessLog
from registry.domain.bulk.counts import Group
from registry.domain.grants.grant import Grant
from registry.signing.p256 import P256Signer
from registry.storage.reads import clients, datasets, grants
from registry.storage.reads.by_key import RecordsByKey
from registry.storage.reads.clients import Client
from registry.storage.reads.dataset_quality import Quality, quality
from registry.storage.reads.datasets import DatasetState
from registry.storage.reads.pool import Pool
from schemas.catalogue import default_catalogue

Value = TypeVar("Value")


class Remembered(Generic[Value]):
    """A value that is read again when it is older than some seconds; once for all who ask meanwhile."""

    def __init__(self, read: Callable[[], Awaitable[Value]], seconds: float) -> None:
        self._read, self._seconds = read, seconds
        self._value: Value | None = None
        self._read_at = float("-inf")
        self._reading: asyncio.Task[Value] | None = None

    async def get(self) -> Value:
        """The value, at most that old, or read since it was asked for. Raises what the reading raises.

        Who gives up takes nothing from the others, and a failure is told to all who wait at once: were each to try by
        himself, the last would wait for as many failures as there are readers.
        """
        if (fresh := self.fresh()) is not None:
            return fresh
        asked = time.monotonic()
        while (reading := self._reading) is not None and not reading.done():
            value = await asyncio.shield(reading)
            if self._read_at >= asked or self.fresh() is not None:
                return value
        self._reading = asyncio.create_task(self._read_again())
        self._reading.add_done_callback(self._done)
        return await asyncio.shield(self._reading)

    async def _read_again(self) -> Value:
        begun = time.monotonic()
        value = await self._read()
        self._value, self._read_at = value, begun
        return value

    def _done(self, reading: asyncio.Task[Value]) -> None:
        if self._reading is reading:
            self._reading = None
        if not reading.cancelled():
            reading.exception()  # told to those who asked, if any of them is still there

    def fresh(self) -> Value | None:
        """The value if it is not too old; None: it has to be read again."""
        return self._value if time.monotonic() - self._read_at < self._seconds else None


@dataclass(frozen=True, slots=True)
class Known:
    """A client, if there is one of that id, and what it may read, by dataset."""

    client: Client | None
    grants: Mapping[str, Grant]


class ApiState:
    """The parts of a running API. Raises LicenceTypeError with everything that is wrong with a type's file."""

    def __init__(self, settings: ApiSettings, tokens: Tokens) -> None:
        self.settings, self.tokens = settings, tokens
        self.pool = Pool(settings.database_url, size=settings.pool_size, statement_seconds=settings.statement_seconds)
        self.records = RecordsByKey(self.pool)
        self.access_log = AccessLog(settings.database_url, wait_seconds=settings.access_log_seconds)
        self.licensing = Licensing(settings, self.pool)
        self.checkpoints = Checkpoints(self.licensing, settings.checkpoint_seconds)
        self.trust = TrustDocuments(self.licensing, self.pool, tokens.public_jwks)
        self.verifier = Verifier(self.trust, self.pool, settings.base)
        self._hub_signer = Remembered(self._read_hub_signer, settings.client_check_seconds)
        self.places = Places(settings.most_in_flight, settings.most_waiting)
        """For requests, in this process."""
        self.lookups = Gate(8, 64)
        """The public pages: so many look-ups at once, whoever asks."""
        self.presented = Presented(settings.access)
        self.attempts = Attempts(settings.database_url)
        self.authentication = Authentication(
            self.pool, self.presented, self.attempts, (settings.base, f"{settings.base}/api/v1/token")
        )
        self.allowances = Allowances(settings.access.requests_per_second)
        issuer = settings.access.external_issuer
        self.external_tokens = ExternalTokens(issuer) if issuer else None
        """None unless the settings trust an issuer elsewhere."""
        self.bulk = Gate(2, 16)
        """Parts of exports, look-ups of many keys, counts: so many at once, whoever asks."""
        self.counted: OrderedDict[tuple[object, ...], Sequence[Group]] = OrderedDict()
        """What was counted today: counts are those of the last midnight."""
        self.closing = asyncio.Event()
        """Set when the server is told to end: whoever waits for changes answers at once."""
        self._datasets = Remembered(lambda: datasets.all_datasets(self.pool), settings.catalogue_seconds)
        self._quality = Remembered(lambda: quality(self.pool), settings.quality_seconds)
        self.catalogue = default_catalogue()
        self.used_up: dict[int, date] = {}
        """Grants whose quota of a day is known to be used up: spares the read, the log counts all the same."""
        self._clients: dict[tuple[str, bool], Remembered[Known]] = {}

    async def datasets(self) -> Mapping[str, DatasetState]:
        """The datasets by name, with the age of their data. Raises ReadError."""
        return await self._datasets.get()

    async def quality(self) -> Mapping[int, Quality]:
        """How well datasets are kept, by their numbers, as counted some minutes ago. Raises ReadError."""
        return await self._quality.get()

    async def hub_signer(self, within: float) -> P256Signer | None:
        """Signs answers; None where the hub has no keys or the API not the master key.

        Raises ReadError, and TimeoutError if it is not known and reading it takes longer than so many seconds.
        """
        if (found := self._hub_signer.fresh()) is None:
            async with asyncio.timeout(within):
                found = await self._hub_signer.get()
        return found[0]

    async def _read_hub_signer(self) -> tuple[P256Signer | None]:
        return (await self.licensing.hub(),)

    async def client(self, client_id: str, *, external: bool = False) -> Known:
        """A client with its grants as they stand now, or stood a moment ago. Raises ReadError.

        ``external``: ``client_id`` is the name that the external issuer gives it.
        """
        look_up = clients.by_external_name if external else clients.one
        remembered = self._clients.get((client_id, external))
        if remembered is None:
            if len(self._clients) >= 10_000:  # noqa: PLR2004  (only ids in tokens that the hub signed come here)
                self._clients.clear()

            async def read() -> Known:
                client = await look_up(self.pool, client_id)
                return Known(client, {} if client is None else await grants.standing(self.pool, client.id))

            remembered = self._clients[client_id, external] = Remembered(read, self.settings.client_check_seconds)
        return await remembered.get()


def state_of(request: Request) -> ApiState:
    """The running API that a request came to."""
    state: ApiState = request.app.state.api
    return state
