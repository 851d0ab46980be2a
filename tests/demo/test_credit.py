"""The credit office's lists: NDJSON with ETags, both editions of the 双公示 fields."""

from pathlib import Path

import pytest
import requests

from shuqiao.demo import credit, life
from shuqiao.demo.rosters import City
from tests.demo.conftest import SECRET, Start
from tests.demo.reading import pull


@pytest.mark.parametrize("connector", list(credit.LISTS.values()))
def test_a_list_is_read_whole_and_not_again_until_it_changes(
    connector: str, start: Start, data: Path, city: City
) -> None:
    connection = start("credit", data)
    first, expected = pull(connector, connection), life.expected(city, connector, 0)
    assert (first.rows, len(first.records)) == (expected.rows, expected.good)
    assert len(first.refused) == sum(expected.refused.values())

    again = pull(connector, connection, first.cursor)
    assert (again.unchanged, again.rows) == (True, 0)

    credit.publish(data, city, 1)
    later, expected = pull(connector, connection, first.cursor), life.expected(city, connector, 1)
    did = life.happened(city, connector, 1)
    assert (later.unchanged, len(later.records)) == (False, expected.good)
    assert len(set(first.records) - set(later.records)) == did.deleted
    fresh = {key for key, record in later.records.items() if first.records.get(key) != record}
    assert len(fresh) == did.new + did.changed + did.corrected


def test_an_etag_is_of_the_content_and_the_key_is_asked_for(start: Start, data: Path, city: City) -> None:
    connection = start("credit", data)
    address = f"http://127.0.0.1:{connection.port}/v2/penalties.ndjson"
    key = {"X-API-Key": SECRET}
    assert requests.get(address, timeout=10).status_code == 401
    assert requests.get(address.replace("penalties", "secrets"), headers=key, timeout=10).status_code == 404
    first = requests.get(address, headers=key, timeout=10)
    assert first.headers["Content-Type"].startswith("application/x-ndjson")
    same = requests.get(address, headers={**key, "If-None-Match": first.headers["ETag"]}, timeout=10)
    assert (same.status_code, same.content) == (304, b"")

    credit.publish(data, city, 0)
    assert requests.get(address, headers=key, timeout=10).headers["ETag"] == first.headers["ETag"]
    credit.publish(data, city, 1)
    changed = requests.get(address, headers={**key, "If-None-Match": first.headers["ETag"]}, timeout=10)
    assert changed.status_code == 200
    assert changed.headers["ETag"] != first.headers["ETag"]
