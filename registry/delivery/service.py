"""The delivery service: changes to subscribers, in order, at least once, whoever of them is slow, dead or hostile.

The feed is read once for all subscriptions (:mod:`registry.delivery.window`). Each has at most one message under way,
so that it gets everything in the feed's order, and nobody waits for another: receivers that fail or take long wait
among their kind. A message leaves only when its entry stands in the access log, and only under a grant that holds at
that moment. Progress is written down every half second: a process that is killed has sent a few messages that the next
one sends again, with the same ids, and lost none.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import ssl
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import psycopg

from registry.audit.writer import AccessLog, LogUnavailable
from registry.delivery.courier import Courier
from registry.delivery.keeper import Keeper, News, Progress, Stored
from registry.delivery.lanes import Lane, Place
from registry.delivery.lines import Line
from registry.delivery.posting import Poster
from registry.delivery.settings import DeliverySettings
from registry.delivery.subscriptions import context
from registry.delivery.window import MOST_CHANGES, Window
from registry.domain.delivery.states import Reason, State
from registry.signing.master_key import MasterKeyError
from registry.storage.reads import changes
from registry.storage.reads.changes import PositionLost
from registry.storage.reads.pool import Pool, ReadError
from schemas.catalogue import default_catalogue

READ_AT_ONCE = 1_000
REST_SECONDS = 300.0
"""How often the position of subscriptions that get nothing is written down."""
EXPIRY_SECONDS = 5.0
"""How often the ends of grants are looked at where nothing is to be sent; before each message they are anyway."""
LOG_SECONDS = 30.0
"""How long a message waits for its entry in the access log; nobody sits before it."""
ENDING_SECONDS = 12.0
"""Messages under way have so long when the service ends."""
_log = logging.getLogger(__name__)
Value = TypeVar("Value")


class Delivery:
    """One process's part of the delivery. ``run`` until ``end``."""

    def __init__(self, settings: DeliverySettings) -> None:
        self._settings = settings
        self._ending = asyncio.Event()
        self.delivering = asyncio.Event()
        """Set once the subscriptions are there."""

    def end(self) -> None:
        """Finish what is under way, write down how far it came, and return from ``run``."""
        self._ending.set()

    async def run(self) -> None:
        """Deliver; a database that goes away is waited for."""
        while not self._ending.is_set():
            session = _Session(self._settings, self._ending, self.delivering)
            try:
                await session.run()
            except (psycopg.Error, ReadError) as error:
                _log.warning("the database is not there (%s); trying again", type(error).__name__)
                await _sleep(self._ending, 1.0)
            finally:
                self.delivering.clear()
                await session.close()


