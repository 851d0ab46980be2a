"""What an attacker writes into a document so that somebody reads what nobody signed, or so that nobody can read."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import orjson
import pytest

from registry.credentials import build, jose, trust_list
from registry.credentials.jcs import canonical
from registry.credentials.moments import moment_of
from registry.credentials.multibase import base64url
from registry.credentials.verify import Outcome, Verdict
from tests.licences.credentials.city import BASE, NOW, SIGNED, City, types

V2 = "https://www.w3.org/ns/credentials/v2"


def token_of(city: City, **header: Any) -> str:
    signer = city.bureau.signer
    said = jose.vc_header(city.unsigned(), SIGNED, []) | header
    return jose.sign(canonical(city.unsigned()), said, signer, jose.VC).decode()


def enveloped(city: City, **members: Any) -> dict[str, Any]:
    return {
        "@context": [V2],
        "id": f"data:application/vc+jwt,{token_of(city)}",
        "type": "EnvelopedVerifiableCredential",
    } | members


def reasons(verdict: Verdict) -> set[tuple[str, str]]:
    return {(check.name, check.code) for check in verdict.failed}


@pytest.mark.parametrize(
    "context", [V2, [V2], [V2, "https://example.org/more"]], ids=["a text", "a list", "a longer one"]
)
def test_an_envelope_names_the_context_as_a_text_or_in_a_list(city: City, context: Any) -> None:
    verdict = city.verify(enveloped(city, **{"@context": context}))

    assert verdict.is_valid, verdict.failed


@pytest.mark.parametrize("context", ["https://www.w3.org/2018/credentials/v1", "", 5, {}, [], None])
def test_an_envelope_of_another_context_is_refused(city: City, context: Any) -> None:
    verdict = city.verify(enveloped(city, **{"@context": context}))

    assert verdict.outcome is Outcome.NOT_GENUINE
    assert {name for name, _ in reasons(verdict)} == {"context"}


def test_a_credential_itself_needs_a_list_of_contexts(city: City) -> None:
    document = city.sign({**city.unsigned(), "@context": V2})

    assert ("context", "context_not_a_list") in reasons(city.verify(document))


def test_claims_beside_a_genuine_token_are_not_passed_for_verified(city: City) -> None:
    """Whoever checks only that the answer is yes would read the holder that the attacker wrote."""
    wrapped = enveloped(city, credentialSubject={"holder": [{"holderName": "他人有限公司"}]})

    verdict = city.verify(wrapped)

    assert verdict.outcome is Outcome.NOT_GENUINE
    assert reasons(verdict) == {("document", "envelope_members")}


def test_a_proof_beside_a_genuine_token_is_not_passed_over(city: City) -> None:
    verdict = city.verify(enveloped(city, proof=city.credential["proof"]))

    assert reasons(verdict) == {("document", "envelope_members")}


def test_a_licence_that_also_calls_itself_an_envelope_is_none(city: City) -> None:
    both = {**city.credential, "type": ["EnvelopedVerifiableCredential", *city.credential["type"]]}

    assert city.verify(both).outcome is Outcome.NOT_GENUINE


@pytest.mark.parametrize("where", ["header", "payload"])
def test_a_token_that_does_not_hold_yet_is_refused(city: City, where: str) -> None:
    later = int((NOW + timedelta(hours=1)).timestamp())
    if where == "header":
        token = token_of(city, nbf=later)
    else:
        header = jose.vc_header(city.unsigned(), SIGNED, [])
        token = jose.sign(canonical(city.unsigned() | {"nbf": later}), header, city.bureau.signer, jose.VC).decode()

    assert ("token", "proof_not_yet") in reasons(city.verify(token.encode()))


def test_a_token_that_holds_already_is_good(city: City) -> None:
    assert city.verify(token_of(city, nbf=int(SIGNED.timestamp())).encode()).is_valid


@pytest.mark.parametrize("member", ["x5c", "x5t", "x5t#S256", "x5u", "jku", "jwk"])
def test_a_header_decides_no_key(city: City, member: str) -> None:
    """The key is looked up in the trust list alone, whatever else the header offers."""
    header = {"alg": "ES256", "typ": "vc+jwt", "iat": int(SIGNED.timestamp()), "kid": "did:web:evil.example#k"}
    said = orjson.dumps(header | {member: "https://evil.example/key"})
    token = f"{base64url(said)}.{base64url(canonical(city.unsigned()))}.{base64url(bytes(64))}"

    verdict = city.verify(token.encode())

    assert verdict.outcome is Outcome.NOT_GENUINE
    assert ("key", "key_unknown") in reasons(verdict)


@pytest.mark.parametrize(
    "document",
    [
        b'{"k\\ud800":1,"k\\ud800":2}',
        b'{"\\u202e":1,"\\u202e":2}',
        b'{"\\u001b[2J":1,"\\u001b[2J":2}',
    ],
    ids=["half a surrogate pair", "a turn of the direction", "a terminal's command"],
)
def test_what_a_reason_quotes_can_be_shown_and_stored(city: City, document: bytes) -> None:
    verdict = city.verify(document)

    assert reasons(verdict) == {("document", "duplicate_key")}
    orjson.dumps(verdict.as_dict())
    for check in verdict.checks:
        assert check.zh.isprintable()
        assert check.en.isprintable()


def test_no_reason_turns_the_direction_of_writing(city: City) -> None:
    header = orjson.dumps({"alg": "ES\u202e256", "typ": "\u202evc+jwt", "kid": city.bureau.signer.verification_method})
    token = f"{base64url(header)}.{base64url(canonical(city.unsigned()))}.{base64url(bytes(64))}"
    status = {"type": "BitstringStatusListEntry", "statusPurpose": "\u202e", "statusListIndex": "1"}
    status["statusListCredential"] = "https://example.org/1"
    odd = city.sign({**city.unsigned(), "credentialStatus": [*city.unsigned()["credentialStatus"], status]})

    for verdict in (city.verify(token.encode()), city.verify(odd)):
        assert any("202e" in check.en for check in verdict.checks)
        assert all(check.zh.isprintable() and check.en.isprintable() for check in verdict.checks)


def test_dates_of_strangers_are_not_kept(city: City) -> None:
    """Each is another text, as long as a document may be: remembered, a few thousand would fill the memory."""
    date = "2024-01-01T00:00:00." + "1" * 1_000_000 + "Z"

    verdict = city.verify({**city.credential, "validFrom": date})

    assert ("dates", "date_malformed") in reasons(verdict)
    with pytest.raises(ValueError, match="date and time with zone"):
        moment_of(date)


@pytest.mark.parametrize("digits", [1, 6, 9, 30])
def test_a_second_may_have_fractions(digits: int) -> None:
    assert moment_of(f"2024-01-01T00:00:00.{'1' * digits}Z").year == 2024


def test_a_clients_credential_is_not_named_like_the_licence_that_it_speaks_of(city: City) -> None:
    """Its signature is the authority's own; but no licence was issued, and its answer must not look like one."""
    licence = city.unsigned()
    copied = {
        "@context": [V2],
        "id": "https://example.org/1",
        "type": ["VerifiableCredential"],
        "issuer": licence["issuer"],
        "credentialSubject": licence["credentialSubject"],
    }

    verdict = city.verify(city.sign(copied), latest=lambda _: "1.2.156.3005.2.newer")

    assert verdict.is_valid, verdict.failed
    assert (verdict.identifier, verdict.number, verdict.holder_name, verdict.superseded_by) == (None, None, None, None)


