"""Tokens before panva's jose and the reference SD-JWT library: ours are accepted, tampered ones are not."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from registry.credentials import sd_jwt
from tests.crosscheck.conftest import Issued


def part(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def decoded(text: str) -> Any:
    return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))


@pytest.fixture(scope="module")
def token(issued: Issued) -> str:
    return issued.form(1, "jwt").decode()


@pytest.fixture(scope="module")
def selective(issued: Issued) -> str:
    return issued.form(5, "sd_jwt").decode()


def test_the_token_is_accepted_and_says_what_the_credential_says(issued: Issued, token: str) -> None:
    (verdict,) = issued.ask({"tool": "jose", "token": token, "jwks": issued.jwks, "typ": "vc+jwt"})
    assert verdict["accepted"], verdict
    assert verdict["header"]["alg"] == "ES256"
    unsecured = {name: value for name, value in issued.credential.items() if name != "proof"}
    assert {name: verdict["payload"].get(name) for name in unsecured} == unsecured


def test_each_tampered_token_is_refused(issued: Issued, token: str) -> None:
    header, payload, signature = token.split(".")
    says, other = decoded(payload), issued.form(4, "jwt").decode().split(".")
    says["credentialSubject"]["holder"][0]["holderName"] = "别的公司"
    head = decoded(header)
    tampered = {
        "another holder": f"{header}.{part(says)}.{signature}",
        "the signature of another licence": f"{header}.{payload}.{other[2]}",
        "no signature": f"{header}.{payload}.",
        "no algorithm": f"{part(head | {'alg': 'none'})}.{payload}.",
        "a symmetric algorithm": f"{part(head | {'alg': 'HS256'})}.{payload}.{signature}",
        "another algorithm of the family": f"{part(head | {'alg': 'ES384'})}.{payload}.{signature}",
        "a key that nobody has": f"{part(head | {'kid': 'did:web:nobody.example#1'})}.{payload}.{signature}",
        "another authority's key": f"{part(head | {'kid': decoded(other[0])['kid']})}.{payload}.{signature}",
        "an extension that must be understood": f"{part(head | {'crit': ['exp'], 'exp': 1})}.{payload}.{signature}",
        "one other character": f"{header}.{payload}.{'A' if signature[0] != 'A' else 'B'}{signature[1:]}",
    }
    verdicts = issued.ask(*({"tool": "jose", "token": each, "jwks": issued.jwks} for each in tampered.values()))
    accepted = [name for name, verdict in zip(tampered, verdicts, strict=True) if verdict["accepted"]]
    assert accepted == []


def test_a_selective_token_is_accepted_with_all_some_and_none_disclosed(issued: Issued, selective: str) -> None:
    person, bare = issued.of(5), selective.split("~", maxsplit=1)[0] + "~"
    one = next(each for each in selective.split("~")[1:-1] if "representative" in json.dumps(decoded(each)))
    whole, some, none = issued.ask(
        *({"tool": "sd-jwt", "token": each, "jwks": issued.jwks} for each in (selective, bare + one + "~", bare))
    )
    assert whole["accepted"], whole
    subject = whole["payload"]["credentialSubject"]
    assert subject["holder"] == person["credentialSubject"]["holder"]
    assert subject["items"] == person["credentialSubject"]["items"]
    assert some["payload"]["credentialSubject"]["items"]["legal_representative"] == "王某"
    assert "holderName" not in some["payload"]["credentialSubject"]["holder"][0]
    assert none["accepted"]
    hidden = json.dumps(none["payload"], ensure_ascii=False)
    assert "王某" not in hidden
    assert person["credentialSubject"]["holder"][0]["code"] not in hidden


def test_a_presented_selection_of_ours_is_accepted(issued: Issued, selective: str) -> None:
    presented = sd_jwt.present(selective, ["/credentialSubject/holder/0/holderName"])
    (verdict,) = issued.ask({"tool": "sd-jwt", "token": presented, "jwks": issued.jwks})
    assert verdict["accepted"], verdict
    subject = verdict["payload"]["credentialSubject"]
    assert subject["holder"][0]["holderName"] == "欧阳明月"
    assert "code" not in subject["holder"][0]


def test_each_tampered_selective_token_is_refused(issued: Issued, selective: str) -> None:
    signed, first, *others = selective.split("~")
    header, payload, signature = signed.split(".")
    salt, *rest = decoded(first)
    says = decoded(payload)
    says["validUntil"] = "2099-01-01T00:00:00Z"
    tampered = {
        "another value disclosed": "~".join([signed, part([salt, *rest[:-1], "别人"]), *others]),
        "a disclosure that nobody signed": "~".join([signed, part(["x" * 22, "approved", True]), first, *others]),
        "another payload": "~".join([f"{header}.{part(says)}.{signature}", first, *others]),
        "no signature": "~".join([f"{header}.{payload}.", first, *others]),
    }
    verdicts = issued.ask(*({"tool": "sd-jwt", "token": each, "jwks": issued.jwks} for each in tampered.values()))
    taken = {
        name: verdict
        for name, verdict in zip(tampered, verdicts, strict=True)
        if verdict["accepted"]
        and ("别人" in json.dumps(verdict, ensure_ascii=False) or "approved" in json.dumps(verdict))
    }
    assert taken == {}
    assert [verdict["accepted"] for verdict in verdicts[2:]] == [False, False]
