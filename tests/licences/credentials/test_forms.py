"""The other forms of a licence: token, SD-JWT, presentation, PDF; what each is refused for."""

from __future__ import annotations

import base64
import copy
import hmac
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import jwt
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.credentials import build, jose, sd_jwt
from registry.credentials.data_integrity import AUTHENTICATION, add_proof
from registry.credentials.did import multikey
from registry.credentials.jcs import canonical
from registry.credentials.multibase import base64url, from_base64url
from registry.credentials.verify import Form, Outcome, Verdict
from registry.documents import document as pdf_document
from registry.documents import rendering, signing
from registry.documents.page import page_of
from registry.domain.licences.licence import Holder
from registry.signing.p256 import P256Signer, new_key, public_jwk
from tests.licences.credentials.city import BASE, NOW, SIGNED, City, types

PERSON = Holder("李四", "330203199001011234", "111")


def codes(verdict: Verdict) -> set[tuple[str, str]]:
    return {(check.name, check.code) for check in verdict.failed}


# Tokens


def token_of(city: City, **header: Any) -> bytes:
    """The licence as a token; ``header`` changes members of the header, None takes one away."""
    unsigned = city.unsigned()
    said = jose.vc_header(unsigned, SIGNED, [city.bureau.certificate, city.root.certificate]) | header
    typ = said.pop("typ", jose.VC)
    return jose.sign(
        canonical(unsigned), {name: value for name, value in said.items() if value is not None}, city.bureau.signer, typ
    )


def test_a_token_is_as_good_as_the_credential(city: City) -> None:
    token = jose.sign_vc(city.credential, city.bureau.signer, created=SIGNED, certificates=[city.bureau.certificate])

    verdict = city.verify(token)

    assert verdict.is_valid, verdict.failed
    assert verdict.form is Form.TOKEN
    assert verdict.signed_at == SIGNED
    assert verdict.document == city.unsigned()
    assert city.verify(b" " + token + b"\n").is_valid


def test_any_jwt_library_verifies_the_token(city: City) -> None:
    key = jwt.PyJWK.from_dict({**public_jwk(city.bureau.key.public_key()), "alg": "ES256"})

    payload = jwt.decode(token_of(city, iat=int(SIGNED.timestamp())), key, algorithms=["ES256"])

    assert payload == city.unsigned()


def test_a_token_of_a_revoked_licence_is_revoked(city: City) -> None:
    assert city.verify(token_of(city), statuses=city.lists(revocation=1)).outcome is Outcome.REVOKED


def parts(token: bytes) -> list[str]:
    return token.decode().split(".")


def with_header(token: bytes, **members: Any) -> bytes:
    """The same signature under another header."""
    header, payload, signature = parts(token)
    said = orjson.loads(from_base64url(header)) | members
    return ".".join([base64url(orjson.dumps(said)), payload, signature]).encode()


def hmac_token(city: City) -> bytes:
    """Signed with HMAC, the public key as its secret: what libraries fall for that believe the header."""
    secret = canonical(public_jwk(city.bureau.key.public_key()))
    signed = with_header(token_of(city), alg="HS256").rpartition(b".")[0]
    return signed + b"." + base64url(hmac.digest(secret, signed, "sha256")).encode()


def unsigned_token(city: City) -> bytes:
    header, payload, _ = parts(with_header(token_of(city), alg="none"))
    return f"{header}.{payload}.".encode()


def twice(token: bytes) -> bytes:
    header, payload, signature = parts(token)
    said = from_base64url(header).replace(b'"alg":', b'"alg":"none","alg":', 1)
    return f"{base64url(said)}.{payload}.{signature}".encode()


def vc_claim(city: City) -> bytes:
    signer = city.bureau.signer
    return jose.sign(canonical({"vc": city.unsigned()}), jose.vc_header({}, SIGNED, []), signer, jose.VC)


def attacker() -> dict[str, str]:
    return public_jwk(new_key().public_key())


