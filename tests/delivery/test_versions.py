"""Subscribers get changes in the version that their own grant is pinned to, as they do when they read."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from registry.delivery import subscriptions
from registry.domain.delivery.states import Reason, State
from registry.intake.batches import DatasetEntry
from registry.storage.database import connect
from tests import granting
from tests.api.feeding import Feed, uscc
from tests.delivery.conftest import Desk
from tests.delivery.receiving import receiving

SHOP = {"uscc": uscc(1), "number": "1", "kind": "shop", "manager": "张建国"}


def outlets(url: str, version: int) -> Feed:
    entry = DatasetEntry(
        "outlet", f"outlet@{version}", "经营网点", "Outlets", "commerce", ("number",), "uscc", "conditional"
    )
    return Feed(url, "commerce.outlet", entry)


def pinned(desk: Desk, version: int, **terms: Any) -> str:
    client = granting.enter(desk.url, f"pinned to {version}", []).id
    granting.grant(desk.url, client, "outlet", f"outlet@{version}", **terms)
    return client


def test_two_subscribers_of_one_dataset_get_each_their_own_version(desk: Desk) -> None:
    outlets(desk.url, 2).publish([{**SHOP, "area": "east"}])
    with receiving() as old, receiving() as new:
        desk.subscribe(old, "outlet", client=pinned(desk, 1))
        desk.subscribe(new, "outlet", client=pinned(desk, 2))
        desk.deliver()

        (first,), (second,) = old.wait_for(1), new.wait_for(1)

    assert first["data"]["body"] == {**SHOP, "manager": "张**"}
    assert second["data"]["body"] == {**SHOP, "manager": "张**", "area": "east"}


def test_rows_of_a_grant_are_those_of_its_version(desk: Desk) -> None:
    shop = {"uscc": uscc(1), "number": "1", "category": "A", "head": "李小明", "area": "east"}
    outlets(desk.url, 3).publish([{**shop, "number": "2", "category": "B"}, shop])
    with receiving() as receiver:
        desk.subscribe(receiver, "outlet", client=pinned(desk, 1, rows={"kind": ["shop"]}))
        desk.deliver()

        found = receiver.wait_for(1)

    assert [event["data"]["body"] for event in found] == [{**SHOP, "manager": "李**"}]


def superseded(desk: Desk, ago: timedelta) -> None:
    """The second version took the first one's place so long ago."""
    with connect(desk.url) as connection:
        connection.execute(
            "UPDATE registry.dataset_schema SET since = clock_timestamp() - %s"
            " - CASE schema WHEN 'outlet@1' THEN interval '1 day' ELSE interval '0' END",
            (ago,),
        )


def test_an_old_version_that_is_not_served_any_more_pauses_until_the_grant_is_moved(desk: Desk) -> None:
    outlets(desk.url, 1).publish()
    client = pinned(desk, 1)
    feed = outlets(desk.url, 2)
    feed.publish([{**SHOP, "area": "east"}])
    superseded(desk, timedelta(days=365, seconds=-3))
    with receiving() as receiver:
        subscription, _ = desk.subscribe(receiver, "outlet", client=client)
        desk.deliver()
        (before,) = receiver.wait_for(1)
        shown = desk.wait(subscription, lambda each: each.state is State.PAUSED)
        feed.publish([{**SHOP, "area": "east"}, {**SHOP, "number": "2", "area": "west"}])

        assert before["data"]["body"] == {**SHOP, "manager": "张**"}
        assert shown.reason is Reason.VERSION_ENDED
        desk.act(subscriptions.resume, subscription)
        desk.wait(subscription, lambda each: each.state is State.PAUSED)
        granting.grant(desk.url, client, "outlet", "outlet@2")
        desk.act(subscriptions.resume, subscription)

        _, after = receiver.wait_for(2)
    assert after["data"]["body"] == {**SHOP, "number": "2", "manager": "张**", "area": "west"}
