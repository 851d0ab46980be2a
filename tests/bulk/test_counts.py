"""Counts tell of nobody in particular: small groups, what is left over, differences, repetition."""

from __future__ import annotations

import math
import statistics
from datetime import UTC, datetime

import hypothesis.strategies as st
from hypothesis import given

from registry.api.routes.bulk.counts import settled_midnight
from registry.domain.bulk.counts import EPSILON, Group, merged, noise, shown
from registry.storage.database import connect
from tests import granting
from tests.api.conftest import Api
from tests.api.feeding import enterprise, enterprises

K = 10
counts = st.lists(st.integers(1, 40), max_size=12)


def groups(sizes: list[int]) -> list[Group]:
    return [Group({"g": n}, size, n * 7919 + size) for n, size in enumerate(sizes)]


@given(counts)
def test_no_group_below_the_smallest_is_shown_nor_left_over(sizes: list[int]) -> None:
    found = shown(groups(sizes), K)

    assert all(group.count >= K for group in found)
    together = [group for group in found if group.values is None]
    named = [group for group in found if group.values is not None]
    left_over = sum(sizes) - sum(group.count for group in named)
    if not found:
        assert sum(sizes) < K
    elif together:
        assert [group.count for group in together] == [left_over]
        assert len(sizes) - len(named) != 1 or len(sizes) == 1  # never one group alone behind the rest
    else:
        assert left_over == 0


@given(counts)
def test_what_is_merged_is_the_set_of_all_its_records(sizes: list[int]) -> None:
    whole = merged(groups(sizes))
    found = shown(groups(sizes), K)
    if found:
        assert merged(found) == whole


def test_the_same_records_always_give_the_same_number_and_others_another() -> None:
    added = noise(b"s" * 32, "legal_entity")
    drawn = [added(Group(None, 100, mark)) for mark in range(20_000)]

    assert drawn == [added(Group({"any": "name"}, 100, mark)) for mark in range(20_000)]
    assert noise(b"t" * 32, "legal_entity")(Group(None, 100, 1)) in range(-60, 60)
    assert [noise(b"t" * 32, "legal_entity")(Group(None, 100, mark)) for mark in range(100)] != drawn[:100]
    assert abs(statistics.fmean(drawn)) < 0.1
    assert 2.6 < statistics.pstdev(drawn) < 3.0
    # The odds of neighbours differ by exp(EPSILON): what differential privacy asks of the mechanism.
    for value in range(4):
        ratio = drawn.count(value) / drawn.count(value + 1)
        assert math.exp(EPSILON) * 0.85 < ratio < math.exp(EPSILON) * 1.15


def test_a_difference_of_two_tables_does_not_tell_a_small_group() -> None:
    """By division there are 50; by division and status 47 of them are active: the 3 others cannot be had."""
    possible = set()
    for secret in range(300):
        added = noise(secret.to_bytes(32, "big"), "legal_entity")
        possible.add(50 + added(Group(None, 50, 1)) - 47 - added(Group(None, 47, 2)))
    assert min(possible) < 0
    assert max(possible) > K


def test_a_day_is_counted_once_when_its_midnight_has_settled() -> None:
    assert settled_midnight(datetime(2026, 11, 23, 16, 59, tzinfo=UTC)) == datetime(2026, 11, 22, 16, tzinfo=UTC)
    assert settled_midnight(datetime(2026, 11, 23, 17, 0, tzinfo=UTC)) == datetime(2026, 11, 23, 16, tzinfo=UTC)


def test_counts_over_http(api: Api, registry_url: str) -> None:
    feed = enterprises(registry_url)
    some = [enterprise(n, status="active", division="310101", legal_representative="张三") for n in range(60)]
    some += [enterprise(n, status="revoked", division="310104") for n in range(60, 90)]
    some += [enterprise(n, status="suspended", division="310104") for n in range(90, 93)]
    some += [enterprise(n, status="moved_out", division="310101") for n in range(93, 95)]
    feed.publish(some)
    with connect(registry_url) as connection:
        connection.execute("UPDATE registry.record SET valid_from = valid_from - interval '3 days'")
    feed.publish([enterprise(1, status="revoked", division="310101")])  # today's are not counted yet
    reader = api.client("read:legal_entity")

    by_status = reader.get("/datasets/legal_entity/counts", by="status")

    assert [group["values"] for group in by_status["groups"]] == [{"status": "active"}, None]
    assert all(group["count"] >= 10 for group in by_status["groups"])  # 30 revoked hide 5 others
    assert abs(by_status["total"] - 95) < 40
    assert by_status["groups"] == reader.get("/datasets/legal_entity/counts", by="status")["groups"]
    both = reader.get("/datasets/legal_entity/counts", by="status,division")
    assert both["by"] == ["division", "status"]
    assert both["groups"][0]["values"] == {"division": "310101", "status": "active"}
    assert both["groups"][0]["count"] == by_status["groups"][0]["count"]  # the same records: the same noise
    assert both["total"] == by_status["total"]

    for wrong in ("name", "legal_representative", "uscc", "status,status", "status,division,entity_type", "none", ""):
        answer = reader.ask("/api/v1/datasets/legal_entity/counts", by=wrong)
        assert (answer.status_code, answer.json()["type"]) == (400, "/problems/invalid-parameter"), wrong
    client = granting.enter(registry_url, "a department", [])
    granting.grant(registry_url, client.id, "legal_entity", fields=["status"], rows={"status": ["suspended"]})
    narrow = api.signed_in(client)
    assert narrow.ask("/api/v1/datasets/legal_entity/counts", by="division").status_code == 400  # not granted
    few = narrow.get("/datasets/legal_entity/counts", by="status")
    assert (few["total"], few["groups"]) == (None, [])