TOKENS: dict[str, tuple[Callable[[City], bytes], tuple[str, str]]] = {
    "unsigned (alg none)": (unsigned_token, ("signature", "algorithm")),
    "signed with HMAC": (hmac_token, ("signature", "algorithm")),
    "with another algorithm": (lambda city: with_header(token_of(city), alg="ES384"), ("signature", "algorithm")),
    "without algorithm": (lambda city: with_header(token_of(city), alg=None), ("signature", "algorithm")),
    "of another type": (lambda city: token_of(city, typ="at+jwt"), ("token", "token_type")),
    "of a plain type": (lambda city: token_of(city, typ="JWT"), ("token", "token_type")),
    "that calls itself a presentation": (lambda city: token_of(city, typ="vp+jwt"), ("type", "type_wrong")),
    "with a critical extension": (
        lambda city: token_of(city, crit=["b64"], b64=False),
        ("signature", "critical_header"),
    ),
    "with its own key": (lambda city: token_of(city, jwk=attacker()), ("signature", "key_in_token")),
    "with the address of a key": (
        lambda city: token_of(city, jku="https://example.org"),
        ("signature", "key_in_token"),
    ),
    "with another certificate": (
        lambda city: token_of(city, x5c=jose.chain([city.other.certificate])),
        ("signature", "certificate_in_token"),
    ),
    "with certificates that are none": (lambda city: token_of(city, x5c="MII"), ("signature", "certificate_in_token")),
    "without key id": (lambda city: with_header(token_of(city), kid=None), ("key", "key_unknown")),
    "with a key id that is a list": (lambda city: with_header(token_of(city), kid=["a"]), ("key", "key_unknown")),
    "with another issuer's key id": (
        lambda city: with_header(token_of(city), kid=city.other.signer.verification_method),
        ("key", "key_of_other_issuer"),
    ),
    "with another issuer in the header": (lambda city: token_of(city, iss="did:web:x"), ("token", "token_issuer")),
    "without the time of signing": (lambda city: token_of(city, iat=None), ("token", "proof_created")),
    "with a time that is a text": (lambda city: token_of(city, iat="now"), ("token", "token_date")),
    "with an endless time": (lambda city: token_of(city, iat=1e300), ("token", "token_date")),
    "of the future": (
        lambda city: token_of(city, iat=int((NOW + timedelta(hours=1)).timestamp())),
        ("token", "proof_from_future"),
    ),
    "expired by its header": (lambda city: token_of(city, exp=int(SIGNED.timestamp())), ("token", "proof_expired")),
    "signed before the seal": (lambda city: token_of(city, iat=0), ("seal", "seal_not_yet_valid")),
    "with a changed payload": (
        lambda city: b".".join(
            [token_of(city).split(b".")[0], base64url(canonical(city.unsigned(number="JY1"))).encode(), b"AA" * 43]
        ),
        ("signature", "token_signature"),
    ),
    "with a changed header": (lambda city: with_header(token_of(city), x="y"), ("signature", "token_signature")),
    "with half a signature": (
        lambda city: token_of(city).rpartition(b".")[0] + b".AAAA",
        ("signature", "token_signature"),
    ),
    "without signature": (lambda city: token_of(city).rpartition(b".")[0] + b".", ("signature", "token_signature")),
    "with a header given twice": (lambda city: twice(token_of(city)), ("document", "token_header")),
    "with a vc claim": (vc_claim, ("token", "vc_claim")),
    "with spare bits": (lambda city: token_of(city)[:-1] + b"_", ("document", "token_form")),
    "with padding": (lambda city: token_of(city) + b"==", ("document", "not_json")),
    "with a payload that is no JSON": (
        lambda city: jose.sign(b"licence", {}, city.bureau.signer, jose.VC),
        ("token", "not_json"),
    ),
    "with a payload that says something twice": (
        lambda city: jose.sign(b'{"a":1,"a":2}', {}, city.bureau.signer, jose.VC),
        ("token", "duplicate_key"),
    ),
}


@pytest.mark.parametrize(("make", "reason"), TOKENS.values(), ids=TOKENS)
def test_a_false_token_is_refused_by_name(city: City, make: Callable[[City], bytes], reason: tuple[str, str]) -> None:
    verdict = city.verify(make(city))

    assert verdict.outcome is Outcome.NOT_GENUINE
    assert verdict.reason is not None
    assert (verdict.reason.name, verdict.reason.code) == reason


@settings(deadline=None)
@given(data=st.data())
def test_no_character_of_a_token_can_be_another(city: City, data: st.DataObject) -> None:
    token = token_of(city).decode()
    place = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.sampled_from("ABCxyz019-_.~= "))
    forged = token[:place] + other + token[place + 1 :]

    verdict = city.verify(forged.encode())

    assert verdict.outcome is Outcome.NOT_GENUINE or forged.strip() == token


