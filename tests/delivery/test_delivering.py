"""Changes reach subscribers: signed, in order, at least once, with ids that stay the same."""

from __future__ import annotations

import time
from hashlib import sha256

from standardwebhooks import Webhook

from registry.delivery import subscriptions
from registry.domain.delivery.states import State
from registry.storage.database import connect
from registry.storage.reads.changes import START
from tests.api.feeding import enterprise, enterprises, permit, permits, uscc
from tests.delivery.conftest import MASTER_KEY, Desk
from tests.delivery.receiving import Received, Receiver


def test_changes_reach_a_subscriber_as_signed_cloud_events_in_order(desk: Desk, receiver: Receiver) -> None:
    feed = enterprises(desk.url)
    feed.publish([enterprise(1)])
    feed.publish([enterprise(1, status="revoked")])
    subscription, secret = desk.subscribe(receiver)
    desk.deliver()
    receiver.wait_for(2)
    feed.publish(deleted=[enterprise(1)])

    found = receiver.wait_for(3)

    assert [(event["type"], event["data"]["body"]) for event in found] == [
        ("shuqiao.record.new", enterprise(1)),
        ("shuqiao.record.changed", enterprise(1, status="revoked")),
        ("shuqiao.record.deleted", None),
    ]
    first = found[0]
    assert first["specversion"] == "1.0"
    assert first["source"] == "https://hub.example.gov.cn/api/v1/datasets/legal_entity"
    assert first["subject"] == uscc(1)
    assert first["id"] == first["data"]["id"]
    assert [event["sequence"] for event in found] == sorted(event["sequence"] for event in found)
    for message in receiver.messages:
        assert message.headers["content-type"] == "application/cloudevents+json; charset=utf-8"
        assert Webhook(secret).verify(message.body, message.headers)
    shown = desk.wait(subscription, lambda each: each.delivered == 3)
    assert shown.state is State.ACTIVE
    assert shown.verified_at is not None


def test_in_batch_mode_many_events_are_one_message(desk: Desk, receiver: Receiver) -> None:
    enterprises(desk.url).publish([enterprise(number) for number in range(250)])
    _, secret = desk.subscribe(receiver, batch=True)
    desk.deliver()

    found = receiver.wait_for(250)

    assert [len(message.events) for message in receiver.messages] == [100, 100, 50]
    assert {event["subject"] for event in found} == {uscc(number) for number in range(250)}
    for message in receiver.messages:
        assert message.headers["content-type"] == "application/cloudevents-batch+json; charset=utf-8"
        assert Webhook(secret).verify(message.body, message.headers)


def test_while_a_secret_is_replaced_messages_can_be_verified_with_either(desk: Desk, receiver: Receiver) -> None:
    feed = enterprises(desk.url)
    feed.publish([enterprise(1)])
    subscription, old = desk.subscribe(receiver)
    desk.deliver()
    receiver.wait_for(1)
    new = desk.act(subscriptions.new_secret, MASTER_KEY, subscription)
    time.sleep(0.3)  # the service looks every 0.05 s here
    feed.publish([enterprise(2)])
    receiver.wait_for(2)

    message = receiver.messages[1]
    assert Webhook(old).verify(message.body, message.headers)
    assert Webhook(new).verify(message.body, message.headers)


def test_a_replay_sends_the_same_events_with_the_same_ids(desk: Desk, receiver: Receiver) -> None:
    enterprises(desk.url).publish([enterprise(1), enterprise(2)])
    subscription, _ = desk.subscribe(receiver)
    desk.deliver()
    receiver.wait_for(2)
    desk.act(subscriptions.replay, subscription, START)

    found = receiver.wait_for(4)

    assert found[2:] == found[:2]


def test_a_subscription_begins_where_its_owner_says(desk: Desk, receiver: Receiver) -> None:
    feed = enterprises(desk.url)
    feed.publish([enterprise(1)])
    desk.subscribe(receiver, position=None)
    desk.deliver()
    feed.publish([enterprise(2)])

    assert [event["subject"] for event in receiver.wait_for(1)] == [uscc(2)]


def test_a_subscription_of_a_dataset_that_is_new_to_the_service_misses_nothing(desk: Desk, receiver: Receiver) -> None:
    enterprises(desk.url).publish([enterprise(1)])
    desk.subscribe(receiver)
    desk.deliver()
    receiver.wait_for(1)
    permits(desk.url).publish([permit(1, "A"), permit(2, "B")])
    desk.subscribe(receiver, "permit")

    assert {event["subject"] for event in receiver.wait_for(3)} == {uscc(1), "A", "B"}


def test_two_processes_divide_the_subscriptions_and_send_everything_once(desk: Desk, receiver: Receiver) -> None:
    feed = enterprises(desk.url)
    feed.publish([enterprise(1)])
    client = desk.client("legal_entity")
    for _ in range(10):
        desk.subscribe(receiver, client=client)
    desk.deliver()
    desk.deliver()
    receiver.wait_for(10)
    feed.publish([enterprise(2)])
    receiver.wait_for(20)
    desk.stop()
    feed.publish([enterprise(3)])
    desk.deliver()

    receiver.wait_for(30)

    assert len(receiver.messages) == len({message.headers["webhook-id"] for message in receiver.messages})


def test_a_test_event_tells_nothing_and_its_owner_sees_what_came_of_it(desk: Desk, receiver: Receiver) -> None:
    enterprises(desk.url).publish([enterprise(1)])
    subscription, secret = desk.subscribe(receiver, position=None)
    desk.deliver()
    desk.act(subscriptions.request_test, subscription)

    (event,) = receiver.wait_for(1)

    assert event["type"] == "shuqiao.subscription.test"
    assert "data" not in event
    assert Webhook(secret).verify(receiver.messages[0].body, receiver.messages[0].headers)
    assert desk.wait(subscription, lambda each: each.tested_at is not None).test_result == "204"


def test_a_message_is_on_record_before_it_leaves(desk: Desk, receiver: Receiver) -> None:
    enterprises(desk.url).publish([enterprise(1)])
    seen: list[object] = []

    def look(message: Received) -> tuple[int, dict[str, str], bytes]:
        with connect(desk.url) as connection:
            seen.append(
                connection.execute(
                    "SELECT action, client IS NOT NULL, dataset, entity, request_digest FROM registry.access_log"
                    " WHERE trace_id = %s",
                    (message.headers["webhook-id"],),
                ).fetchone()
            )
        return 204, {}, b""

    receiver.answer = look
    desk.subscribe(receiver, purpose="credit_lending")
    desk.deliver()
    receiver.wait_for(1)
    receiver.wait(lambda: bool(seen))

    digest = sha256(b"POST " + receiver.url().encode() + b"\n" + receiver.messages[0].body).digest()
    assert seen == [("DELIVER /api/v1/subscriptions/{subscription}", True, "legal_entity", uscc(1), digest)]


def test_without_a_log_nothing_leaves(desk: Desk, receiver: Receiver) -> None:
    enterprises(desk.url).publish([enterprise(1)])
    desk.subscribe(receiver)
    with connect(desk.url) as holder, holder.transaction():
        holder.execute("SELECT FROM registry.access_log_head FOR UPDATE")
        desk.deliver()
        receiver.wait(lambda: any(each.method == "OPTIONS" for each in receiver.received))
        time.sleep(0.5)
        assert receiver.messages == []
    receiver.wait_for(1)
