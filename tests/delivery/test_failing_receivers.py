"""What a receiver does harms itself only: it is tried again, given up after a stated time, and loses nothing."""

from __future__ import annotations

import itertools
import socket
import time
from datetime import UTC, datetime, timedelta

import pytest

from registry.delivery import subscriptions
from registry.domain.delivery.addresses import AddressRules
from registry.domain.delivery.retrying import Schedule
from registry.domain.delivery.states import Reason, State
from registry.grants import giving
from registry.storage.database import connect
from tests import granting
from tests.api.feeding import enterprise, enterprises, uscc
from tests.delivery.conftest import LOOPBACK, Desk
from tests.delivery.receiving import Received, Receiver, receiving


def test_a_message_is_tried_again_with_the_same_id_and_a_fresh_signature(desk: Desk, receiver: Receiver) -> None:
    enterprises(desk.url).publish([enterprise(1)])
    answers = itertools.chain([503, 500], itertools.repeat(204))
    receiver.answer = lambda _: (next(answers), {}, b"")
    subscription, _ = desk.subscribe(receiver)
    desk.deliver()

    found = receiver.wait_for(3)

    assert len({message.headers["webhook-id"] for message in receiver.messages}) == 1
    assert len({event["id"] for event in found}) == 1
    shown = desk.wait(subscription, lambda each: each.delivered == 1)
    assert (shown.attempts, shown.failing_since, shown.state) == (0, None, State.ACTIVE)


def test_what_a_receiver_refuses_becomes_a_dead_letter_and_the_rest_goes_on(desk: Desk, receiver: Receiver) -> None:
    enterprises(desk.url).publish([enterprise(number) for number in (1, 2, 3)])
    refused = uscc(2).encode()
    receiver.answer = lambda message: (422 if refused in message.body else 204, {}, b"")
    subscription, _ = desk.subscribe(receiver)
    desk.deliver()
    desk.wait(subscription, lambda each: each.delivered == 2 and each.dead_letters == 1)

    (letter,) = desk.act(subscriptions.dead_letters, subscription, 0, 10)
    assert (letter.key, letter.attempts, letter.reason) == (uscc(2), 5, "422")

    receiver.answer = lambda _: (204, {}, b"")
    assert desk.act(subscriptions.redeliver, subscription) == 1
    desk.wait(subscription, lambda each: each.dead_letters == 0)
    assert receiver.events[-1]["subject"] == uscc(2)
    assert len({each["id"] for each in receiver.events if each["subject"] == uscc(2)}) == 1
    (letter,) = desk.act(subscriptions.dead_letters, subscription, 0, 10)
    assert letter.redelivered_at is not None


def test_a_receiver_that_fails_until_the_time_is_up_is_paused_and_resumed_without_loss(
    desk: Desk, receiver: Receiver
) -> None:
    enterprises(desk.url).publish([enterprise(1), enterprise(2)])
    receiver.answer = lambda _: (503, {}, b"")
    subscription, _ = desk.subscribe(receiver)
    desk.deliver(schedule=Schedule(first=0.02, longest=0.1, give_up=0.5))

    shown = desk.wait(subscription, lambda each: each.state is State.PAUSED)

    assert shown.reason is Reason.RECEIVER_FAILING
    assert shown.last_error == "503"
    receiver.answer = lambda _: (204, {}, b"")
    desk.act(subscriptions.resume, subscription)
    desk.wait(subscription, lambda each: each.delivered == 2)
    assert shown.dead_letters == 0


def test_410_pauses_at_once(desk: Desk, receiver: Receiver) -> None:
    enterprises(desk.url).publish([enterprise(1)])
    receiver.answer = lambda _: (410, {}, b"")
    subscription, _ = desk.subscribe(receiver)
    desk.deliver()

    shown = desk.wait(subscription, lambda each: each.state is State.PAUSED)

    assert shown.reason is Reason.RECEIVER_GONE
    assert len(receiver.messages) == 1