# SD-JWT


@cache
def personal() -> tuple[City, str, list[str]]:
    """A city, the SD-JWT of a licence that a natural person holds, and what can be kept back."""
    city = City()
    unsigned = city.unsigned(holders=(PERSON,))
    pointers = build.disclosable(unsigned, types().latest("food_business_licence"))
    text = sd_jwt.issue(unsigned, pointers, city.bureau.signer, created=SIGNED, certificates=[city.bureau.certificate])
    return city, text, pointers


def test_everything_personal_can_be_kept_back() -> None:
    city, text, pointers = personal()

    verdict = city.verify(sd_jwt.present(text, []).encode())

    assert {"/credentialSubject/holder/0/holderName", "/credentialSubject/holder/0/code"} <= set(pointers)
    assert verdict.is_valid, verdict.failed
    assert verdict.form is Form.SELECTIVE
    assert verdict.undisclosed == len(pointers)
    assert verdict.holder_name is None
    assert b"330203199001011234" not in canonical(verdict.document)
    assert "330203199001011234" not in text
    assert PERSON.code.encode() not in from_base64url(text.split(".")[1])


def test_what_is_disclosed_is_what_was_said() -> None:
    city, text, _ = personal()

    verdict = city.verify(text.encode())

    assert verdict.is_valid
    assert verdict.undisclosed == 0
    assert verdict.document == city.unsigned(holders=(PERSON,))


def test_the_holder_chooses_what_to_show() -> None:
    city, text, pointers = personal()

    verdict = city.verify(sd_jwt.present(text, ["/credentialSubject/holder/0/holderName"]).encode())

    assert verdict.is_valid
    assert verdict.holder_name == "李四"
    assert verdict.undisclosed == len(pointers) - 1
    assert verdict.document is not None
    assert "code" not in verdict.document["credentialSubject"]["holder"][0]


def test_a_licence_shown_in_part_can_still_be_revoked() -> None:
    city, text, _ = personal()

    assert city.verify(sd_jwt.present(text, []).encode(), statuses=city.lists(revocation=1)).outcome is Outcome.REVOKED


def disclosure(*said: Any) -> str:
    return base64url(orjson.dumps(["c2FsdA", *said]))


def swapped(text: str) -> str:
    """Somebody else's disclosure in the place of one's own."""
    city = City()
    other = replace(PERSON, name="王五")
    unsigned = city.unsigned(holders=(other,))
    theirs = sd_jwt.issue(unsigned, ["/credentialSubject/holder/0/holderName"], city.bureau.signer, created=SIGNED)
    return "~".join([text.split("~", 1)[0], theirs.split("~")[1], ""])


def renamed(text: str) -> str:
    """A disclosure whose value was changed: its digest is no longer there."""
    first, one, *rest = text.split("~")
    salt, name, _ = orjson.loads(from_base64url(one))
    return "~".join([first, base64url(orjson.dumps([salt, name, "王五"])), *rest])


SD_JWTS: dict[str, tuple[Callable[[str], str], tuple[str, str]]] = {
    "with another's disclosure": (swapped, ("disclosures", "disclosure_unused")),
    "with a changed disclosure": (renamed, ("disclosures", "disclosure_unused")),
    "with a disclosure of one's own": (
        lambda text: text + disclosure("trustGrade", "A+") + "~",
        ("disclosures", "disclosure_unused"),
    ),
    "with a disclosure twice": (lambda text: text + text.split("~")[1] + "~", ("disclosures", "disclosure_twice")),
    "with a disclosure that is no JSON": (lambda text: text + "AAAA~", ("disclosures", "disclosure_malformed")),
    "with an empty disclosure": (lambda text: text + "~", ("disclosures", "disclosure_malformed")),
    "with a disclosure that is no list": (
        lambda text: text + base64url(b"{}") + "~",
        ("disclosures", "disclosure_malformed"),
    ),
    "with a disclosure of a forbidden name": (
        lambda text: text + disclosure("_sd", []) + "~",
        ("disclosures", "disclosure_name"),
    ),
    "with a disclosure that says something twice": (
        lambda text: text + base64url(b'["a","b",{"c":1,"c":2}]') + "~",
        ("disclosures", "disclosure_malformed"),
    ),
    "with a key binding": (lambda text: text + text.split("~")[0], ("document", "key_binding")),
    "with more disclosures than anyone needs": (
        lambda text: text + "AAAA~" * 2000,
        ("document", "too_many_disclosures"),
    ),
    "without its signature": (
        lambda text: text.replace(text.split("~")[0].rpartition(".")[2], ""),
        ("signature", "token_signature"),
    ),
}


