"""What the page makes of whatever it is given, without a server."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.api.pages import rendering
from registry.api.pages.concluding import ago, finding
from registry.api.pages.finding import HEADLINES, WORTH, Text
from registry.api.pages.refusing import Given, document_in, identifier_in, refusal
from registry.api.pages.saying import said
from registry.credentials.build import LICENCE
from registry.credentials.verify.verdict import Check, Form, Outcome, Verdict
from registry.domain.licences.loading import load_types

TYPES = load_types()
NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
ROOM = {"root": "", "host": "hub.example.cn", "limit": 1 << 20, "identifier": ""}
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
TYPE = ["VerifiableCredential", LICENCE]
MEMBERS = ("licenceType", "holder", "issuingAuthority", "items", "number", "firstDay", "lastDay", "issuedOn")


def shown(verdict: Verdict, name: str = "file.json") -> str:
    result = finding(verdict, name, TYPES)
    content = ROOM | {"result": result, "refused": False, "outcome": verdict.outcome.value}
    return bytes(rendering.page("verify.html.jinja", content).body).decode()


def verdict(outcome: Outcome, document: Any = None, **more: Any) -> Verdict:
    checks = (Check("signature", outcome is not Outcome.NOT_GENUINE, "ok", "签名有效", "the signature holds"),)
    return Verdict(outcome, Form.CREDENTIAL, checks, NOW, document=document, **more)


def test_every_outcome_has_its_line_and_its_meaning() -> None:
    assert set(HEADLINES) == set(WORTH) == {outcome.value for outcome in Outcome}
    for outcome in Outcome:
        assert HEADLINES[outcome.value].text.zh in shown(verdict(outcome))


@given(
    st.fixed_dictionaries(
        {"credentialSubject": st.fixed_dictionaries({}, optional=dict.fromkeys(MEMBERS, json_values)) | json_values},
        optional={"termsOfUse": json_values},
    )
)
def test_whatever_a_genuine_credential_says_the_page_is_drawn(document: dict[str, Any]) -> None:
    said(document, TYPES)
    document["type"] = TYPE
    assert 'data-outcome="valid"' in shown(verdict(Outcome.VALID, document, issuer_name="桥州市"))


@given(
    st.text(min_size=3, alphabet=st.characters(min_codepoint=0x4E00, max_codepoint=0x9FFF)),
    st.sampled_from(["111", "414", "999", ""]),
)
def test_a_natural_person_is_never_named_whole(name: str, code_type: str) -> None:
    name = f"某{name}某"
    code = f"110105{name}12345X"
    document = {
        "type": TYPE,
        "credentialSubject": {
            "licenceType": {"licenceTypeName": "食品经营许可证", "licenceTypeVersion": "food_business_licence@1"},
            "holder": [{"holderName": name, "code": code, "codeType": code_type}],
            "items": {"legal_representative": name},
        },
    }
    page = shown(verdict(Outcome.VALID, document, holder_name=name))
    assert name not in page
    assert code not in page


def test_nothing_is_repeated_of_what_is_not_genuine() -> None:
    document = {"credentialSubject": {"licenceType": {"licenceTypeName": "假证"}, "number": "JY0"}, "name": "假证"}
    page = shown(verdict(Outcome.NOT_GENUINE, document, holder_name="假人", number="JY0", title="假证"))
    assert "假证" not in page
    assert "JY0" not in page


def test_a_credential_of_a_client_is_not_called_a_licence() -> None:
    document = {"credentialSubject": {"name": "某某某"}}
    page = shown(verdict(Outcome.VALID, document, issuer_name="桥州市数据局"))
    assert "凭证（不是证照）" in page
    assert "桥州市数据局" in page
    assert "某某某" not in page


def test_a_credential_of_a_client_that_imitates_a_licence_is_not_drawn_as_one() -> None:
    """Whoever may have credentials signed could otherwise have a licence drawn by the hub's own page."""
    subject = {
        "licenceType": {"licenceTypeName": "食品经营许可证", "licenceTypeVersion": "food_business_licence@1"},
        "holder": [{"holderName": "冒名有限公司", "code": "91330203MA2AF0001X", "codeType": "001"}],
        "number": "JY13302030010001",
    }
    page = shown(verdict(Outcome.VALID, {"type": ["VerifiableCredential"], "credentialSubject": subject}))
    assert "凭证（不是证照）" in page
    for hidden in ("冒名有限公司", "JY13302030010001"):
        assert hidden not in page


UNSEEN = "\u202e\u2066\u200b\u200f\ufeff\u0007\u001b\u0085\u2028\U000e0041"


@pytest.mark.parametrize("character", UNSEEN, ids=lambda each: f"U+{ord(each):04X}")
def test_characters_that_cannot_be_seen_are_shown_as_such(character: str) -> None:
    """In names of files and of holders: they hide what follows, or turn it round."""
    holder = {"holderName": f"甲{character}公司", "code": "91330203MA2AF0001X", "codeType": "001"}
    kind = {"licenceTypeName": f"证{character}照", "licenceTypeVersion": "food_business_licence@1"}
    subject = {"licenceType": kind, "holder": [holder], "number": f"JY{character}1"}
    page = shown(verdict(Outcome.VALID, {"type": TYPE, "credentialSubject": subject}), f"licence{character}fdp.exe")
    refused, _ = refusal(Given.MALFORMED, f"1.2{character}", Text(f"收到 {character}。", f"got {character}."))
    content = ROOM | {"result": refused, "refused": True, "outcome": "", "identifier": f"1.2{character}"}
    page += bytes(rendering.page("verify.html.jinja", content).body).decode()
    assert character not in page
    assert page.count(character.encode("unicode_escape").decode()) >= 6


def test_characters_that_scripts_need_stay_as_they_are() -> None:
    name = "ᠮᠣᠩᠭᠣᠯ 甲\u3000乙\u200dक्\u200cष شركة"
    subject = {"licenceType": {"licenceTypeName": name}, "holder": []}
    assert name in shown(verdict(Outcome.VALID, {"type": TYPE, "credentialSubject": subject}))


@given(st.text())
def test_any_text_is_read_as_an_identifier_without_fail(text: str) -> None:
    found = identifier_in(text)
    assert found == found.strip()
    assert found.isprintable()


@given(st.binary(max_size=300))
def test_any_bytes_are_a_document_or_a_reason(body: bytes) -> None:
    found = document_in(body)
    assert isinstance(found, Text) or found in body


@pytest.mark.parametrize("given_", Given)
def test_every_refusal_has_words_and_a_status(given_: Given) -> None:
    result, status = refusal(given_, "x" * 500, Text("原因。", "Why."))
    content = ROOM | {"result": result, "refused": True, "outcome": given_.value}
    text = bytes(rendering.page("verify.html.jinja", content).body).decode()
    assert result.headline.text.zh in text
    assert 400 <= status < 600
    assert len(result.subject) < 200


def test_ages_are_told_in_the_largest_unit_that_fits() -> None:
    seconds = {
        0: "刚才",
        59: "刚才",
        60: "1 分钟前 1 minute ago",
        7200: "2 小时前 2 hours ago",
        90000: "1 天前 1 day ago",
    }
    for each, words in seconds.items():
        assert words in ago(timedelta(seconds=each))
