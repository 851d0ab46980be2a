"""What anyone may fetch to verify licences: keys, trust list, contexts, schemas, status lists."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from cryptography import x509
from jsonschema import Draft202012Validator

from registry.credentials import build, status_list, trust_list
from registry.credentials.verify import FetchedList, KeptLists, Outcome, verify
from registry.signing.master_key import MasterKey
from tests.api.conftest import Api
from tests.api.licensing import BASE, BUREAU, BUREAU_CODE, MASTER_KEY, Office, food, open_office

DOCUMENTS = {
    "/.well-known/did.json": ("application/did+json", 300),
    f"/issuers/{BUREAU_CODE}/did.json": ("application/did+json", 300),
    "/.well-known/jwks.json": ("application/jwk-set+json", 300),
    "/trust-list.json": ("application/vc", 300),
    "/root.pem": ("application/x-pem-file", 300),
    "/contexts/licence/v1.json": ("application/ld+json", 86400),
    "/schemas/licences/food_business_licence/1.json": ("application/schema+json", 86400),
    "/status/1/revocation": ("application/vc", 60),
    "/status/1/suspension": ("application/vc", 60),
    "/status/1/message": ("application/vc", 60),
}


@pytest.fixture
def office(start: Callable[..., Api], registry_url: str) -> Office:
    office = open_office(start, registry_url)
    office.town.publish(food(1))
    return office


def fetch(office: Office, path: str) -> bytes:
    answer = office.api.anyone.ask(path)
    assert answer.status_code == 200, answer.text
    return answer.content


def stored(office: Office, number: int) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(
        office.reader().ask(f"/api/v1/licences/{office.identifier(number)}", form="vc").content
    )
    return found


AS_IT_IS = {"Accept-Encoding": "identity"}
"""Compressed answers have weak tags: other bytes of the same thing."""


def test_every_document_can_be_kept_and_read_from_any_page(office: Office) -> None:
    for path, (media_type, max_age) in DOCUMENTS.items():
        answer = office.api.anyone.ask(path, headers=AS_IT_IS)
        assert answer.status_code == 200, path
        assert answer.headers["Content-Type"].partition(";")[0] == media_type, path
        assert answer.headers["Cache-Control"] == f"public, max-age={max_age}", path
        assert answer.headers["Access-Control-Allow-Origin"] == "*", path
        tag = answer.headers["ETag"]
        for sent in (tag, f"W/{tag}", f'"other", {tag}', "*"):
            again = office.api.anyone.ask(path, headers=AS_IT_IS | {"If-None-Match": sent})
            assert (again.status_code, again.content) == (304, b""), (path, sent)
            assert again.headers["ETag"] == tag
        assert office.api.anyone.ask(path, headers=AS_IT_IS | {"If-None-Match": '"other"'}).status_code == 200, path


@pytest.mark.parametrize(
    "path",
    [
        "/issuers/330203/did.json",
        "/schemas/licences/food_business_licence/9.json",
        "/schemas/licences/..%2F..%2Fpasswd/1.json",
        "/status/99/message",
    ],
)
def test_what_there_is_not_is_not_found(office: Office, path: str) -> None:
    assert office.api.anyone.ask(path).json()["type"] == "/problems/not-found"


def test_before_the_first_issuer_there_is_nothing_to_trust(api: Api) -> None:
    for path in ("/trust-list.json", "/root.pem", "/.well-known/did.json"):
        assert api.anyone.ask(path).status_code == 404, path
    keys = api.anyone.ask("/.well-known/jwks.json").json()["keys"]
    assert [key["use"] for key in keys] == ["sig"]  # the one of access tokens


def test_a_licence_is_verified_offline_with_what_was_fetched(office: Office) -> None:
    root = x509.load_pem_x509_certificate(fetch(office, "/root.pem"))
    at = datetime.now(UTC)
    trusted = trust_list.load(fetch(office, "/trust-list.json"), root=root, at=at)
    licence = stored(office, 1)
    urls = [entry["statusListCredential"] for entry in licence["credentialStatus"]]
    lists = KeptLists({url: FetchedList(fetch(office, url.removeprefix(BASE)), at) for url in urls})

    verdict = verify(orjson.dumps(licence), trusted, lists, at)

    assert (verdict.outcome, verdict.issuer_name) == (Outcome.VALID, BUREAU), verdict.failed


def test_context_and_schema_are_the_ones_whose_digests_are_signed(office: Office) -> None:
    licence = stored(office, 1)
    digests = {found["id"]: found["digestSRI"] for found in licence["relatedResource"]}

    assert len(digests) == 2
    for address, digest in digests.items():
        assert build.digest_sri(fetch(office, address.removeprefix(BASE))) == digest
    schema = orjson.loads(fetch(office, licence["credentialSchema"]["id"].removeprefix(BASE)))
    Draft202012Validator(schema).validate(licence)


def test_a_change_of_state_shows_in_a_new_list(office: Office) -> None:
    licence = stored(office, 1)
    entry = next(one for one in licence["credentialStatus"] if one["statusPurpose"] == "suspension")
    path = entry["statusListCredential"].removeprefix(BASE)
    tag = office.api.anyone.ask(path).headers["ETag"]

    office.town.publish(food(1, status="02"))

    answer = office.api.anyone.ask(path, headers={"If-None-Match": tag})
    assert answer.status_code == 200
    bits = status_list.decode(answer.json()["credentialSubject"]["encodedList"])
    assert status_list.get(bits, int(entry["statusListIndex"]), 1) == 1


def test_a_rotated_key_is_published_beside_the_one_before(office: Office) -> None:
    def published() -> tuple[int, int, bytes]:
        did = orjson.loads(fetch(office, f"/issuers/{BUREAU_CODE}/did.json"))
        keys = orjson.loads(fetch(office, "/.well-known/jwks.json"))["keys"]
        return len(did["verificationMethod"]), len(keys), fetch(office, "/trust-list.json")

    methods, keys, signed = published()
    assert published() == (methods, keys, signed)  # the very same list while nothing changes

    office.town.rotate()

    after = published()
    assert after[:2] == (methods + 1, keys + 1)
    assert after[2] != signed


def test_without_a_master_key_only_the_trust_list_waits(start: Callable[..., Api], registry_url: str) -> None:
    office = open_office(start, registry_url, master_key=None)
    office.town.publish(food(1))

    for path in DOCUMENTS:
        answer = office.api.anyone.ask(path)
        if path == "/trust-list.json":
            assert (answer.status_code, answer.json()["type"]) == (503, "/problems/signing-unavailable")
        else:
            assert answer.status_code == 200, path
    sent = office.post("/credentials/verify", json={"verifiableCredential": stored(office, 1)})
    assert sent.json()["verified"] is True


def test_a_wrong_master_key_is_the_operators_to_mend(
    start: Callable[..., Api], registry_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    office = open_office(start, registry_url, master_key=MasterKey(b"x" * 32))

    answer = office.api.anyone.ask("/trust-list.json")

    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/signing-unavailable")
    assert MASTER_KEY.id not in answer.text
    assert MASTER_KEY.id in caplog.text
