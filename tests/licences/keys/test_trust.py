"""What verifiers are given: enough to check any signature of this hub, and no more."""

from __future__ import annotations

import base64
import json
from datetime import datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc.jwk import ECKey

from registry.credentials import did, trust_list
from registry.credentials.trust_list import KeyMistrusted, TrustList, TrustListRefused
from registry.licences import keys, trust
from registry.licences.keys import KeyRing, Reason
from registry.signing.certificates import check_chain
from tests.licences.keys.conftest import BASE, HEALTH, MARKET, MASTER_KEY, NOW, Hall

LATER = NOW + timedelta(days=100)
RESOURCES = {f"{BASE}/contexts/licence/v1.json": "{“证照”}".encode()}


def document(hall: Hall, now: datetime = LATER) -> bytes:
    ring = KeyRing.load(hall.connection, MASTER_KEY)
    return trust.trust_list_document(hall.connection, ring, base=BASE, resources=RESOURCES, now=now)


def trusted(hall: Hall, now: datetime = LATER) -> TrustList:
    """As a verifier loads it, who has the root."""
    root = KeyRing.load(hall.connection, MASTER_KEY).root_certificate
    return trust_list.load(document(hall, now), root=root, at=now)


def rotate(hall: Hall, code: str = MARKET.code) -> keys.Rotation:
    return keys.rotate(hall.connection, code, master_key=MASTER_KEY, now=LATER)


def why_not(found: TrustList, method: str, at: datetime) -> str | None:
    """The reason for which a signature at that moment is not believed."""
    owner = found.owner(method)
    if owner is None:
        return "unknown"
    issuer, key = owner
    try:
        found.check_key(key, issuer, at)
    except KeyMistrusted as error:
        return error.code
    return None


def test_a_verifier_with_the_root_alone_trusts_the_list_and_every_seal_in_it(hall: Hall) -> None:
    found = trusted(hall)
    ring = KeyRing.load(hall.connection, MASTER_KEY)
    assert {issuer.code for issuer in found.issuers.values()} == {MARKET.code, HEALTH.code}
    assert found.hub == "did:web:hub.example.gov.cn"
    assert found.resources == RESOURCES
    for code in (MARKET.code, HEALTH.code):
        signer = ring.signer(code)
        assert why_not(found, signer.verification_method, LATER) is None
        owner = found.owner(signer.verification_method)
        assert owner is not None
        assert owner[1].public_key == signer.private_key.public_key()


def test_it_is_small_says_the_same_twice_and_holds_for_a_month(hall: Hall) -> None:
    rotate(hall)
    assert document(hall) == document(hall)
    assert len(document(hall)) < 10_000
    with pytest.raises(TrustListRefused):
        trust_list.load(document(hall), root=None, at=LATER + timedelta(days=31))


def test_it_holds_nothing_private(hall: Hall) -> None:
    hall.enter(MARKET, sm2=True)
    sealed = [key.sealed_private_key for key in keys.all_keys(hall.connection)]
    text = document(hall) + json.dumps(trust.jwks(hall.connection)).encode()
    assert not any(base64.b64encode(each[:30]) in text or each[:30].hex().encode() in text for each in sealed)
    assert all("d" not in key for key in trust.jwks(hall.connection)["keys"])


def test_a_rotated_key_is_believed_for_what_it_signed_until_a_day_after(hall: Hall) -> None:
    method = KeyRing.load(hall.connection, MASTER_KEY).signer(MARKET.code).verification_method
    new = rotate(hall).new
    found = trusted(hall)
    assert why_not(found, method, NOW) is None
    assert why_not(found, method, LATER + timedelta(hours=23)) is None
    assert why_not(found, method, LATER + timedelta(hours=25)) == "seal_expired"
    assert why_not(found, new.verification_method, LATER) is None
    assert why_not(found, new.verification_method, NOW) == "seal_not_yet_valid"


@pytest.mark.parametrize(
    ("reason", "before", "after"),
    [
        (Reason.KEY_COMPROMISE, "key_compromised", "key_compromised"),
        (Reason.SUPERSEDED, None, "key_revoked"),
        (Reason.CESSATION, None, "key_revoked"),
    ],
)
def test_a_revoked_key_is_believed_as_its_reason_allows(
    hall: Hall, reason: Reason, before: str | None, after: str
) -> None:
    signer = KeyRing.load(hall.connection, MASTER_KEY).signer(MARKET.code)
    keys.revoke(hall.connection, signer.key_id, reason, master_key=MASTER_KEY, now=LATER)
    found = trusted(hall, LATER + timedelta(days=1))
    assert why_not(found, signer.verification_method, LATER - timedelta(days=1)) == before
    assert why_not(found, signer.verification_method, LATER + timedelta(minutes=1)) == after


