"""Clients subscribe to what is granted to them, and see and change their own subscriptions only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from registry.api import paging
from registry.delivery import subscriptions
from registry.domain.delivery.addresses import AddressRules
from registry.intake.batches import DatasetEntry
from registry.signing.master_key import MasterKey
from registry.storage.database import connect
from tests import granting
from tests.api.conftest import Api, Reader
from tests.api.feeding import Feed, bury, enterprise, enterprises, permit, permits, uscc

MASTER_KEY = MasterKey(bytes(range(32)))
URL = "https://bank.example.com/events"
ASKED_OF_THE_FEED: Sequence[tuple[str, str, dict[str, Any]]] = (
    ("GET", "/dead-letters", {}),
    ("POST", "/dead-letters/redeliver", {}),
    ("POST", "/replay", {"after": None}),
)
ACTIONS: Sequence[tuple[str, str, dict[str, Any]]] = (
    ("GET", "", {}), ("POST", "/pause", {}), ("POST", "/resume", {}), ("POST", "/test", {}), ("POST", "/secret", {}),
    *ASKED_OF_THE_FEED, ("DELETE", "", {}),
)  # fmt: skip


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


def narrowed(api: Api, reader: Reader, *scopes: str) -> Reader:
    """The same client, with a token that it asked to be good for some of its scopes only."""
    assert reader.client is not None
    answer = api.token(auth=(reader.client.id, reader.client.secret), scope=" ".join(scopes))
    assert answer.status_code == 200, answer.text
    return Reader(reader.address, reader.session, reader.client, answer.json()["access_token"])


def test_a_token_for_some_datasets_sees_their_subscriptions_only(api: Api) -> None:
    reader = api.client("read:legal_entity", "read:permit", "operate")
    companies, permitted = subscribed(reader)["id"], subscribed(reader, dataset="permit")["id"]
    narrow = narrowed(api, reader, "read:permit")

    assert [each["id"] for each in narrow.get("/subscriptions")["subscriptions"]] == [permitted]
    assert narrowed(api, reader, "operate").get("/subscriptions") == {"subscriptions": []}
    for method, path, content in ACTIONS:
        answer = send(narrow, f"/{companies}{path}", method=method, **content)
        assert answer.status_code == 404, (method, path, answer.text)
        assert answer.json()["type"] == "/problems/not-found"
    both = narrowed(api, reader, "read:permit", "read:legal_entity")
    assert len(both.get("/subscriptions")["subscriptions"]) == 2
    shown = both.get(f"/subscriptions/{companies}")
    assert (shown["state"], shown["test"]) == ("pending", None)
    for method, path, content in ACTIONS:
        answer = send(narrow, f"/{permitted}{path}", method=method, **content)
        assert answer.status_code in {200, 202, 204}, (method, path, answer.text)


def test_a_token_of_everything_also_sees_what_came_of_a_grant_that_ended(api: Api, registry_url: str) -> None:
    reader = api.client("read:legal_entity", "read:permit")
    made = subscribed(reader)["id"]
    revoke(registry_url, reader, "legal_entity")
    assert reader.client is not None
    again = api.signed_in(reader.client)

    assert again.get(f"/subscriptions/{made}")["id"] == made
    assert narrowed(api, reader, "read:permit").get("/subscriptions") == {"subscriptions": []}
    assert send(again, f"/{made}", method="DELETE").status_code == 204


def revoke(url: str, reader: Reader, dataset: str) -> None:
    assert reader.client is not None
    with connect(url) as connection:
        row = connection.execute(
            "SELECT id FROM registry.access_grant WHERE client_id = %s AND dataset = %s AND ended_at IS NULL",
            (reader.client.id, dataset),
        ).fetchone()
    assert row is not None
    granting.revoke(url, row[0])


def test_dead_letters_are_shown_and_sent_again_by_the_grant_of_this_moment(api: Api, registry_url: str) -> None:
    reader = api.client("read:legal_entity")
    made = subscribed(reader)["id"]
    assert bury(registry_url, made) == [uscc(1)]
    path = f"/subscriptions/{made}/dead-letters"
    assert [each["key"] for each in reader.get(path)["dead_letters"]] == [uscc(1)]
    assert send(reader, f"/{made}/dead-letters/redeliver", ids=[]).json() == {"redelivering": 0}

    revoke(registry_url, reader, "legal_entity")

    for method, what, content in ASKED_OF_THE_FEED:
        refused = send(reader, f"/{made}{what}", method=method, **content)
        assert (refused.status_code, refused.json()["type"]) == (403, "/problems/not-granted"), what
        assert uscc(1) not in refused.text
    assert reader.client is not None
    until = datetime.now(UTC) + timedelta(seconds=1)
    granting.grant(registry_url, reader.client.id, "legal_entity", valid_until=until)
    again = api.signed_in(reader.client)
    assert again.ask(f"/api/v1{path}").status_code == 200
    while datetime.now(UTC) < until:
        again.ask(f"/api/v1{path}")
    assert again.ask(f"/api/v1{path}").status_code == 403
    granting.grant(registry_url, reader.client.id, "legal_entity")
    assert send(again, f"/{made}/dead-letters/redeliver").json() == {"redelivering": 1}


def test_a_number_that_no_dead_letter_can_have_is_refused(api: Api) -> None:
    reader = api.client("read:legal_entity")
    made = subscribed(reader)["id"]

    for number in (0, -1, 1 << 63, 10**30):
        refused = send(reader, f"/{made}/dead-letters/redeliver", ids=[number])
        assert (refused.status_code, refused.json()["type"]) == (400, "/problems/invalid-body"), number


def test_dead_letters_want_the_purpose_that_the_grant_wants_now(api: Api, registry_url: str) -> None:
    reader = api.client("read:legal_entity")
    made = subscribed(reader)["id"]
    bury(registry_url, made)
    assert reader.client is not None
    granting.grant(registry_url, reader.client.id, "legal_entity", purposes=["credit_lending"])

    for method, what, content in ASKED_OF_THE_FEED:
        refused = send(reader, f"/{made}{what}", method=method, **content)
        assert (refused.status_code, refused.json()["type"]) == (403, "/problems/purpose-not-granted"), what


def test_dead_letters_of_records_that_the_grant_does_not_cover_any_more_are_not_listed(
    api: Api, registry_url: str
) -> None:
    enterprises(registry_url).publish([enterprise(1), enterprise(2, status="revoked"), enterprise(3)])
    reader = api.client("read:legal_entity")
    made = subscribed(reader)["id"]
    assert sorted(bury(registry_url, made)) == [uscc(1), uscc(2), uscc(3)]
    assert reader.client is not None
    granting.grant(registry_url, reader.client.id, "legal_entity", rows={"status": ["revoked"]})

    listed = reader.pages(f"/subscriptions/{made}/dead-letters", "dead_letters", limit=1)

    assert [each["key"] for each in listed] == [uscc(2)]


def test_an_old_version_that_is_not_served_any_more_is_not_subscribed_to(api: Api, registry_url: str) -> None:
    def outlets(version: int) -> Feed:
        entry = DatasetEntry(
            "outlet", f"outlet@{version}", "经营网点", "Outlets", "commerce", ("number",), "uscc", "conditional"
        )
        return Feed(registry_url, "commerce.outlet", entry)

    outlet = {"uscc": uscc(1), "number": "1", "kind": "shop", "manager": "张建国"}
    outlets(1).publish([outlet])
    reader = api.client("read:outlet")
    outlets(2).publish([{**outlet, "area": "east"}])
    made = subscribed(reader, dataset="outlet")["id"]
    with connect(registry_url) as connection:
        connection.execute(
            "UPDATE registry.dataset_schema SET since = since - interval '366 days'"
            " - CASE schema WHEN 'outlet@1' THEN interval '1 day' ELSE interval '0' END"
        )

    refused = [send(reader, f"/{made}{what}", method=method, **content) for method, what, content in ASKED_OF_THE_FEED]
    refused.append(send(reader, "", dataset="outlet", url=URL))

    assert [each.status_code for each in refused] == [410] * 4, [each.text for each in refused]
    assert {each.json()["current"] for each in refused} == {"outlet@2"}


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
