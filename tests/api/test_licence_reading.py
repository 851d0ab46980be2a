"""Licences through the API: found, read in every form, with their history; what is not granted is not there."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import jwt
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.api.negotiation import preferred
from registry.credentials.data_integrity import check_proof
from registry.credentials.did import from_multikey
from registry.domain.licences.identifiers import parse
from registry.domain.licences.metadata import from_metadata
from tests.api.conftest import Api
from tests.api.feeding import enterprise, enterprises
from tests.api.licensing import BUREAU_CODE, FOOD, Office, food, licence_number, open_office, uscc
from tests.api.test_description import described, errors
from tests.api.test_hostile import NASTY

FORMS = {
    "vc": "application/vc",
    "jwt": "application/vc+jwt",
    "sd_jwt": "application/vc+sd-jwt",
    "pdf": "application/pdf",
    "metadata": "application/vnd.shuqiao.metadata+json",
    "json": "application/json",
}
ADDRESSES = ("/api/v1/licences/{}", "/api/v1/copies/{}", "/licences/{}", "/issuers/{}/did.json", "/status/{}/message")


@pytest.fixture
def office(start: Callable[..., Api], registry_url: str) -> Office:
    return open_office(start, registry_url)


def test_a_licence_says_what_its_record_says(office: Office) -> None:
    office.town.publish(food(1))

    found = office.reader().get(f"/licences/{office.identifier(1)}")

    licence = found["licence"]
    assert licence["identifier"] == office.identifier(1)
    assert (licence["number"], licence["version"], licence["state"]["code"]) == (licence_number(1), 1, "01")
    assert licence["holders"] == [{"name": "宁波第1食品有限公司", "code": uscc(1), "code_type": "001"}]
    assert {item["name"]: item["value"] for item in licence["items"]}["operation_kind"] == "catering"
    assert (licence["valid_from"], licence["valid_to"]) == ("2024-03-01", None)
    assert (licence["origin"]["key"], licence["origin"]["connector"]) == ("F000001", "market.food")
    assert found["sources"]["food_business_licence"][0]["connector"] == "market.food"
    assert "stale" not in licence


def test_every_form_is_to_be_had_by_accept_and_by_parameter(office: Office) -> None:
    office.town.publish(food(1))
    reader, path = office.reader(), f"/api/v1/licences/{office.identifier(1)}"

    for form, media_type in FORMS.items():
        by_header = reader.ask(path, headers={"Accept": media_type})
        by_parameter = reader.ask(path, form=form)
        assert (by_header.status_code, by_parameter.status_code) == (200, 200), form
        assert by_header.headers["Content-Type"] == by_parameter.headers["Content-Type"] == media_type
        assert "Accept" in by_header.headers["Vary"].split(", ")
        if form != "json":
            assert by_header.content == by_parameter.content
        again = reader.ask(path, form=form, headers={"If-None-Match": by_parameter.headers["ETag"]})
        assert (again.status_code, again.content) == (304, b""), form
        assert again.headers["ETag"] == by_parameter.headers["ETag"]


def test_every_form_says_of_when_it_is_and_how_old_the_data_as_does_what_has_not_changed(office: Office) -> None:
    office.town.publish(food(1))
    reader, path = office.reader(), f"/api/v1/licences/{office.identifier(1)}"
    said = reader.ask(path).json()
    (source,) = said["sources"]["food_business_licence"]
    asked_at = datetime.fromisoformat(said["as_of"])

    for form in FORMS:
        answer = reader.ask(path, form=form)
        same = reader.ask(path, form=form, headers={"If-None-Match": answer.headers["ETag"]})
        assert same.status_code == 304
        for each in (answer, same):
            assert datetime.fromisoformat(each.headers["Shuqiao-Read-At"]) == datetime.fromisoformat(source["read_at"])
            assert asked_at <= datetime.fromisoformat(each.headers["Shuqiao-As-Of"]) <= datetime.now(UTC), form
    assert reader.get(f"/licences/{office.identifier(1)}/history")["sources"].keys() == {"food_business_licence"}


def test_the_forms_are_signed_by_the_issuers_published_key(office: Office) -> None:
    office.town.publish(food(1))
    reader, path = office.reader(), f"/api/v1/licences/{office.identifier(1)}"
    did = office.api.anyone.ask(f"/issuers/{BUREAU_CODE}/did.json").json()
    key = from_multikey(did["verificationMethod"][0]["publicKeyMultibase"])

    check_proof(orjson.loads(reader.ask(path, form="vc").content), key)
    said = jwt.decode(reader.ask(path, form="jwt").content, key, algorithms=["ES256"])
    assert said["credentialSubject"]["number"] == licence_number(1)
    assert reader.ask(path, form="sd_jwt").text.count("~") > 1
    assert reader.ask(path, form="pdf").content.startswith(b"%PDF-")


def test_an_sd_jwt_is_found_under_either_name(office: Office) -> None:
    office.town.publish(food(1))
    reader, path = office.reader(), f"/api/v1/licences/{office.identifier(1)}"

    answer = reader.ask(path, headers={"Accept": "application/dc+sd-jwt"})

    header = jwt.get_unverified_header(answer.text.partition("~")[0])
    assert answer.headers["Content-Type"] == f"application/{header['typ']}" == "application/vc+sd-jwt"


def test_an_sm2_signature_is_there_only_where_the_issuer_makes_one(office: Office) -> None:
    office.town.publish(food(1))
    reader, path = office.reader(), f"/api/v1/licences/{office.identifier(1)}"

    refused = reader.ask(path, form="sm2")
    assert (refused.status_code, refused.json()["reason"]) == (406, "sm2_off")
    office.town.rotate(sm2=True)
    assert reader.ask(path, form="sm2").headers["Content-Type"] == "application/vnd.shuqiao.sm2-signature"


def test_a_form_is_made_once_and_kept(office: Office) -> None:
    office.town.publish(food(1))
    reader, path = office.reader(), f"/api/v1/licences/{office.identifier(1)}"

    first = {form: reader.ask(path, form=form).content for form in ("sd_jwt", "pdf")}
    office.town.rotate()

    assert {form: reader.ask(path, form=form).content for form in first} == first


def test_metadata_can_be_read_back(office: Office) -> None:
    office.town.publish(food(1))
    reader = office.reader()

    found = reader.get(f"/licences/{office.identifier(1)}", form="metadata")

    described_licence = from_metadata(FOOD, found)
    assert described_licence.identifier == office.identifier(1)
    assert described_licence.content.number == licence_number(1)
    assert described_licence.warnings == ()


def test_a_form_that_there_is_not_is_refused_with_those_that_there_are(office: Office) -> None:
    office.town.publish(food(1))

    answer = office.reader().ask(f"/api/v1/licences/{office.identifier(1)}", headers={"Accept": "image/png"})

    assert (answer.status_code, answer.json()["type"]) == (406, "/problems/not-acceptable")
    assert "application/pdf" in answer.json()["forms"]


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, "a/one"),
        ("", "a/one"),
        ("*/*", "a/one"),
        ("b/three", "b/three"),
        ("B/Three", "b/three"),
        ("a/*;q=0.5, b/three;q=0.9", "b/three"),
        ("a/one;q=0, a/*", "a/two"),
        ("*/*;q=0.1, a/two", "a/two"),
        ("c/four", None),
        ("a/one;q=0", None),
        ("a/one;q=x, b/three;q=0.001", "b/three"),
    ],
    ids=str,
)
def test_the_form_liked_best_is_given(accept: str | None, expected: str | None) -> None:
    assert preferred(accept, ["a/one", "a/two", "b/three"]) == expected


@given(st.text(max_size=200))
def test_any_header_at_all_gets_an_answer(accept: str) -> None:
    assert preferred(accept, ["a/one", "b/two"]) in {"a/one", "b/two", None}


def test_identifiers_that_were_copied_wrongly_are_told_so(office: Office) -> None:
    office.town.publish(food(1))
    reader, identifier = office.reader(), office.identifier(1)
    wrong = identifier[:-1] + ("0" if identifier[-1] != "0" else "1")
    unknown = str(parse(identifier).identifier.next_version())

    for path in ("", "/history", "/copies"):
        for asked, status, kind in (
            (wrong, 400, "wrong-check-character"),
            ("1.2.3", 400, "malformed-licence-identifier"),
            (unknown, 404, "not-found"),
        ):
            answer = reader.ask(f"/api/v1/licences/{asked}{path}")
            assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{kind}"), (asked, path)


def test_a_type_that_is_not_granted_is_not_there(office: Office) -> None:
    office.town.publish(food(1))
    identifier = office.identifier(1)
    unknown = str(parse(identifier).identifier.next_version())
    other = office.reader("licence:business_licence")

    for path in ("", "/history", "/copies"):
        hidden, absent = (other.ask(f"/api/v1/licences/{asked}{path}") for asked in (identifier, unknown))
        assert hidden.status_code == absent.status_code == 404
        assert hidden.json()["detail"] == absent.json()["detail"]
    assert other.get("/licences")["licences"] == []
    assert other.get("/licences", holder_code=uscc(1))["licences"] == []
    refused = other.ask("/api/v1/licences", type="food_business_licence")
    assert (refused.status_code, refused.json()["type"]) == (403, "/problems/not-granted")
    assert office.reader("licence:food_business_licence").get("/licences")["licences"]


def test_licences_are_found_by_holder_type_number_and_state(office: Office) -> None:
    office.town.publish(*(food(number) for number in range(1, 6)))
    office.town.publish(food(2, status="02"))
    reader = office.reader()

    def numbers(**wanted: Any) -> list[str]:
        return [found["number"] for found in reader.pages("/licences", "licences", limit=2, **wanted)]

    every = [licence_number(number) for number in range(1, 6)]
    assert sorted(numbers()) == every
    assert numbers(holder_code=uscc(3)) == [every[2]]
    assert numbers(holder_code=uscc(3), holder_code_type="111") == []
    assert numbers(number=every[3]) == [every[3]]
    assert numbers(state="02") == [every[1]]
    assert sorted(numbers(type="food_business_licence")) == every
    assert numbers(type="business_licence") == []


def test_a_cursor_of_another_search_is_refused(office: Office) -> None:
    office.town.publish(food(1), food(2))
    reader = office.reader()
    after = reader.get("/licences", limit=1)["next"]

    assert reader.ask("/api/v1/licences", after=after, state="01").json()["type"] == "/problems/invalid-cursor"
    narrower = office.reader("licence:food_business_licence")
    assert narrower.ask("/api/v1/licences", after=after).json()["type"] == "/problems/invalid-cursor"


def test_a_change_makes_a_version_and_the_history_has_both(office: Office) -> None:
    office.town.publish(food(1))
    office.town.publish(food(1, holder_name="宁波新名食品有限公司"))
    first, second = office.town.identifiers(1)
    reader = office.reader()

    found = reader.get(f"/licences/{first}/history")

    assert found["versions"] == reader.get(f"/licences/{second}/history")["versions"]
    assert [version["identifier"] for version in found["versions"]] == [second, first]
    assert [event["operation"]["code"] for version in found["versions"] for event in version["events"]][-1] == "01"
    assert reader.get(f"/licences/{first}")["licence"]["superseded_by"] == second
    assert reader.get(f"/licences/{second}")["licence"]["supersedes"] == first
    assert [licence["identifier"] for licence in reader.get("/licences")["licences"]] == [second]
    assert len(reader.get("/licences", versions="all")["licences"]) == 2


def test_a_change_of_state_changes_the_tag(office: Office) -> None:
    office.town.publish(food(1))
    reader, path = office.reader(), f"/api/v1/licences/{office.identifier(1)}"
    before = reader.ask(path).headers["ETag"]

    office.town.publish(food(1, status="02"))

    after = reader.ask(path, headers={"If-None-Match": before})
    assert after.status_code == 200
    assert after.json()["licence"]["state"]["code"] == "02"
    (version,) = reader.get(f"/licences/{office.identifier(1)}/history")["versions"]
    assert [event["to_state"] for event in version["events"]] == ["02", "01"]


def test_a_record_that_was_refused_since_leaves_a_mark(office: Office) -> None:
    office.town.publish(food(1))
    reader, path = office.reader(), f"/licences/{office.identifier(1)}"
    tag = reader.ask(f"/api/v1{path}").headers["ETag"]
    wrong = food(1)
    wrong.refused = "licence_number"
    office.town.publish(wrong)

    assert reader.get(path)["licence"]["stale"]["reasons"]
    assert reader.ask(f"/api/v1{path}").headers["ETag"] != tag


def test_the_address_in_a_credential_leads_people_and_programs_on(office: Office) -> None:
    office.town.publish(food(1))
    identifier = office.identifier(1)

    def led(accept: str, asked: str = identifier) -> Any:
        return office.api.session.get(
            f"{office.api.address}/licences/{asked}", headers={"Accept": accept}, allow_redirects=False, timeout=30
        )

    assert led("text/html,*/*;q=0.8").headers["Location"] == f"/verify/{identifier}"
    assert led("application/vc").headers["Location"] == f"/api/v1/licences/{identifier}"
    assert led("text/html").status_code == 303
    assert led("text/html", identifier[:-1]).status_code == 400


def test_without_a_master_key_what_is_stored_is_served(start: Callable[..., Api], registry_url: str) -> None:
    office = open_office(start, registry_url, master_key=None)
    office.town.publish(food(1))
    reader, path = office.reader(), f"/api/v1/licences/{office.identifier(1)}"

    assert reader.ask(path).status_code == 200
    assert reader.ask(path, form="vc").status_code == 200
    missing = reader.ask(path, form="pdf")
    assert (missing.status_code, missing.json()["type"]) == (503, "/problems/signing-unavailable")
    assert missing.json()["fault"] == "hub"


def test_a_licence_of_a_type_that_the_api_lacks_is_the_operators_to_mend(office: Office) -> None:
    office.town.publish(food(1))
    office.town.rows("UPDATE registry.licence SET type_version = 9 RETURNING 1")

    answer = office.reader().ask(f"/api/v1/licences/{office.identifier(1)}")

    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/not-ready")
    assert "SHUQIAO_LICENCE_TYPES" in answer.text


def test_what_is_answered_is_what_the_description_says(office: Office) -> None:
    office.town.publish(food(1))
    office.town.publish(food(1, holder_name="宁波新名食品有限公司"))
    description, reader = described(office.api.settings), office.reader()
    identifier = office.identifier(1)
    for path in ("/api/v1/licences", "/api/v1/licences/{identifier}", "/api/v1/licences/{identifier}/history"):
        operation = description["paths"][path]["get"]["responses"]
        answer = reader.ask(path.format(identifier=identifier))
        assert errors(description, operation["200"]["content"]["application/json"]["schema"], answer.json()) == [], path
        refused = reader.ask(path.format(identifier=identifier), nonsense="1")
        assert refused.json()["type"] == "/problems/unknown-parameter"


def test_nothing_that_is_asked_makes_the_hub_fail(office: Office) -> None:
    enterprises(office.api.settings.database_url).publish([enterprise(1)])
    office.town.publish(food(1))
    reader, identifier = office.reader(), office.identifier(1)
    for value in NASTY:
        for name in ("holder_code", "holder_code_type", "type", "number", "state", "versions", "after", "limit"):
            wanted: dict[str, Any] = {name: value}
            answer = reader.ask("/api/v1/licences", **wanted)
            assert answer.status_code < 500, (name, value, answer.text)
        assert reader.ask(f"/api/v1/licences/{identifier}", form=value).status_code < 500, value
        for path in ADDRESSES:
            answer = reader.ask(path.format(quote(value, safe="")))
            assert answer.status_code < 500, (path, value, answer.text)
