"""The W3C VC API: anyone verifies; clients with the grant have credentials signed, and end them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import orjson
import pytest
import requests

from registry.credentials import status_list
from tests.api.conftest import Api, Reader
from tests.api.licensing import BASE, BUREAU_CODE, Office, food, open_office, uscc
from tests.api.test_description import described, errors
from tests.api.test_hostile import NASTY

MEDIA_TYPES = {
    "vc": "application/vc",
    "jwt": "application/vc+jwt",
    "sd_jwt": "application/vc+sd-jwt",
    "pdf": "application/pdf",
}
AS_JSON, AS_PDF = {"Content-Type": "application/json"}, {"Content-Type": "application/pdf"}
CREDENTIAL: dict[str, Any] = {
    "@context": ["https://www.w3.org/ns/credentials/v2"],
    "type": ["VerifiableCredential"],
    "credentialSubject": {"id": "urn:uuid:8d9ec9a4-7e6a-4a8f-9d4f-0a53b1a9d3a0"},
}


@pytest.fixture
def office(start: Callable[..., Api], registry_url: str) -> Office:
    office = open_office(start, registry_url)
    office.town.publish(food(1))
    return office


def form(office: Office, name: str = "vc") -> bytes:
    return office.reader().ask(f"/api/v1/licences/{office.identifier(1)}", form=name).content


def verify(office: Office, credential: Any, **options: Any) -> dict[str, Any]:
    answer = office.post("/credentials/verify", json={"verifiableCredential": credential, "options": options})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def issue(office: Office, reader: Reader, credential: dict[str, Any]) -> Any:
    return office.post("/credentials/issue", reader, json={"credential": credential, "options": {}})


@pytest.mark.parametrize("name", MEDIA_TYPES)
def test_every_form_is_verified_as_it_is(office: Office, name: str) -> None:
    answer = office.post("/credentials/verify", data=form(office, name), headers={"Content-Type": MEDIA_TYPES[name]})

    found = answer.json()
    assert (found["verified"], found["verdict"]["outcome"], found["errors"]) == (True, "valid", [])
    assert found["verdict"]["form"] == name
    assert "signature" in found["checks"]
    assert found["verdict"]["statusAge"] == 0


def test_credentials_and_tokens_are_verified_in_the_shape_of_the_vc_api(office: Office) -> None:
    assert verify(office, orjson.loads(form(office)))["verified"] is True
    assert verify(office, form(office, "jwt").decode())["verified"] is True
    assert verify(office, form(office, "sd_jwt").decode())["verified"] is True
    enveloped = {
        "@context": ["https://www.w3.org/ns/credentials/v2"],
        "type": "EnvelopedVerifiableCredential",
        "id": f"data:application/vc+jwt,{form(office, 'jwt').decode()}",
    }
    assert verify(office, enveloped)["verified"] is True
    with_document = verify(office, orjson.loads(form(office)), returnCredential=True)
    assert with_document["credential"] == orjson.loads(form(office))


def test_what_was_changed_is_not_genuine_and_says_why(office: Office) -> None:
    licence = orjson.loads(form(office))
    licence["credentialSubject"]["holder"][0]["holderName"] = "另一家公司"

    found = verify(office, licence, returnCredential=True)

    assert (found["verified"], found["verdict"]["outcome"]) == (False, "not_genuine")
    assert any(error.startswith("signature: ") for error in found["errors"])
    problem = next(one for one in found["problemDetails"] if one["code"] == "signature")
    assert problem["type"].endswith("#CRYPTOGRAPHIC_SECURITY_ERROR")
    assert "credential" not in found


def test_a_presentation_must_answer_the_challenge(office: Office) -> None:
    licence = orjson.loads(form(office))
    presentation = office.town.present([licence], challenge="c-1", domain="bank.example.cn")

    def present(**options: str) -> dict[str, Any]:
        sent = {"verifiablePresentation": presentation, "options": options}
        answer = office.post("/presentations/verify", json=sent)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    good = present(challenge="c-1", domain="bank.example.cn")
    assert (good["verified"], good["verdict"]["form"]) == (True, "vp"), good["errors"]
    assert good["verdict"]["credentials"][0]["identifier"] == office.identifier(1)
    assert present(challenge="c-2", domain="bank.example.cn")["verified"] is False
    assert present(challenge="c-1", domain="other.example.cn")["verified"] is False
    office.town.publish(food(1, status="02"))
    assert present(challenge="c-1", domain="bank.example.cn")["verdict"]["outcome"] == "suspended"


def test_a_credential_that_anybody_may_have_copied_is_no_presentation(office: Office) -> None:
    """Whoever has somebody's licence cannot pass for its holder, challenge or not."""
    for credential in (orjson.loads(form(office)), form(office, "jwt").decode(), form(office, "sd_jwt").decode()):
        for options in ({}, {"challenge": "c-1", "domain": "bank.example.cn"}):
            sent = {"verifiablePresentation": credential, "options": options}
            found = office.post("/presentations/verify", json=sent).json()
            assert (found["verified"], found["verdict"]["outcome"]) == (False, "not_genuine")
            assert found["problemDetails"][0]["code"] == "not_a_presentation"
    sealed = office.post("/presentations/verify", data=form(office, "pdf"), headers=AS_PDF).json()
    assert sealed["verified"] is False
    asked = verify(office, orjson.loads(form(office)), challenge="c-1")
    assert (asked["verified"], asked["problemDetails"][0]["code"]) == (False, "not_a_presentation")


