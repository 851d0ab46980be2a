"""Who keeps an answer can show what the hub answered: an independent library verifies it (RFC 9421, RFC 9530)."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import http_message_signatures as signatures
import jwt
import psycopg
import pytest
import requests
from http_message_signatures.exceptions import InvalidSignature

from registry.api.access_log import signed
from registry.api.state import Remembered
from registry.licences import keys
from tests.api.conftest import Api, Reader
from tests.api.feeding import enterprise, enterprises, uscc
from tests.api.licensing import BASE, MASTER_KEY, Office, open_office
from tests.api.test_audit import last, receipt

RECORD = f"/api/v1/datasets/legal_entity/records/{uscc(1)}"
COVERED = ["@status", "content-digest", "shuqiao-receipt", "x-request-id"]


@dataclass
class Answer:
    """As it came over the line, before anything is unpacked."""

    status_code: int
    headers: dict[str, str]
    body: bytes


class PublishedKeys(signatures.HTTPSignatureKeyResolver):
    def __init__(self, address: str) -> None:
        found = requests.get(f"{address}/.well-known/jwks.json", timeout=30).json()["keys"]
        self._keys = {key["kid"]: jwt.PyJWK({**key, "alg": "ES256"}).key for key in found}

    def resolve_public_key(self, key_id: str) -> Any:
        return self._keys[key_id]


def ask(reader: Reader, path: str, **headers: str) -> Answer:
    sent = {"Authorization": f"Bearer {reader.token}", "Accept-Encoding": "identity", **headers}
    with requests.get(reader.address + path, headers=sent, timeout=30, stream=True) as answer:
        return Answer(answer.status_code, dict(answer.headers), answer.raw.read(decode_content=False))


def verify(answer: Answer, address: str) -> str:
    """The id of the key. Raises InvalidSignature."""
    verifier = signatures.HTTPMessageVerifier(
        signature_algorithm=signatures.algorithms.ECDSA_P256_SHA256, key_resolver=PublishedKeys(address)
    )
    (found,) = verifier.verify(answer, expect_tag="shuqiao-answer")
    assert [name.strip('"') for name in found.covered_components if "@signature-params" not in name] == COVERED
    digest = base64.b64encode(hashlib.sha256(answer.body).digest()).decode()
    if answer.headers["content-digest"] != f"sha-256=:{digest}:":
        raise InvalidSignature("another body")
    return str(found.parameters["keyid"])


@pytest.fixture
def office(start: Callable[..., Api], registry_url: str) -> Office:
    office = open_office(start, registry_url)
    enterprises(registry_url).publish([enterprise(number) for number in range(60)])
    return office


def test_answers_are_signed_with_the_hubs_published_key(office: Office) -> None:
    reader = office.reader("read:legal_entity")
    address = office.api.address
    found = ask(reader, RECORD)
    assert (found.status_code, verify(found, address).partition("#")[0]) == (200, "did:web:" + BASE.split("//")[1])

    page = ask(reader, "/api/v1/datasets/legal_entity/records", **{"Accept-Encoding": "gzip"})
    assert page.headers["content-encoding"] == "gzip"
    verify(page, address)
    unchanged = ask(reader, RECORD, **{"If-None-Match": found.headers["etag"]})
    assert (unchanged.status_code, unchanged.body) == (304, b"")
    verify(unchanged, address)
    missing = ask(reader, "/api/v1/datasets/legal_entity/records/none")
    assert missing.status_code == 404
    verify(missing, address)
    refused = ask(reader, "/api/v1/datasets/no_such/records/1")
    assert refused.status_code == 403
    verify(refused, address)


@pytest.mark.parametrize("part", [*COVERED, "body"])
def test_no_part_can_be_changed_or_taken_from_another_answer(office: Office, part: str) -> None:
    reader = office.reader("read:legal_entity")
    one = ask(reader, RECORD)
    other = ask(reader, "/api/v1/datasets/legal_entity/records/none")
    verify(one, office.api.address)
    if part == "@status":
        one.status_code = other.status_code
    elif part == "body":
        one.body = one.body.replace(b"active", b"closed")
    else:
        one.headers[part] = other.headers[part]
    with pytest.raises(InvalidSignature):
        verify(one, office.api.address)


def test_answers_follow_the_hubs_key_and_kept_ones_stay_good(office: Office, registry_url: str) -> None:
    reader, address = office.reader("read:legal_entity"), office.api.address
    before = ask(reader, RECORD)
    with psycopg.connect(registry_url, autocommit=True) as connection:
        keys.rotate(connection, keys.HUB, master_key=MASTER_KEY, now=datetime.now(UTC))
    after = ask(reader, RECORD)
    assert verify(after, address) != verify(before, address)


def test_what_is_for_anyone_and_a_hub_without_keys_sign_nothing(api: Api, registry_url: str) -> None:
    enterprises(registry_url).publish([enterprise(1)])
    found = ask(api.client("read:legal_entity"), RECORD)
    assert found.status_code == 200
    assert "shuqiao-receipt" in found.headers
    assert "signature" not in found.headers
    assert "signature" not in api.anyone.ask("/healthz").headers


def test_an_answer_on_record_leaves_with_its_receipt_also_where_the_hubs_key_cannot_be_read(
    start: Callable[..., Api], registry_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = start(answer_seconds=3)
    reader = api.client("read:legal_entity")

    async def hangs() -> tuple[None]:
        await asyncio.sleep(60)
        return (None,)

    monkeypatch.setattr(signed, "WAIT_SECONDS", 0.2)
    monkeypatch.setattr(api.server._state, "_hub_signer", Remembered(hangs, 60))
    answer = reader.ask("/api/v1/datasets")

    assert answer.status_code == last(registry_url).entry.status == 200
    assert receipt(answer.headers)[0] == last(registry_url).index
    assert "Signature" not in answer.headers