@pytest.mark.parametrize(("change", "reason"), SD_JWTS.values(), ids=SD_JWTS)
def test_a_false_sd_jwt_is_refused_by_name(change: Callable[[str], str], reason: tuple[str, str]) -> None:
    city, text, _ = personal()

    verdict = city.verify(change(text).encode())

    assert verdict.outcome is Outcome.NOT_GENUINE
    assert verdict.reason is not None
    assert (verdict.reason.name, verdict.reason.code) == reason


def test_a_token_is_no_sd_jwt_and_the_reverse(city: City) -> None:
    assert ("token", "token_type") in codes(city.verify(token_of(city) + b"~"))
    owner, text, _ = personal()
    assert ("token", "token_type") in codes(owner.verify(text.split("~")[0].encode()))


HAND_MADE: dict[str, tuple[dict[str, Any], list[str], tuple[str, str]]] = {
    "a digest in two places": ({"a": {"_sd": ["x"]}, "b": {"_sd": ["x"]}}, [], ("disclosures", "digest_twice")),
    "a digest that is a number": ({"a": {"_sd": [1]}}, [], ("disclosures", "disclosure_malformed")),
    "digests that are no list": ({"_sd": "x"}, [], ("disclosures", "disclosure_malformed")),
    "another algorithm": ({"_sd_alg": "md5"}, [], ("disclosures", "digest_algorithm")),
    "a placeholder as a member": ({"a": {"...": "x", "b": 1}}, [], ("disclosures", "disclosure_name")),
    "a placeholder that says more": ({"a": [{"...": "x", "b": 1}]}, [], ("disclosures", "disclosure_malformed")),
    "a disclosure over a member that is there": (
        {"name": "甲", "_sd": [sd_jwt._digest(disclosure("name", "乙"))]},
        [disclosure("name", "乙")],
        ("disclosures", "disclosure_name"),
    ),
    "a member's disclosure in a list": (
        {"a": [{"...": sd_jwt._digest(disclosure("name", "乙"))}]},
        [disclosure("name", "乙")],
        ("disclosures", "disclosure_malformed"),
    ),
}


@pytest.mark.parametrize(("payload", "disclosures", "reason"), HAND_MADE.values(), ids=HAND_MADE)
def test_a_payload_that_breaks_the_rules_of_sd_jwt_is_refused(
    city: City, payload: dict[str, Any], disclosures: list[str], reason: tuple[str, str]
) -> None:
    token = jose.sign(canonical(payload), {}, city.bureau.signer, sd_jwt.TYPE).decode()

    verdict = city.verify("~".join([token, *disclosures, ""]).encode())

    assert verdict.reason is not None
    assert (verdict.reason.name, verdict.reason.code) == reason


def test_disclosures_within_disclosures_without_end_are_refused(city: City) -> None:
    """Each by itself is shallow: together they would exhaust the stack."""
    inner, chain = disclosure("a", 1), []
    for _ in range(900):
        chain.append(inner)
        inner = disclosure("a", {"_sd": [sd_jwt._digest(inner)]})
    token = jose.sign(canonical({"_sd": [sd_jwt._digest(inner)]}), {}, city.bureau.signer, sd_jwt.TYPE).decode()

    verdict = city.verify("~".join([token, inner, *chain, ""]).encode())

    assert codes(verdict) == {("disclosures", "too_deep")}


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc/~"), inner, max_size=3),
    max_leaves=10,
)


def pointers_of(value: Any, pointer: str) -> list[str]:
    """To every member and element below."""
    found = []
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, member in members:
        below = f"{pointer}/{str(name).replace('~', '~0').replace('/', '~1')}"
        found += [below, *pointers_of(member, below)]
    return found


