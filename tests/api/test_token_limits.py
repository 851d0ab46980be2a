"""Tokens asked for too often, wrong proofs, and clients that ask too fast: slowed down, told when to come back."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_network

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from registry.api.access.allowance import WINDOW_SECONDS, Allowances
from registry.api.clients import attempts, clients, credentials
from registry.api.clients.attempts import TOKENS, WRONG_BY_ADDRESS, WRONG_BY_CLIENT
from registry.api.clients.options import AccessOptions
from registry.api.clients.presented import Presented
from registry.api.problems import Problem
from registry.storage.database import connect
from tests.api.conftest import Api, Reader
from tests.api.test_audit import last, receipt

PROXIED = AccessOptions(trusted_proxies=(ip_network("127.0.0.1"),))


def from_address(api: Api, address: str, client_id: str, secret: str) -> requests.Response:
    return api.session.post(
        f"{api.address}/api/v1/token",
        data={"grant_type": "client_credentials"},
        auth=(client_id, secret),
        headers={"X-Forwarded-For": f"203.0.113.77, {address}"},
        timeout=30,
    )


def later(url: str, seconds: float) -> None:
    """As if this time had passed."""
    with connect(url) as connection:
        connection.execute(
            "UPDATE registry.token_pace SET spent_until = spent_until - make_interval(secs => %s)", (seconds,)
        )


def test_wrong_secrets_slow_down_whoever_gives_them_and_not_the_client(
    start: Callable[..., Api], registry_url: str
) -> None:
    api = start(access=PROXIED)
    client = clients.add(registry_url, "bank", ["operate"])
    stranger, bank = "198.51.100.7", "192.0.2.10"

    answers = [from_address(api, stranger, client.id, "wrong") for _ in range(WRONG_BY_CLIENT.at_once + 1)]

    assert [each.status_code for each in answers] == [401] * WRONG_BY_CLIENT.at_once + [429]
    assert answers[-1].json()["type"] == "/problems/too-many-attempts"
    assert answers[-1].json()["error"] == "slow_down"
    wait = int(answers[-1].headers["Retry-After"])
    assert 0 < wait <= WRONG_BY_CLIENT.seconds
    assert answers[-1].headers["RateLimit-Policy"] == '"proofs-for-client";q=5;w=150'
    assert answers[-1].headers["RateLimit"] == f'"proofs-for-client";r=0;t={wait}'
    assert answers[-1].json()["violated-policies"] == ["proofs-for-client"]
    assert "RateLimit" not in answers[0].headers, "who it is, is not known"
    assert from_address(api, bank, client.id, client.secret).status_code == 200
    # whoever has the right secret is let in also from there, where the process knows that it is right
    assert from_address(api, stranger, client.id, client.secret).status_code == 200
    assert from_address(api, stranger, client.id, "wrong").status_code == 429
    later(registry_url, WRONG_BY_CLIENT.seconds)
    assert from_address(api, stranger, client.id, "wrong").status_code == 401
    later(registry_url, WRONG_BY_CLIENT.whole)
    assert from_address(api, stranger, client.id, "wrong").status_code == 401


def test_who_tries_many_clients_is_slowed_down_as_an_address(start: Callable[..., Api], registry_url: str) -> None:
    first, second = start(access=PROXIED), start(access=PROXIED)  # what one counts the other knows
    assert from_address(first, "198.51.100.7", "client-1", "wrong").status_code == 401
    later(registry_url, -WRONG_BY_ADDRESS.whole)  # as if it had gone on so until nothing was left

    refused = from_address(second, "198.51.100.7", "client-2", "wrong")

    assert (refused.status_code, refused.json()["type"]) == (429, "/problems/too-many-attempts")
    assert 1 <= int(refused.headers["Retry-After"]) <= 2 * WRONG_BY_ADDRESS.seconds
    assert refused.headers["RateLimit-Policy"] == '"proofs-from-address";q=30;w=60'
    client = clients.add(registry_url, "bank", ["operate"])
    assert from_address(first, "192.0.2.10", client.id, "wrong").status_code == 401
    with connect(registry_url) as connection:
        rows = connection.execute("SELECT p::text FROM registry.token_pace p").fetchall()
    assert "198.51.100" not in str(rows)


def test_a_secret_rotated_after_wrong_ones_works_at_once(api: Api, registry_url: str) -> None:
    client = clients.add(registry_url, "bank", ["operate"])
    for _ in range(WRONG_BY_CLIENT.at_once - 1):
        assert api.token(auth=(client.id, "wrong")).status_code == 401
    secret, _ = credentials.rotate_secret(registry_url, client.id)

    assert [api.token(auth=(client.id, secret)).status_code for _ in range(3)] == [200] * 3
    assert api.token(auth=(client.id, "wrong")).status_code == 401  # what was right cost nothing


def test_a_client_that_takes_a_token_for_each_request_is_slowed_down(api: Api, registry_url: str) -> None:
    client = clients.add(registry_url, "bank", ["operate"])
    assert api.token(auth=(client.id, client.secret)).status_code == 200
    later(registry_url, -TOKENS.whole)

    answer = api.token(auth=(client.id, client.secret))

    assert (answer.status_code, answer.json()["type"]) == (429, "/problems/too-many-attempts")
    wait = int(answer.headers["Retry-After"])
    assert wait >= 1
    assert answer.headers["RateLimit-Policy"] == '"tokens";q=60;w=60'
    assert answer.headers["RateLimit"] == f'"tokens";r=0;t={wait}'
    entry = last(registry_url).entry
    assert (entry.status, entry.client) == (429, client.id), "it has proven who it is"
    assert receipt(answer.headers)[0] == last(registry_url).index


def test_with_a_token_a_client_is_told_how_fast_it_may_ask(start: Callable[..., Api], registry_url: str) -> None:
    api = start(access=AccessOptions(requests_per_second=7))
    client = clients.add(registry_url, "bank", ["operate"])

    given = api.token(auth=(client.id, client.secret))
    refused = api.token(auth=(client.id, client.secret), scope="read:nothing")
    reader = Reader(api.address, api.session, client, given.json()["access_token"])

    assert (given.status_code, refused.status_code) == (200, 400)
    for answer in (given, refused):
        assert answer.headers["RateLimit-Policy"] == '"client";q=70;w=10'
        assert answer.headers["RateLimit"] == '"client";r=70;t=0', "a token is counted as a token, not as a request"
    assert reader.ask("/api/v1/batches").headers["RateLimit"] == '"client";r=69;t=1'


def test_what_was_counted_is_swept_away_when_its_time_is_over(api: Api, registry_url: str) -> None:
    for number in range(5):
        api.token(auth=(f"client-{number}", "wrong"))
    later(registry_url, 1000)
    api.token(auth=("client-9", "wrong"))

    with connect(registry_url) as connection:
        row = connection.execute("SELECT count(*) FROM registry.token_pace").fetchone()
    assert row == (2,)


def test_a_cut_connection_is_made_anew_and_nothing_is_forgotten(api: Api, registry_url: str) -> None:
    client = clients.add(registry_url, "bank", ["operate"])
    for _ in range(WRONG_BY_CLIENT.at_once):
        assert api.token(auth=(client.id, "wrong")).status_code == 401
        with connect(registry_url) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND application_name = 'shuqiao-token-attempts'"
            )

    assert api.token(auth=(client.id, "wrong")).status_code == 429


def test_two_spend_no_more_than_there_is(registry_url: str) -> None:
    import asyncio  # noqa: PLC0415

    async def all_at_once() -> list[attempts.Refused | None]:
        several = [attempts.Attempts(registry_url) for _ in range(4)]
        cost = attempts.wrong("client", "192.0.2.1")
        found = await asyncio.gather(*(each.spend(cost) for each in several for _ in range(5)))
        for each in several:
            await each.close()
        return list(found)

    assert asyncio.run(all_at_once()).count(None) == WRONG_BY_CLIENT.at_once


# -- addresses ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("192.0.2.1", "198.51.100.1", "192.0.2.1"),
        ("127.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("127.0.0.1", "198.51.100.1, 192.0.2.9", "192.0.2.9"),
        ("127.0.0.1", "198.51.100.1, 127.0.0.1", "198.51.100.1"),
        ("127.0.0.1", "198.51.100.1, nonsense", "127.0.0.1"),
        ("127.0.0.1", "", "127.0.0.1"),
        ("2001:db8:0:1::7", "", "2001:db8:0:1::/64"),
        ("::ffff:192.0.2.1", "", "192.0.2.1"),
    ],
)
def test_an_address_is_believed_from_proxies_only(peer: str, forwarded: str, address: str) -> None:
    scope = {"client": (peer, 1), "headers": [(b"x-forwarded-for", forwarded.encode())]}

    assert Presented(PROXIED).neighbourhood(scope) == address


# -- requests ----------------------------------------------------------------------------------------------------------


def test_a_client_that_asks_too_fast_is_told_when_to_come_back(start: Callable[..., Api], registry_url: str) -> None:
    api = start(access=AccessOptions(requests_per_second=1))
    reader, patient = api.client("operate"), api.client("operate")
    assert patient.client is not None
    credentials.limit(registry_url, patient.client.id, 1000)

    answers = [reader.ask("/api/v1/batches") for _ in range(WINDOW_SECONDS + 40)]
    refused = next(each for each in answers if each.status_code != 200)

    assert (refused.status_code, refused.json()["type"]) == (429, "/problems/too-many-requests")
    assert refused.json()["violated-policies"] == ["client"]
    assert refused.headers["Retry-After"] == "1"
    assert refused.headers["RateLimit-Policy"] == f'"client";q={WINDOW_SECONDS};w={WINDOW_SECONDS}'
    assert refused.headers["RateLimit"] == '"client";r=0;t=1'
    assert answers[0].headers["RateLimit"] == f'"client";r={WINDOW_SECONDS - 1};t=1'
    assert patient.ask("/api/v1/batches").headers["RateLimit"] == f'"client";r={1000 * WINDOW_SECONDS - 1};t=1'
    assert "RateLimit" not in api.anyone.ask("/healthz").headers
    assert refused.headers["Cache-Control"] == "no-store"


@given(st.lists(st.floats(0, 3), max_size=60), st.integers(1, 4))
def test_in_no_time_more_is_let_through_than_the_limit_says(waits: list[float], per_second: int) -> None:
    """Within any window: what the bucket holds and what flows in."""
    now = [1000.0]
    allowances = Allowances(per_second, clock=lambda: now[0])
    let_through, told = [], []
    for wait in waits:
        now[0] += wait
        for _ in range(8):
            try:
                allowances.take("client", None)
            except Problem as problem:
                told.append(int(problem.headers["Retry-After"]))
            else:
                let_through.append(now[0])
    assert set(told) <= {1}
    for begin in let_through:
        within = [each for each in let_through if begin <= each <= begin + WINDOW_SECONDS]
        assert len(within) <= 2 * per_second * WINDOW_SECONDS