def test_a_body_that_no_text_can_repeat_is_refused_in_words(office: Office) -> None:
    for body in (b'{"a\\ud800":1,"a\\ud800":2}', b'{"\\u202e":1,"\\u202e":2}', b'{"a":"\\ud800"}'):
        answer = office.post("/credentials/verify", data=body, headers=AS_JSON)
        assert (answer.status_code, answer.json()["type"]) == (400, "/problems/document-refused")
        assert "\u202e" not in answer.text


@pytest.mark.parametrize(("status", "outcome"), [("02", "suspended"), ("04", "cancelled"), ("07", "revoked")])
def test_a_change_of_state_is_known_at_once(office: Office, status: str, outcome: str) -> None:
    licence = orjson.loads(form(office))
    office.town.publish(food(1, status=status))

    found = verify(office, licence)

    assert (found["verified"], found["verdict"]["outcome"]) == (False, outcome)


def test_a_superseded_licence_names_its_successor(office: Office) -> None:
    licence = orjson.loads(form(office))
    office.town.publish(food(1, holder_name="宁波新名食品有限公司"))

    verdict = verify(office, licence)["verdict"]

    assert (verdict["outcome"], verdict["supersededBy"]) == ("superseded", office.identifier(1))


class Trap(BaseHTTPRequestHandler):
    """Remembers who comes."""

    visitors: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.visitors.append(self.path)
        self.send_error(404)


def test_a_foreign_status_list_is_not_fetched(office: Office) -> None:
    """Whoever sends a document must not choose an address that the hub then asks."""
    Trap.visitors.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Trap)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        trap = f"http://127.0.0.1:{server.server_port}"
        for url in (f"{trap}/status/1/revocation", f"{BASE}@{trap}/status/1/revocation", f"{BASE}/../status/1/x"):
            signed = office.town.sign({**CREDENTIAL, "credentialStatus": status_list.entry(url, "revocation", 1)})
            assert verify(office, signed)["verdict"]["outcome"] == "status_unknown", url
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert Trap.visitors == []


