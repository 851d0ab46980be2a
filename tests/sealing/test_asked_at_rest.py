"""What is asked, delivered and refused leaves nothing behind: tables and logs are searched afterwards.

With a grant of the fields or without; only answers to whom they are granted hold personal values.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import pyarrow.parquet as pq
import pytest
import requests

from registry.api.settings import ApiSettings
from registry.storage.database import connect
from schemas.masking import mask
from shuqiao.stack.postgres import EmbeddedPostgres
from tests import granting
from tests.api.conftest import Api, Reader
from tests.api.conftest import settings as settings  # noqa: PLC0414  (the fixtures)
from tests.api.conftest import start as start  # noqa: PLC0414
from tests.bulk.conftest import begun, fetch, post
from tests.credit.enterprise_file import town as credit
from tests.delivery.conftest import LOOPBACK, MASTER_KEY, Desk
from tests.delivery.conftest import desk as desk  # noqa: PLC0414
from tests.delivery.conftest import receiver as receiver  # noqa: PLC0414
from tests.delivery.receiving import Receiver
from tests.sealing.searching import Written, tables

DATASET = "administrative_penalty"
PERSON = "令狐冲之先生之戊"
PERSON_ID = "11010519491231002X"
BOSS = "东方不败先生之己"
BOSS_ID = "440524188001010014"
PLANTED = (PERSON, PERSON_ID, BOSS, BOSS_ID)
PERSONAL_FIELDS = ["holder_name", "holder_code", "legal_representative", "legal_representative_id"]
FORMATS = ("ndjson", "csv", "parquet")
UNSEALED_BY_DESIGN = {"registry.credit_case", "registry.credit_case_event"}
"""What persons write in cases is not sealed (docs/personal.md)."""


def of_a_person(**fields: Any) -> dict[str, Any]:
    """A penalty of a natural person."""
    return credit.penalty(
        2, uscc=None, holder_kind="natural_person", holder_name=PERSON, holder_code=PERSON_ID, holder_code_type="111",
        **fields,
    )  # fmt: skip


@pytest.fixture
def api(start: Callable[..., Api], registry_url: str) -> Api:
    town = credit.Town(registry_url)
    town.say("legal_entity", {"1": credit.enterprise(1, legal_representative=BOSS)})
    town.say(
        DATASET,
        {
            "p1": credit.penalty(1, legal_representative=BOSS, legal_representative_id=BOSS_ID),
            "p2": of_a_person(),
        },
    )
    town.follow()
    town.connection.close()
    return start(master_key=MASTER_KEY, receivers=LOOPBACK)


@pytest.fixture
def masked(api: Api) -> Reader:
    """A client with the dataset, and none of its personal fields by name."""
    return api.client(f"read:{DATASET}")


@pytest.fixture
def whole(api: Api) -> Reader:
    """A client with the personal fields by name."""
    client = granting.enter(api.settings.database_url, "court", [])
    granting.grant(api.settings.database_url, client.id, DATASET, fields=["decision_number", *PERSONAL_FIELDS])
    return api.signed_in(client)


@pytest.fixture
def written(
    settings: ApiSettings, postgres: EmbeddedPostgres, heard: pytest.LogCaptureFixture
) -> Callable[..., Written]:
    """What the system has written so far, and answers beside it."""

    def gathered(**answers: bytes) -> Written:
        log = (postgres.data.parent / "log").read_bytes()
        kept = [("the log of PostgreSQL", log), ("logs", heard.text.encode())]
        return Written([*tables(settings.database_url), *kept, *answers.items()])

    return gathered


def places(written: Written, *values: str) -> set[str]:
    return {place for value in values for place in written.holding(value)}


def exported(reader: Reader, form: str) -> bytes:
    """All parts of an export; a table of columns as JSON, for it is compressed."""
    parts = fetch(reader, begun(reader, DATASET, format=form, part_records=1)).parts
    if form == "parquet":
        return str([pq.read_table(io.BytesIO(part)).to_pylist() for part in parts]).encode()
    return b"".join(parts)


def in_bulk(reader: Reader) -> dict[str, bytes]:
    """What a client gets by reading in bulk."""
    keys = post(reader, f"/datasets/{DATASET}/records/lookup", {"keys": ["p1", "p2", "p3"]})
    entities = post(reader, f"/datasets/{DATASET}/records/lookup", {"entities": [credit.uscc(1)]})
    assert (keys.json()["found"], entities.json()["found"]) == (2, 1)
    return {form: exported(reader, form) for form in FORMATS} | {"keys": keys.content, "entities": entities.content}


def test_reading_in_bulk_without_a_grant_of_the_fields_gives_masks_and_leaves_nothing(
    masked: Reader, written: Callable[..., Written]
) -> None:
    answers = in_bulk(masked)
    answers["counts"] = masked.ask(f"/api/v1/datasets/{DATASET}/counts?by=holder_kind").content

    assert places(written(**answers), *PLANTED) == set()
    assert set(answers) - {"counts", "entities"} <= places(written(**answers), mask(PERSON))
    for field in PERSONAL_FIELDS:
        assert masked.ask(f"/api/v1/datasets/{DATASET}/counts?by={field}").status_code == 400


def test_reading_in_bulk_with_a_grant_of_the_fields_leaves_nothing_in_the_clear(
    whole: Reader, written: Callable[..., Written]
) -> None:
    answers = in_bulk(whole)
    found = whole.get(f"/datasets/{DATASET}/records", holder_code=PERSON_ID)["records"]

    assert [each["key"] for each in found] == ["p2"]
    assert places(written(**answers), PERSON, PERSON_ID) == set(answers) - {"entities"}
    assert places(written(**answers), BOSS, BOSS_ID) == set(answers)


def subscribed(reader: Reader, receiver: Receiver) -> str:
    """A subscription from the beginning of the feed."""
    answer = post(reader, "/subscriptions", {"dataset": DATASET, "url": receiver.url(), "after": None})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def published(url: str, content: str) -> None:
    """The person's record once more, changed."""
    town = credit.Town(url)
    town.say(DATASET, {"p2": of_a_person(content=content)})
    town.connection.close()


