"""Asking again for what one has: 304 while nothing changed, and another tag as soon as something did."""

from __future__ import annotations

from datetime import datetime

from registry.storage.database import connect
from tests import granting
from tests.api.conftest import Api, Reader
from tests.api.feeding import enterprise, enterprises, permit, permits, uscc


def tagged(reader: Reader, path: str, known: str = "") -> tuple[int, str]:
    answer = reader.ask(f"/api/v1{path}", headers={"If-None-Match": known} if known else {})
    assert answer.headers["Cache-Control"] == "private, no-cache"
    assert answer.headers["Shuqiao-Receipt"]  # that nothing changed is on record too
    if answer.status_code == 304:
        assert answer.content == b""
    return answer.status_code, answer.headers["ETag"]


def test_what_has_not_changed_is_not_sent_again(api: Api, registry_url: str) -> None:
    feed = enterprises(registry_url)
    feed.publish([enterprise(1), enterprise(2)])
    other = permits(registry_url)
    other.publish([permit(1, "A")])
    client = granting.enter(registry_url, "a bank", ["read:permit"])
    granting.grant(registry_url, client.id, "legal_entity", fields=["name"])
    reader = api.signed_in(client)
    one, entity = f"/datasets/legal_entity/records/{uscc(1)}", f"/entities/{uscc(1)}"
    paths = (one, entity, "/datasets", "/datasets/legal_entity")
    read_at = {
        each["dataset"]: datetime.fromisoformat(each["sources"][0]["read_at"])
        for each in reader.get("/datasets")["datasets"]
    }
    first = {path: tagged(reader, path)[1] for path in paths}
    for path, tag in first.items():
        assert tagged(reader, path, tag) == (304, tag)
        for known in ({}, {"If-None-Match": tag}):  # how old the data is comes with either answer
            header = reader.ask(f"/api/v1{path}", headers=known).headers["Shuqiao-Read-At"]
            assert header.endswith("Z"), "as bodies have their times"
            said = datetime.fromisoformat(header)
            oldest = min(read_at.values()) if path in {entity, "/datasets"} else read_at["legal_entity"]
            assert said == oldest, path
        assert tagged(reader, path, f'"x", {tag}')[0] == 304
        assert tagged(reader, path, 'W/"other"')[0] == 200

    feed.publish([enterprise(1, name="改名")])
    for path, tag in first.items():
        assert tagged(reader, path, tag)[0] == 200, path
    second = {path: tagged(reader, path)[1] for path in (one, entity)}
    with connect(registry_url) as connection:  # the same record, shown by another grant
        connection.execute(
            "UPDATE registry.access_grant SET ended_at = now(), ended_by = 'a test', ended_because = 'revoked'"
            " WHERE dataset = 'legal_entity'"
        )
    granting.grant(registry_url, client.id, "legal_entity", fields=["name", "status"])
    for path, tag in second.items():
        assert tagged(reader, path, tag)[0] == 200, path