@pytest.mark.parametrize("skew", [timedelta(minutes=-4), timedelta(minutes=4)])
def test_clocks_may_differ_by_some_minutes(city: City, skew: timedelta) -> None:
    document = city.sign(city.unsigned(), at=NOW + skew)

    assert city.verify(document).is_valid


def test_clocks_may_not_differ_by_more(city: City) -> None:
    verdict = city.verify(city.sign(city.unsigned(), at=NOW + timedelta(minutes=6)))

    assert ("signed_at", "proof_from_future") in reasons(verdict)


def test_each_context_decides_only_what_the_signature_covers(city: City) -> None:
    """A context behind the signed ones could give members another meaning to readers of JSON-LD."""
    inline = {"holderName": "https://example.org/somethingElse"}
    proof = {**city.credential["proof"], "@context": [*city.credential["@context"], inline]}

    for contexts in ([*city.credential["@context"], inline], [build.CONTEXT, inline]):
        assert city.verify({**city.credential, "@context": contexts}).outcome is Outcome.NOT_GENUINE
        assert city.verify({**city.credential, "@context": contexts, "proof": proof}).outcome is Outcome.NOT_GENUINE


SCHEMAS: dict[str, tuple[Any, str]] = {
    "no schema": (None, "schema_missing"),
    "an empty list of schemas": ([], "schema_missing"),
    "a schema of somebody else": ({"id": "https://example.org/schema.json", "type": "JsonSchema"}, "schema_elsewhere"),
    "a schema beside the hub's": (
        {"id": f"{BASE}.example.org/schemas/licences/food_business_licence/1.json", "type": "JsonSchema"},
        "schema_elsewhere",
    ),
    "the schema of another type": (
        {"id": f"{BASE}/schemas/licences/business_licence/1.json", "type": "JsonSchema"},
        "schema",
    ),
}


