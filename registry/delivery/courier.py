"""What is done for one subscription: ask its receiver, compose the next message, send it, take in what came of it."""

from __future__ import annotations

import asyncio
import random
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from urllib.parse import urlsplit

from registry.audit.writer import AccessLog, QuotaUsedUp
from registry.delivery import feed
from registry.delivery.entitlements import Entitlement, Entitlements, none_yet
from registry.delivery.keeper import Dead, Letter
from registry.delivery.lines import Line, Message
from registry.delivery.posting import Answer, NoAnswer, Poster
from registry.delivery.settings import DeliverySettings
from registry.delivery.window import Item, Window
from registry.domain.audit.entry import Entry
from registry.domain.delivery import events, retrying, signatures
from registry.domain.delivery.retrying import Next
from registry.domain.delivery.states import Reason, State
from registry.storage.grant_uses import Use, next_day
from registry.storage.reads import changes
from registry.storage.reads.changes import Position, PositionLost
from registry.storage.reads.pool import Pool
from schemas.identifiers import is_uscc

ACTION = "DELIVER /api/v1/subscriptions/{subscription}"
"""What the access log calls a message that leaves; its status is 200: it was given out."""
OWN_READ = 200
"""Changes that a subscription behind the window reads in one go."""
HANDSHAKES = 10
"""So often a receiver is asked whether it agrees, less and less often, for some five minutes."""
_PROCESS = secrets.token_hex(6)


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What came of a message that was sent."""

    status: int | None
    why: str
    asked_to_wait: float = 0.0


class Courier:
    """Does one thing for one line, for many lines at once. Raises ReadError, LogUnavailable: then nothing was sent."""

    def __init__(self, settings: DeliverySettings, pool: Pool, log: AccessLog, poster: Poster) -> None:
        self._settings, self._pool, self._log, self._poster = settings, pool, log, poster
        self.window = Window(changes.START)
        self.entitlements: Entitlements = none_yet()
        self._reading = asyncio.Semaphore(3)
        self._origin = urlsplit(settings.public_url).hostname or "localhost"

    async def work(self, line: Line, slow: Callable[[], None]) -> bool:
        """One thing that is to be done now; whether there may be more. ``slow`` is called when it takes long."""
        if line.test_wanted:
            await self._test(line, slow)
        elif line.waits() > 0:
            return False
        elif line.state is State.PENDING:
            await self._ask(line, slow)
        elif not line.is_active:
            return False
        elif line.letters:
            await self._redeliver(line, next(iter(line.letters.values())), slow)
        elif (message := await self._next(line)) is None:
            return False
        else:
            await self._deliver(line, message, slow)
        return True

    def rests(self, line: Line) -> bool:
        """Whether a subscription has got everything, as far as can be told without looking into the database."""
        if line.test_wanted or line.letters or line.message is not None or line.position < self.window.start:
            return False
        if self.window.after(line.position, line.stored.dataset_id):
            return False
        line.position = max(line.position, self.window.reached)
        line.caught_up = line.is_active
        return line.caught_up

    def entitlement(self, line: Line) -> Entitlement | Reason:
        """By what a subscription gets anything now, or why it gets nothing."""
        stored = line.stored
        found = self.entitlements.by_client.get((stored.client, stored.dataset))
        if found is None:
            return Reason.GRANT_ENDED
        return found.refusal(stored.purpose, stored.case_number, datetime.now(UTC)) or found

    # -- the next message ----------------------------------------------------------------------------------------------

    async def _next(self, line: Line) -> Message | None:
        """What is to be sent next; None when there is nothing, or nothing may be."""
        while True:
            by = self.entitlement(line)
            if isinstance(by, Reason):
                line.decide(State.PAUSED, by)
                return None
            if line.message is not None and line.message.by.grant.id == by.grant.id:
                return line.message
            behind = line.position < self.window.start
            if behind:
                found = await self._own_read(line, by)
                if found is None:
                    continue
                items, reached = found
            else:
                items, reached = self.window.after(line.position, line.stored.dataset_id), self.window.reached
            line.message = self._composed(line, by, items)
            if line.message is None:
                line.position = max(line.position, reached)
                line.changed |= behind
                if not behind:
                    line.caught_up = True
                    return None

    async def _own_read(self, line: Line, by: Entitlement) -> tuple[Sequence[Item], Position] | None:
        """What comes after a subscription that has fallen behind; None where it was set elsewhere meanwhile."""
        epoch, dataset_id = line.stored.epoch, line.stored.dataset_id
        partly = [dataset_id] if by.grant.rows else []
        async with self._reading:
            try:
                found = await changes.after(self._pool, line.position, [dataset_id], OWN_READ, partly=partly)
            except PositionLost:
                line.decide(State.PAUSED, Reason.POSITION_LOST)
                return [], line.position
        if line.stored.epoch != epoch:
            return None
        return [Item.of(row) for row in found.rows], found.reached

    def _composed(self, line: Line, by: Entitlement, items: Sequence[Item]) -> Message | None:
        """A message of the first of some changes, or, in batch mode, of as many as it takes."""
        chosen: list[tuple[Item, bytes, str | None]] = []
        size = 0
        for item in items:
            made = self._event(line, by, item)
            if made is None:
                continue
            if chosen and size + len(made[0]) > events.MOST_BYTES:
                break
            chosen.append((item, *made))
            size += len(made[0])
            if not line.stored.batch or len(chosen) == events.MOST_IN_BATCH:
                break
        if not chosen:
            return None
        bodies = [body for _, body, _ in chosen]
        named = f"{line.stored.id.removeprefix('sub_')}_{_name(chosen[0][0])}"
        return Message(
            id=f"msg_{named}_{_name(chosen[-1][0])}" if line.stored.batch else f"msg_{named}",
            body=events.batched(bodies) if line.stored.batch else bodies[0],
            content_type=events.BATCH if line.stored.batch else events.SINGLE,
            changes=tuple((item.position, item.row["key"]) for item, *_ in chosen),
            entities=tuple(sorted({entity for *_, entity in chosen if entity is not None})),
            reached=chosen[-1][0].position,
            by=by,
        )

    def _event(self, line: Line, by: Entitlement, item: Item) -> tuple[bytes, str | None] | None:
        """A change as those see it who have this grant; made once for all of them."""
        if by.look not in item.events:
            told = feed.entry(item.row, line.stored.dataset, by.grant, by.view)
            made = None
            if told is not None:
                entity = told["entity"]
                known = entity if entity is not None and is_uscc(entity) else None
                made = (events.event(self._settings.public_url, told), known)
            item.events[by.look] = made
        return item.events[by.look]

    # -- sending -------------------------------------------------------------------------------------------------------

    async def _deliver(self, line: Line, message: Message, slow: Callable[[], None]) -> None:
        epoch = line.stored.epoch
        outcome = await self._send(line, message, slow)
        if outcome is None or line.stored.epoch != epoch:
            return
        at = datetime.now(UTC)
        failing_for = 0.0 if line.failing_since is None else (at - line.failing_since).total_seconds()
        then, wait = retrying.after_attempt(
            self._settings.schedule,
            outcome.status,
            line.attempts + 1,
            failing_for,
            asked_to_wait=outcome.asked_to_wait,
        )
        if then is Next.DELIVERED:
            line.pass_on(message)
            line.succeeded()
            line.delivered += len(message.changes)
            line.delivered_at = at
        elif then is Next.AGAIN:
            line.failed(outcome.why, retrying.delay(wait, random.random()), at)  # noqa: S311  (spreads them, no secret)
        elif then is Next.DEAD_LETTER:
            line.dead += [Dead(position, key, line.attempts + 1, outcome.why) for position, key in message.changes]
            line.pass_on(message)
            line.succeeded()
            line.last_error = outcome.why
        elif line.is_active:
            line.failed(outcome.why, None, at)
            gone = outcome.status == retrying.GONE
            line.decide(State.PAUSED, Reason.RECEIVER_GONE if gone else Reason.RECEIVER_FAILING)

    async def _send(self, line: Line, message: Message, slow: Callable[[], None]) -> _Outcome | None:
        """Put a message on record and send it; None where it may no longer be sent as it is."""
        if not self._may_leave(line, message):
            return None
        try:
            await self._record(line, message)
        except QuotaUsedUp:
            line.rest_until(next_day(datetime.now(UTC)), "the grant's daily quota is used up")
            return None
        if not self._may_leave(line, message):
            return None
        return await self._post(line, message.id, message.content_type, message.body, slow)

    def _may_leave(self, line: Line, message: Message) -> bool:
        by = self.entitlement(line)
        return line.is_active and not isinstance(by, Reason) and by.grant.id == message.by.grant.id

    async def _record(self, line: Line, message: Message) -> None:
        """The entry in the access log: it stands there before anything leaves. Raises LogUnavailable."""
        stored, entities, grant = line.stored, message.entities, message.by.grant
        await self._log.write(
            Entry(
                at=datetime.now(UTC),
                action=ACTION,
                status=200,
                request_digest=sha256(b"POST %s\n%s" % (stored.url.encode(), message.body)).digest(),
                trace_id=message.id,
                process=_PROCESS,
                client=stored.client,
                dataset=stored.dataset,
                entity=entities[0] if len(entities) == 1 else None,
                entities=entities if len(entities) > 1 else None,
                fields=None if grant.fields is None else tuple(sorted(grant.fields)),
                purpose=stored.purpose,
                case_number=stored.case_number,
            ),
            [Use(grant.id, 1, grant.daily_quota)],
        )

    async def _post(
        self, line: Line, message_id: str, content_type: str, body: bytes, slow: Callable[[], None]
    ) -> _Outcome:
        at = datetime.now(UTC)
        headers = signatures.headers(message_id, int(at.timestamp()), body, line.keys_at(at))
        headers["Content-Type"] = content_type
        try:
            answer = await self._request(line, "POST", headers, body, slow)
        except NoAnswer as error:
            return _Outcome(None, str(error))
        why = "redirects are not followed" if 300 <= answer.status < 400 else ""  # noqa: PLR2004
        return _Outcome(answer.status, f"{answer.status} {why}".strip(), answer.asked_to_wait)

    async def _request(
        self, line: Line, method: str, headers: Mapping[str, str], body: bytes, slow: Callable[[], None]
    ) -> Answer:
        """A request, which tells on the way that it is slow, and remembers it of the receiver. Raises NoAnswer."""
        line.slow = False

        def take_note() -> None:
            line.slow = True
            slow()

        timer = asyncio.get_running_loop().call_later(self._settings.slow_seconds, take_note)
        try:
            return await self._poster.send(line.stored.url, method, headers, body)
        finally:
            timer.cancel()

    # -- what is not the next change -----------------------------------------------------------------------------------

    async def _redeliver(self, line: Line, letter: Letter, slow: Callable[[], None]) -> None:
        """A dead letter once more, as it looks under the present grant."""
        why: str | None
        by = self.entitlement(line)
        if isinstance(by, Reason):
            line.decide(State.PAUSED, by)
            return
        try:
            found = await changes.after(
                self._pool,
                Position(letter.position.xid, letter.position.seq - 1),
                [line.stored.dataset_id],
                1,
                partly=[line.stored.dataset_id] if by.grant.rows else [],
            )
        except PositionLost:
            found = changes.Changes((), letter.position, more=False)
        items = [item for row in found.rows if (item := Item.of(row)).position == letter.position]
        message = self._composed(line, by, items)
        if message is None:
            why = "the change is no longer kept" if not items else "the grant does not show it any more"
        else:
            outcome = await self._send(line, message, slow)
            if outcome is None:
                return
            good = outcome.status is not None and 200 <= outcome.status < 300  # noqa: PLR2004
            why = None if good else outcome.why
        line.letters.pop(letter.id, None)
        line.answered.append((letter.id, why))
        line.changed = True

    async def _test(self, line: Line, slow: Callable[[], None]) -> None:
        """An event that tells nothing, in whatever state the subscription is."""
        line.test_wanted = False
        at = datetime.now(UTC)
        body = events.test_event(self._settings.public_url, line.stored.id, at)
        named = f"msg_test_{line.stored.id.removeprefix('sub_')}_{int(at.timestamp() * 1000)}"
        content_type = events.BATCH if line.stored.batch else events.SINGLE
        whole = events.batched([body]) if line.stored.batch else body
        line.test_result = (await self._post(line, named, content_type, whole, slow)).why
        line.changed = True

    async def _ask(self, line: Line, slow: Callable[[], None]) -> None:
        """Whether the receiver agrees, as CloudEvents' HTTP 1.1 Web Hooks have it (OPTIONS)."""
        try:
            answer = await self._request(line, "OPTIONS", {"WebHook-Request-Origin": self._origin}, b"", slow)
        except NoAnswer as error:
            why = str(error)
        else:
            allowed = {each.strip() for each in answer.headers.get("webhook-allowed-origin", "").split(",")}
            if 200 <= answer.status < 300 and allowed & {"*", self._origin}:  # noqa: PLR2004
                line.verified = True
                line.succeeded()
                line.decide(State.ACTIVE)
                return
            why = f"the answer to OPTIONS was {answer.status}, without WebHook-Allowed-Origin: {self._origin}"
        if line.state is not State.PENDING:
            return
        wait = retrying.delay(min(120.0, self._settings.schedule.first * 2**line.attempts), random.random())  # noqa: S311
        line.failed(why, wait, datetime.now(UTC))
        if line.attempts >= HANDSHAKES:
            line.decide(State.PAUSED, Reason.NOT_VERIFIED)


def _name(item: Item) -> str:
    return f"{item.position.xid}-{item.position.seq}"