@settings(deadline=None)
@given(data=st.data())
def test_whatever_is_disclosed_is_what_was_said_and_the_rest_is_not_shown(city: City, data: st.DataObject) -> None:
    document = {"credentialSubject": {"x": data.draw(VALUES), "y": data.draw(VALUES)}}
    every = pointers_of(document["credentialSubject"], "/credentialSubject")
    hidden = data.draw(st.lists(st.sampled_from(every), unique=True))
    text = sd_jwt.issue(document, hidden, city.bureau.signer, created=SIGNED)
    key = city.bureau.key.public_key()

    everything = sd_jwt.check(sd_jwt.read(text.encode()), key)
    shown = data.draw(st.lists(st.sampled_from(hidden), unique=True)) if hidden else []
    some = sd_jwt.check(sd_jwt.read(sd_jwt.present(text, shown).encode()), key)

    assert everything == sd_jwt.Disclosed(document, 0)
    around = {one for one in hidden if any(f"{want}/".startswith(f"{one}/") for want in shown)}
    kept_back = [one for one in hidden if one not in around]
    outermost = [one for one in kept_back if not any(one.startswith(f"{other}/") for other in kept_back)]
    assert some.undisclosed == len(outermost)


@pytest.mark.parametrize("pointer", ["/issuer", "/credentialStatus", "/credentialSubject", "", "credentialSubject/x"])
def test_what_a_verifier_needs_cannot_be_kept_back(city: City, pointer: str) -> None:
    with pytest.raises(ValueError, match="not a member of the subject"):
        sd_jwt.issue(city.unsigned(), [pointer], city.bureau.signer, created=SIGNED)


def test_a_pointer_to_nothing_is_an_error(city: City) -> None:
    with pytest.raises(ValueError, match="nothing at"):
        sd_jwt.issue(city.unsigned(), ["/credentialSubject/nobody"], city.bureau.signer, created=SIGNED)
    with pytest.raises(ValueError, match="no disclosure shows"):
        sd_jwt.present(personal()[1], ["/credentialSubject/number"])


def test_a_document_with_the_words_of_sd_jwt_is_not_issued(city: City) -> None:
    with pytest.raises(ValueError, match="keeps for itself"):
        sd_jwt.issue({"credentialSubject": {"a": {"_sd": []}}}, [], city.bureau.signer, created=SIGNED)


# Presentations


class Wallet:
    """A holder with a did:key."""

    def __init__(self) -> None:
        key = new_key()
        text = multikey(key.public_key())
        self.did = f"did:key:{text}"
        self.signer = P256Signer(key, f"{self.did}#{text}")

    def show(self, *credentials: Any, **about: Any) -> dict[str, Any]:
        unsigned = {
            "@context": [build.CONTEXT],
            "type": ["VerifiablePresentation"],
            "holder": self.did,
            "verifiableCredential": list(credentials),
        } | about.pop("members", {})
        options = {"purpose": AUTHENTICATION, "challenge": "n-1", "domain": "bank.example"} | about
        return add_proof(unsigned, self.signer, options.pop("at", NOW), **options)


def enveloped(token: bytes) -> dict[str, Any]:
    return {
        "@context": [build.CONTEXT],
        "id": f"data:application/vc+jwt,{token.decode()}",
        "type": "EnvelopedVerifiableCredential",
    }


def test_a_presentation_is_valid_with_all_its_credentials(city: City) -> None:
    shown = Wallet().show(city.credential, enveloped(token_of(city)))

    verdict = city.verify(shown, challenge="n-1", domain="bank.example")

    assert verdict.is_valid, verdict.failed
    assert verdict.form is Form.PRESENTATION
    assert [one.form for one in verdict.credentials] == [Form.CREDENTIAL, Form.TOKEN]
    assert all(one.is_valid for one in verdict.credentials)
    assert [one["outcome"] for one in verdict.as_dict()["credentials"]] == ["valid", "valid"]


def test_an_enveloped_credential_is_its_token(city: City) -> None:
    assert city.verify(enveloped(token_of(city))).form is Form.TOKEN
    assert city.verify(enveloped(token_of(city))).is_valid


def test_a_presentation_is_no_better_than_its_worst_credential(city: City) -> None:
    forged = {**city.credential, "name": "别的"}

    revoked = city.verify(Wallet().show(city.credential), statuses=city.lists(revocation=1))
    mixed = city.verify(Wallet().show(city.credential, forged))

    assert (revoked.outcome, mixed.outcome) == (Outcome.REVOKED, Outcome.NOT_GENUINE)
    assert codes(mixed) == {("credentials", "not_genuine")}


