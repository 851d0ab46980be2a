"""Changes reach subscribers: signed, in order, at least once, with ids that stay the same."""

from __future__ import annotations

from standardwebhooks import Webhook

from registry.domain.delivery.states import State
from tests.api.feeding import enterprise, enterprises, uscc
from tests.delivery.conftest import Desk
from tests.delivery.receiving import Receiver


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
