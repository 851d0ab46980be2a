"""``shuqiao subscriptions``: what an operator sees and does."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from registry.delivery import subscriptions
from registry.signing.master_key import MasterKey
from registry.storage.database import connect
from registry.storage.reads.changes import START
from shuqiao.cli.application import application
from tests import granting
from tests.api.feeding import enterprise, enterprises


@pytest.fixture
def subscription(registry_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("SHUQIAO_DATABASE_URL", registry_url)
    enterprises(registry_url).publish([enterprise(1)])
    client = granting.enter(registry_url, "bank", ["read:legal_entity"]).id
    with connect(registry_url) as connection:
        made, _ = subscriptions.enter(
            connection, MasterKey(bytes(32)), client=client, dataset_id=1, url="https://bank.example.com/events",
            position=START,
        )  # fmt: skip
        connection.execute(
            "INSERT INTO registry.dead_letter (subscription_id, xid, seq, key, attempts, reason)"
            " SELECT %s, xid, seq, key, 5, '422' FROM registry.change",
            (made,),
        )
    return made


def run(*arguments: str) -> str:
    ended = CliRunner().invoke(application(), list(arguments))
    assert ended.exit_code == 0, ended.output
    return ended.stdout


def test_an_operator_sees_pauses_and_resumes_a_subscription(subscription: str) -> None:
    (listed,) = json.loads(run("subscriptions", "list", "--json"))
    assert (listed["id"], listed["state"], listed["dead_letters"]) == (subscription, "pending", 1)
    assert subscription in run("subscriptions", "list")

    paused = json.loads(run("subscriptions", "pause", subscription, "--json"))
    assert (paused["state"], paused["reason"]) == ("paused", "operator")
    troubled = CliRunner().invoke(application(), ["subscriptions", "list", "--paused"])
    assert subscription in troubled.stdout
    assert f"{subscription}: " in troubled.stderr
    assert "运营方" in troubled.stderr
    assert "运营方" in run("subscriptions", "show", subscription)
    assert json.loads(run("subscriptions", "resume", subscription, "--json"))["state"] == "pending"


def test_dead_letters_are_listed_and_sent_once_more(subscription: str) -> None:
    (letter,) = json.loads(run("subscriptions", "dead-letters", subscription, "--json"))
    assert letter["reason"] == "422"
    assert "422" in run("subscriptions", "dead-letters", subscription)

    assert json.loads(run("subscriptions", "redeliver", subscription, "--json")) == {"redelivering": 1}
    assert json.loads(run("subscriptions", "redeliver", subscription, "--json")) == {"redelivering": 0}


@pytest.mark.usefixtures("subscription")
def test_an_unknown_subscription_is_told() -> None:
    ended = CliRunner().invoke(application(), ["subscriptions", "show", "sub_none"])

    assert ended.exit_code == 2
    assert "sub_none" in ended.stderr