def shown_by_another(city: City) -> dict[str, Any]:
    shown = Wallet().show(city.credential)
    return Wallet().show(city.credential, members={"holder": shown["holder"]})


def method_of_another(city: City) -> dict[str, Any]:
    wallet = Wallet()
    wallet.signer.verification_method = f"{wallet.did}#{Wallet().did.removeprefix('did:key:')}"
    return wallet.show(city.credential)


def altered(city: City) -> dict[str, Any]:
    shown = Wallet().show(city.credential)
    return {**shown, "verifiableCredential": [*shown["verifiableCredential"], city.credential]}


PRESENTATIONS: dict[str, tuple[Callable[[City], Any], tuple[str, str]]] = {
    "for another request": (
        lambda city: Wallet().show(city.credential, challenge="n-0"),
        ("challenge", "challenge_wrong"),
    ),
    "without challenge": (
        lambda city: Wallet().show(city.credential, challenge=None),
        ("challenge", "challenge_wrong"),
    ),
    "for another verifier": (lambda city: Wallet().show(city.credential, domain="evil"), ("challenge", "domain_wrong")),
    "with a proof of assertion": (
        lambda city: Wallet().show(city.credential, purpose="assertionMethod"),
        ("proof", "proof_purpose"),
    ),
    "without proof": (
        lambda city: {k: v for k, v in Wallet().show(city.credential).items() if k != "proof"},
        ("proof", "proof_missing"),
    ),
    "by another than its holder": (shown_by_another, ("key", "holder_key")),
    "with another method than its key": (method_of_another, ("key", "holder_key")),
    "with a key that is none": (
        lambda city: {
            **Wallet().show(city.credential),
            "holder": "did:key:zx",
            "proof": {**Wallet().show(city.credential)["proof"], "verificationMethod": "did:key:zx#zx"},
        },
        ("key", "holder_key"),
    ),
    "by somebody unknown": (
        lambda city: (
            Wallet().show(city.credential, members={"holder": "did:web:x"})
            | {"proof": {**Wallet().show(city.credential)["proof"], "verificationMethod": "did:web:x#k"}}
        ),
        ("key", "holder_unknown"),
    ),
    "with one credential more": (altered, ("holder", "signature")),
    "of nothing": (lambda _: Wallet().show(), ("presentation", "presentation_empty")),
    "of a text": (lambda _: Wallet().show("licence"), ("presentation", "presentation_malformed")),
    "of more than anyone checks": (lambda _: Wallet().show(*[{}] * 101), ("presentation", "presentation_full")),
    "by a holder that is no URL": (
        lambda city: Wallet().show(city.credential, members={"holder": "me"}),
        ("presentation", "holder_malformed"),
    ),
    "without context": (
        lambda city: {k: v for k, v in Wallet().show(city.credential).items() if k != "@context"},
        ("context", "context_missing"),
    ),
    "of the future": (
        lambda city: Wallet().show(city.credential, at=NOW + timedelta(hours=1)),
        ("signed_at", "proof_from_future"),
    ),
}


@pytest.mark.parametrize(("make", "reason"), PRESENTATIONS.values(), ids=PRESENTATIONS)
def test_a_false_presentation_is_refused_by_name(
    city: City, make: Callable[[City], Any], reason: tuple[str, str]
) -> None:
    verdict = city.verify(make(city), challenge="n-1", domain="bank.example")

    assert verdict.outcome is Outcome.NOT_GENUINE
    assert verdict.reason is not None
    assert (verdict.reason.name, verdict.reason.code) == reason


def shown_as_token(city: City, wallet: Wallet, **about: Any) -> bytes:
    """A presentation as vp+jwt; ``about`` changes members of the header."""
    document = {
        "@context": [build.CONTEXT],
        "type": ["VerifiablePresentation"],
        "holder": wallet.did,
        "verifiableCredential": [enveloped(token_of(city))],
    }
    header = {"iat": int(NOW.timestamp()), "iss": wallet.did, "nonce": "n-1", "aud": "bank.example"} | about
    return jose.sign(canonical(document), header, wallet.signer, jose.VP)