def test_a_request_that_cannot_be_meant_is_refused(office: Office) -> None:
    refused: list[tuple[dict[str, Any], int, str]] = [
        ({"data": b"{}", "headers": {"Content-Type": "text/html"}}, 415, "unsupported-media-type"),
        ({"data": b"{}"}, 415, "unsupported-media-type"),
        ({"json": {}}, 400, "invalid-body"),
        ({"json": {"verifiableCredential": 7}}, 400, "invalid-body"),
        ({"json": {"verifiableCredential": {}, "options": []}}, 400, "invalid-body"),
        ({"json": {"verifiableCredential": {}, "options": {"challenge": 7}}}, 400, "invalid-body"),
        ({"json": []}, 400, "document-refused"),
        ({"data": b"no json", "headers": AS_JSON}, 400, "document-refused"),
        ({"data": b'{"a":1,"a":2}', "headers": AS_JSON}, 400, "document-refused"),
        ({"data": b"[" * 100_000, "headers": AS_JSON}, 400, "invalid-body"),
        ({"data": b" " * (2 << 20) + b"{}", "headers": AS_JSON}, 413, "request-too-long"),
        ({"data": b"%PDF" + b" " * (20 << 20), "headers": AS_PDF}, 413, "request-too-long"),
    ]
    for sent, status, kind in refused:
        answer = office.post("/credentials/verify", **sent)

        assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{kind}"), str(sent)[:200]


def test_many_proofs_are_not_gone_through(office: Office) -> None:
    """Each proof is over the whole document: two megabytes of them would take minutes."""
    licence = orjson.loads(form(office))
    licence["proof"] = [licence["proof"]] * 2000

    begun = time.monotonic()
    found = verify(office, licence)

    assert found["errors"] == ["proof_too_many: more than 10 proofs"]
    assert time.monotonic() - begun < 5


def test_a_document_that_is_none_is_not_genuine(office: Office) -> None:
    """Whatever the bytes are: an answer with a reason, never a failure of the hub."""
    for media_type in MEDIA_TYPES.values():
        for content in (b"", b"{}", b"%PDF-1.7", b"a.b.c", b'{"a":1,"a":2}', *[text.encode() for text in NASTY]):
            answer = office.post("/credentials/verify", data=content, headers={"Content-Type": media_type})
            assert answer.status_code == 200, (media_type, content, answer.text)
            assert answer.json()["verdict"]["outcome"] == "not_genuine", (media_type, content)
            assert answer.json()["errors"], (media_type, content)


def test_other_requests_are_answered_while_documents_are_verified(office: Office) -> None:
    document, done = form(office, "pdf"), threading.Event()
    outcomes: list[str] = []

    def send() -> None:
        with requests.Session() as session:
            session.trust_env = False
            while not done.is_set():
                answer = session.post(
                    f"{office.api.address}/credentials/verify", data=document, headers=AS_PDF, timeout=60
                )
                outcomes.append(answer.json()["verdict"]["outcome"])

    senders = [threading.Thread(target=send) for _ in range(4)]
    for sender in senders:
        sender.start()
    try:
        waited = []
        for _ in range(20):
            begun = time.monotonic()
            assert office.api.anyone.ask("/healthz").status_code == 200
            waited.append(time.monotonic() - begun)
    finally:
        done.set()
        for sender in senders:
            sender.join()
    assert sorted(waited)[10] < 1
    assert set(outcomes) == {"valid"}


def test_a_client_has_a_credential_signed_and_ended(office: Office) -> None:
    client = office.reader(f"issue:{BUREAU_CODE}")

    issued = issue(office, client, CREDENTIAL)

    assert issued.status_code == 201, issued.text
    credential = issued.json()["verifiableCredential"]
    assert credential["issuer"]["id"].endswith(BUREAU_CODE)
    assert issue(office, client, CREDENTIAL).json()["verifiableCredential"] == credential
    assert verify(office, credential)["verified"] is True
    for purpose, status, outcome in (
        ("suspension", True, "suspended"),
        ("suspension", "0", "valid"),
        ("revocation", "1", "revoked"),
    ):
        body = {
            "credentialId": credential["id"],
            "credentialStatus": [{"type": "BitstringStatusListEntry", "statusPurpose": purpose, "status": status}],
        }
        answer = office.post("/credentials/status", client, json=body)
        assert (answer.status_code, answer.json()["changed"]) == (200, True), answer.text
        assert verify(office, credential)["verdict"]["outcome"] == outcome
    assert office.post("/credentials/status", client, json=body).json()["changed"] is False