@pytest.mark.parametrize(("named", "code"), SCHEMAS.values(), ids=SCHEMAS)
def test_a_licence_is_held_against_its_own_types_schema(city: City, named: Any, code: str) -> None:
    """Signed with the authority's key: what is left out must not pass because nothing asks for it."""
    unsigned = city.unsigned()
    del unsigned["credentialSchema"]
    if named is not None:
        unsigned["credentialSchema"] = named

    verdict = city.verify(city.sign(unsigned))

    assert verdict.outcome is Outcome.NOT_GENUINE
    assert reasons(verdict) == {("schema", code)}


@pytest.mark.parametrize("kept", [0, 1, 2])
def test_a_licence_that_cannot_be_revoked_is_none(city: City, kept: int) -> None:
    unsigned = city.unsigned()
    unsigned["credentialStatus"] = unsigned["credentialStatus"][:kept]

    verdict = city.verify(city.sign(unsigned))

    assert verdict.outcome is Outcome.NOT_GENUINE
    assert reasons(verdict) == {("schema", "schema")}


def limited(city: City, *codes: str) -> Verdict:
    """The bureau's licence, where the type's file names the authorities that may issue it."""
    usual = types().latest("food_business_licence")
    kind = replace(usual, issuer=replace(usual.issuer, only=codes), digest=f"{len(codes)}" * 64)
    resources = build.published([kind], BASE)
    trust = trust_list.load(city.trust_list(resources=resources), root=city.root.certificate, at=NOW)
    return city.verify(city.sign(city.unsigned(type=kind)), trust=trust)


def test_an_authority_seals_only_the_types_that_it_may_issue(city: City) -> None:
    """Its seal is good and the identifier its own: but such licences are another authority's to issue."""
    refused = limited(city, city.other.issuer.code)

    assert refused.outcome is Outcome.NOT_GENUINE
    assert reasons(refused) == {("schema", "schema")}
    assert limited(city, city.other.issuer.code, city.bureau.issuer.code).is_valid


@pytest.mark.parametrize("asked", [{"presented": True}, {"challenge": "n-1"}, {"domain": "bank.example"}])
def test_a_credential_by_itself_answers_to_nobody(city: City, asked: dict[str, Any]) -> None:
    """Who copied somebody's licence cannot show it as its holder."""
    for document in (city.credential, token_of(city).encode(), enveloped(city)):
        verdict = city.verify(document, **asked)

        assert verdict.outcome is Outcome.NOT_GENUINE
        assert reasons(verdict) == {("presentation", "not_a_presentation")}
