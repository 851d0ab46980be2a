"""The trust list: whom it makes a verifier believe, and whom not."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.credentials import build, trust_list
from registry.credentials.data_integrity import add_proof
from registry.credentials.jcs import canonical
from registry.credentials.trust_list import TrustedIssuer, TrustListRefused
from registry.signing import certificates
from registry.signing.p256 import new_key
from tests.licences.credentials.city import BASE, NOW, SIGNED, Authority, City, types


def test_a_trust_list_says_who_is_trusted_with_which_keys(city: City) -> None:
    revoked = city.bureau.trusted(revoked_at=NOW - timedelta(days=1), reason="cessation")

    trust = trust_list.load(city.trust_list([revoked, city.other.trusted()]), root=city.root.certificate, at=NOW)

    assert trust.root_was_given
    assert trust.hub == city.hub.issuer.did
    assert (trust.issued_at, trust.valid_until) == (SIGNED, NOW + timedelta(days=90))
    assert trust.issuers == {one.did: one for one in (revoked, city.other.trusted())}
    owner = trust.owner(city.other.signer.verification_method)
    assert owner == (city.other.trusted(), city.other.trusted_key())
    assert trust.owner("did:web:example.org#k") is None


def test_it_carries_the_published_documents_byte_for_byte(city: City) -> None:
    assert city.trust().resources == build.published(types().all, BASE)


def test_it_is_small(city: City) -> None:
    assert len(city.trust_list()) < 64 * 1024


def test_a_verifier_without_a_root_is_told_that_it_believed_the_lists_own(city: City) -> None:
    assert not trust_list.load(city.trust_list(), root=None, at=NOW).root_was_given


def test_it_is_a_credential_of_the_hub_like_any_other(city: City) -> None:
    document = orjson.loads(city.trust_list())

    assert document["type"] == ["VerifiableCredential", "TrustList"]
    assert document["issuer"] == city.hub.issuer.did
    assert document["proof"]["verificationMethod"] == city.hub.signer.verification_method


def refusal(data: bytes, city: City, **about: Any) -> str:
    said: dict[str, Any] = {"root": city.root.certificate, "at": NOW} | about
    with pytest.raises(TrustListRefused) as refused:
        trust_list.load(data, **said)
    assert refused.value.zh
    assert refused.value.en
    return refused.value.code


def resigned(city: City, change: Callable[[dict[str, Any]], Any], by: Authority | None = None) -> bytes:
    document = orjson.loads(city.trust_list())
    change(document)
    return canonical(add_proof(document, (by or city.hub).signer, SIGNED))


def test_a_list_under_another_root_is_refused(city: City) -> None:
    other = City()

    assert refusal(other.trust_list(), city) == "other_root"


def test_a_list_with_anothers_certificate_under_ones_own_root_is_refused(city: City) -> None:
    """Everything genuine but the hub's certificate, which the attacker made."""
    other = City()
    data = city.trust_list(hub_certificate=other.hub.certificate, signer=other.hub.signer)

    assert refusal(data, city) == "hub_certificate"


def test_an_issuer_makes_no_trust_list_though_its_seal_stands_under_the_root(city: City) -> None:
    """An authority that calls itself the hub could otherwise vouch for others, or hide that its key was revoked."""
    rogue = city.other
    data = city.trust_list(hub=rogue.issuer.did, hub_certificate=rogue.certificate, signer=rogue.signer)

    assert refusal(data, city) == "not_the_hub"


def test_an_issuer_that_lists_only_names_below_its_own_gains_nothing(city: City) -> None:
    rogue = city.other
    below = f"{rogue.issuer.did}:issuers:1"
    key = replace(rogue.trusted_key(), id=f"{below}#k")
    data = city.trust_list(
        [TrustedIssuer(below, "1", "宁波市市场监督管理局", "Bureau", (key,))],
        hub=rogue.issuer.did, hub_certificate=rogue.certificate, signer=rogue.signer,
    )  # fmt: skip
    trust = trust_list.load(data, root=city.root.certificate, at=NOW)

    unsigned = {**city.unsigned(), "issuer": below}
    signer = copy.copy(rogue.signer)
    signer.verification_method = key.id
    verdict = city.verify(add_proof(unsigned, signer, SIGNED), trust=trust)

    assert verdict.reason is not None
    assert (verdict.reason.name, verdict.reason.code) == ("seal", "certificate")


