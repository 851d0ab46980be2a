"""A registry with a subscriber, receivers, and the delivery service in a thread."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from ipaddress import ip_network
from typing import Any

import pytest

from registry.delivery import subscriptions
from registry.delivery.service import Delivery
from registry.delivery.settings import DeliverySettings
from registry.delivery.subscriptions import Subscription
from registry.domain.delivery.addresses import AddressRules
from registry.domain.delivery.retrying import Schedule
from registry.signing.master_key import MasterKey
from registry.storage.database import connect
from registry.storage.reads.changes import START, Position
from tests import granting
from tests.delivery.receiving import Receiver, receiving

MASTER_KEY = MasterKey(bytes(range(32)))
LOOPBACK = AddressRules(http=True, networks=(ip_network("127.0.0.0/8"),), ports=None)


@contextmanager
def delivering(settings: DeliverySettings) -> Iterator[Delivery]:
    """The service, until the block ends."""
    ready = threading.Event()
    made: list[Delivery] = []

    async def deliver() -> None:
        delivery = Delivery(settings)
        made.append(delivery)
        loops.append(asyncio.get_running_loop())
        running = asyncio.ensure_future(delivery.run())
        await delivery.delivering.wait()
        ready.set()
        await running

    loops: list[asyncio.AbstractEventLoop] = []
    thread = threading.Thread(target=lambda: asyncio.run(deliver()))
    thread.start()
    assert ready.wait(20)
    try:
        yield made[0]
    finally:
        loops[0].call_soon_threadsafe(made[0].end)
        thread.join(30)
        assert not thread.is_alive()


@dataclass
class Desk:
    """Where subscriptions are entered and looked at."""

    url: str
    settings: DeliverySettings
    stack: ExitStack
    clients: dict[str, str] = field(default_factory=dict)

    def subscribe(
        self, receiver: Receiver | str, dataset: str = "legal_entity", *, client: str = "", **more: Any
    ) -> tuple[str, str]:
        """A subscription from the beginning of the feed; its id and secret."""
        url = receiver if isinstance(receiver, str) else receiver.url()
        owner = client or self.client(dataset)
        with connect(self.url) as connection:
            row = connection.execute("SELECT id FROM registry.dataset WHERE name = %s", (dataset,)).fetchone()
            assert row is not None
            position: Position | None = more.pop("position", START)
            return subscriptions.enter(
                connection, MASTER_KEY, client=owner, dataset_id=row[0], url=url, position=position, **more
            )

    def client(self, *datasets: str) -> str:
        return granting.enter(self.url, "subscriber", [f"read:{dataset}" for dataset in datasets]).id

    def deliver(self, **changes: Any) -> Delivery:
        return self.stack.enter_context(delivering(replace(self.settings, **changes)))

    def stop(self) -> None:
        self.stack.pop_all().close()

    def shown(self, subscription: str) -> Subscription:
        with connect(self.url) as connection:
            return subscriptions.one(connection, subscription)

    def wait(self, subscription: str, holds: Callable[[Subscription], bool], seconds: float = 20) -> Subscription:
        deadline = time.monotonic() + seconds
        while not holds(found := self.shown(subscription)):
            assert time.monotonic() < deadline, found
            time.sleep(0.02)
        return found

    def act(self, work: Callable[..., Any], *arguments: Any, **more: Any) -> Any:
        with connect(self.url) as connection:
            return work(connection, *arguments, **more)


@pytest.fixture
def desk(registry_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.setenv("SHUQIAO_SCHEMAS", str(granting.SCHEMAS))
    settings = DeliverySettings(
        database_url=registry_url,
        master_key=MASTER_KEY,
        public_url="https://hub.example.gov.cn",
        addresses=LOOPBACK,
        poll_seconds=0.02,
        sync_seconds=0.05,
        schedule=Schedule(first=0.02, longest=0.1, give_up=1.0),
    )
    with ExitStack() as stack:
        yield Desk(registry_url, settings, stack)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found