def test_a_presentation_as_token_is_as_good(city: City) -> None:
    verdict = city.verify(shown_as_token(city, Wallet()), challenge="n-1", domain="bank.example")

    assert verdict.is_valid, verdict.failed
    assert verdict.form is Form.PRESENTATION
    assert [one.form for one in verdict.credentials] == [Form.TOKEN]


def test_an_enveloped_presentation_is_its_token(city: City) -> None:
    envelope = {
        "@context": [build.CONTEXT],
        "id": f"data:application/vp+jwt,{shown_as_token(city, Wallet()).decode()}",
        "type": "EnvelopedVerifiablePresentation",
    }

    verdict = city.verify(envelope, challenge="n-1")
    inside = city.verify(Wallet().show(envelope))

    assert verdict.is_valid, verdict.failed
    assert verdict.form is Form.PRESENTATION
    assert ("token", "token_type") in codes(inside.credentials[0])


FALSE_SHOWN: dict[str, tuple[dict[str, Any], tuple[str, str]]] = {
    "for another request": ({"nonce": "n-0"}, ("challenge", "challenge_wrong")),
    "for another verifier": ({"aud": "evil"}, ("challenge", "domain_wrong")),
    "by another": ({"iss": "did:web:x"}, ("token", "token_issuer")),
    "with another's key": ({"kid": f"{Wallet().did}#k"}, ("key", "holder_key")),
    "with a critical extension": ({"crit": ["x"]}, ("holder", "critical_header")),
    "with another algorithm": ({"alg": "none"}, ("holder", "algorithm")),
    "without a time": ({"iat": None}, ("token", "proof_created")),
}


@pytest.mark.parametrize(("header", "reason"), FALSE_SHOWN.values(), ids=FALSE_SHOWN)
def test_a_false_presentation_as_token_is_refused_by_name(
    city: City, header: dict[str, Any], reason: tuple[str, str]
) -> None:
    verdict = city.verify(shown_as_token(city, Wallet(), **header), challenge="n-1", domain="bank.example")

    assert verdict.outcome is Outcome.NOT_GENUINE
    assert verdict.reason is not None
    assert (verdict.reason.name, verdict.reason.code) == reason


def test_a_presentation_as_token_signed_with_another_key_is_refused(city: City) -> None:
    thief, owner = Wallet(), Wallet()
    thief.did, thief.signer.verification_method = owner.did, owner.signer.verification_method

    verdict = city.verify(shown_as_token(city, thief))

    assert codes(verdict) == {("holder", "token_signature")}


def test_a_presentation_inside_a_presentation_is_no_credential(city: City) -> None:
    verdict = city.verify(Wallet().show(Wallet().show(city.credential)))

    assert verdict.outcome is Outcome.NOT_GENUINE
    assert ("type", "type_wrong") in codes(verdict.credentials[0])


@pytest.mark.parametrize(
    "address",
    ["data:text/plain,a.b.c", "data:application/vc+jwt,", "https://example.org", 7, "data:application/vc+jwt"],
)
def test_an_envelope_of_something_else_is_refused(city: City, address: object) -> None:
    verdict = city.verify({"type": ["EnvelopedVerifiableCredential"], "id": address})

    assert ("document", "envelope") in codes(verdict)


def test_an_issuer_may_present_too(city: City) -> None:
    unsigned = {
        "@context": [build.CONTEXT],
        "type": "VerifiablePresentation",
        "holder": city.bureau.issuer.did,
        "verifiableCredential": city.credential,
    }

    verdict = city.verify(add_proof(unsigned, city.bureau.signer, NOW, purpose=AUTHENTICATION))

    assert verdict.is_valid, verdict.failed


# PDF


@cache
def sealed() -> tuple[City, bytes]:
    """A city and the PDF of its licence."""
    city = City()
    kind = types().latest("food_business_licence")
    body = pdf_document.make(
        canonical(city.credential),
        kind,
        key=city.bureau.signer,
        chain=[city.root.certificate],
        verification_address=f"{BASE}/verify/x",
        at=SIGNED,
    )
    return city, body


def sealed_with(city: City, credential: bytes, signer: P256Signer, at: datetime = SIGNED) -> bytes:
    kind = types().latest("food_business_licence")
    page = page_of(city.credential, kind, "")
    plain = rendering.render(page, template=kind.template, credential=credential, verification_address=BASE, at=at)
    return signing.sign(plain, signer, [city.root.certificate], name="局", reason="颁发", at=at)


