"""Corrections let a final state be left; a compromised key's licences are made anew; lists are renewed in time."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

import orjson
import pytest

from registry.credentials.data_integrity import check_proof
from registry.licences import corrections, forms, keys, reissuing, status
from registry.licences.errors import CorrectionRefused, LicenceServiceError, LicenceUnknown
from registry.licences.keys import KeyNotActive, Reason
from tests.licences.issue.town import (
    BASE,
    BUREAU_CODE,
    MASTER_KEY,
    OTHER_BUREAU,
    OTHER_BUREAU_CODE,
    TYPES,
    Town,
    food,
)
from tests.registry.feeding import gone


@pytest.fixture
def issued(town: Town) -> Town:
    """With one licence."""
    town.feed(food(1))
    town.follow()
    return town


def correct(town: Town, identifier: str | None = None, reason: str = "误录注销，更正决定〔2026〕3号") -> str:
    return corrections.correct(
        town.connection, identifier or town.current(1)["identifier"], reason, "operator",
        types=TYPES, keys=town.ring, base=BASE, now=town.now,
    )  # fmt: skip


def refused(town: Town, identifier: str | None = None, reason: str = "更正") -> str:
    with pytest.raises(CorrectionRefused) as error:
        correct(town, identifier, reason)
    return error.value.code


@pytest.mark.parametrize("state", ["03", "04", "07"])
def test_a_licence_that_was_ended_by_mistake_is_superseded_by_a_right_one(issued: Town, state: str) -> None:
    for each in (state, "01"):
        issued.feed(food(1, status=each))
        issued.follow()
    assert issued.refusals() == {"F000001": ["transition_refused"]}
    identifier = correct(issued)
    old, new = issued.licences(1)
    assert (new["identifier"], new["supersedes"], new["state"]) == (identifier, old["id"], "01")
    assert old["state"] == state
    assert issued.events(new["id"]) == [("09", state, "01")]
    assert issued.rows("SELECT actor, text FROM registry.licence_event WHERE licence_id = %s", new["id"]) == [
        ("operator", "误录注销，更正决定〔2026〕3号")
    ]
    assert issued.says(old["id"])["revocation"] == 1
    assert issued.says(new["id"]) == {"revocation": 0, "suspension": 0, "message": 0}
    assert issued.refusals() == {}
    issued.feed(food(1, remark="复查"))
    report = issued.follow()
    assert (report.total.new_versions, report.total.state_changes, report.total.unchanged) == (0, 0, 1)


def test_a_deleted_record_that_was_published_again_gets_its_licence_back(issued: Town) -> None:
    issued.feed(gone("F000001", "row-1"))
    issued.follow()
    assert refused(issued) == "no_record"
    issued.feed(food(1, status="02"))
    issued.follow()
    correct(issued)
    assert issued.events(issued.current(1)["id"]) == [("09", "04", "01"), ("03", "01", "02")]


def test_what_cannot_be_corrected_is_refused_with_the_reason(issued: Town) -> None:
    first = issued.current(1)["identifier"]
    assert refused(issued) == "nothing_to_correct"
    assert refused(issued, reason=" ") == "reason_missing"
    issued.feed(food(1, status="07"))
    issued.follow()
    assert refused(issued) == "record_not_in_force"
    issued.feed(food(1, valid_to="2026-01-01"))
    issued.follow()
    assert refused(issued) == "record_not_in_force"
    issued.feed(food(1, licence_number="JY?"))
    assert refused(issued) == "number_not_fitting"
    issued.feed(food(1))
    correct(issued)
    assert refused(issued, first) == "superseded"
    with pytest.raises(LicenceUnknown):
        correct(issued, "1.2.3")


def test_after_a_compromise_every_licence_of_use_is_made_anew_with_the_successor(town: Town) -> None:
    town.enter(OTHER_BUREAU, OTHER_BUREAU_CODE)
    town.feed(*[food(number) for number in range(7)], food(7, authority=OTHER_BUREAU))
    town.follow()
    town.feed(food(2, status="02"), food(3, status="07"), food(4, legal_representative="李某"))
    town.follow()
    forms.form(town.connection, town.current(1)["id"], "jwt", town.ring, TYPES, base=BASE, now=town.now)
    lost = town.ring.signer(BUREAU_CODE).key_id
    reissue = partial(reissuing.reissue, town.connection, lost, types=TYPES, base=BASE, now=town.now)
    with pytest.raises(LicenceServiceError) as in_use:
        reissue(keys=town.ring)
    assert in_use.value.code == "key_in_use"
    outdated = town.ring
    keys.revoke(town.connection, lost, Reason.KEY_COMPROMISE, master_key=MASTER_KEY, now=town.now)
    with pytest.raises(KeyNotActive):
        reissue(keys=outdated)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reissuing, "STEP", 2)
        done = reissue(keys=town.ring)
    assert (done.licences, done.forms, done.status_lists) == (6, 1, 3)
    assert reissue(keys=town.ring).licences == 0
    for number in (0, 1, 2, 4, 5, 6):
        licence = town.current(number)
        assert licence["state"] == ("02" if number == 2 else "01")
        check_proof(town.credential(licence["id"]), town.ring.signer(BUREAU_CODE).private_key.public_key())
    assert (len(town.licences(3)), len(town.licences(7))) == (1, 1)
    assert town.says(town.current(2)["id"])["suspension"] == 1
    assert town.rows("SELECT count(*) FROM registry.status_list WHERE key_id = %s", lost) == [(0,)]
    town.feed(food(1, remark="复查"), food(2, status="02", remark="复查"))
    report = town.follow()
    assert (report.total.new_versions, report.total.state_changes, report.total.unchanged) == (0, 0, 2)


def test_lists_are_signed_anew_before_they_end(issued: Town) -> None:

    def refresh() -> int:
        return status.refresh(issued.connection, issued.ring, base=BASE, now=issued.now)

    issued.feed(food(1, status="02"))
    issued.follow()
    assert refresh() == 0
    issued.later(days=4.9)
    assert refresh() == 0
    issued.later(days=0.2)
    assert refresh() == 3
    assert refresh() == 0
    for document, signed_at in issued.rows("SELECT document, signed_at FROM registry.status_list"):
        assert orjson.loads(document)["validUntil"] == (issued.now + timedelta(days=7)).strftime("%Y-%m-%dT%H:%M:%SZ")
        assert signed_at == issued.now
    assert issued.says(issued.current(1)["id"])["suspension"] == 1


def test_lists_of_an_authority_without_key_do_not_keep_others_from_being_signed(issued: Town) -> None:
    issued.enter(OTHER_BUREAU, OTHER_BUREAU_CODE)
    issued.feed(food(2, authority=OTHER_BUREAU))
    issued.follow()
    issued.end_key(BUREAU_CODE)
    issued.later(days=6)
    assert status.refresh(issued.connection, issued.ring, base=BASE, now=issued.now) == 3