class _Session:
    """From a connection to the database until it breaks or the service ends."""

    def __init__(self, settings: DeliverySettings, ending: asyncio.Event, delivering: asyncio.Event) -> None:
        self._settings, self._ending, self._delivering = settings, ending, delivering
        self._pool = Pool(settings.database_url, size=4)
        self._access_log = AccessLog(settings.database_url, wait_seconds=LOG_SECONDS)
        self._poster = Poster(settings.addresses, _tls(settings))
        self._courier = Courier(settings, self._pool, self._access_log, self._poster)
        self._thread = ThreadPoolExecutor(1, "keeper")
        self._keeper: Keeper | None = None
        self._lines: dict[str, Line] = {}
        self._by_dataset: dict[int, dict[str, Line]] = {}
        self._followed: tuple[list[int], list[int]] = [], []
        """The datasets that the window holds, and those of which somebody sees some records only."""
        self._leaving: frozenset[int] = frozenset()
        self._quick = Lane(settings.at_once, self._begin)
        self._slow = Lane(settings.slow_at_once, self._begin)
        self._rested_at = self._expired_at = time.monotonic()
        self._broken = False

    async def run(self) -> None:
        """Until the service ends. Raises psycopg.Error and ReadError when the database goes away."""
        await self._pool.open()
        catalogue = default_catalogue()
        keeper = self._keeper = await self._in_thread(lambda: Keeper(self._settings.database_url, catalogue))
        await self._sync()
        datasets = self._followed[0]
        self._courier.window = Window(await self._in_thread(lambda: keeper.start(datasets, MOST_CHANGES // 2)))
        gc.collect()
        gc.freeze()  # the subscriptions stay: looking through them for garbage would halt everybody
        self._delivering.set()
        for line in self._lines.values():
            self._wake(line)
        _log.info("delivering for %d subscriptions", len(self._lines))
        synced_at = time.monotonic()
        while not self._ending.is_set():
            await self._read()
            if time.monotonic() - synced_at >= self._settings.sync_seconds:
                synced_at = time.monotonic()
                await self._sync()
                self._poster.close_idle()
            await _sleep(self._ending, self._settings.poll_seconds)
        if tasks := [line.task for line in self._lines.values() if line.task is not None]:
            await asyncio.wait(tasks, timeout=ENDING_SECONDS)
        self._rest()
        progress = self._progress()
        await self._in_thread(lambda: keeper.write(progress))

    async def close(self) -> None:
        """Give everything back; what is under way is cut off, and will be sent again."""
        self._broken = True
        tasks = []
        for line in self._lines.values():
            if line.timer is not None:
                line.timer.cancel()
            if line.task is not None:
                line.task.cancel()
                tasks.append(line.task)
        if tasks:
            await asyncio.wait(tasks)
        self._poster.close()
        await self._access_log.close()
        await self._pool.close()
        if self._keeper is not None:
            with contextlib.suppress(psycopg.Error):
                await self._in_thread(self._keeper.close)
        self._thread.shutdown(wait=False)

    # -- the feed ------------------------------------------------------------------------------------------------------

    async def _read(self) -> None:
        """Read the feed on, and wake whom it concerns."""
        datasets, partly = self._followed
        while datasets:
            window = self._courier.window
            try:
                found = await changes.after(self._pool, window.reached, datasets, READ_AT_ONCE, partly=partly)
            except PositionLost:  # nobody delivered for longer than the feed is kept: each finds out for itself
                self._courier.window = Window(await changes.end(self._pool))
                return
            self._settle()
            for dataset_id in window.add(found.rows, found.reached):
                for line in list(self._by_dataset.get(dataset_id, {}).values()):
                    self._wake(line)
            if not found.more:
                return

    def _follow(self) -> None:
        """Fit the window to the datasets that are subscribed to; where more is needed, it begins anew from here."""
        rows = {dataset for (_, dataset), each in self._courier.entitlements.by_client.items() if each.grant.rows}
        names = {line.stored.dataset_id: line.stored.dataset for line in self._lines.values()}
        wanted = sorted(names), sorted(number for number, name in names.items() if name in rows)
        known = self._followed
        if set(wanted[0]) - set(known[0]) or set(wanted[1]) - set(known[1]):
            self._settle()
            self._courier.window = Window(self._courier.window.reached)
        self._followed = wanted

    def _settle(self) -> None:
        """Whoever has got everything that the window holds has got everything up to its end."""
        reached = self._courier.window.reached
        for line in self._lines.values():
            if line.caught_up and line.is_active and line.position < reached:
                line.position = reached

    def _rest(self) -> None:
        """See that positions are written down also where nothing was delivered: the feed is not kept for ever."""
        self._settle()
        self._rested_at = time.monotonic()
        for line in self._lines.values():
            line.changed |= line.is_active

    # -- subscriptions -------------------------------------------------------------------------------------------------

    async def _sync(self) -> None:
        """Write down progress, take over what others changed."""
        if time.monotonic() - self._rested_at > REST_SECONDS:
            self._rest()
        keeper, progress = self._keeper, self._progress()
        assert keeper is not None  # noqa: S101  (made before the first call)
        busy = {line.stored.shard for line in self._lines.values() if line.task is not None}
        self._apply(await self._in_thread(lambda: keeper.sync(progress, busy)))

    def _progress(self) -> Sequence[Progress]:
        return [line.progress() for line in self._lines.values() if line.changed]

    def _apply(self, news: News) -> None:
        stayed, self._leaving = self._leaving - news.leaving, news.leaving
        for line in [each for each in self._lines.values() if each.stored.shard not in news.held]:
            self._drop(line)
        granted = news.entitlements is not self._courier.entitlements
        self._courier.entitlements = news.entitlements
        for stored in news.stored:
            self._take_over(stored)
        if granted or news.stored:
            self._follow()
        if granted or time.monotonic() - self._expired_at > EXPIRY_SECONDS:
            self._pause_without_grant()
        for letter in news.letters:
            if (addressed := self._lines.get(letter.subscription)) is not None:
                addressed.letters.setdefault(letter.id, letter)
                self._wake(addressed)
        for line in self._lines.values() if stayed else ():
            if line.stored.shard in stayed:
                self._wake(line)

    def _take_over(self, stored: Stored) -> None:
        """A subscription that is new here, or that somebody changed."""
        line = self._lines.get(stored.id)
        if stored.state == State.ENDED:
            if line is not None:
                self._drop(line)
            return
        if line is not None and line.stored.changed_at == stored.changed_at:
            return
        if line is None:
            line = self._lines[stored.id] = _line(stored)
            self._by_dataset.setdefault(stored.dataset_id, {})[stored.id] = line
        elif line.stored.epoch != stored.epoch or (line.decided is None and line.state != stored.state):
            _begin_anew(line, stored)
        line.stored = stored
        self._open_secrets(line)
        line.test_wanted = stored.test_requested_at is not None and line.test_result is None
        self._wake(line)

    def _open_secrets(self, line: Line) -> None:
        stored, master_key = line.stored, self._settings.master_key
        try:
            line.key = master_key.unseal(stored.secret, context(stored.id))
            sealed = stored.previous_secret
            line.previous_key = None if sealed is None else master_key.unseal(sealed, context(stored.id))
        except MasterKeyError:
            line.decide(State.PAUSED, Reason.SECRET_SEALED)

    def _pause_without_grant(self) -> None:
        """Owners see at once that nothing will come, also where nothing is to be sent."""
        self._expired_at = time.monotonic()
        for line in self._lines.values():
            if line.is_active and isinstance(by := self._courier.entitlement(line), Reason):
                line.decide(State.PAUSED, by)

    def _drop(self, line: Line) -> None:
        """It has ended, or is another process's: what is under way for it ends by itself."""
        if line.timer is not None:
            line.timer.cancel()
        del self._lines[line.stored.id]
        self._by_dataset[line.stored.dataset_id].pop(line.stored.id)

    # -- work ----------------------------------------------------------------------------------------------------------

    def _wake(self, line: Line) -> None:
        """See whether there is something to do for a subscription, as soon as it has its turn."""
        line.caught_up = False
        if line.task is not None:
            line.woken = True
        elif self._goes_on(line) and (line.timer is None or line.test_wanted or line.letters):
            if line.timer is not None:
                line.timer.cancel()
                line.timer = None
            (self._slow if line.slow else self._quick).queue(line)

    def _goes_on(self, line: Line) -> bool:
        stays = self._lines.get(line.stored.id) is line and line.stored.shard not in self._leaving
        return stays and self._delivering.is_set() and not self._broken and not self._ending.is_set()

    def _begin(self, line: Line, place: Place) -> bool:
        """It is a line's turn; False where there is nothing to be done for it any more."""
        if not self._goes_on(line) or line.task is not None:
            return False
        line.woken = False
        line.task = asyncio.create_task(self._work(line, place))
        return True

    async def _work(self, line: Line, place: Place) -> None:
        again, more = 0.0, False
        try:
            more = await self._courier.work(line, place.give_back)
        except (ReadError, LogUnavailable):
            again = 1.0  # nothing was sent
        except Exception:  # noqa: BLE001  (one subscription must not end the delivery of all)
            _log.exception("subscription %s: the delivery failed", line.stored.id)
            again = 60.0
        finally:
            line.task = None
            place.give_back()
        wait = max(again, line.waits())
        if wait > 0 and line.state in {State.ACTIVE, State.PENDING} and self._goes_on(line):
            line.timer = asyncio.get_running_loop().call_later(wait, self._due, line)
        elif (more and not self._courier.rests(line)) or line.woken:
            self._wake(line)

    def _due(self, line: Line) -> None:
        line.timer = None
        self._wake(line)

    async def _in_thread(self, work: Callable[[], Value]) -> Value:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


def _line(stored: Stored) -> Line:
    line = Line(stored=stored, key=b"", previous_key=None, position=changes.START, state=State(stored.state))
    _begin_anew(line, stored)
    return line


def _begin_anew(line: Line, stored: Stored) -> None:
    """Where the database has it."""
    if line.stored.epoch != stored.epoch or line.position == changes.START:
        line.position = changes.Position(stored.xid, stored.seq)
    line.state, line.decided, line.message = State(stored.state), None, None
    line.attempts, line.failing_since = stored.attempts, stored.failing_since
    line.next_attempt_at = stored.next_attempt_at
    if line.timer is not None:
        line.timer.cancel()
        line.timer = None


def _tls(settings: DeliverySettings) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if settings.ca_file is not None:
        context.load_verify_locations(settings.ca_file)
    return context


async def _sleep(ending: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(ending.wait(), seconds)