def test_a_credential_is_signed_for_granted_issuers_only(office: Office) -> None:
    did = f"did:web:hub.example.cn:issuers:{BUREAU_CODE}"
    other = office.reader(f"issue:{uscc(7, '11')}")
    several = office.reader(f"issue:{BUREAU_CODE}", f"issue:{uscc(7, '11')}")

    refused = issue(office, other, {**CREDENTIAL, "issuer": did})
    assert (refused.status_code, refused.json()["type"]) == (403, "/problems/not-granted")
    assert issue(office, other, {**CREDENTIAL, "issuer": {"id": "did:web:elsewhere"}}).status_code == 403
    assert issue(office, other, CREDENTIAL).json()["type"] == "/problems/credential-refused"
    assert issue(office, several, CREDENTIAL).json()["type"] == "/problems/invalid-body"
    assert issue(office, several, {**CREDENTIAL, "issuer": did}).status_code == 201


def test_what_the_hub_does_not_sign_is_refused(office: Office) -> None:
    client = office.reader(f"issue:{BUREAU_CODE}")
    refused: list[dict[str, Any]] = [
        {"@context": []},
        {"type": ["LicenceCredential", "VerifiableCredential"]},
        {"id": f"{BASE}/licences/1"},
        {"credentialSubject": []},
        {"proof": {}},
        {"credentialStatus": {}},
        {"validFrom": "yesterday"},
    ]
    for changes in refused:
        answer = issue(office, client, CREDENTIAL | changes)

        assert (answer.status_code, answer.json()["type"]) == (400, "/problems/credential-refused"), changes
        assert answer.json()["reason"], changes


def test_nobody_ends_what_another_had_signed(office: Office) -> None:
    credential = issue(office, office.reader(f"issue:{BUREAU_CODE}"), CREDENTIAL).json()["verifiableCredential"]
    stranger = office.reader(f"issue:{BUREAU_CODE}")
    licence = orjson.loads(form(office))
    for target in (credential, licence):
        body = {"credentialId": target["id"], "credentialStatus": {"statusPurpose": "revocation"}, "status": True}
        answer = office.post("/credentials/status", stranger, json=body)
        assert (answer.status_code, answer.json()["type"]) == (400, "/problems/credential-refused")
        assert verify(office, target)["verified"] is True


def test_a_change_of_status_that_cannot_be_meant_is_refused(office: Office) -> None:
    client = office.reader(f"issue:{BUREAU_CODE}")
    refused: list[dict[str, Any]] = [
        {},
        {"credentialId": "x"},
        {"credentialId": 7, "credentialStatus": {}},
        {"credentialId": "x", "credentialStatus": ["y"]},
        {"credentialId": "x", "credentialStatus": {"statusPurpose": "colour"}},
        {"credentialId": "x", "credentialStatus": {"status": "²"}},
        {"credentialId": "x", "credentialStatus": {"status": []}},
    ]
    for body in refused:
        answer = office.post("/credentials/status", client, json=body)

        assert (answer.status_code, answer.json()["type"]) == (400, "/problems/invalid-body"), body


def test_signing_without_a_master_key_waits(start: Callable[..., Api], registry_url: str) -> None:
    office = open_office(start, registry_url, master_key=None)

    answer = issue(office, office.reader(f"issue:{BUREAU_CODE}"), CREDENTIAL)

    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/signing-unavailable")


def test_answers_are_what_the_description_says(office: Office) -> None:
    description, client = described(office.api.settings), office.reader(f"issue:{BUREAU_CODE}")
    licence = orjson.loads(form(office))
    issued = issue(office, client, CREDENTIAL)
    ended = office.post(
        "/credentials/status",
        client,
        json={"credentialId": issued.json()["verifiableCredential"]["id"], "credentialStatus": {"status": True}},
    )
    verified = office.post("/credentials/verify", json={"verifiableCredential": licence})
    presented = office.post("/presentations/verify", json={"verifiablePresentation": licence})
    for path, answer in (
        ("/credentials/issue", issued),
        ("/credentials/status", ended),
        ("/credentials/verify", verified),
        ("/presentations/verify", presented),
    ):
        found = description["paths"][path]["post"]["responses"][str(answer.status_code)]
        assert errors(description, found["content"]["application/json"]["schema"], answer.json()) == [], path
