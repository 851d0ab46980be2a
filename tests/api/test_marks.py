"""Marks beside records reach everyone who reads them over HTTP: in lists, single records, history and the feed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests import granting
from tests.api.conftest import Api, Reader
from tests.credit.cases.town import DATASET, OFFICER, Town, filing, offence

RECORDS = f"/datasets/{DATASET}/records"
NOW = "2026-11-20T01:00:00Z"


@pytest.fixture
def town(registry_url: str) -> Iterator[Town]:
    made = Town(registry_url)
    made.penalties(offence(1), offence(2))
    yield made
    made.connection.close()


@pytest.fixture
def reader(api: Api, town: Town) -> Reader:
    assert town.url
    return api.client(f"read:{DATASET}")


def test_a_disputed_record_says_so_wherever_it_is_read(town: Town, reader: Reader) -> None:
    town.file()
    marks = {"disputed_since": NOW}

    assert [record.get("marks") for record in reader.get(RECORDS)["records"]] == [marks, None]
    single = reader.get(f"{RECORDS}/P1")["record"]
    assert (single["marks"], single["body"]) == (marks, {"id": "P1", **offence(1)})
    assert [version["marks"] for version in reader.get(f"{RECORDS}/P1/history")["versions"]] == [marks]
    entity = reader.get(f"/entities/{offence(1)['uscc']}")
    assert [record["marks"] for record in entity["datasets"][0]["records"]] == [marks]


def test_a_follower_that_has_read_the_record_reads_it_again_with_its_mark(town: Town, reader: Reader) -> None:
    before = reader.get("/changes")
    case = town.file()

    page = reader.get("/changes", after=before["next"])
    (change,) = page["changes"]
    assert (change["operation"], change["key"], change["marks"]) == ("marked", "P1", {"disputed_since": NOW})
    assert change["body"] == {"id": "P1", **offence(1)}

    town.decide(town.act("accept", case, OFFICER), granted=False)
    (change,) = reader.get("/changes", after=page["next"])["changes"]
    assert change["operation"] == "marked"
    assert "marks" not in change


def test_a_mark_tells_of_the_present_version_and_of_nobody_whom_an_older_one_named(api: Api, town: Town) -> None:
    person = {"uscc": None, "holder_kind": "natural_person", "holder_name": "令狐冲之", "holder_code_type": "111"}
    town.say("P1", offence(1, **person, holder_code="11010519491231002X"))
    town.say("P1", offence(1))
    client = granting.enter(town.url, "court", [])
    granting.grant(town.url, client.id, DATASET, fields=["decision_number", "holder_name", "holder_code"])
    reader = api.signed_in(client)
    before = reader.get("/changes")["next"]
    town.file()

    (change,) = reader.get("/changes", after=before)["changes"]

    assert (change["operation"], change["key"]) == ("marked", "P1")
    names = {"uscc", "decision_number", "holder_name"}
    assert change["body"] == {"id": "P1"} | {name: value for name, value in offence(1).items() if name in names}


def test_a_repaired_record_is_handed_on_to_nobody_not_even_its_past(town: Town, reader: Reader) -> None:
    town.say("P1", offence(1, authority="改名后的机关"))
    moment = reader.get(RECORDS)["as_of"]
    town.decide(town.act("accept", town.file(filing("repair")), OFFICER))

    marks = {"repaired_at": NOW}
    assert [(record["body"] is None, record.get("marks")) for record in reader.get(RECORDS)["records"]] == [
        (True, marks),
        (False, None),
    ]
    assert reader.get(f"{RECORDS}/P1")["record"]["body"] is None
    assert reader.get(f"{RECORDS}/P1", as_of=moment)["record"]["body"] is None
    assert {version["body"] for version in reader.get(f"{RECORDS}/P1/history")["versions"]} == {None}
    of_first = [change for change in reader.get("/changes")["changes"] if change["key"] == "P1"]
    assert [change["operation"] for change in of_first] == ["new", "changed", "marked"]
    assert {change["body"] for change in of_first} == {None}


def test_what_cannot_be_read_cannot_be_guessed_by_filtering(town: Town, reader: Reader) -> None:
    town.decide(town.act("accept", town.file(filing("repair")), OFFICER))

    found = reader.get(RECORDS, decision_number=offence(1)["decision_number"])["records"]
    assert found == []
    assert len(reader.get(RECORDS, decision_number=offence(2)["decision_number"])["records"]) == 1


def test_a_mark_changes_the_etag(town: Town, reader: Reader) -> None:
    path = f"/api/v1{RECORDS}/P1"
    tags = [reader.ask(path).headers["ETag"]]
    case = town.file()
    assert reader.ask(path, headers={"If-None-Match": tags[0]}).status_code == 200
    tags.append(reader.ask(path).headers["ETag"])
    assert reader.ask(path, headers={"If-None-Match": tags[1]}).status_code == 304
    town.decide(town.act("accept", case, OFFICER), remedy="withdraw")
    tags.append(reader.ask(path).headers["ETag"])

    assert len(set(tags)) == 3
