"""The tax bureau's server speaks as a busy REST API does, and the hub reads it whole."""

from pathlib import Path

import pytest
import requests

from connectors.connection import Connection
from shuqiao.demo import life, tax_store
from shuqiao.demo.rosters import City
from tests.demo.conftest import SECRET, Start
from tests.demo.reading import pull

IMPATIENT = {"SHUQIAO_DEMO_TAX_SLOW_SECONDS": "0.2"}


def address(connection: Connection, path: str) -> str:
    return f"http://{connection.host}:{connection.port}{path}"


def token(connection: Connection) -> dict[str, str]:
    form = {"grant_type": "client_credentials"}
    answer = requests.post(address(connection, "/oauth/token"), data=form, auth=("hub", SECRET), timeout=10)
    assert answer.json()["expires_in"] == 600
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


@pytest.mark.parametrize("connector", ["tax.registration", "tax.credit-rating", "tax.arrears"])
def test_the_first_pull_brings_all_and_the_next_what_a_day_changed(
    connector: str, start: Start, data: Path, city: City
) -> None:
    connection = start("tax", data, **IMPATIENT)
    first, expected = pull(connector, connection), life.expected(city, connector, 0)
    assert (first.rows, len(first.records)) == (expected.rows, expected.good)
    assert len(first.refused) == sum(expected.refused.values())

    tax_store.change(data, city, 1)
    second, did = pull(connector, connection, first.cursor), life.happened(city, connector, 1)
    fresh = {key for key, record in second.records.items() if first.records.get(key) != record}
    assert len(fresh) == did.new + did.changed + did.corrected
    assert len(second.deleted) == did.deleted
    assert second.rows < first.rows / 2


def test_only_a_known_client_gets_a_token_and_only_a_token_opens(start: Start, data: Path) -> None:
    connection = start("tax", data)
    form = {"grant_type": "client_credentials", "client_id": "hub", "client_secret": "wrong"}
    assert requests.post(address(connection, "/oauth/token"), data=form, timeout=10).status_code == 401
    assert requests.post(address(connection, "/oauth/token"), data={}, timeout=10).status_code == 400
    assert requests.get(address(connection, "/api/taxpayers"), timeout=10).status_code == 401
    form["client_secret"] = SECRET
    assert requests.post(address(connection, "/oauth/token"), data=form, timeout=10).status_code == 200


def test_too_many_requests_and_the_occasional_failure_say_when_to_come_back(start: Start, data: Path) -> None:
    connection = start("tax", data, SHUQIAO_DEMO_TAX_RATE="5", SHUQIAO_DEMO_TAX_FAIL_EVERY="4")
    who, seen = token(connection), set()
    for _ in range(30):
        answer = requests.get(address(connection, "/api/arrears"), params={"limit": 1}, headers=who, timeout=10)
        seen.add(answer.status_code)
        if answer.status_code != 200:
            assert answer.headers["Retry-After"] == "1"
    assert seen == {200, 429, 503}


def test_pages_are_whole_ordered_and_counted(start: Start, data: Path, city: City) -> None:
    connection = start("tax", data, SHUQIAO_DEMO_TAX_RATE="0", SHUQIAO_DEMO_TAX_FAIL_EVERY="0", **IMPATIENT)
    who, seen, page = token(connection), [], 1
    while True:
        params = {"page": page, "size": 300}
        found = requests.get(address(connection, "/api/taxpayers"), params=params, headers=who, timeout=10).json()
        if page == 1:
            assert found["data"]["total"] == life.expected(city, "tax.registration").rows
        if not found["data"]["items"]:
            break
        seen += [item["updated_at"] for item in found["data"]["items"]]
        page += 1
    assert len(seen) == life.expected(city, "tax.registration").rows
    assert seen == sorted(seen)


def test_a_wrong_question_is_answered_as_one(start: Start, data: Path) -> None:
    connection = start("tax", data, SHUQIAO_DEMO_TAX_RATE="0")
    who = token(connection)
    for path in ("/api/arrears?updated_since=yesterday", "/api/credit-ratings?cursor=nonsense"):
        assert requests.get(address(connection, path), headers=who, timeout=10).status_code == 400
    assert requests.get(address(connection, "/healthz"), timeout=10).json() == {"status": "ok"}
