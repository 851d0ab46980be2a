"""What a grant names is opened for it, what it does not name stays masked, and a whole number finds its records."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from urllib.parse import urlencode

import pytest

from registry.intake import resealing
from registry.sealing import key_file
from registry.storage.database import connect
from tests import granting
from tests.api.conftest import Api, Reader
from tests.api.conftest import api as api  # noqa: PLC0414  (the fixtures)
from tests.api.conftest import settings as settings  # noqa: PLC0414
from tests.api.conftest import start as start  # noqa: PLC0414
from tests.credit.enterprise_file import town as credit

PERSON, PERSON_ID, BOSS = "欧阳明月", "11010519491231002X", "诸葛孔明"
RECORDS = "/datasets/administrative_penalty/records"


@pytest.fixture
def town(registry_url: str) -> None:
    town = credit.Town(registry_url)
    of_a_person = {"uscc": None, "holder_kind": "natural_person", "holder_name": PERSON, "holder_code": PERSON_ID,
                   "holder_code_type": "111"}  # fmt: skip
    town.say(
        "administrative_penalty",
        {"p1": credit.penalty(1, legal_representative=BOSS), "p2": credit.penalty(2, **of_a_person)},
    )
    town.connection.close()


def reader(api: Api, fields: list[str] | None = None) -> Reader:
    client = granting.enter(api.settings.database_url, "reader", [])
    granting.grant(api.settings.database_url, client.id, "administrative_penalty", fields=fields)
    return api.signed_in(client)


@pytest.mark.usefixtures("town")
def test_a_grant_of_all_fields_shows_masks_and_the_names_of_organisations(api: Api) -> None:
    first, second = (each["body"] for each in reader(api).get(RECORDS)["records"])
    assert (first["holder_name"], first["legal_representative"]) == ("桥州天成1餐饮有限公司", "诸***")
    assert (second["holder_name"], second["holder_code"]) == ("欧***", "11**************2X")


@pytest.mark.usefixtures("town")
def test_a_grant_that_names_a_field_shows_it_whole_and_no_other(api: Api) -> None:
    granted = reader(api, ["holder_name", "legal_representative"])
    for path in (RECORDS, f"{RECORDS}/p2/history"):
        bodies = [each["body"] for each in granted.get(path).get("records", [])]
        assert all("holder_code" not in body for body in bodies)
    first, second = (each["body"] for each in granted.get(RECORDS)["records"])
    assert (first["holder_name"], first["legal_representative"]) == ("桥州天成1餐饮有限公司", BOSS)
    assert second["holder_name"] == PERSON
    assert not {*first, *second} & {"holder_code", "legal_representative_id", "content"}
    told = [each["body"] for each in granted.get("/changes")["changes"]]
    assert sorted(body["holder_name"] for body in told) == sorted(["桥州天成1餐饮有限公司", PERSON])


@pytest.mark.usefixtures("town")
def test_a_whole_number_finds_its_records_and_only_for_whom_it_is_granted(api: Api) -> None:
    granted = reader(api, ["holder_code", "decision_number", "holder_name"])
    for written in (PERSON_ID, PERSON_ID.lower()):
        (found,) = granted.get(RECORDS, holder_code=written)["records"]
        assert found["key"] == "p2"
    assert granted.get(RECORDS, holder_code=PERSON_ID[:-1])["records"] == []
    for who, parameters in ((granted, {"holder_name": PERSON}), (reader(api), {"holder_code": PERSON_ID})):
        assert who.ask(f"/api/v1{RECORDS}?{urlencode(parameters)}").status_code == 400


@pytest.mark.usefixtures("town")
def test_without_keys_what_needs_none_is_answered_and_the_rest_says_why(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    masked, whole = reader(api), reader(api, ["holder_name"])
    monkeypatch.delenv(key_file.VARIABLE)
    assert len(masked.get(RECORDS)["records"]) == 2
    answer = whole.ask(f"/api/v1{RECORDS}")
    assert answer.status_code == 503
    assert answer.json()["type"].endswith("personal-unavailable")
    assert answer.headers["Retry-After"]


@pytest.mark.usefixtures("own_ring", "town")
def test_who_reads_while_keys_are_rotated_and_retired_notices_nothing(api: Api, own_ring: Path) -> None:
    ended = Event()
    seen: list[list[tuple[int, str]]] = [[], [], []]

    def follow(who: Reader, into: list[tuple[int, str]]) -> None:
        while not ended.is_set():
            answer = who.ask(f"/api/v1{RECORDS}/p2")
            into.append((answer.status_code, answer.json().get("record", {}).get("body", {}).get("holder_name")))

    with ThreadPoolExecutor(len(seen)) as threads, connect(api.settings.database_url) as connection:
        following = [threads.submit(follow, reader(api, ["holder_name"]), into) for into in seen]
        try:
            for old in (1, 2, 3):
                key_file.add(own_ring)
                key_file.activate(own_ring)
                resealing.reseal(connection)
                assert set(resealing.in_use(connection)) == {old + 1}
                had = [len(each) for each in seen]
                while any(len(now) < before + 2 for now, before in zip(seen, had, strict=True)):
                    assert not any(each.done() for each in following)
                    ended.wait(0.02)
                key_file.retire(own_ring, old)
        finally:
            ended.set()
        for each in following:
            each.result()

    assert {answer for each in seen for answer in each} == {(200, PERSON)}
    assert [key.state for key in key_file.read(own_ring).keys] == ["retired"] * 3 + ["active"]