def test_a_sealed_pdf_is_as_good_as_the_credential_in_it() -> None:
    city, body = sealed()

    verdict = city.verify(body)

    assert verdict.is_valid, verdict.failed
    assert verdict.form is Form.PDF
    assert verdict.number == "JY13302030010001"
    assert {"pdf_signature", "pdf_seal", "attachment", "signature"} <= {check.name for check in verdict.checks}


def test_a_sealed_pdf_of_a_suspended_licence_is_suspended() -> None:
    city, body = sealed()

    assert city.verify(body, statuses=city.lists(suspension=1)).outcome is Outcome.SUSPENDED


def test_a_pdf_with_something_appended_is_refused() -> None:
    city, body = sealed()

    for appended in (b"\n", b"%%EOF\n", b"\n1 0 obj\n<<>>\nendobj\n"):
        verdict = city.verify(body + appended)

        assert verdict.outcome is Outcome.NOT_GENUINE
        assert any(name == "pdf_signature" for name, _ in codes(verdict)) or codes(verdict) == {("document", "damaged")}


def test_a_pdf_with_one_byte_changed_is_refused() -> None:
    city, body = sealed()
    place = body.index(b"stream") + 60

    verdict = city.verify(body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :])

    assert verdict.outcome is Outcome.NOT_GENUINE


def test_a_pdf_sealed_by_another_authority_than_its_licence_is_refused(city: City) -> None:
    verdict = city.verify(sealed_with(city, canonical(city.credential), city.other.signer))

    assert verdict.outcome is Outcome.NOT_GENUINE
    assert codes(verdict) == {("pdf_seal", "sealed_by_other")}


def test_a_pdf_sealed_by_a_seal_that_is_not_on_the_list_is_refused(city: City) -> None:
    trust = city.trust([city.other.trusted()])

    verdict = city.verify(sealed_with(city, canonical(city.credential), city.bureau.signer), trust=trust)

    assert verdict.outcome is Outcome.NOT_GENUINE
    assert ("pdf_seal", "seal_unknown") in codes(verdict)


def test_a_pdf_sealed_with_a_stolen_key_is_refused(city: City) -> None:
    trust = city.trust([city.bureau.trusted(revoked_at=NOW, reason="key_compromise")])

    verdict = city.verify(sealed_with(city, canonical(city.credential), city.bureau.signer), trust=trust)

    assert ("pdf_seal", "key_compromised") in codes(verdict)


def test_a_pdf_with_a_forged_credential_in_it_is_refused(city: City) -> None:
    forged = copy.deepcopy(city.credential)
    forged["credentialSubject"]["number"] = "JY13302030019999"

    verdict = city.verify(sealed_with(city, canonical(forged), city.bureau.signer))

    assert verdict.outcome is Outcome.NOT_GENUINE
    assert codes(verdict) == {("signature", "signature")}


def test_a_pdf_with_an_attachment_that_is_no_credential_is_refused(city: City) -> None:
    verdict = city.verify(sealed_with(city, b"not json", city.bureau.signer))

    assert codes(verdict) == {("attachment", "not_json")}


def test_a_pdf_without_seal_is_refused(city: City) -> None:
    kind = types().latest("food_business_licence")
    page = page_of(city.credential, kind, "")
    plain = rendering.render(
        page, template=kind.template, credential=canonical(city.credential), verification_address=BASE, at=SIGNED
    )

    assert ("pdf_signature", "no_signature") in codes(city.verify(plain))


@pytest.mark.parametrize("data", [b"%PDF", b"%PDF-1.7\n%%EOF", b"%PDF-" + b"\0" * 1000])
def test_what_only_begins_like_a_pdf_is_refused(city: City, data: bytes) -> None:
    verdict = city.verify(data)

    assert verdict.outcome is Outcome.NOT_GENUINE
    assert verdict.form is Form.PDF
    assert verdict.reason is not None
    assert verdict.reason.name == "document"


def test_base64_of_a_document_is_no_document(city: City) -> None:
    verdict = city.verify(base64.b64encode(canonical(city.credential)))

    assert verdict.outcome is Outcome.NOT_GENUINE
    assert codes(verdict) == {("document", "not_json")}