def test_what_is_delivered_without_a_grant_of_the_fields_is_masked(
    masked: Reader, desk: Desk, receiver: Receiver, written: Callable[..., Written]
) -> None:
    subscribed(masked, receiver)
    published(desk.url, "罚款1元")
    desk.deliver()
    receiver.wait_for(3)

    delivered = b"\n".join(message.body for message in receiver.messages)
    assert places(written(delivered=delivered), *PLANTED) == set()
    assert "delivered" in places(written(delivered=delivered), mask(PERSON))


def test_what_is_delivered_whole_or_refused_by_its_receiver_leaves_nothing_in_the_clear(
    whole: Reader, desk: Desk, receiver: Receiver, written: Callable[..., Written]
) -> None:
    receiver.answer = lambda message: (422, {"Reason": quote(PERSON)}, message.body)  # it sends back what it was sent
    subscription = subscribed(whole, receiver)
    published(desk.url, "罚款1元")
    desk.deliver()
    desk.wait(subscription, lambda each: each.dead_letters == 3)
    letters = whole.ask(f"/api/v1/subscriptions/{subscription}/dead-letters").content

    delivered = b"\n".join(message.body for message in receiver.messages)
    assert places(written(delivered=delivered, letters=letters), *PLANTED) == {"delivered"}


def test_the_kept_answer_of_a_named_write_holds_nothing_in_the_clear(
    api: Api, registry_url: str, written: Callable[..., Written]
) -> None:
    filing = {
        "kind": "objection", "dataset": DATASET, "key": "p1", "entity": credit.uscc(1),
        "applicant": credit.enterprise(1)["name"], "statement": f"{PERSON}（{PERSON_ID}）与本案无关。",
    }  # fmt: skip
    window = api.client("credit:cases")
    first, again = (post(window, "/credit/cases", filing, **{"Idempotency-Key": "a-filing"}) for _ in range(2))

    assert (first.status_code, again.headers["Idempotency-Replayed"]) == (201, "true")
    assert PERSON in again.text
    assert places(written(), *PLANTED) <= UNSEALED_BY_DESIGN
    with connect(registry_url) as connection:
        kept = connection.execute("SELECT octet_length(answer) FROM registry.idempotency_key").fetchone()
    assert kept is not None
    assert kept[0] > len(first.content), "the answer is kept, and sealed"


def refused(reader: Reader, value: str) -> Iterator[requests.Response]:
    """Requests with a value in every place where somebody may write one."""
    records, said = f"/api/v1/datasets/{DATASET}/records", quote(value)
    for path in (
        f"{records}?holder_name={said}",
        f"{records}?holder_code={said}",
        f"{records}?holder_code={said}%00",
        f"{records}?{said}=1",
        f"{records}?after={said}",
        f"{records}?as_of={said}",
        f"{records}?limit={said}",
        f"{records}/{said}",
        f"{records}/{said}/history",
        f"{records}/{said}%00",
        f"/api/v1/datasets/{said}/records",
        f"/api/v1/datasets/{DATASET}/counts?by={said}",
        f"/api/v1/datasets/{DATASET}/exports/{said}",
        f"/api/v1/entities/{said}",
        f"/api/v1/changes?after={said}",
        f"/api/v1/{said}",
        f"/verify/{said}",
        f"/credit/{said}",
    ):
        yield reader.ask(path)
    yield reader.ask(records, headers={"Access-Purpose": said})
    yield reader.ask(records, headers={"Authorization": f"Bearer {said}"})
    for body in ({"keys": value}, {"keys": [{"name": value}]}, {value: 1}, {"keys": [value, f"{value}\0"]}):
        yield post(reader, f"/datasets/{DATASET}/records/lookup", body)
    yield post(reader, f"/datasets/{DATASET}/exports", {"format": value})
    yield post(reader, f"/datasets/{DATASET}/exports", {}, **{"Idempotency-Key": f"{said} {said}"})
    for wanted in ({"dataset": value, "url": "https://bank.example.com"}, {"dataset": DATASET, "url": value}):
        yield post(reader, "/subscriptions", wanted)
    yield reader.session.post(f"{reader.address}/api/v1/token", data={"grant_type": said}, auth=(said, said))


def test_what_is_refused_is_not_written_down(masked: Reader, written: Callable[..., Written]) -> None:
    for value in PLANTED:
        told = list(refused(masked, value))
        assert {each.url: each.status_code for each in told if not 400 <= each.status_code < 500} == {}
    assert places(written(), *PLANTED) == set()
    asked = post(masked, f"/datasets/{DATASET}/records/lookup", {"entities": list(PLANTED)})
    assert asked.json()["missing"] == len(PLANTED)
    assert places(written(), *PLANTED) == set()