def test_a_receiver_that_does_not_agree_gets_nothing(desk: Desk, receiver: Receiver) -> None:
    enterprises(desk.url).publish([enterprise(1)])
    receiver.allowed_origin = "https://another.example.com"
    subscription, _ = desk.subscribe(receiver)
    desk.deliver()

    shown = desk.wait(subscription, lambda each: each.attempts >= 2)

    assert shown.state is State.PENDING
    assert shown.last_error is not None
    assert "WebHook-Allowed-Origin: hub.example.gov.cn" in shown.last_error
    assert receiver.messages == []
    receiver.allowed_origin = "hub.example.gov.cn"
    receiver.wait_for(1)


def test_redirects_are_not_followed(desk: Desk, receiver: Receiver) -> None:
    enterprises(desk.url).publish([enterprise(1)])
    with receiving() as elsewhere:
        receiver.answer = lambda _: (307, {"Location": elsewhere.url()}, b"")
        subscription, _ = desk.subscribe(receiver)
        desk.deliver()
        shown = desk.wait(subscription, lambda each: each.attempts >= 1)

        assert shown.last_error == "307 redirects are not followed"
        assert elsewhere.received == []


def test_a_private_address_is_not_connected_to_whatever_name_leads_there(desk: Desk, receiver: Receiver) -> None:
    enterprises(desk.url).publish([enterprise(1)])
    subscription, _ = desk.subscribe(f"http://localhost:{receiver.port}/events")
    desk.deliver(addresses=AddressRules(http=True, networks=(), ports=None))

    shown = desk.wait(subscription, lambda each: each.attempts >= 1)

    assert shown.last_error is not None
    assert "not public" in shown.last_error
    assert receiver.received == []


