"""Clients subscribe to what is granted to them, and see and change their own subscriptions only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import requests

from registry.api import paging
from registry.delivery import subscriptions
from registry.domain.delivery.addresses import AddressRules
from registry.signing.master_key import MasterKey
from registry.storage.database import connect
from tests import granting
from tests.api.conftest import Api, Reader
from tests.api.feeding import enterprise, enterprises, permit, permits

MASTER_KEY = MasterKey(bytes(range(32)))
URL = "https://bank.example.com/events"


@pytest.fixture
def api(start: Callable[..., Api], registry_url: str) -> Api:
    enterprises(registry_url).publish([enterprise(1)])
    permits(registry_url).publish([permit(1, "A")])
    return start(master_key=MASTER_KEY, receivers=AddressRules())


def send(reader: Reader, path: str, *, method: str = "POST", **content: Any) -> requests.Response:
    return reader.session.request(
        method,
        f"{reader.address}/api/v1/subscriptions{path}",
        json=content if method == "POST" else None,
        headers={"Authorization": f"Bearer {reader.token}"},
        timeout=30,
    )


def subscribed(reader: Reader, **content: Any) -> dict[str, Any]:
    answer = send(reader, "", **{"dataset": "legal_entity", "url": URL, **content})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_a_subscription_is_entered_with_a_secret_that_is_shown_once(api: Api) -> None:
    reader = api.client("read:legal_entity")

    made = subscribed(reader)

    assert made["state"] == "pending"
    assert made["secret"].startswith("whsec_")
    shown = reader.get(f"/subscriptions/{made['id']}")
    assert shown == {name: value for name, value in made.items() if name != "secret"}
    assert reader.get("/subscriptions") == {"subscriptions": [shown]}
    with connect(api.settings.database_url) as connection:
        row = connection.execute("SELECT secret FROM registry.subscription").fetchone()
    assert row is not None
    assert made["secret"].encode() not in row[0]


def test_another_clients_subscription_looks_like_none(api: Api) -> None:
    made = subscribed(api.client("read:legal_entity"))
    other = api.client("read:legal_entity")

    for method, path in (
        ("GET", ""), ("DELETE", ""), ("POST", "/pause"), ("POST", "/resume"), ("POST", "/test"), ("POST", "/secret"),
        ("GET", "/dead-letters"),
    ):  # fmt: skip
        answer = send(other, f"/{made['id']}{path}", method=method)
        assert answer.status_code == 404, (method, path, answer.text)
    assert send(other, f"/{made['id']}/replay", after=None).status_code == 404
    assert send(other, f"/{made['id']}/dead-letters/redeliver").status_code == 404
    assert other.get("/subscriptions") == {"subscriptions": []}


def test_only_a_granted_dataset_can_be_subscribed_to(api: Api) -> None:
    refused = send(api.client("read:permit"), "", dataset="legal_entity", url=URL)

    assert refused.status_code == 403
    assert refused.json()["type"] == "/problems/not-granted"


def test_the_purpose_that_a_grant_wants_is_stated_when_subscribing(api: Api, registry_url: str) -> None:
    reader = api.client()
    assert reader.client is not None
    granting.grant(registry_url, reader.client.id, "legal_entity", purposes=["credit_lending"])
    reader = api.signed_in(reader.client)

    assert send(reader, "", dataset="legal_entity", url=URL).json()["type"] == "/problems/purpose-not-granted"
    made = reader.session.post(
        f"{api.address}/api/v1/subscriptions",
        json={"dataset": "legal_entity", "url": URL},
        headers={"Authorization": f"Bearer {reader.token}", "Access-Purpose": "credit_lending"},
        timeout=30,
    )
    assert made.status_code == 201
    assert made.json()["purpose"] == "credit_lending"


@pytest.mark.parametrize(
    "url",
    [
        "http://bank.example.com/events",
        "https://127.0.0.1/events",
        "https://169.254.169.254/latest/meta-data",
        "https://[::ffff:10.0.0.1]/",
        "https://user:password@bank.example.com/",
        "https://bank.example.com:22/",
        "https://bank.example.com/#part",
        "ftp://bank.example.com/",
        "nonsense",
    ],
)
def test_an_address_that_the_hub_does_not_send_to_is_refused_with_the_reason(api: Api, url: str) -> None:
    refused = send(api.client("read:legal_entity"), "", dataset="legal_entity", url=url)

    assert refused.status_code == 400, refused.text
    assert refused.json()["type"] == "/problems/invalid-body"
    assert refused.json()["errors"][0]["pointer"] == "#/url"


def test_a_subscription_is_paused_resumed_set_back_and_ended(api: Api) -> None:
    reader = api.client("read:legal_entity")
    made = subscribed(reader)
    path = f"/{made['id']}"

    paused = send(reader, f"{path}/pause").json()
    assert (paused["state"], paused["reason"]["code"]) == ("paused", "owner")
    assert send(reader, f"{path}/resume").json()["state"] == "pending"
    end = reader.get("/changes", after="end")["next"]
    assert send(reader, f"{path}/replay", after=end).json()["cursor"] == end
    assert send(reader, f"{path}/replay", after=None).status_code == 200
    assert send(reader, f"{path}/test").status_code == 202
    replaced = send(reader, f"{path}/secret").json()
    assert replaced["secret"] != made["secret"]
    assert replaced["previous_secret_until"] is not None
    assert send(reader, path, method="GET").status_code == 200
    assert send(reader, path, method="DELETE").status_code == 204
    assert send(reader, path, method="GET").status_code == 404


def test_the_operators_pause_is_not_undone_by_the_owner(api: Api, registry_url: str) -> None:
    reader = api.client("read:legal_entity")
    made = subscribed(reader)
    with connect(registry_url) as connection:
        subscriptions.pause(connection, made["id"])

    refused = send(reader, f"/{made['id']}/resume")

    assert refused.status_code == 409
    assert refused.json()["reason"] == "paused_by_operator"


def test_a_cursor_that_is_none_or_too_old_is_refused(api: Api) -> None:
    reader = api.client("read:legal_entity")
    made = subscribed(reader)

    assert send(reader, f"/{made['id']}/replay", after="nonsense").json()["type"] == "/problems/invalid-cursor"
    lost = paging.cursor("feed", [1 << 40, 0])
    assert send(reader, f"/{made['id']}/replay", after=lost).status_code == 410


def test_a_client_has_a_hundred_subscriptions_at_most(api: Api, registry_url: str) -> None:
    reader = api.client("read:legal_entity")
    made = subscribed(reader)
    with connect(registry_url) as connection:
        connection.execute(
            "INSERT INTO registry.subscription (id, shard, client_id, dataset_id, url, secret, position_xid,"
            " position_seq) SELECT 'sub_' || n, 0, client_id, dataset_id, url, secret, position_xid, position_seq"
            " FROM registry.subscription, generate_series(1, 99) n"
        )

    refused = send(reader, "", dataset="legal_entity", url=URL)
    assert refused.status_code == 409
    assert refused.json()["reason"] == "too_many"
    send(reader, f"/{made['id']}", method="DELETE")
    subscribed(reader)


def test_without_a_master_key_nobody_subscribes(start: Callable[..., Api], registry_url: str) -> None:
    enterprises(registry_url).publish([enterprise(1)])
    api = start()

    assert send(api.client("read:legal_entity"), "", dataset="legal_entity", url=URL).status_code == 503
