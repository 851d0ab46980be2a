"""Batches from a terminal."""

from __future__ import annotations

import pytest

from tests.cli.conftest import CONNECTOR, Desk


@pytest.fixture
def held(desk: Desk) -> str:
    """The number of a batch that a gate holds."""
    for number in range(100, 140):
        desk.write(number, state="不明")
    answer = desk.shuqiao("connectors", "run", CONNECTOR, "--json")
    assert answer.code == 1
    assert answer.document["state"] == "held"
    return str(answer.document["batch"])


def test_the_newest_batches_come_first(desk: Desk) -> None:
    desk.run()
    desk.run()
    found = desk.shuqiao("batches", "list", "--json").document

    assert [each["state"] for each in found] == ["published", "published"]
    assert found[0]["id"] > found[1]["id"]
    assert desk.shuqiao("batches", "--json").document == found
    assert len(desk.shuqiao("batches", "list", "-n", "1", "--json").document) == 1
    assert desk.shuqiao("batches", "list", "--state", "held", "--json").document == []
    assert CONNECTOR in desk.shuqiao("batches").out
    assert desk.shuqiao("batches", "list", "--state", "lost").code == 2


def test_a_held_batch_says_why_and_what_to_do(desk: Desk, held: str) -> None:
    found = desk.shuqiao("batches", "show", held, "--json").document
    assert found["held_reasons"][0]["code"] == "too_many_refused"
    assert found["parts"][0]["pulled"] == 47
    answer = desk.shuqiao("batches", "show", held)
    assert "limit is 50.0%" in answer.out.replace("\n", " ")
    assert f"approve {held}" in answer.err


def test_approved_it_is_published_with_the_name_of_who_approved(desk: Desk, held: str) -> None:
    answer = desk.shuqiao("batches", "approve", held, "--by", "值班员", "--json")

    assert answer.code == 0
    assert (answer.document["state"], answer.document["new"]) == ("published", 5)
    assert desk.shuqiao("batches", "show", held, "--json").document["approved_by"] == "值班员"
    again = desk.shuqiao("batches", "approve", held)
    assert again.code == 1
    assert "published" in again.err


def test_discarded_it_publishes_nothing(desk: Desk, held: str) -> None:
    assert desk.shuqiao("batches", "discard", held, "--json").document["state"] == "discarded"
    assert desk.shuqiao("datasets", "--json").document[0]["records"] == 0
    for verb in ("discard", "approve", "publish"):
        assert desk.shuqiao("batches", verb, held).code == 1


def test_publishing_a_held_batch_does_not_pass_the_gates(desk: Desk, held: str) -> None:
    assert desk.shuqiao("batches", "publish", held).code == 1
    assert desk.shuqiao("datasets", "--json").document[0]["records"] == 0


def test_a_batch_that_is_not_there_ends_with_2(desk: Desk) -> None:
    for verb in ("show", "approve", "publish", "discard"):
        answer = desk.shuqiao("batches", verb, "4711")
        assert (answer.code, answer.out) == (2, "")
        assert "4711" in answer.err
