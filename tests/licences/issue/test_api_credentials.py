"""Credentials of clients: checked, signed once, their status set by who asked for them."""

from __future__ import annotations

from functools import partial
from typing import Any

import orjson
import pytest

from registry.credentials.data_integrity import check_proof
from registry.licences import api_credentials, keys
from registry.licences.errors import CredentialRefused
from tests.licences.issue.town import BASE, BUREAU_CODE, MASTER_KEY, Town, read_entries

DID = f"did:web:127.0.0.1%3A8090:issuers:{BUREAU_CODE}"
V2 = "https://www.w3.org/ns/credentials/v2"


def credential(**changed: Any) -> dict[str, Any]:
    document = {
        "@context": [V2],
        "type": ["VerifiableCredential"],
        "validFrom": "2026-11-20T00:00:00+08:00",
        "credentialSubject": {"id": "https://example.gov.cn/entities/1", "alumniOf": "某校"},
    } | changed
    return {name: value for name, value in document.items() if value is not None}


@pytest.fixture
def asking(town: Town) -> Town:
    """With two clients."""
    town.client("office")
    town.client("other")
    return town


def issue(town: Town, document: dict[str, Any], client: str = "office") -> api_credentials.IssuedCredential:
    return api_credentials.issue(
        town.connection, client, BUREAU_CODE, document, keys=town.ring, base=BASE, now=town.now
    )


def test_a_credential_gets_issuer_status_and_proof(asking: Town) -> None:
    issued = issue(asking, credential())
    said = orjson.loads(issued.body)
    check_proof(said, asking.ring.signer(BUREAU_CODE).private_key.public_key())
    assert said["issuer"]["id"] == DID
    assert said["id"] == issued.id
    assert dict(read_entries(asking.connection, said)) == {"revocation": 0, "suspension": 0, "message": 0}


def test_the_same_request_gets_the_same_bytes(asking: Town) -> None:
    first = issue(asking, credential())
    again = issue(asking, dict(reversed(credential().items())))
    assert (again.id, again.body, again.again) == (first.id, first.body, True)
    assert issue(asking, credential(), "other").id != first.id
    assert issue(asking, credential(name="另一份")).id != first.id


def test_after_a_compromise_the_same_request_is_signed_anew(asking: Town) -> None:
    first = issue(asking, credential())
    lost = asking.ring.signer(BUREAU_CODE).key_id
    keys.revoke(asking.connection, lost, keys.Reason.KEY_COMPROMISE, master_key=MASTER_KEY, now=asking.now)
    again = issue(asking, credential())
    assert (again.id, again.again) == (first.id, True)
    check_proof(orjson.loads(again.body), asking.ring.signer(BUREAU_CODE).private_key.public_key())
    assert orjson.loads(again.body)["credentialStatus"] == orjson.loads(first.body)["credentialStatus"]
    assert issue(asking, credential()).body == again.body


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"@context": None}, "context_missing"),
        ({"@context": ["https://www.w3.org/2018/credentials/v1"]}, "context_first"),
        ({"type": ["Other"]}, "type_wrong"),
        ({"credentialSubject": None}, "subject_missing"),
        ({"validUntil": "2020-01-01T00:00:00Z"}, "dates_order"),
        ({"issuer": "did:web:elsewhere.example"}, "issuer_wrong"),
        ({"proof": {}}, "proof_given"),
        ({"credentialStatus": {"type": "X"}}, "credentialStatus_given"),
        ({"type": ["VerifiableCredential", "LicenceCredential"]}, "reserved"),
        ({"type": ["VerifiableCredential", "LicenceCopyCredential"]}, "reserved"),
        ({"type": ["VerifiableCredential", "BitstringStatusListCredential"]}, "reserved"),
        ({"type": ["VerifiableCredential", "TrustList"]}, "reserved"),
        ({"type": ["VerifiableCredential", f"{BASE}/contexts/licence/v1.json#LicenceCredential"]}, "reserved"),
        ({"type": ["VerifiableCredential", "vocabulary:LicenceCredential"]}, "reserved"),
        (
            {
                "@context": [
                    V2,
                    {"Harmless": "https://www.w3.org/ns/credentials/status#BitstringStatusListCredential"},
                ],
                "type": ["VerifiableCredential", "Harmless"],
            },
            "reserved",
        ),
        ({"id": f"{BASE}/licences/1.2.3"}, "reserved"),
        ({"name": "长" * 200_000}, "too_large"),
    ],
)
def test_what_is_no_credential_or_only_the_hubs_to_say_is_refused(
    asking: Town, changed: dict[str, Any], code: str
) -> None:
    with pytest.raises(CredentialRefused) as refused:
        issue(asking, credential(**changed))
    assert refused.value.code == code
    assert asking.rows("SELECT FROM registry.issued_credential") == []


def test_an_id_is_used_once(asking: Town) -> None:
    issue(asking, credential(id="https://example.gov.cn/c/1"))
    with pytest.raises(CredentialRefused) as refused:
        issue(asking, credential(id="https://example.gov.cn/c/1", name="另一份"))
    assert refused.value.code == "id_taken"


def test_status_is_set_by_who_had_it_signed_and_a_revocation_is_for_good(asking: Town) -> None:
    issued = issue(asking, credential())
    say = partial(api_credentials.set_status, asking.connection, issued.id, keys=asking.ring, base=BASE, now=asking.now)

    def says() -> dict[str, int]:
        return dict(read_entries(asking.connection, orjson.loads(issued.body)))

    assert say("office", "suspension", 1)
    assert not say("office", "suspension", 1)
    assert says() == {"revocation": 0, "suspension": 1, "message": 0}
    assert say("office", "suspension", 0)
    assert say("office", "message", 9)
    assert say("office", "revocation", 1)
    assert says() == {"revocation": 1, "suspension": 0, "message": 9}
    for client, purpose, value, code in (
        ("office", "revocation", 0, "revoked"),
        ("office", "suspension", 2, "status_wrong"),
        ("office", "refresh", 1, "status_wrong"),
        ("other", "suspension", 1, "credential_unknown"),
    ):
        with pytest.raises(CredentialRefused) as refused:
            say(client, purpose, value)  # type: ignore[arg-type]
        assert refused.value.code == code