def test_a_list_signed_by_the_hubs_next_key_is_believed_under_the_same_root(hall: Hall) -> None:
    before = document(hall)
    rotate(hall, "hub")
    after = document(hall)
    assert before != after
    root = KeyRing.load(hall.connection, MASTER_KEY).root_certificate
    for each in (before, after):
        assert trust_list.load(each, root=root, at=LATER).root_was_given


def test_a_verifier_with_another_root_refuses_the_list(hall: Hall) -> None:
    other = KeyRing.load(hall.connection, MASTER_KEY).chain(MARKET.code)[0]
    with pytest.raises(TrustListRefused) as caught:
        trust_list.load(document(hall), root=other, at=LATER)
    assert caught.value.code == "other_root"


def test_after_a_new_root_nothing_of_before_is_believed_under_it(hall: Hall) -> None:
    before = KeyRing.load(hall.connection, MASTER_KEY)
    keys.replace_root(hall.connection, master_key=MASTER_KEY, now=LATER)
    found = trusted(hall)
    for code in (MARKET.code, HEALTH.code):
        assert why_not(found, before.signer(code).verification_method, NOW) == "certificate"
        after = KeyRing.load(hall.connection, MASTER_KEY).signer(code)
        assert why_not(found, after.verification_method, LATER) is None
    assert len(trust.jwks(hall.connection)["keys"]) == 3
    with pytest.raises(TrustListRefused):
        trust_list.load(document(hall), root=before.root_certificate, at=LATER)


def test_a_did_document_shows_old_and_new_keys_and_asserts_with_those_not_revoked(hall: Hall) -> None:
    done = rotate(hall)
    revoked = keys.revoke(hall.connection, done.new.id, Reason.SUPERSEDED, master_key=MASTER_KEY, now=LATER)
    found = trust.did_document(hall.connection, MARKET.code)
    assert found is not None
    about = f"did:web:hub.example.gov.cn:issuers:{MARKET.code}"
    assert found["id"] == about
    names = [f"{about}#{key}" for key in (done.old, done.new.id, revoked.successor)]
    assert sorted(method["id"] for method in found["verificationMethod"]) == sorted(names)
    assert sorted(found["assertionMethod"]) == sorted([names[0], names[2]])
    public = did.from_multikey(found["verificationMethod"][0]["publicKeyMultibase"])
    assert isinstance(public.curve, ec.SECP256R1)


def test_the_hub_has_a_did_document_and_who_is_not_entered_has_none(hall: Hall) -> None:
    hub = trust.did_document(hall.connection)
    assert hub is not None
    assert hub["id"] == "did:web:hub.example.gov.cn"
    assert len(hub["assertionMethod"]) == 1
    assert trust.did_document(hall.connection, "330203") is None


def test_the_key_set_verifies_signatures_with_stock_libraries(hall: Hall) -> None:
    rotate(hall)
    ring = KeyRing.load(hall.connection, MASTER_KEY)
    found = trust.jwks(hall.connection, [{"kid": "token"}])
    assert len(found["keys"]) == 5  # hub, two seals, one of earlier, and the one given
    by_id = {key["kid"]: key for key in found["keys"]}
    assert list(by_id)[-1] == "token"
    for signer in (ring.hub, ring.signer(MARKET.code), ring.signer(HEALTH.code)):
        jwk = by_id[signer.verification_method]
        stock = ECKey.import_key(jwk)
        assert stock.thumbprint() == signer.key_id
        signature = signer.sign(b"x")
        der = encode_dss_signature(int.from_bytes(signature[:32]), int.from_bytes(signature[32:]))
        stock.public_key.verify(der, b"x", ec.ECDSA(SHA256()))
        leaf, root = [x509.load_der_x509_certificate(base64.b64decode(text)) for text in jwk["x5c"]]
        check_chain(leaf, root, LATER)


def test_the_key_set_has_no_revoked_key(hall: Hall) -> None:
    signer = KeyRing.load(hall.connection, MASTER_KEY).signer(MARKET.code)
    keys.revoke(hall.connection, signer.key_id, Reason.KEY_COMPROMISE, master_key=MASTER_KEY, now=LATER)
    assert signer.verification_method not in {key["kid"] for key in trust.jwks(hall.connection)["keys"]}


def test_an_empty_registry_publishes_an_empty_key_set(empty: Hall) -> None:
    assert trust.jwks(empty.connection) == {"keys": []}
    assert trust.did_document(empty.connection) is None
    with pytest.raises(keys.NoActiveKey):
        document(empty)
