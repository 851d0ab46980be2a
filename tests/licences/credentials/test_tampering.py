"""Every way to make a false licence out of a true one, each refused with its own reason."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from time import process_time
from typing import Any

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.credentials import build, status_list
from registry.credentials.data_integrity import add_proof
from registry.credentials.jcs import canonical
from registry.credentials.multibase import base58, base64url, from_base58
from registry.credentials.trust_list import TrustList
from registry.credentials.verify import FetchedList, KeptLists, Outcome, Verdict
from registry.signing import certificates
from registry.signing.p256 import P256Signer, key_id, new_key
from tests.licences.credentials.city import BASE, GROUP, NOW, SIGNED, Authority, City

ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of P-256's group
Path = tuple[str | int, ...]


def first_reason(verdict: Verdict) -> tuple[str, str]:
    assert verdict.reason is not None
    return verdict.reason.name, verdict.reason.code


def codes(verdict: Verdict) -> set[tuple[str, str]]:
    return {(check.name, check.code) for check in verdict.failed}


def leaves(value: Any, path: Path = ()) -> Iterator[Path]:
    """The paths of every member and element, containers too."""
    if path:
        yield path
    if isinstance(value, dict):
        for name, member in value.items():
            yield from leaves(member, (*path, name))
    elif isinstance(value, list):
        for number, member in enumerate(value):
            yield from leaves(member, (*path, number))


def changed(document: dict[str, Any], path: Path, change: Callable[[Any], Any]) -> dict[str, Any]:
    """A copy with another value at the path; ``GONE`` takes it away."""
    result: Any = copy.deepcopy(document)
    place = result
    for part in path[:-1]:
        place = place[part]
    value = change(place[path[-1]])
    if value is GONE:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return dict(result)


GONE = object()


@settings(deadline=None)
@given(data=st.data())
def test_no_field_can_be_changed(city: City, data: st.DataObject) -> None:
    document = city.credential
    path = data.draw(st.sampled_from(list(leaves(document))))
    value = data.draw(
        st.just(GONE) | st.none() | st.booleans() | st.integers(0, 99) | st.text(max_size=9) | st.just([])
    )
    forged = changed(document, path, lambda _: value)

    verdict = city.verify(forged)

    assert forged == document or verdict.outcome is Outcome.NOT_GENUINE


def test_every_text_is_under_the_signature(city: City, trust: TrustList) -> None:
    document = city.credential
    for path in leaves(document):
        value: Any = document
        for part in path:
            value = value[part]
        if isinstance(value, str):
            verdict = city.verify(changed(document, path, lambda old: f"{old}0"), trust=trust)

            assert verdict.outcome is Outcome.NOT_GENUINE, path


@settings(deadline=None)
@given(data=st.data())
def test_nothing_can_be_added(city: City, data: st.DataObject) -> None:
    path = data.draw(
        st.sampled_from([(), ("credentialSubject",), ("issuer",), ("proof",), ("credentialSubject", "items")])
    )
    name = data.draw(st.text(min_size=1, max_size=9))
    forged = copy.deepcopy(city.credential)
    place: Any = forged
    for part in path:
        place = place[part]
    if name not in place:
        place[name] = "added"

        assert city.verify(forged).outcome is Outcome.NOT_GENUINE


FIELDS: dict[str, tuple[Path, Any, tuple[str, str]]] = {
    "the holder's name": (("credentialSubject", "holder", 0, "holderName"), "他人有限公司", ("signature", "signature")),
    "the last day": (("validUntil",), "2039-02-28T23:59:59+08:00", ("signature", "signature")),
    "the permitted items": (("credentialSubject", "items", "items"), ["酒类"], ("signature", "signature")),
    "a position of the status lists": (("credentialStatus", 0, "statusListIndex"), "1", ("signature", "signature")),
    "the status left out": (("credentialStatus",), GONE, ("signature", "signature")),
    "the evidence left out": (("evidence",), GONE, ("signature", "signature")),
    "the order of the contexts": (
        ("@context",),
        [f"{BASE}/contexts/licence/v1.json", build.CONTEXT],
        ("context", "context_first"),
    ),
    "a context more": (("@context",), [build.CONTEXT, "https://example.org/v1"], ("signature", "proof_context")),
    "no contexts": (("@context",), GONE, ("context", "context_missing")),
    "a context that is no list": (("@context",), build.CONTEXT, ("context", "context_not_a_list")),
    "a context that is a number": (("@context",), [build.CONTEXT, 5], ("context", "context_entry")),
    "no type": (("type",), GONE, ("type", "type_missing")),
    "another type": (("type",), ["LicenceCredential"], ("type", "type_wrong")),
    "a type that is a number": (("type",), ["VerifiableCredential", 1], ("type", "type_malformed")),
    "an id that is no URL": (("id",), "licence 1", ("id", "id_not_a_url")),
    "several ids": (("id",), ["urn:a:1", "urn:a:2"], ("id", "id_not_a_url")),
    "no issuer": (("issuer",), GONE, ("issuer", "issuer_missing")),
    "an issuer without id": (("issuer",), {"name": "局"}, ("issuer", "issuer_malformed")),
    "an issuer nobody knows": (("issuer",), "did:web:example.org", ("key", "issuer_not_trusted")),
    "a name that is a number": (("name",), 7, ("texts", "text_malformed")),
    "no subject": (("credentialSubject",), GONE, ("subject", "subject_missing")),
    "an empty subject": (("credentialSubject",), {}, ("subject", "subject_malformed")),
    "a subject that is a text": (("credentialSubject",), "某公司", ("subject", "subject_malformed")),
    "a subject's id that is no URL": (("credentialSubject",), {"id": "x", "a": 1}, ("subject", "subject_id")),
    "a status without type": (("credentialStatus", 0, "type"), GONE, ("members", "member_without_type")),
    "a schema without id": (("credentialSchema", "id"), GONE, ("members", "member_id")),
    "an evidence's type left out": (("evidence", 0, "type"), GONE, ("members", "member_without_type")),
    "no proof": (("proof",), GONE, ("proof", "proof_missing")),
    "an empty list of proofs": (("proof",), [], ("proof", "proof_missing")),
    "a proof that is a text": (("proof",), "z1", ("proof", "proof_malformed")),
    "another type of proof": (("proof", "type"), "Ed25519Signature2020", ("proof", "proof_type")),
    "another cryptosuite": (("proof", "cryptosuite"), "eddsa-jcs-2022", ("proof", "cryptosuite")),
    "a cryptosuite that canonicalises otherwise": (
        ("proof", "cryptosuite"),
        "ecdsa-rdfc-2019",
        ("proof", "cryptosuite"),
    ),
    "another purpose": (("proof", "proofPurpose"), "authentication", ("proof", "proof_purpose")),
    "no purpose": (("proof", "proofPurpose"), GONE, ("proof", "proof_purpose")),
    "no method": (("proof", "verificationMethod"), GONE, ("proof", "proof_method")),
    "a method that is an object": (("proof", "verificationMethod"), {"id": "did:a:b#c"}, ("proof", "proof_method")),
    "a key nobody knows": (("proof", "verificationMethod"), "did:web:example.org#k", ("key", "key_unknown")),
    "an attacker's did:key": (
        ("proof", "verificationMethod"),
        "did:key:zDnaepBuvsQ8cpsWrVKw8fbpGpvPeNSjVPTWoq6cRqaYzBKVP#zDnaepBuvsQ8cpsWrVKw8fbpGpvPeNSjVPTWoq6cRqaYzBKVP",
        ("key", "key_unknown"),
    ),
    "the time of signing": (("proof", "created"), "2026-11-17T04:00:00Z", ("signature", "signature")),
    "no time of signing": (("proof", "created"), GONE, ("signed_at", "proof_created")),
    "a time without zone": (("proof", "created"), "2026-11-18T04:00:00", ("proof", "proof_created")),
    "a time that is a number": (("proof", "created"), 1, ("proof", "proof_created")),
    "a time in the future": (("proof", "created"), "2026-11-20T04:06:00Z", ("signed_at", "proof_from_future")),
    "a time before the seal": (("proof", "created"), "2020-01-01T00:00:00Z", ("seal", "seal_not_yet_valid")),
    "a time after the seal's end": (("proof", "created"), "2030-01-01T00:00:00Z", ("signed_at", "proof_from_future")),
    "an expiry added": (("proof", "expires"), "2026-11-19T00:00:00Z", ("signed_at", "proof_expired")),
    "the proof's contexts left out": (("proof", "@context"), GONE, ("signature", "signature")),
    "no proof value": (("proof", "proofValue"), GONE, ("signature", "proof_value")),
    "dates that are no moments": (("validFrom",), "2024-03-01", ("signature", "signature")),
}


@pytest.mark.parametrize(("path", "value", "reason"), FIELDS.values(), ids=FIELDS)
def test_a_change_is_named(city: City, path: Path, value: Any, reason: tuple[str, str]) -> None:
    document = copy.deepcopy(city.credential)
    place: Any = document
    for part in path[:-1]:
        place = place[part]
    if value is GONE:
        del place[path[-1]]
    else:
        place[path[-1]] = value

    verdict = city.verify(document)

    assert verdict.outcome is Outcome.NOT_GENUINE
    assert first_reason(verdict) == reason


SIGNED_WRONG: dict[str, tuple[dict[str, Any], tuple[str, str]]] = {
    "an end before its beginning": ({"validUntil": "2020-01-01T00:00:00Z"}, ("dates", "dates_order")),
    "a beginning that is a day": ({"validFrom": "2024-03-01"}, ("dates", "date_malformed")),
    "a beginning that never was": ({"validFrom": "2023-02-29T00:00:00Z"}, ("dates", "date_malformed")),
    "a null date": ({"validFrom": None}, ("dates", "date_malformed")),
    "a wrong digest of the schema": (
        {
            "relatedResource": [
                {"id": f"{BASE}/schemas/licences/food_business_licence/1.json", "digestSRI": "sha256-AAAA"}
            ]
        },
        ("resources", "resource_digest"),
    ),
    "a related resource without digest": (
        {"relatedResource": [{"id": "urn:a:1"}]},
        ("resources", "resource_digest_missing"),
    ),
    "a related resource without address": (
        {"relatedResource": [{"digestSRI": "sha256-A"}]},
        ("resources", "resource_malformed"),
    ),
    "a related resource that is a text": ({"relatedResource": "urn:a:1"}, ("resources", "resource_malformed")),
    "a related resource named twice": (
        {"relatedResource": [{"id": "urn:a:1", "digestSRI": "sha256-A"}, {"id": "urn:a:1", "digestSRI": "sha256-A"}]},
        ("resources", "resource_twice"),
    ),
    "a status of an unknown kind": (
        {"credentialStatus": [{"type": "StatusList2021Entry", "id": "urn:a:1"}]},
        ("status_entries", "status_type"),
    ),
    "a status without a list": (
        {
            "credentialStatus": {
                "type": "BitstringStatusListEntry",
                "statusPurpose": "revocation",
                "statusListIndex": "1",
            }
        },
        ("schema", "schema"),
    ),
}


@pytest.mark.parametrize(("members", "reason"), SIGNED_WRONG.values(), ids=SIGNED_WRONG)
def test_what_an_issuer_signed_wrongly_is_refused_too(
    city: City, members: dict[str, Any], reason: tuple[str, str]
) -> None:
    verdict = city.verify(city.sign({**city.unsigned(), **members}))

    assert verdict.outcome is Outcome.NOT_GENUINE
    assert reason in codes(verdict)


ENTRY = {
    "type": "BitstringStatusListEntry",
    "statusPurpose": "revocation",
    "statusListIndex": "1",
    "statusListCredential": f"{BASE}/status/7/revocation",
}
ENTRIES: dict[str, tuple[dict[str, Any], str]] = {
    "an index that is a number": ({"statusListIndex": 1}, "status_malformed"),
    "a negative index": ({"statusListIndex": "-1"}, "status_malformed"),
    "an index in other digits": ({"statusListIndex": "１"}, "status_malformed"),
    "an endless index": ({"statusListIndex": "9" * 5000}, "status_malformed"),
    "a list that is no URL": ({"statusListCredential": "list"}, "status_malformed"),
    "a purpose that is a list": ({"statusPurpose": ["revocation"]}, "status_malformed"),
    "entries of no bits": ({"statusSize": 0}, "status_malformed"),
    "entries of a yes": ({"statusSize": True}, "status_malformed"),
    "messages missing": ({"statusSize": 2, "statusMessage": [{"status": "0x0", "message": "a"}]}, "status_messages"),
}


@pytest.mark.parametrize(("members", "code"), ENTRIES.values(), ids=ENTRIES)
def test_a_status_entry_is_of_the_specified_form(city: City, members: dict[str, Any], code: str) -> None:
    unsigned = {**city.unsigned(), "type": ["VerifiableCredential"], "credentialStatus": {**ENTRY, **members}}
    del unsigned["credentialSchema"]

    verdict = city.verify(city.sign(unsigned))

    assert codes(verdict) == {("status_entries", code)}


def proof_values(city: City) -> dict[str, str]:
    value: str = city.credential["proof"]["proofValue"]
    raw = from_base58(value[1:])
    return {
        "another multibase": "u" + base64url(raw),
        "no multibase": value[1:],
        "hexadecimal": "f" + raw.hex(),
        "a foreign character": value[:-1] + "0",
        "one byte less": "z" + base58(raw[:-1]),
        "one byte more": "z" + base58(raw + b"\0"),
        "a zero before it": "z1" + value[1:],
        "nothing": "z",
        "very long": "z" + "2" * 100_000,
        "DER": "z" + base58(b"\x30\x44\x02\x20" + raw[:32] + b"\x02\x20" + raw[32:]),
    }


@pytest.mark.parametrize("kind", proof_values(City()))
def test_a_proof_value_is_of_the_one_right_form(city: City, kind: str) -> None:
    forged = changed(city.credential, ("proof", "proofValue"), lambda _: proof_values(city)[kind])

    verdict = city.verify(forged)

    assert codes(verdict) == {("signature", "proof_value")}
    assert verdict.outcome is Outcome.NOT_GENUINE


def test_no_character_of_a_proof_value_can_be_another(city: City, trust: TrustList) -> None:
    proof = city.credential["proof"]
    value: str = proof["proofValue"]
    for place in range(1, len(value)):
        other = "2" if value[place] != "2" else "3"
        forged = {**city.credential, "proof": {**proof, "proofValue": value[:place] + other + value[place + 1 :]}}

        verdict = city.verify(forged, trust=trust)

        assert verdict.outcome is Outcome.NOT_GENUINE
        assert codes(verdict) <= {("signature", "signature"), ("signature", "proof_value")}


@pytest.mark.parametrize(
    ("r", "s"), [(0, 0), (0, 1), (1, 0), (ORDER, 1), (1, ORDER), (2**256 - 1, 2**256 - 1), (1, 1)], ids=str
)
def test_numbers_that_sign_anything_with_careless_libraries_sign_nothing(city: City, r: int, s: int) -> None:
    value = "z" + base58(r.to_bytes(32) + s.to_bytes(32))

    verdict = city.verify(changed(city.credential, ("proof", "proofValue"), lambda _: value))

    assert codes(verdict) == {("signature", "signature")}


def test_a_signature_of_the_other_half_size_is_refused_with_the_key_of_p256(city: City) -> None:
    value = "z" + base58(bytes(range(1, 97)))

    verdict = city.verify(changed(city.credential, ("proof", "proofValue"), lambda _: value))

    assert codes(verdict) == {("signature", "proof_value")}


# Who may sign what


def test_another_issuers_key_signs_nothing_for_this_one(city: City) -> None:
    forged = city.sign(city.unsigned(), by=city.other)

    verdict = city.verify(forged)

    assert verdict.outcome is Outcome.NOT_GENUINE
    assert first_reason(verdict) == ("key", "key_of_other_issuer")


def test_an_issuer_signs_no_licence_of_another_authority(city: City) -> None:
    """The other authority is trusted, and signs properly: but the licence is not its own."""
    unsigned = {**city.unsigned(), "issuer": {"id": city.other.issuer.did, "name": city.other.issuer.name}}

    verdict = city.verify(city.sign(unsigned, by=city.other))

    assert verdict.outcome is Outcome.NOT_GENUINE
    assert codes(verdict) == {("identifier", "other_authority")}


def test_the_hub_signs_no_licences(city: City) -> None:
    verdict = city.verify(city.sign(city.unsigned(), by=city.hub))

    assert first_reason(verdict) == ("key", "key_unknown")


def test_an_issuer_that_is_not_in_the_trust_list_is_nobody(city: City) -> None:
    verdict = city.verify(city.credential, trust=city.trust([city.other.trusted()]))

    assert verdict.outcome is Outcome.NOT_GENUINE
    assert first_reason(verdict) == ("key", "issuer_not_trusted")


def seal(city: City, **changes: Any) -> Verdict:
    return city.verify(city.credential, trust=city.trust([city.bureau.trusted(**changes)]))


def test_a_seal_that_had_expired_signed_nothing(city: City) -> None:
    verdict = seal(city, valid_until=SIGNED - timedelta(seconds=1))

    assert codes(verdict) == {("seal", "seal_expired")}
    assert verdict.outcome is Outcome.NOT_GENUINE


def test_a_seal_that_expired_later_leaves_old_licences_good(city: City) -> None:
    assert seal(city, valid_until=SIGNED + timedelta(seconds=1)).is_valid


def test_a_seal_that_had_not_begun_signed_nothing(city: City) -> None:
    assert codes(seal(city, valid_from=SIGNED + timedelta(hours=1))) == {("seal", "seal_not_yet_valid")}


def test_nothing_is_believed_of_a_key_that_was_stolen(city: City) -> None:
    """Whoever has it writes any date: one before the theft is no better."""
    verdict = seal(city, revoked_at=SIGNED + timedelta(days=1), reason="key_compromise")

    assert codes(verdict) == {("seal", "key_compromised")}
    assert verdict.outcome is Outcome.NOT_GENUINE


@pytest.mark.parametrize("reason", ["cessation", "superseded"])
@pytest.mark.parametrize(("revoked", "genuine"), [(SIGNED - timedelta(1), False), (SIGNED + timedelta(1), True)])
def test_a_key_revoked_for_other_reasons_keeps_what_it_signed_before(
    city: City, reason: str, revoked: datetime, *, genuine: bool
) -> None:
    verdict = seal(city, revoked_at=revoked, reason=reason)

    assert verdict.is_genuine is genuine
    assert genuine or codes(verdict) == {("seal", "key_revoked")}


def with_certificate(city: City, certificate: Any) -> Authority:
    bureau = city.bureau
    return Authority(bureau.issuer, bureau.key, certificate, bureau.since)


CERTIFICATES: dict[str, Callable[[City], Any]] = {
    "of another root": lambda _: City().bureau.certificate,
    "of another issuer": lambda city: city.other.certificate,
    "of the root itself": lambda city: city.root.certificate,
    "of another key": lambda city: certificates.make_seal(
        certificates.Subject(city.bureau.issuer.name, city.bureau.issuer.did), new_key().public_key(), city.root, SIGNED
    ),
}


@pytest.mark.parametrize("kind", CERTIFICATES)
def test_a_seal_certificate_is_of_this_root_and_issuer_and_key(city: City, kind: str) -> None:
    certificate = CERTIFICATES[kind](city)
    bureau = city.bureau.trusted()
    key = replace(
        bureau.keys[0],
        certificate=certificate,
        valid_from=certificate.not_valid_before_utc,
        valid_until=certificate.not_valid_after_utc,
    )

    verdict = city.verify(city.credential, trust=city.trust([replace(bureau, keys=(key,))]))

    assert first_reason(verdict) == ("seal", "certificate")
    assert verdict.outcome is Outcome.NOT_GENUINE


def test_a_key_on_the_list_longer_than_its_certificate_holds_is_refused(city: City) -> None:
    end = city.bureau.certificate.not_valid_after_utc

    assert codes(seal(city, valid_until=end + timedelta(days=1))) == {("seal", "certificate")}


def test_the_key_after_a_rotation_and_the_one_before_both_verify(city: City) -> None:
    key = new_key()
    subject = certificates.Subject(city.bureau.issuer.name, city.bureau.issuer.did)
    certificate = certificates.make_seal(subject, key.public_key(), city.root, SIGNED - timedelta(days=10))
    newer = Authority(city.bureau.issuer, key, certificate, certificate.not_valid_before_utc)
    both = replace(city.bureau.trusted(), keys=(city.bureau.trusted_key(valid_until=SIGNED), newer.trusted_key()))
    trust = city.trust([both])

    assert city.verify(city.credential, trust=trust).is_valid
    assert city.verify(city.sign(city.unsigned(), by=newer), trust=trust).is_valid


# Several proofs


def test_of_several_proofs_each_must_hold(city: City) -> None:
    good = city.credential["proof"]
    bad = {**good, "created": "2026-11-17T00:00:00Z"}

    twice = city.verify({**city.credential, "proof": [good, copy.deepcopy(good)]})
    once = city.verify({**city.credential, "proof": [good, bad]})
    never = city.verify({**city.credential, "proof": [bad, good]})

    assert twice.is_valid
    assert [codes(one) for one in (once, never)] == [{("signature", "signature")}] * 2


def test_a_proof_of_another_suite_beside_a_good_one_is_not_passed_over(city: City) -> None:
    good = city.credential["proof"]
    strange = {**good, "cryptosuite": "eddsa-rdfc-2022"}

    verdict = city.verify({**city.credential, "proof": [good, strange]})

    assert codes(verdict) == {("proof", "cryptosuite")}


def test_more_proofs_than_anyone_checks_are_not_checked(city: City) -> None:
    verdict = city.verify({**city.credential, "proof": [city.credential["proof"]] * 50})

    assert codes(verdict) == {("proof", "proof_too_many")}


# Identifiers


def test_a_wrong_check_character_is_refused(city: City) -> None:
    right: str = city.licence().identifier
    wrong = right[:-1] + ("0" if right[-1] != "0" else "1")

    verdict = city.verify(city.sign(city.unsigned(identifier=wrong)))

    assert codes(verdict) == {("identifier", "check_character")}


def test_an_identifier_of_another_licence_than_the_address_is_refused(city: City) -> None:
    unsigned = {**city.unsigned(), "id": f"{BASE}/licences/1.2.156.3005.2.x"}

    assert codes(city.verify(city.sign(unsigned))) == {("identifier", "identifier_address")}


def test_content_that_does_not_fit_the_type_is_refused(city: City) -> None:
    unsigned = city.unsigned()
    unsigned["credentialSubject"]["items"]["bonus"] = "更多"

    verdict = city.verify(city.sign(unsigned))

    assert codes(verdict) == {("schema", "schema")}


# Documents


DOCUMENTS: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "the holder given twice": (
        lambda data: data.replace(b'"number":', b'"number":"JY0","number":', 1),
        "duplicate_key",
    ),
    "the issuer given twice, once in escapes": (
        lambda data: data.replace(b'"issuer":', b'"\\u0069ssuer":"did:web:x","issuer":', 1),
        "duplicate_key",
    ),
    "giant": (lambda data: data[:-1] + b',"x":"' + b"x" * 3_000_000 + b'"}', "too_large"),
    "deep": (lambda data: data[:-1] + b',"x":' + b"[" * 5000 + b"]" * 5000 + b"}", "too_deep"),
    "cut off": (lambda data: data[:-1], "not_json"),
    "with something behind it": (lambda data: data + b"{}", "not_json"),
    "in a list": (lambda data: b"[" + data + b"]", "not_an_object"),
    "with NaN": (lambda data: data[:-1] + b',"x":NaN}', "not_a_number"),
    "with half a character": (lambda data: data[:-1] + b',"x":"\\ud800"}', "lone_surrogate"),
    "with a giant number": (lambda data: data[:-1] + b',"x":1' + b"0" * 400 + b"}", "number_out_of_range"),
    "in another encoding": (lambda data: data.decode().encode("gb18030"), "not_utf8"),
    "empty": (lambda _: b"", "not_json"),
}


@pytest.mark.parametrize(("change", "code"), DOCUMENTS.values(), ids=DOCUMENTS)
def test_a_document_that_cannot_be_read_in_one_way_only_is_refused(
    city: City, change: Callable[[bytes], bytes], code: str
) -> None:
    verdict = city.verify(change(canonical(city.credential)))

    assert verdict.outcome is Outcome.NOT_GENUINE
    assert first_reason(verdict) == ("document", code)


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_get_an_answer(city: City, data: bytes) -> None:
    assert city.verify(data).outcome is Outcome.NOT_GENUINE


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


@settings(deadline=None)
@given(data=st.data())
def test_any_member_may_be_anything(city: City, data: st.DataObject) -> None:
    """Whatever stands in whatever member, the verifier answers and does not fall over."""
    path = data.draw(st.sampled_from(list(leaves(city.credential))))
    value = data.draw(JSON)
    forged = changed(city.credential, path, lambda _: value)

    verdict = city.verify(json.dumps(forged).encode())

    assert verdict.outcome is Outcome.NOT_GENUINE or forged == city.credential


@settings(deadline=None)
@given(data=st.data())
def test_any_member_may_be_anything_also_under_a_good_signature(city: City, data: st.DataObject) -> None:
    unsigned = city.unsigned()
    path = data.draw(st.sampled_from(list(leaves(unsigned))))
    value = data.draw(st.none() | st.booleans() | st.text(max_size=8) | st.lists(st.text(max_size=3), max_size=3))

    city.verify(city.sign(changed(unsigned, path, lambda _: value))).as_dict()


SLOW: dict[str, dict[str, Any]] = {
    "half a million faults of content": {"credentialSubject": {"holder": [{}] * 500_000}},
    "a hundred thousand odd keys": {"x": {f"键{number}": 1.5 for number in range(80_000)}},
    "thousands of status entries": {"credentialStatus": [{"type": "BitstringStatusListEntry"}] * 30_000},
    "thousands of resources": {
        "relatedResource": [{"id": f"urn:a:{n}", "digestSRI": "sha256-A"} for n in range(30_000)]
    },
    "a digest written a hundred thousand times": {
        "relatedResource": [{"id": f"{BASE}/contexts/licence/v1.json", "digestSRI": "sha512-A " * 200_000}]
    },
    "an endless identifier": {"credentialSubject": {"identifier": "1.2.156.3005.2" + "." * 1_900_000}},
    "an endless date": {"validFrom": "2024-01-01T00:00:00." + "1" * 1_900_000 + "Z"},
    "an endless address": {"id": "a:" + "a" * 1_900_000},
}


@pytest.mark.parametrize("members", SLOW.values(), ids=SLOW)
def test_what_is_made_to_be_slow_is_refused_quickly(city: City, trust: TrustList, members: dict[str, Any]) -> None:
    proofs = [city.credential["proof"]] * 10
    document = orjson.dumps({**city.credential, **members, "proof": proofs})
    began = process_time()

    verdict = city.verify(document, trust=trust)

    assert process_time() - began < 3  # seconds of one core; it is a fraction of one
    assert verdict.outcome is Outcome.NOT_GENUINE


# Status lists


def with_list(city: City, purpose: status_list.Purpose, body: bytes, **about: Any) -> Verdict:
    lists = dict(city.lists().lists)
    address = build.status_url(BASE, GROUP, purpose)
    lists[address] = FetchedList(body, NOW - timedelta(hours=1), **about)
    return city.verify(city.credential, statuses=KeptLists(lists))


def resigned(city: City, change: Callable[[dict[str, Any]], Any], by: Authority | None = None) -> bytes:
    document = orjson.loads(city.list_of("revocation"))
    change(document)
    return canonical(city.sign(document, by=by))


def subject(**members: Any) -> Callable[[dict[str, Any]], None]:
    return lambda document: document["credentialSubject"].update(members)


SHORT = status_list.encode(bytes(status_list.MIN_ENTRIES // 8 - 1))
BOMB = status_list.encode(bytes(20 * 1024 * 1024))
LISTS: dict[str, tuple[Callable[[City], bytes], str]] = {
    "of another purpose": (
        lambda city: city.list_of("suspension", url=build.status_url(BASE, GROUP, "revocation")),
        "list_purpose",
    ),
    "of another group": (
        lambda city: city.list_of("revocation", url=build.status_url(BASE, 8, "revocation")),
        "list_id",
    ),
    "of another issuer": (lambda city: city.list_of("revocation", by=city.other), "list_issuer"),
    "signed by another issuer": (
        lambda city: canonical(city.sign(orjson.loads(city.list_of("revocation")), by=city.other)),
        "list_key_of_other_issuer",
    ),
    "signed by nobody known": (
        lambda city: canonical(add_proof(orjson.loads(city.list_of("revocation")), stranger(), SIGNED)),
        "list_key_unknown",
    ),
    "unsigned": (
        lambda city: canonical({k: v for k, v in orjson.loads(city.list_of("revocation")).items() if k != "proof"}),
        "list_proof_missing",
    ),
    "with a bit put out": (
        lambda city: city.list_of("revocation", 1).replace(
            encoded(city.list_of("revocation", 1)), encoded(city.list_of("revocation"))
        ),
        "list_signature",
    ),
    "whose end was put off": (
        lambda city: city.list_of("revocation", until=NOW - timedelta(days=1)).replace(
            b"2026-11-19T04", b"2026-12-19T04"
        ),
        "list_signature",
    ),
    "past its end": (lambda city: city.list_of("revocation", until=NOW - timedelta(seconds=1)), "list_expired"),
    "of the future": (
        lambda city: resigned(city, lambda d: d.update(validFrom="2026-11-21T00:00:00Z")),
        "list_not_yet_valid",
    ),
    "with too few entries": (lambda city: resigned(city, subject(encodedList=SHORT)), "list_too_small"),
    "that fills the memory": (lambda city: resigned(city, subject(encodedList=BOMB)), "list_too_large"),
    "that is no gzip": (lambda city: resigned(city, subject(encodedList="uAAAA")), "list_encoding"),
    "in another alphabet": (lambda city: resigned(city, subject(encodedList="zAAAA")), "list_encoding"),
    "without a list": (lambda city: resigned(city, subject(encodedList=None)), "list_encoding"),
    "of another type": (lambda city: resigned(city, subject(type="StatusList2021")), "list_type"),
    "that is a licence": (lambda city: canonical(city.credential), "list_type"),
    "that is no JSON": (lambda _: b"<html>", "list_unreadable"),
    "with a key given twice": (
        lambda city: city.list_of("revocation").replace(b'"type"', b'"type":"a","type"', 1),
        "list_unreadable",
    ),
}


def stranger() -> P256Signer:
    key = new_key()
    return P256Signer(key, f"did:web:example.org#{key_id(key.public_key())}")


def encoded(body: bytes) -> bytes:
    return str(orjson.loads(body)["credentialSubject"]["encodedList"]).encode()


@pytest.mark.parametrize(("make", "code"), LISTS.values(), ids=LISTS)
def test_a_status_list_that_cannot_be_believed_leaves_the_status_unknown(
    city: City, make: Callable[[City], bytes], code: str
) -> None:
    verdict = with_list(city, "revocation", make(city))

    assert verdict.outcome is Outcome.STATUS_UNKNOWN
    assert codes(verdict) == {("revocation", code)}


def test_an_old_list_is_a_replay_to_who_has_seen_a_newer_one(city: City) -> None:
    verdict = with_list(city, "revocation", city.list_of("revocation"), newest_seen=SIGNED + timedelta(minutes=1))

    assert verdict.outcome is Outcome.STATUS_UNKNOWN
    assert codes(verdict) == {("revocation", "list_replayed")}


def test_a_list_signed_with_a_stolen_key_is_not_believed(city: City) -> None:
    """The licence is signed with the new key, the list still with the stolen one."""
    key = new_key()
    said = city.bureau.issuer
    certificate = certificates.make_seal(
        certificates.Subject(said.name, said.did), key.public_key(), city.root, SIGNED - timedelta(days=1)
    )
    newer = Authority(said, key, certificate, certificate.not_valid_before_utc)
    stolen = city.bureau.trusted_key(revoked_at=SIGNED, reason="key_compromise")
    trust = city.trust([replace(city.bureau.trusted(), keys=(stolen, newer.trusted_key()))])

    verdict = city.verify(city.sign(city.unsigned(), by=newer), trust=trust)

    assert verdict.outcome is Outcome.STATUS_UNKNOWN
    assert codes(verdict) == {(purpose, "list_key_compromised") for purpose in build.PURPOSES}


def test_a_position_outside_the_list_is_no_position(city: City) -> None:
    licence = city.licence()
    unsigned = city.unsigned(status=replace(licence.status, index=status_list.MIN_ENTRIES))

    verdict = city.verify(city.sign(unsigned))

    assert verdict.outcome is Outcome.STATUS_UNKNOWN
    assert codes(verdict) == {(purpose, "list_index") for purpose in build.PURPOSES}


def test_a_key_on_another_curve_cannot_stand_in(city: City) -> None:
    key = ec.generate_private_key(ec.SECP384R1())
    certificate = city.bureau.certificate
    trusted = replace(city.bureau.trusted_key(), public_key=key.public_key(), certificate=certificate)

    verdict = city.verify(city.credential, trust=city.trust([replace(city.bureau.trusted(), keys=(trusted,))]))

    assert verdict.outcome is Outcome.NOT_GENUINE
    assert ("seal", "certificate") in codes(verdict)