def test_a_name_is_resolved_once_and_that_address_is_connected_to(
    desk: Desk, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DNS rebinding: the second answer of the name server would lead elsewhere, but nobody asks it."""
    enterprises(desk.url).publish([enterprise(1)])
    asked: list[object] = []
    real = socket.getaddrinfo

    def resolve(host: object, port: object, *rest: object, **more: object) -> object:
        if host == "rebinding.example":
            asked.append(host)
            address = "127.0.0.1" if len(asked) == 1 else "127.9.9.9"
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]
        return real(host, port, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    desk.subscribe(f"http://rebinding.example:{receiver.port}/events")
    desk.deliver(addresses=LOOPBACK)

    receiver.wait_for(1)

    assert asked == ["rebinding.example"]  # asked once, for the connection that is kept
    assert receiver.messages[0].headers["host"] == f"rebinding.example:{receiver.port}"


def test_a_long_answer_is_cut_off(desk: Desk, receiver: Receiver) -> None:
    enterprises(desk.url).publish([enterprise(1)])
    receiver.answer = lambda _: (200, {}, b"x" * 200_000)
    subscription, _ = desk.subscribe(receiver)
    desk.deliver()

    shown = desk.wait(subscription, lambda each: each.attempts >= 1)

    assert shown.last_error == "the answer is longer than 65536 bytes"


def test_slow_and_dead_receivers_hold_up_nobody(desk: Desk, receiver: Receiver) -> None:
    feed = enterprises(desk.url)
    feed.publish([enterprise(1)])
    with receiving() as slow, socket.create_server(("127.0.0.1", 0)) as silent:

        def dawdle(_: Received) -> tuple[int, dict[str, str], bytes]:
            time.sleep(1.5)
            return 204, {}, b""

        slow.answer = dawdle
        client = desk.client("legal_entity")
        for _ in range(10):
            desk.subscribe(slow, client=client)
        for _ in range(10):
            made, _ = desk.subscribe(f"http://127.0.0.1:{silent.getsockname()[1]}/", client=client)
            desk.act(_activate, made)
        desk.subscribe(receiver)
        desk.deliver(slow_seconds=0.2, at_once=4, slow_at_once=4)
        receiver.wait_for(1)
        begun = time.monotonic()

        feed.publish([enterprise(number) for number in range(2, 12)])
        receiver.wait_for(11)

    assert time.monotonic() - begun < 3


def _activate(connection: object, subscription: str) -> None:
    connection.execute(  # type: ignore[attr-defined]
        "UPDATE registry.subscription SET state = 'active' WHERE id = %s", (subscription,)
    )


def test_a_revoked_grant_stops_events_at_once_and_the_owner_sees_why(desk: Desk, receiver: Receiver) -> None:
    feed = enterprises(desk.url)
    feed.publish([enterprise(1)])
    subscription, _ = desk.subscribe(receiver)
    desk.deliver()
    receiver.wait_for(1)
    with connect(desk.url) as connection:
        row = connection.execute("SELECT id FROM registry.access_grant").fetchone()
        assert row is not None
        giving.revoke(connection, row[0], reason="test", by="a test")
    shown = desk.wait(subscription, lambda each: each.state is State.PAUSED)
    feed.publish([enterprise(2)])

    assert shown.reason is Reason.GRANT_ENDED
    desk.stop()
    assert len(receiver.events) == 1


def test_a_changed_grant_counts_for_the_next_event(desk: Desk, receiver: Receiver) -> None:
    feed = enterprises(desk.url)
    feed.publish([enterprise(1)])
    client = desk.client("legal_entity")
    desk.subscribe(receiver, client=client)
    desk.deliver()
    receiver.wait_for(1)
    granting.grant(desk.url, client, "legal_entity", fields=["name", "status"], rows={"status": ["active"]})
    time.sleep(0.3)  # the service looks at grants every 0.05 s here
    feed.publish([enterprise(2), enterprise(3, status="revoked")])

    found = receiver.wait_for(2)

    assert found[1]["data"]["body"] == {"uscc": uscc(2), "name": "第2号公司", "status": "active"}
    feed.publish([enterprise(2, status="revoked")])
    found = receiver.wait_for(3)
    assert (found[2]["type"], found[2]["subject"], found[2]["data"]["body"]) == (
        "shuqiao.record.deleted",
        uscc(2),
        None,
    )


def test_after_the_database_was_away_everything_goes_on(desk: Desk, receiver: Receiver) -> None:
    feed = enterprises(desk.url)
    feed.publish([enterprise(1)])
    desk.subscribe(receiver)
    desk.deliver()
    receiver.wait_for(1)
    for number in (2, 3):
        with connect(desk.url) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        feed.publish([enterprise(number)])
        receiver.wait(lambda number=number: uscc(number) in {each["subject"] for each in receiver.events}, 30)  # type: ignore[misc]


def test_a_grant_that_runs_out_pauses_its_subscriptions_also_where_nothing_happens(
    desk: Desk, receiver: Receiver
) -> None:
    enterprises(desk.url).publish([enterprise(1)])
    client = desk.client("legal_entity")
    granting.grant(desk.url, client, "legal_entity", valid_until=datetime.now(UTC) + timedelta(seconds=2))
    subscription, _ = desk.subscribe(receiver, client=client)
    desk.deliver()

    shown = desk.wait(subscription, lambda each: each.state is State.PAUSED)

    assert shown.reason is Reason.GRANT_ENDED


def test_a_daily_quota_stops_the_sending_until_the_next_day(desk: Desk, receiver: Receiver) -> None:
    enterprises(desk.url).publish([enterprise(number) for number in range(3)])
    client = desk.client("legal_entity")
    granting.grant(desk.url, client, "legal_entity", daily_quota=2)
    subscription, _ = desk.subscribe(receiver, client=client)
    desk.deliver()

    shown = desk.wait(subscription, lambda each: each.delivered == 2 and each.next_attempt_at is not None)
    desk.stop()

    assert shown.last_error == "the grant's daily quota is used up"
    assert len(receiver.events) == 2
