"""Consents: the check by itself, held against a plain model, and on the registry with every use on record."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.credit import consents
from registry.credit.consents import ConsentRefused
from registry.domain.credit.cases import CreditRefused
from registry.domain.credit.consent import Allowed, Consent, Refused, check
from registry.storage.database import connect
from tests.credit.cases.town import NOW, Town
from tests.credit.enterprise_file.town import uscc

SECOND = timedelta(seconds=1)
CONSENT = Consent(
    "c1",
    uscc(1),
    "bank",
    "credit_lending",
    frozenset({"tax_credit_rating", "utility_payment"}),
    NOW,
    NOW + timedelta(days=30),
    b"\1" * 32,
)
MOMENTS = st.datetimes(datetime(2026, 11, 1), datetime(2027, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


def reasons(outcome: Allowed | Refused) -> list[str]:
    if isinstance(outcome, Allowed):
        return []
    assert all(reason.zh and reason.en for reason in outcome.reasons)
    return [reason.code for reason in outcome.reasons]


@given(
    client=st.sampled_from(["bank", "other bank"]),
    entity=st.sampled_from([None, uscc(1), uscc(2)]),
    purpose=st.sampled_from(["credit_lending", "marketing"]),
    items=st.sets(st.sampled_from(["tax_credit_rating", "utility_payment", "administrative_penalty", "*"])),
    at=MOMENTS,
    revoked_at=st.none() | MOMENTS,
)
def test_only_a_request_within_every_bound_of_the_consent_is_allowed(
    client: str, entity: str | None, purpose: str, items: set[str], at: datetime, revoked_at: datetime | None
) -> None:
    consent = replace(CONSENT, revoked_at=revoked_at)
    outcome = check(consent, client, purpose, items, at, entity)
    within = (
        client == "bank"
        and entity in (None, uscc(1))
        and purpose == "credit_lending"
        and bool(items)
        and items <= {"tax_credit_rating", "utility_payment"}
        and NOW <= at < NOW + timedelta(days=30)
        and (revoked_at is None or at < revoked_at)
    )
    assert isinstance(outcome, Allowed) is within


def test_a_consent_holds_from_its_first_moment_until_before_its_last() -> None:
    def at(moment: datetime) -> list[str]:
        return reasons(check(CONSENT, "bank", "credit_lending", ["utility_payment"], moment))

    assert at(NOW - SECOND) == ["consent_not_yet"]
    assert at(NOW) == at(CONSENT.valid_until - SECOND) == []
    assert at(CONSENT.valid_until) == ["consent_over"]


def test_every_reason_is_said_at_once_but_a_stranger_is_told_nothing() -> None:
    late = CONSENT.valid_until
    assert reasons(check(CONSENT, "bank", "marketing", ["fine"], late)) == [
        "consent_over",
        "other_purpose",
        "items_beyond_consent",
    ]
    assert reasons(check(CONSENT, "bank", "credit_lending", [], NOW)) == ["no_items"]
    stranger = check(CONSENT, "other bank", "marketing", ["fine"], late)
    assert stranger == check(None, "other bank", "marketing", ["fine"], late)
    assert stranger == check(CONSENT, "bank", "credit_lending", ["utility_payment"], NOW, uscc(2))
    assert reasons(stranger) == ["no_consent"]


def use(town: Town, consent_id: str, **fields: Any) -> Allowed:
    asked: dict[str, Any] = {
        "client": "bank",
        "entity": uscc(1),
        "purpose": "credit_lending",
        "items": ["tax_credit_rating"],
        "at": town.now,
    } | fields
    return consents.use(town.connection, consent_id, **asked)


def test_every_use_is_on_record_and_what_was_refused_was_no_use(town: Town) -> None:
    town.client()
    consent = town.consent()
    use(town, consent.id, case_number="L-1")
    use(town, consent.id, items=["tax_credit_rating", "administrative_penalty"])
    with pytest.raises(ConsentRefused) as refused:
        use(town, consent.id, items=["utility_payment"], purpose="marketing")
    assert [reason.code for reason in refused.value.reasons] == ["other_purpose", "items_beyond_consent"]

    assert [(each.client, each.items, each.case_number) for each in consents.uses(town.connection, consent.id)] == [
        ("bank", ("tax_credit_rating",), "L-1"),
        ("bank", ("administrative_penalty", "tax_credit_rating"), None),
    ]


def test_a_use_whose_read_fails_is_not_on_record(town: Town) -> None:
    town.client()
    consent = town.consent()
    with pytest.raises(psycopg.errors.DivisionByZero), town.connection.transaction():  # noqa: PT012
        use(town, consent.id)
        town.connection.execute("SELECT 1 / 0")
    assert consents.uses(town.connection, consent.id) == []


def test_a_revoked_consent_is_not_used_again_and_its_form_does_not_bring_it_back(town: Town) -> None:
    town.client()
    consent = town.consent()
    use(town, consent.id)
    town.later(hours=1)
    revoked = consents.revoke(town.connection, consent.id, revoked_by="enterprise", now=town.now)
    assert revoked.revoked_at == town.now
    town.later(hours=1)
    assert consents.revoke(town.connection, consent.id, revoked_by="somebody", now=town.now) == revoked
    with pytest.raises(ConsentRefused) as refused:
        use(town, consent.id)
    assert refused.value.code == "consent_revoked"
    with pytest.raises(CreditRefused) as again:
        town.consent(valid_from=consent.valid_from, valid_until=consent.valid_until)
    assert again.value.code == "consent_revoked"
    assert town.consent(evidence_digest=b"\2" * 32).id != consent.id


def test_a_request_that_came_before_the_revocation_is_permitted_nothing_after_it(town: Town) -> None:
    town.client()
    consent = town.consent()
    came = town.now
    town.later(seconds=1)
    consents.revoke(town.connection, consent.id, revoked_by="enterprise", now=town.now)

    with pytest.raises(ConsentRefused) as refused:
        use(town, consent.id, at=came)

    assert refused.value.code == "consent_revoked"
    assert consents.uses(town.connection, consent.id) == []


def test_a_revocation_waits_for_a_use_that_is_being_permitted(town: Town) -> None:
    town.client()
    consent = town.consent()
    done = threading.Event()

    def revoke() -> None:
        with connect(town.url) as connection:
            consents.revoke(connection, consent.id, revoked_by="enterprise", now=town.now)
        done.set()

    with town.connection.transaction():
        use(town, consent.id)
        thread = threading.Thread(target=revoke)
        thread.start()
        assert not done.wait(0.3)
    thread.join(20)
    assert done.is_set()


def test_the_same_consent_entered_twice_is_one(town: Town) -> None:
    town.client()
    consent = town.consent()
    assert town.consent() == consent
    with pytest.raises(CreditRefused) as refused:
        town.consent(items=["tax_credit_rating"])
    assert refused.value.code == "evidence_used"
    other = town.consent(evidence_digest=b"\2" * 32, entity=uscc(2))
    assert [each.consent for each in consents.listed(town.connection, entity=uscc(1))] == [consent]
    assert [each.consent for each in consents.listed(town.connection, entity=uscc(2))] == [other]
    assert consents.one(town.connection, consent.id) == consent
    assert consents.one(town.connection, "nothing") is None


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"items": []}, "consent_items"),
        ({"items": ["*"]}, "consent_items"),
        ({"items": [" "]}, "consent_items"),
        ({"purpose": " "}, "consent_purpose"),
        ({"valid_until": NOW}, "consent_term"),
        ({"evidence_digest": b"short"}, "consent_evidence"),
        ({"grantee": "nobody"}, "grantee_unknown"),
    ],
)
def test_a_consent_that_is_not_sound_is_not_entered(town: Town, fields: dict[str, Any], code: str) -> None:
    town.client()
    with pytest.raises(CreditRefused) as refused:
        town.consent(**fields)
    assert refused.value.code == code
    assert consents.listed(town.connection, entity=uscc(1)) == []


def test_a_consent_that_is_not_known_is_neither_used_nor_revoked(town: Town) -> None:
    with pytest.raises(ConsentRefused) as refused:
        use(town, "nothing")
    assert refused.value.code == "no_consent"
    with pytest.raises(CreditRefused) as unknown:
        consents.revoke(town.connection, "nothing", revoked_by="enterprise", now=town.now)
    assert unknown.value.code == "consent_unknown"
