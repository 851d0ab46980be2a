"""Annotated copies: who asked, why, until when; on record, revocable, never better than the licence."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import orjson
import pytest

from registry.credentials.data_integrity import check_proof
from registry.documents.reading import attached_credential
from registry.licences import copies
from registry.licences.copies import Copy
from registry.licences.errors import CopyRefused, LicenceUnknown
from tests.licences.issue.town import BASE, BUREAU_CODE, TYPES, Town, food, read_entries

Make = Callable[..., Copy]


@pytest.fixture
def town_with_bank(town: Town) -> Town:
    """One licence, and a bank that may ask."""
    town.feed(food(1))
    town.follow()
    town.client("bank")
    return town


@pytest.fixture
def make(town_with_bank: Town) -> Make:
    town = town_with_bank

    def made(**other: Any) -> Copy:
        wanted = {
            "identifier": town.current(1)["identifier"],
            "client_id": "bank",
            "requested_by": "某银行海曙支行",
            "cause": "开立对公账户",
            "valid_until": town.now + timedelta(days=30),
        } | other
        return copies.make(town.connection, **wanted, keys=town.ring, types=TYPES, base=BASE, now=town.now)

    return made


def says(town: Town, copy: Copy) -> dict[str, int]:
    return dict(read_entries(town.connection, orjson.loads(copy.credential)))


def test_a_copy_says_who_why_and_until_when(town_with_bank: Town, make: Make) -> None:
    copy = make()
    credential = orjson.loads(copy.credential)
    check_proof(credential, town_with_bank.ring.signer(BUREAU_CODE).private_key.public_key())
    (terms,) = credential["termsOfUse"]
    assert (terms["requestedBy"], terms["cause"]) == ("某银行海曙支行", "开立对公账户")
    assert credential["validUntil"] == copy.valid_until.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert credential["id"] == f"{BASE}/verify/copies/{copy.id}"
    assert credential["credentialSubject"]["copyOf"].endswith(copy.identifier)
    assert attached_credential(copy.pdf) == copy.credential
    assert copies.one(town_with_bank.connection, copy.id) == copy
    assert set(says(town_with_bank, copy).values()) == {0}


def test_a_copy_does_not_outlive_its_licence(make: Make) -> None:
    copy = make(valid_until=datetime(2040, 1, 1, tzinfo=UTC))
    assert copy.valid_until.isoformat() == "2029-02-28T15:59:59+00:00"


def test_a_copy_is_revoked_once(town_with_bank: Town, make: Make) -> None:
    town, copy = town_with_bank, make()
    revoke = partial(copies.revoke, town.connection, copy.id, "bank", keys=town.ring, base=BASE, now=town.now)
    assert revoke()
    assert not revoke()
    assert says(town, copy) == {"revocation": 1, "suspension": 0, "message": 6}
    assert says(town, copy) != town.says(town.current(1)["id"])
    assert copies.one(town.connection, copy.id).revoked_by == "bank"


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"status": "02"}, {"revocation": 0, "suspension": 1, "message": 1}),
        ({"status": "07"}, {"revocation": 1, "suspension": 0, "message": 6}),
        ({"legal_representative": "李某"}, {"revocation": 1, "suspension": 0, "message": 8}),
    ],
)
def test_a_copy_follows_its_licence(
    town_with_bank: Town, make: Make, changed: dict[str, Any], expected: dict[str, int]
) -> None:
    town, copy = town_with_bank, make()
    town.feed(food(1, **changed))
    town.follow()
    assert says(town, copy) == expected


def test_a_revoked_copy_stays_revoked_whatever_becomes_of_its_licence(town_with_bank: Town, make: Make) -> None:
    town, copy = town_with_bank, make()
    copies.revoke(town.connection, copy.id, "bank", keys=town.ring, base=BASE, now=town.now)
    for state in ("02", "01"):
        town.feed(food(1, status=state))
        town.follow()
    assert says(town, copy) == {"revocation": 1, "suspension": 0, "message": 6}


@pytest.mark.parametrize("changed", [{"status": "02"}, {"status": "07"}])
def test_no_copy_is_made_of_a_licence_that_is_not_valid(
    town_with_bank: Town, make: Make, changed: dict[str, Any]
) -> None:
    town_with_bank.feed(food(1, **changed))
    town_with_bank.follow()
    with pytest.raises(CopyRefused) as refused:
        make()
    assert refused.value.code == "licence_not_valid"


def test_no_copy_is_made_of_a_superseded_version_nor_outside_the_term(town_with_bank: Town, make: Make) -> None:
    old = town_with_bank.current(1)["identifier"]
    town_with_bank.feed(food(1, legal_representative="李某", valid_from="2027-01-01"))
    town_with_bank.follow()
    for identifier in (old, town_with_bank.current(1)["identifier"]):
        with pytest.raises(CopyRefused):
            make(identifier=identifier)


def test_a_copy_needs_somebody_a_cause_and_an_end(town_with_bank: Town, make: Make) -> None:
    for wrong in ({"requested_by": " "}, {"cause": ""}, {"valid_until": town_with_bank.now}):
        with pytest.raises(CopyRefused) as refused:
            make(**wrong)
        assert refused.value.code == "copy_incomplete"
    with pytest.raises(LicenceUnknown):
        make(identifier="1.2.3")
    with pytest.raises(CopyRefused):
        copies.one(town_with_bank.connection, "none")
