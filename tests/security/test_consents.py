"""Every route that a bank reads by consent x every way in which the enterprise has not consented."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi import APIRouter, Depends
from fastapi.routing import APIRoute

from registry.api.access import security
from tests.credit.enterprise_file.town import uscc
from tests.security.asking import Answered
from tests.security.city import ABSENT, PURPOSE, City, method, without

BY_CONSENT = (security.credit_bank, security.credit_reader)
"""The rules that let a bank in that has no other scope."""
WAYS: Mapping[str, Sequence[str]] = {
    "GET /api/v1/enterprises/{enterprise}/lending": ("application/json",),
    "GET /api/v1/enterprises/{enterprise}/credit": ("application/json",),
    "GET /api/v1/enterprises/{enterprise}/report": ("application/json", "application/pdf"),
}
"""The routes of these rules, and the forms in which each can be asked."""
PENALTY = "桥市监罚〔2026〕1号"
"""What the city has on record of the first enterprise."""


@dataclass(frozen=True)
class Missing:
    """What is wrong with a consent, and by which word the refusal says so."""

    reason: str
    terms: Mapping[str, Any] = field(default_factory=dict)
    is_given: bool = True
    is_its_own: bool = True
    is_revoked: bool = False


NOW = datetime.now(UTC)
DAY = timedelta(days=1)
MISSING: Mapping[str, Missing] = {
    "none": Missing("no_consent", is_given=False),
    "another client's": Missing("no_consent", is_its_own=False),
    "another enterprise's": Missing("no_consent", {"subject": uscc(2)}),
    "revoked": Missing("consent_revoked", is_revoked=True),
    "expired": Missing("consent_over", {"valid_from": NOW - 2 * DAY, "valid_until": NOW - DAY}),
    "not yet begun": Missing("consent_not_yet", {"valid_from": NOW + DAY}),
    "for another purpose": Missing("other_purpose", {"purpose": "post_loan"}),
}


def routes(city: City) -> list[APIRoute]:
    return city.routes(*BY_CONSENT)


def name_of(route: APIRoute) -> str:
    return f"{method(route)} {route.path}"


def consent(city: City, bank: str, **terms: Any) -> str:
    """Enter one for a bank; its number."""
    wanted = {
        "subject": uscc(1), "grantee": city.client(bank).id, "purpose": PURPOSE["Access-Purpose"],
        "items": ["registration", "penalties"], "valid_from": NOW - DAY, "valid_until": NOW + 90 * DAY,
        "evidence_digest": "ab" * 32,
    } | terms  # fmt: skip
    said = {name: value.isoformat() if isinstance(value, datetime) else value for name, value in wanted.items()}
    return str(city.made("/credit/consents", city.enter("credit:consent"), said)["id"])


def answers(
    city: City, bank: str, enterprise: str = uscc(1), purpose: Mapping[str, str] = PURPOSE
) -> Iterator[tuple[APIRoute, str, Answered]]:
    """What each route says to a bank, in each form."""
    for route in routes(city):
        for form in WAYS[name_of(route)]:
            headers = {**purpose, "accept": form}
            yield (
                route,
                form,
                city.ask(method(route), city.address(route, enterprise=enterprise), bank, headers=headers),
            )


def test_every_route_that_a_bank_reads_by_consent_is_in_the_table(city: City) -> None:
    assert {name_of(route) for route in routes(city)} == set(WAYS), "say in tests/security/test_consents.py how to ask"


def test_a_new_route_that_lets_banks_in_without_its_row_fails(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    async def novelty() -> None:
        """A route that somebody adds."""

    router = APIRouter()
    router.add_api_route("/api/v1/new", novelty, dependencies=[Depends(security.credit_bank)])
    monkeypatch.setattr(city.asker.app.router, "routes", [*city.asker.app.routes, *router.routes])

    assert {name_of(route) for route in routes(city)} - set(WAYS) == {"GET /api/v1/new"}


@pytest.mark.parametrize("missing", MISSING.values(), ids=list(MISSING))
def test_without_a_consent_that_holds_a_bank_reads_nothing(city: City, missing: Missing) -> None:
    bank = city.enter("credit:bank")
    if missing.is_given:
        given = consent(city, bank if missing.is_its_own else city.enter("credit:bank"), **missing.terms)
        if missing.is_revoked:
            city.made(f"/credit/consents/{given}/revoke", city.enter("credit:consent"), {"reason": "理由"})

    for route, form, answer in answers(city, bank):
        assert (answer.status, answer.problem) == (403, "consent-required"), (route.path, form, answer.content[:300])
        assert answer.document["reason"] == missing.reason, (route.path, form)
        assert "天成" not in answer.content.decode()


def test_with_one_it_reads_what_was_consented_to_and_nothing_else(city: City) -> None:
    everything, some = city.enter("credit:bank"), city.enter("credit:bank")
    consent(city, everything)
    consent(city, some, items=["registration"])

    for bank, shows in ((everything, True), (some, False)):
        for route, form, answer in answers(city, bank):
            assert answer.status == 200, (route.path, form, answer.content[:300])
            if form == "application/json":
                assert (PENALTY in answer.content.decode()) is shows, route.path
    beyond = city.ask(
        "GET", f"/api/v1/enterprises/{uscc(1)}/lending?items=registration,penalties", some, headers=PURPOSE
    )
    assert (beyond.problem, beyond.document["reason"]) == ("consent-required", "items_beyond_consent")


@pytest.mark.parametrize("name", list(PURPOSE))
def test_with_a_consent_and_without_a_purpose_or_a_case_nothing_is_read(city: City, name: str) -> None:
    bank = city.enter("credit:bank")
    consent(city, bank)
    stated = {each: value for each, value in PURPOSE.items() if each != name}

    for route, form, answer in answers(city, bank, purpose=stated):
        assert (answer.status, answer.problem) == (400, "invalid-parameter"), (route.path, form, answer.content[:300])


def test_whether_an_enterprise_is_known_is_not_told_without_its_consent(city: City) -> None:
    bank = city.enter("credit:bank")
    texts = (uscc(1), ABSENT["entity"])
    there, not_there = (list(answers(city, bank, code)) for code in texts)

    for (route, form, first), (_, _, second) in zip(there, not_there, strict=True):
        assert (first.status, first.problem) == (403, "consent-required"), (route.path, form)
        assert without(first, *texts) == without(second, *texts), (route.path, form)
