"""Annotated copies: made for one use, seen by who had them made, ended before their time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from tests.api.conftest import Api, Reader
from tests.api.licensing import Office, food, open_office
from tests.api.test_description import described, errors


@pytest.fixture
def office(start: Callable[..., Api], registry_url: str) -> Office:
    office = open_office(start, registry_url)
    office.town.publish(food(1))
    return office


def wanted(**changes: Any) -> dict[str, Any]:
    until = (datetime.now(UTC) + timedelta(days=30)).isoformat()
    return {"requested_by": "市城市商业银行", "cause": "小微企业贷款审核", "valid_until": until} | changes


def make(office: Office, reader: Reader) -> dict[str, Any]:
    answer = office.post(f"/api/v1/licences/{office.identifier(1)}/copies", reader, json=wanted())
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    assert answer.headers["Location"] == found["links"]["self"]
    return found


def verified(office: Office, document: bytes, media_type: str) -> dict[str, Any]:
    answer = office.post("/credentials/verify", data=document, headers={"Content-Type": media_type})
    found: dict[str, Any] = answer.json()
    return found


def test_a_copy_is_made_found_and_revoked(office: Office) -> None:
    reader = office.reader()
    copy = make(office, reader)
    path = copy["links"]["self"]

    assert (copy["cause"], copy["requested_by"]) == ("小微企业贷款审核", "市城市商业银行")
    assert reader.get(f"/licences/{office.identifier(1)}/copies")["copies"] == [copy]
    assert reader.ask(path).json() == copy
    credential = reader.ask(path, headers={"Accept": "application/vc"}).content
    assert orjson.loads(credential)["termsOfUse"][0]["cause"] == "小微企业贷款审核"
    assert verified(office, credential, "application/vc")["verified"] is True
    pdf = reader.ask(path, headers={"Accept": "application/pdf"})
    assert (pdf.headers["Content-Type"], pdf.content[:5]) == ("application/pdf", b"%PDF-")

    revoked = office.post(f"{path}/revoke", reader)
    listed = reader.ask(f"/api/v1/licences/{office.identifier(1)}/copies")
    for answer in (pdf, reader.ask(path), listed, revoked):
        as_of, read_at = (datetime.fromisoformat(answer.headers[f"Shuqiao-{name}"]) for name in ("As-Of", "Read-At"))
        assert read_at < as_of <= datetime.now(UTC)

    assert revoked.status_code == 200
    assert revoked.json()["revoked_at"] is not None
    assert office.post(f"{path}/revoke", reader).json() == revoked.json()
    assert verified(office, credential, "application/vc")["verdict"]["outcome"] == "revoked"


def test_a_copy_is_seen_by_who_had_it_made_and_by_operators(office: Office) -> None:
    copy = make(office, office.reader())
    path, listed = copy["links"]["self"], f"/licences/{office.identifier(1)}/copies"
    other, operator = office.reader(), office.reader("licence:*", "operate")

    assert other.ask(path).status_code == 404
    assert office.post(f"{path}/revoke", other).status_code == 404
    assert other.get(listed)["copies"] == []
    assert operator.ask(path).status_code == 200
    assert operator.get(listed)["copies"] == [copy]


def test_a_copy_without_purpose_or_end_is_refused(office: Office) -> None:
    reader = office.reader()
    refused: list[tuple[dict[str, Any], str]] = [
        ({"cause": ""}, "#/cause"),
        ({"cause": " "}, "#/cause"),
        ({"cause": "因" * 201}, "#/cause"),
        ({"requested_by": None}, "#/requested_by"),
        ({"valid_until": "2027-01-01"}, "#/valid_until"),
        ({"valid_until": "2027-01-01T00:00:00"}, "#/valid_until"),
        ({"valid_until": "2020-01-01T00:00:00Z"}, "#/valid_until"),
        ({"colour": "red"}, "#/colour"),
    ]
    for changes, pointer in refused:
        answer = office.post(f"/api/v1/licences/{office.identifier(1)}/copies", reader, json=wanted(**changes))

        assert (answer.status_code, answer.json()["type"]) == (400, "/problems/invalid-body"), changes
        assert answer.json()["errors"][0]["pointer"] == pointer, changes


def test_no_copy_is_made_of_a_licence_that_does_not_hold(office: Office) -> None:
    office.town.publish(food(1, status="02"))

    answer = office.post(f"/api/v1/licences/{office.identifier(1)}/copies", office.reader(), json=wanted())

    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/licence-not-valid")


def test_answers_with_copies_are_what_the_description_says(office: Office) -> None:
    reader = office.reader()
    copy = make(office, reader)
    description = described(office.api.settings)
    path = "/api/v1/licences/{identifier}/copies"
    listed = description["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    made = description["paths"][path]["post"]["responses"]["201"]["content"]["application/json"]["schema"]

    assert errors(description, listed, reader.get(f"/licences/{office.identifier(1)}/copies")) == []
    assert errors(description, made, copy) == []


def test_a_copy_whose_seal_was_compromised_is_told_so(office: Office) -> None:
    reader = office.reader()
    copy = make(office, reader)
    path = copy["links"]["self"]
    assert copy["seal_revoked_at"] is None

    office.town.lose_key()

    assert reader.ask(path).json()["seal_revoked_at"] is not None
    (listed,) = reader.get(f"/licences/{office.identifier(1)}/copies")["copies"]
    assert listed["seal_revoked_at"] is not None
    page = office.api.anyone.ask(f"/verify/copies/{copy['id']}").text
    assert 'data-outcome="not_genuine"' in page
    assert "本平台出具过这份加注件" in page
