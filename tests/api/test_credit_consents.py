"""Consents and what lenders get by them, over HTTP: nothing without a consent, every use on record."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
import requests
from jsonschema import Draft202012Validator, FormatChecker

from registry.api.app import create_app
from registry.api.clients.clients import NewClient
from registry.api.settings import ApiSettings
from registry.credit import consents
from registry.domain.credit.lending import default_lending_rules
from registry.storage.database import connect
from tests import china
from tests.api.conftest import Api, Reader
from tests.credit.enterprise_file.town import Town, body, enterprise, penalty, uscc

TODAY = china.today()  # what is visible follows the real clock here; days are chosen relative to it
RECENT = f"{TODAY - timedelta(days=20)}"
RESIDENT_ID = "11010519491231002X"
HEADERS = {"Access-Purpose": "credit_lending", "Case-Number": "L-2026-000123"}
LENDING = f"/api/v1/enterprises/{uscc(1)}/lending"


@pytest.fixture
def town(registry_url: str) -> Iterator[Town]:
    made = Town(registry_url)
    made.say("legal_entity", {"1": enterprise(1), "2": enterprise(2)})
    made.say("administrative_penalty", {
        "P1": penalty(1, penalty_kinds=["confiscation_of_income"], decided_on=RECENT),
        "P2": penalty(1, penalty_kinds=["warning"], fine=None, content="警告", decided_on=RECENT),
        "P3": penalty(1, penalty_kinds=["confiscation_of_income"], decided_on=RECENT, use_scope="government"),
    })  # fmt: skip
    rating = {"year": "2025", "grade": "A", "rated_on": RECENT}
    made.say("tax_credit_rating", {"R": body(1, taxpayer_number=uscc(1), **rating)})
    made.say("utility_payment", {"U": body(1, utility="water", account_number="A-77", period="2026-10", due=money(80))})
    yield made
    made.connection.close()


@pytest.fixture
def window(api: Api) -> Reader:
    return api.client("credit:consent")


@pytest.fixture
def bank(api: Api) -> Reader:
    return api.client("credit:bank")


def money(amount: int) -> dict[str, str]:
    return {"amount": f"{amount}", "unit": "元", "currency": "CNY"}


def client(reader: Reader) -> NewClient:
    assert reader.client is not None
    return reader.client


def form(grantee: Reader, *items: str, **fields: Any) -> dict[str, Any]:
    now = datetime.now(UTC)
    said = {
        "subject": uscc(1),
        "grantee": client(grantee).id,
        "purpose": "credit_lending",
        "items": list(items or ("registration", "tax_credit_rating")),
        "valid_from": (now - timedelta(hours=1)).isoformat(),
        "valid_until": (now + timedelta(days=90)).isoformat(),
    } | fields
    digest = hashlib.sha256(repr(sorted(said.items())).encode()).hexdigest()
    return {"evidence_digest": digest} | said


def send(reader: Reader, path: str, content: Any = None) -> requests.Response:
    headers = {"Authorization": f"Bearer {reader.token}"}
    return reader.session.post(f"{reader.address}/api/v1{path}", json=content, headers=headers, timeout=60)


def give(window: Reader, grantee: Reader, *items: str, **fields: Any) -> dict[str, Any]:
    answer = send(window, "/credit/consents", form(grantee, *items, **fields))
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def ask(reader: Reader, path: str = LENDING, /, **parameters: Any) -> requests.Response:
    return reader.ask(path, headers=dict(HEADERS), **parameters)


def refused(answer: requests.Response) -> list[str]:
    assert (answer.status_code, answer.json()["type"]) == (403, "/problems/consent-required"), answer.text
    assert all(each["zh"] and each["en"] for each in answer.json()["unmet"])
    return [each["code"] for each in answer.json()["unmet"]]


def uses(town: Town) -> int:
    row = town.connection.execute("SELECT count(*) FROM registry.consent_use").fetchone()
    assert row is not None
    found: int = row[0]
    return found


def test_a_lender_gets_the_items_consented_to_and_no_others(town: Town, window: Reader, bank: Reader) -> None:
    made = give(window, bank, "registration", "penalties")

    found = ask(bank).json()

    assert set(found["items"]) == {"registration", "penalties"}
    assert found["items"]["registration"]["entries"][0]["body"]["name"] == enterprise(1)["name"]
    assert sorted(each["key"] for each in found["items"]["penalties"]["entries"]) == ["P1", "P2"]
    assert found["consents"] == [
        {"id": made["id"], "items": ["penalties", "registration"], "valid_until": made["valid_until"]}
    ]
    assert set(found["not_consented"]) == set(default_lending_rules().items) - {"registration", "penalties"}
    assert (found["purpose"], found["case_number"]) == (HEADERS["Access-Purpose"], HEADERS["Case-Number"])
    assert uses(town) == 1
    assert set(ask(bank, items="registration").json()["items"]) == {"registration"}


def test_fields_that_no_item_names_do_not_leave(town: Town, window: Reader, bank: Reader) -> None:
    town.say(
        "utility_payment", {"U2": body(1, utility="water", account_number=RESIDENT_ID, period="2026-09", due=money(1))}
    )
    give(window, bank, "utilities", "tax_credit_rating")

    found = ask(bank)

    assert "account_number" not in found.text
    assert "taxpayer_number" not in found.text
    assert RESIDENT_ID not in found.text
    (rating,) = found.json()["items"]["tax_credit_rating"]["entries"]
    assert rating["body"] == {"uscc": uscc(1), "year": "2025", "grade": "A", "rated_on": RECENT}


def test_without_a_consent_nothing_is_told_not_even_whether_the_enterprise_is_known(
    town: Town, api: Api, window: Reader, bank: Reader
) -> None:
    other = api.client("credit:bank")
    give(window, other)

    for path in (f"/{uscc(1)}", f"/{uscc(2)}", f"/{uscc(9)}", "/330203000000001", "/330203999999999"):
        for what in ("lending", "credit", "report"):
            answer = ask(bank, f"/api/v1/enterprises{path}/{what}")
            assert refused(answer) == ["no_consent"]
    assert uses(town) == 0


def test_a_request_beyond_its_consent_is_refused_with_every_reason(town: Town, window: Reader, bank: Reader) -> None:
    give(window, bank, "registration")

    assert refused(ask(bank, items="registration,penalties")) == ["items_beyond_consent"]
    other = {"Access-Purpose": "post_loan", "Case-Number": "L-1"}
    assert refused(bank.ask(LENDING, headers=other)) == ["other_purpose"]
    assert refused(bank.ask(LENDING, headers=other, items="penalties")) == ["other_purpose", "items_beyond_consent"]
    now = datetime.now(UTC)
    give(window, bank, "penalties", valid_from=(now + timedelta(days=1)).isoformat())
    assert refused(ask(bank, items="penalties")) == ["items_beyond_consent"]
    assert uses(town) == 0


@pytest.mark.parametrize(
    ("headers", "missing"),
    [
        ({}, ["#/Access-Purpose", "#/Case-Number"]),
        ({"Access-Purpose": "credit_lending"}, ["#/Case-Number"]),
        ({"Case-Number": "1"}, ["#/Access-Purpose"]),
        ({"Access-Purpose": "credit_lending", "Case-Number": "%0A"}, ["#/Case-Number"]),
        ({"Access-Purpose": "credit_lending", "Case-Number": "1" * 201}, ["#/Case-Number"]),
    ],
)
@pytest.mark.usefixtures("town")
def test_purpose_and_case_are_needed(window: Reader, bank: Reader, headers: dict[str, str], missing: list[str]) -> None:
    give(window, bank)

    for path in ("lending", "credit", "report"):
        answer = bank.ask(f"/api/v1/enterprises/{uscc(1)}/{path}", headers=dict(headers))
        assert (answer.status_code, answer.json()["type"]) == (400, "/problems/invalid-parameter")
        assert [each["pointer"] for each in answer.json()["errors"]] == missing


def test_a_case_number_may_be_chinese(town: Town, window: Reader, bank: Reader) -> None:
    give(window, bank)

    found = bank.ask(LENDING, headers=HEADERS | {"Case-Number": quote("贷审2026第7号")}).json()

    assert found["case_number"] == "贷审2026第7号"
    (used,) = consents.uses_of_entity(town.connection, uscc(1))
    assert used.case_number == "贷审2026第7号"


def test_a_revocation_takes_effect_on_the_next_request(town: Town, window: Reader, bank: Reader) -> None:
    made = give(window, bank)
    assert ask(bank).status_code == 200

    revoked = send(window, f"/credit/consents/{made['id']}/revoke").json()

    assert revoked["state"] == "revoked"
    assert refused(ask(bank)) == ["consent_revoked"]
    again = send(window, f"/credit/consents/{made['id']}/revoke").json()
    assert again == revoked
    form_again = form(bank) | {name: made[name] for name in ("evidence_digest", "valid_from", "valid_until")}
    answer = send(window, "/credit/consents", form_again)
    assert (answer.status_code, answer.json()["reason"]) == (409, "consent_revoked")
    assert uses(town) == 1


def test_several_consents_stand_together_and_each_use_is_put_down(town: Town, window: Reader, bank: Reader) -> None:
    first = give(window, bank, "registration", "penalties")
    second = give(window, bank, "penalties", "utilities")

    found = ask(bank).json()

    assert set(found["items"]) == {"registration", "penalties", "utilities"}
    rests = {each["id"]: each["items"] for each in found["consents"]}
    assert rests == {first["id"]: ["registration"], second["id"]: ["penalties", "utilities"]}
    who = window.get(f"/enterprises/{uscc(1)}/consent-uses")["uses"]
    assert {each["consent"]: each["items"] for each in who} == rests
    assert {(each["client"], each["answer"]) for each in who} == {(client(bank).id, "lending")}
    assert uses(town) == 2


def test_a_bank_edition_of_record_and_report_has_the_items_consented_to(
    town: Town, api: Api, window: Reader, bank: Reader
) -> None:
    give(window, bank, "penalties")
    path = f"/api/v1/enterprises/{uscc(1)}"

    record, report = ask(bank, f"{path}/credit").json(), ask(bank, f"{path}/report", reader="bank").json()

    assert record["reader"] == report["reader"] == "bank"
    assert sorted(each["key"] for each in record["records"]) == ["P1", "P2"]
    assert report["check"]["records"] == 2
    assert "measures" not in report
    assert "evaluations" not in record
    assert record["consents"][0]["items"] == ["penalties"]
    assert "lists" in record["not_consented"]
    assert [each.answer for each in consents.uses_of_entity(town.connection, uscc(1))] == [
        "credit_record", "credit_report",
    ]  # fmt: skip
    public = [each["key"] for each in ask(bank, f"{path}/credit", reader="public").json()["records"]]
    assert [key for key in public if key.startswith("P")] == ["P1"]
    assert ask(api.client("credit:public"), f"{path}/credit", reader="bank").status_code == 403
    assert ask(api.client("credit:department"), f"{path}/report", reader="bank").status_code == 403
    assert ask(bank, path).status_code == 403
    assert ask(bank, f"{path}/measures").status_code == 403


def test_an_answer_whose_use_cannot_be_put_down_is_not_given(town: Town, window: Reader, bank: Reader) -> None:
    give(window, bank)
    town.connection.execute("ALTER TABLE registry.consent_use ADD CONSTRAINT full_disk CHECK (answer IS NULL)")

    for path in ("lending", "credit", "report"):
        answer = ask(bank, f"/api/v1/enterprises/{uscc(1)}/{path}")
        assert answer.status_code == 500
        assert enterprise(1)["name"] not in answer.text
    assert uses(town) == 0


def test_a_read_that_fails_is_no_use(town: Town, window: Reader, bank: Reader) -> None:
    give(window, bank, "penalties")
    give(window, bank, "penalties", subject=uscc(9))

    assert ask(bank, f"/api/v1/enterprises/{uscc(9)}/credit").status_code == 404
    assert uses(town) == 0


def test_revoking_waits_for_answers_that_are_being_read(town: Town, window: Reader, bank: Reader) -> None:
    made = give(window, bank)
    answers: list[int] = []

    def read() -> None:
        session = requests.Session()
        session.trust_env = False
        own = Reader(bank.address, session, bank.client, bank.token)
        answers.extend(ask(own).status_code for _ in range(15))

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    revoked = send(window, f"/credit/consents/{made['id']}/revoke").json()["revoked_at"]
    at_that_time = uses(town)
    for thread in threads:
        thread.join(60)

    assert set(answers) <= {200, 403}
    assert uses(town) == at_that_time == answers.count(200)
    assert revoked is not None
    assert refused(ask(bank)) == ["consent_revoked"]


@pytest.mark.usefixtures("town")
def test_the_same_consent_sent_twice_is_one(window: Reader, bank: Reader) -> None:
    said = form(bank)

    first, second = send(window, "/credit/consents", said), send(window, "/credit/consents", said)

    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json() == second.json()
    assert first.headers["Location"] == f"/api/v1/credit/consents/{first.json()['id']}"
    other = send(window, "/credit/consents", said | {"items": ["penalties"]})
    assert (other.status_code, other.json()["reason"]) == (409, "evidence_used")


@pytest.mark.usefixtures("town")
@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"items": ["*"]}, 400),
        ({"items": []}, 400),
        ({"items": ["everything"]}, 400),
        ({"purpose": "marketing"}, 400),
        ({"grantee": "nobody"}, 409),
        ({"subject": "91310000MA1FL00A0A"}, 400),
        ({"valid_until": "2020-01-01T00:00:00Z"}, 400),
        ({"valid_from": "2026-01-01T00:00:00"}, 400),
        ({"evidence_digest": "ab"}, 400),
        ({"more": 1}, 400),
    ],
)
def test_a_consent_that_is_not_sound_is_refused(
    window: Reader, bank: Reader, fields: dict[str, Any], status: int
) -> None:
    answer = send(window, "/credit/consents", form(bank) | fields)

    assert answer.status_code == status, answer.text
    assert answer.json()["detail_zh"]
    assert window.get("/credit/consents", enterprise=uscc(1), state="all")["consents"] == []


@pytest.mark.usefixtures("town")
def test_who_sees_a_consent(api: Api, window: Reader, bank: Reader) -> None:
    made = give(window, bank)
    ask(bank)
    stranger, office, hub = api.client("credit:bank"), api.client("credit:department"), api.client("operate")
    path = f"/credit/consents/{made['id']}"

    for reader in (window, bank, hub):
        assert reader.get(path) == made
        assert len(reader.get(f"{path}/uses")["uses"]) == 1
    for place in (path, f"{path}/uses"):
        assert stranger.ask(f"/api/v1{place}").status_code == 404
        assert office.ask(f"/api/v1{place}").status_code == 403
    assert bank.get("/credit/consents")["consents"] == hub.get("/credit/consents")["consents"] == [made]
    assert stranger.get("/credit/consents")["consents"] == []
    assert stranger.ask("/api/v1/credit/consents", grantee=client(bank).id).status_code == 403
    assert window.ask("/api/v1/credit/consents").status_code == 400
    assert window.get("/credit/consents", enterprise=uscc(1))["consents"] == [made]
    assert window.get("/credit/consents", enterprise=uscc(2))["consents"] == []
    for what in (bank, stranger, office):
        assert what.ask(f"/api/v1/enterprises/{uscc(1)}/consent-uses").status_code == 403
        assert send(what, "/credit/consents", form(bank)).status_code == 403
        assert send(what, f"{path}/revoke").status_code == 403
    assert send(window, "/credit/consents/none/revoke").status_code == 404


@pytest.mark.usefixtures("town")
def test_nobody_enters_a_consent_for_itself(api: Api) -> None:
    both = api.client("credit:bank", "credit:consent")

    answer = send(both, "/credit/consents", form(both))

    assert (answer.status_code, answer.json()["type"]) == (403, "/problems/not-granted")


@pytest.mark.usefixtures("town")
def test_lists_come_in_pages(window: Reader, bank: Reader) -> None:
    made = [give(window, bank, valid_until=f"20{year}-01-01T00:00:00Z")["id"] for year in (40, 41, 42)]
    for _ in range(3):
        ask(bank)

    found = window.pages("/credit/consents", "consents", enterprise=uscc(1), limit=1)
    used = window.pages(f"/enterprises/{uscc(1)}/consent-uses", "uses", limit=2)

    assert [each["id"] for each in found] == made
    assert [each["consent"] for each in used] == [made[-1]] * 3
    assert window.pages(f"/credit/consents/{made[-1]}/uses", "uses", limit=1) == used


@pytest.mark.usefixtures("town")
def test_the_answers_are_what_the_description_says(window: Reader, bank: Reader, settings: ApiSettings) -> None:
    description = create_app(settings).openapi()
    made = give(window, bank, *default_lending_rules().items)
    answers = {
        "/api/v1/enterprises/{enterprise}/lending": ask(bank),
        "/api/v1/enterprises/{enterprise}/credit": ask(bank, f"/api/v1/enterprises/{uscc(1)}/credit"),
        "/api/v1/enterprises/{enterprise}/report": ask(bank, f"/api/v1/enterprises/{uscc(1)}/report"),
        "/api/v1/enterprises/{enterprise}/consent-uses": window.ask(f"/api/v1/enterprises/{uscc(1)}/consent-uses"),
        "/api/v1/credit/consents": bank.ask("/api/v1/credit/consents"),
        "/api/v1/credit/consents/{consent}": bank.ask(f"/api/v1/credit/consents/{made['id']}"),
        "/api/v1/credit/consents/{consent}/uses": bank.ask(f"/api/v1/credit/consents/{made['id']}/uses"),
    }
    for path, answer in answers.items():
        assert answer.status_code == 200, answer.text
        schema = description["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        whole = {"components": description["components"], **schema}
        problems = Draft202012Validator(whole, format_checker=FormatChecker()).iter_errors(answer.json())
        assert [error.message for error in problems] == [], path


def test_a_repaired_record_is_lent_to_nobody(town: Town, window: Reader, bank: Reader) -> None:
    give(window, bank, "penalties")
    with connect(town.url) as connection:
        connection.execute(
            "INSERT INTO registry.credit_mark (dataset_id, key, entity, repaired_at, disputed_since)"
            " SELECT id, 'P1', %s, now(), NULL FROM registry.dataset WHERE name = 'administrative_penalty'",
            (uscc(1),),
        )
        connection.execute(
            "INSERT INTO registry.credit_mark (dataset_id, key, entity, disputed_since)"
            " SELECT id, 'P2', %s, now() FROM registry.dataset WHERE name = 'administrative_penalty'",
            (uscc(1),),
        )

    (shown,) = ask(bank).json()["items"]["penalties"]["entries"]

    assert (shown["key"], shown["marks"]) == ("P2", ["disputed"])