def test_a_list_signed_with_another_key_is_refused(city: City) -> None:
    document = orjson.loads(city.trust_list())

    assert refusal(canonical(add_proof(document, city.bureau.signer, SIGNED)), city) == "signature"


@pytest.mark.parametrize("member", ["issuer", "validUntil", "validFrom", "credentialSubject", "proof", "type", "id"])
def test_a_list_without_one_of_its_members_is_refused(city: City, member: str) -> None:
    document = orjson.loads(city.trust_list())
    del document[member]

    assert refusal(canonical(document), city) in {"malformed", "signature"}


@settings(deadline=None)
@given(data=st.data())
def test_no_byte_of_a_list_can_be_another(city: City, data: st.DataObject) -> None:
    body = city.trust_list()
    place = data.draw(st.integers(0, len(body) - 1))
    other = data.draw(st.integers(0, 255).filter(lambda one: one != body[place]))

    forged = body[:place] + bytes([other]) + body[place + 1 :]

    assert refusal(forged, city)


@pytest.mark.parametrize(
    ("days", "code"), [(-3, "not_yet_valid"), (91, "expired")], ids=["before it was made", "past its end"]
)
def test_a_list_is_used_in_its_time_only(city: City, days: int, code: str) -> None:
    assert refusal(city.trust_list(), city, at=NOW + timedelta(days=days)) == code


def test_a_list_is_not_used_after_a_newer_one_was_seen(city: City) -> None:
    """An older one may not yet say which keys were stolen."""
    assert refusal(city.trust_list(), city, newest_seen=SIGNED + timedelta(seconds=1)) == "replayed"
    assert trust_list.load(city.trust_list(), root=None, at=NOW, newest_seen=SIGNED).issued_at == SIGNED


def test_a_list_does_not_outlive_the_hubs_certificate(city: City) -> None:
    end = city.hub.certificate.not_valid_after_utc

    assert refusal(city.trust_list(valid_until=end + timedelta(days=1)), city) == "hub_certificate"


def test_a_list_signed_before_the_hubs_certificate_is_refused(city: City) -> None:
    early = city.hub.certificate.not_valid_before_utc - timedelta(days=1)

    assert refusal(city.trust_list(issued_at=early), city) == "hub_certificate"


CHANGES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "an issuer twice": lambda d: d["credentialSubject"]["trustedIssuers"].append(
        d["credentialSubject"]["trustedIssuers"][0]
    ),
    "a key of another issuer": lambda d: d["credentialSubject"]["trustedIssuers"][0]["keys"].append(
        d["credentialSubject"]["trustedIssuers"][1]["keys"][0]
    ),
    "a key that is none": lambda d: d["credentialSubject"]["trustedIssuers"][0]["keys"][0].update(
        publicKeyMultibase="z1"
    ),
    "a certificate that is none": lambda d: d["credentialSubject"]["trustedIssuers"][0]["keys"][0].update(
        certificate="AAAA"
    ),
    "a date that is none": lambda d: d["credentialSubject"]["trustedIssuers"][0]["keys"][0].update({"from": "today"}),
    "issuers that are a number": lambda d: d["credentialSubject"].update(trustedIssuers=5),
    "another type": lambda d: d.update(type=["VerifiableCredential"]),
    "an issuer without a name": lambda d: d["credentialSubject"]["trustedIssuers"][0].pop("name"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_list_of_another_form_is_refused_though_it_is_signed(
    city: City, change: Callable[[dict[str, Any]], Any]
) -> None:
    assert refusal(resigned(city, change), city) == "malformed"


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"a":1,"a":1}', b"\xff"])
def test_what_is_no_list_is_refused(city: City, data: bytes) -> None:
    assert refusal(data, city) in {"unreadable", "malformed"}


def test_the_root_signs_no_list_itself(city: City) -> None:
    """The root's key signs certificates; its certificate is not one that may seal documents."""
    key = new_key()
    root = certificates.make_root(certificates.Subject("假", city.hub.issuer.did), key, SIGNED - timedelta(days=1))
    fake = Authority(city.hub.issuer, key, root, SIGNED)

    assert refusal(city.trust_list(root=root, hub_certificate=root, signer=fake.signer), city, root=None) == (
        "hub_certificate"
    )
