"""Subscribers get changes in the version that their own grant is pinned to, as they do when they read."""

from __future__ import annotations

from typing import Any

from registry.intake.batches import DatasetEntry
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
