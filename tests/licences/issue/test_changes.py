"""Licences follow their records: states, new versions, ends, and what is refused."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from typing import Any

import pytest

from registry.credentials.verify import Outcome
from registry.domain.licences.loading import LicenceTypes
from registry.licences import copies, keys, reissuing
from registry.licences.keys import Reason
from shuqiao.notes import licences_sentence
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

NOTHING = {"revocation": 0, "suspension": 0, "message": 0}
SUPERSEDED = {"revocation": 1, "suspension": 0, "message": 8}


@pytest.fixture
def issued(town: Town) -> Town:
    """With one licence."""
    town.feed(food(1))
    town.follow()
    return town


@pytest.mark.parametrize(
    ("state", "operation", "says"),
    [
        ("02", "03", {"revocation": 0, "suspension": 1, "message": 1}),
        ("03", "05", {"revocation": 1, "suspension": 0, "message": 2}),
        ("04", "05", {"revocation": 1, "suspension": 0, "message": 3}),
        ("05", "04", {"revocation": 1, "suspension": 0, "message": 4}),
        ("06", "05", {"revocation": 0, "suspension": 1, "message": 5}),
        ("07", "05", {"revocation": 1, "suspension": 0, "message": 6}),
        ("99", "07", {"revocation": 0, "suspension": 1, "message": 7}),
    ],
)
def test_a_state_of_the_record_is_published_in_all_lists(
    issued: Town, state: str, operation: str, says: dict[str, int]
) -> None:
    issued.feed(food(1, status=state, status_reason="停业整顿"))
    assert issued.follow().total.state_changes == 1
    licence = issued.current(1)
    assert (licence["version"], licence["state"]) == (1, state)
    assert licence["state_text"] == ("停业整顿" if state == "99" else None)
    assert issued.events(licence["id"]) == [("01", None, "01"), (operation, "01", state)]
    assert issued.says(licence["id"]) == says


@pytest.mark.parametrize(
    ("changed", "outcome"),
    [
        ({}, Outcome.VALID),
        ({"status": "02"}, Outcome.SUSPENDED),
        ({"status": "03"}, Outcome.WITHDRAWN),
        ({"status": "04"}, Outcome.CANCELLED),
        ({"status": "05"}, Outcome.EXPIRED),
        ({"status": "06"}, Outcome.MOVED_OUT),
        ({"status": "07"}, Outcome.REVOKED),
        ({"status": "99", "status_reason": "停业整顿"}, Outcome.OTHER),
        ({"legal_representative": "李某"}, Outcome.SUPERSEDED),
    ],
)
def test_a_verifier_is_told_what_became_of_the_licence(issued: Town, changed: dict[str, Any], outcome: Outcome) -> None:
    first = issued.current(1)["id"]
    issued.feed(food(1, **changed))
    issued.follow()
    verdict = issued.verdict(first)
    assert verdict.outcome is outcome, verdict.as_dict()


def test_a_licence_whose_term_ended_is_expired_not_revoked_for_a_verifier(town: Town) -> None:
    town.feed(food(1, valid_to="2026-11-20"))
    town.follow()
    assert town.verdict(town.current(1)["id"]).outcome is Outcome.VALID
    town.later(days=1)
    assert town.verdict(town.current(1)["id"]).outcome is Outcome.EXPIRED
    town.follow()
    assert town.verdict(town.current(1)["id"]).outcome is Outcome.EXPIRED


def test_after_a_compromise_only_what_was_made_anew_is_believed(issued: Town) -> None:
    lost, first = issued.ring.signer(BUREAU_CODE).key_id, issued.current(1)["id"]
    keys.revoke(issued.connection, lost, Reason.KEY_COMPROMISE, master_key=MASTER_KEY, now=issued.now)
    reissuing.reissue(issued.connection, lost, types=TYPES, keys=issued.ring, base=BASE, now=issued.now)
    assert issued.verdict(first).outcome is Outcome.NOT_GENUINE
    assert issued.verdict(issued.current(1)["id"]).outcome is Outcome.VALID


def test_after_a_compromise_it_is_said_whose_copies_are_lost(issued: Town) -> None:
    for client in ("bank", "court"):
        issued.client(client)
    until = issued.now + timedelta(days=30)
    made = [
        copies.make(
            issued.connection, issued.current(1)["identifier"], client, "某单位", "某事", until,
            keys=issued.ring, types=TYPES, base=BASE, now=issued.now,
        )
        for client in ("court", "bank", "bank", "bank")
    ]  # fmt: skip
    copies.revoke(issued.connection, made[-1].id, "bank", keys=issued.ring, base=BASE, now=issued.now)
    lost = issued.ring.signer(BUREAU_CODE).key_id
    keys.revoke(issued.connection, lost, Reason.KEY_COMPROMISE, master_key=MASTER_KEY, now=issued.now)
    done = reissuing.reissue(issued.connection, lost, types=TYPES, keys=issued.ring, base=BASE, now=issued.now)
    assert (done.copies_lost, done.clients_to_tell) == (3, ("bank", "court"))


def stand_still(town: Town, days: int) -> None:
    """The types were last followed so long ago; the feed has lost what came since."""
    town.connection.execute("UPDATE registry.licence_type SET followed_at = now() - make_interval(days => %s)", (days,))
    town.connection.execute("DELETE FROM registry.change")


def test_a_type_that_fell_behind_the_feed_goes_through_all_records_anew(issued: Town) -> None:
    issued.feed(food(1, status="07"), food(2))
    stand_still(issued, days=500)
    report = issued.follow()
    assert report.begun_again == ("food_business_licence",)
    assert issued.current(1)["state"] == "07"
    assert issued.current(2)["state"] == "01"
    assert "已过保留期" in licences_sentence(dataclasses.asdict(report))
    again = issued.follow()
    assert (again.begun_again, again.total.issued, again.total.state_changes) == ((), 0, 0)


def test_a_type_that_fell_behind_the_feed_finds_records_that_are_gone(issued: Town) -> None:
    issued.feed(gone("F000001", "row-1"))
    stand_still(issued, days=500)
    assert issued.follow().total.state_changes == 1
    assert issued.current(1)["state"] != "01"


def test_a_type_that_the_feed_still_reaches_follows_it(issued: Town) -> None:
    assert issued.follow().begun_again == ()


def only(*codes: str) -> LicenceTypes:
    """The types, of which the food licence may be issued by these authorities alone."""
    first = TYPES.latest("food_business_licence")
    second = dataclasses.replace(
        first, version=2, digest=f"{len(codes)}" * 64, issuer=dataclasses.replace(first.issuer, only=codes)
    )
    return LicenceTypes((*TYPES.all, second))


def test_an_authority_that_may_not_issue_a_type_issues_none(issued: Town) -> None:
    issued.enter(OTHER_BUREAU, OTHER_BUREAU_CODE)
    issued.types = only(OTHER_BUREAU_CODE)
    issued.feed(food(2), food(3, authority=OTHER_BUREAU))
    report = issued.follow()
    assert (report.total.issued, report.total.refused) == (1, 1)
    assert issued.current(3)["issuer_code"] == OTHER_BUREAU_CODE
    ((reasons,),) = issued.rows("SELECT reasons FROM registry.licence_refusal")
    assert [each["code"] for each in reasons] == ["issuer_not_entitled"]
    issued.types = only(OTHER_BUREAU_CODE, BUREAU_CODE)
    issued.feed(food(2, legal_representative="李某"))
    assert issued.follow().total.issued == 1
    assert issued.current(2)["issuer_code"] == BUREAU_CODE


def test_a_suspension_is_lifted(issued: Town) -> None:
    for state in ("02", "01"):
        issued.feed(food(1, status=state))
        issued.follow()
    licence = issued.current(1)
    assert issued.events(licence["id"]) == [("01", None, "01"), ("03", "01", "02"), ("06", "02", "01")]
    assert issued.says(licence["id"]) == NOTHING


def test_the_bits_of_other_licences_stay_as_they_are(town: Town) -> None:
    town.feed(*[food(number) for number in range(20)])
    town.follow()
    town.feed(food(3, status="07"), food(5, status="02"))
    town.follow()
    for number in range(20):
        says = town.says(town.current(number)["id"])
        assert (says["revocation"], says["suspension"]) == (int(number == 3), int(number == 5))


def test_lists_are_signed_once_for_many_changes_and_not_at_all_for_none(town: Town) -> None:
    town.feed(*[food(number) for number in range(50)])
    town.follow()

    def editions() -> dict[str, int]:
        return dict(town.rows("SELECT purpose, edition FROM registry.status_list"))

    assert editions() == {"revocation": 1, "suspension": 1, "message": 1}
    town.feed(*[food(number, status="02") for number in range(30)])
    town.follow()
    assert editions() == {"revocation": 1, "suspension": 2, "message": 2}
    town.follow()
    assert editions() == {"revocation": 1, "suspension": 2, "message": 2}


def test_a_renewal_supersedes(issued: Town) -> None:
    issued.feed(food(1, valid_to="2034-02-28"))
    report = issued.follow()
    assert (report.total.issued, report.total.new_versions) == (0, 1)
    old, new = issued.licences(1)
    assert (new["supersedes"], old["superseded_by"], new["version"]) == (old["id"], new["id"], 2)
    assert new["identifier"].split(".")[:8] == old["identifier"].split(".")[:8]
    assert new["identifier"].split(".")[8] == "002"
    assert issued.events(new["id"]) == [("02", "01", "01")]
    assert issued.credential(new["id"])["credentialSubject"]["supersedes"] == old["identifier"]
    assert issued.says(old["id"]) == SUPERSEDED
    assert issued.says(new["id"]) == NOTHING


@pytest.mark.parametrize(
    "changed", [{"legal_representative": "李某"}, {"valid_to": "2034-02-28", "holder_name": "宁波新食品有限公司"},
                {"valid_to": "2028-02-28"}],
)  # fmt: skip
def test_another_content_is_a_change(issued: Town, changed: dict[str, Any]) -> None:
    issued.feed(food(1, **changed))
    assert issued.follow().total.new_versions == 1
    assert issued.events(issued.current(1)["id"]) == [("09", "01", "01")]


def test_a_suspended_licence_whose_content_changes_stays_suspended(issued: Town) -> None:
    issued.feed(food(1, status="02"))
    issued.follow()
    issued.feed(food(1, status="02", legal_representative="李某"))
    issued.follow()
    new = issued.current(1)
    assert (new["version"], new["state"], issued.events(new["id"])) == (2, "02", [("09", "02", "02")])
    assert issued.says(new["id"])["suspension"] == 1
    issued.feed(food(1, legal_representative="赵某"))
    issued.follow()
    assert issued.events(issued.current(1)["id"]) == [("09", "02", "02"), ("06", "02", "01")]


def test_content_and_suspension_at_once_make_a_suspended_version(issued: Town) -> None:
    issued.feed(food(1, status="02", legal_representative="李某"))
    issued.follow()
    assert issued.events(issued.current(1)["id"]) == [("09", "01", "01"), ("03", "01", "02")]


def test_a_change_that_the_licence_does_not_show_makes_no_version(issued: Town) -> None:
    issued.feed(food(1, remark="现场检查一次"))
    report = issued.follow()
    assert (report.total.new_versions, report.total.unchanged) == (0, 1)


def test_an_end_is_entered_even_if_the_rest_of_the_record_makes_no_licence(issued: Town) -> None:
    issued.feed(food(1, status="07", licence_number="JY?"))
    issued.follow()
    assert [row["state"] for row in issued.licences(1)] == ["07"]
    assert issued.refusals() == {}


def test_a_deleted_record_cancels(issued: Town) -> None:
    issued.feed(gone("F000001", "row-1"))
    assert issued.follow().total.state_changes == 1
    assert issued.current(1)["state"] == "04"
    assert issued.says(issued.current(1)["id"])["revocation"] == 1


@pytest.mark.parametrize("state", ["03", "04", "05", "07"])
def test_a_licence_that_has_ended_stays_so_when_its_record_goes(issued: Town, state: str) -> None:
    issued.feed(food(1, status=state))
    issued.follow()
    issued.feed(gone("F000001", "row-1"))
    assert issued.follow().total.unchanged == 1
    assert issued.current(1)["state"] == state


@pytest.mark.parametrize("changed", [{}, {"legal_representative": "李某"}, {"valid_to": "2034-02-28"}])
def test_a_final_state_is_not_left_and_the_refusal_says_why(issued: Town, changed: dict[str, Any]) -> None:
    issued.feed(food(1, status="07"))
    issued.follow()
    issued.feed(food(1, **changed))
    assert issued.follow().total.refused == 1
    assert issued.current(1)["state"] == "07"
    assert issued.refusals() == {"F000001": ["transition_refused"]}
    issued.feed(food(1, status="07"))
    issued.follow()
    assert issued.refusals() == {}


def test_a_record_that_comes_back_after_its_deletion_is_refused(issued: Town) -> None:
    issued.feed(gone("F000001", "row-1"))
    issued.follow()
    issued.feed(food(1))
    assert issued.follow().total.refused == 1
    assert [row["state"] for row in issued.licences(1)] == ["04"]


def test_content_that_makes_no_licence_leaves_the_licence_as_it_was(issued: Town) -> None:
    issued.feed(food(1, licence_number="JY?"))
    assert issued.follow().total.refused == 1
    assert issued.current(1)["state"] == "01"
    assert issued.refusals() == {"F000001": ["number_not_fitting"]}
    issued.feed(gone("F000001", "row-1"))
    issued.follow()
    assert issued.current(1)["state"] == "04"
    assert issued.refusals() == {}


@pytest.mark.parametrize("apart", [False, True])
def test_a_row_whose_key_was_corrected_takes_its_licence_along(issued: Town, *, apart: bool) -> None:
    issued.feed(food(1, id="F-right"))
    if apart:  # the feed ends between the deletion of the old key and the new one
        with issued.steps_of(1):
            report = issued.follow()
    else:
        report = issued.follow()
    assert (report.total.issued, report.total.new_versions, report.total.state_changes) == (0, 1, 0)
    old, new = issued.licences(1)
    assert (new["supersedes"], new["key"], old["key"]) == (old["id"], "F-right", "F000001")
    assert issued.says(old["id"]) == SUPERSEDED


def test_a_corrected_key_with_a_wrong_content_leaves_the_licence_until_it_is_mended(issued: Town) -> None:
    issued.feed(food(1, id="F-right", licence_number="JY?"))
    assert issued.follow().total.refused == 1
    assert issued.current(1)["state"] == "01"
    assert list(issued.refusals()) == ["F-right"]
    issued.feed(food(1, id="F-right"))
    assert issued.follow().total.new_versions == 1
    assert issued.refusals() == {}


def test_a_corrected_key_whose_record_goes_too_cancels(issued: Town) -> None:
    issued.feed(food(1, id="F-right", licence_number="JY?"))
    issued.follow()
    issued.feed(gone("F-right", "row-1"))
    issued.follow()
    assert issued.current(1)["state"] == "04"
    assert issued.refusals() == {}


def test_a_record_that_moved_to_another_row_and_then_changed_its_key_is_still_found(issued: Town) -> None:
    issued.feed(food(1, row="row-77"))
    issued.feed(food(1, row="row-77", id="F-right"))
    report = issued.follow()
    assert (report.total.issued, report.total.new_versions) == (0, 1)


def test_another_authority_takes_the_licence_over(issued: Town) -> None:
    issued.enter(OTHER_BUREAU, OTHER_BUREAU_CODE)
    issued.feed(food(1, authority=OTHER_BUREAU))
    assert issued.follow().total.new_versions == 1
    old, new = issued.licences(1)
    assert (old["issuer_code"], new["issuer_code"]) != (new["issuer_code"], old["issuer_code"])
    assert issued.credential(new["id"])["issuer"]["id"].endswith(OTHER_BUREAU_CODE)
    assert issued.says(old["id"]) == SUPERSEDED


def test_terms_that_end_are_entered_once_a_day(town: Town) -> None:
    town.feed(food(1, valid_to="2026-11-20"), food(2, valid_to="2026-11-21"), food(3, valid_to=None))
    assert town.follow().total.state_changes == 0
    town.later(hours=14)  # 23:00 in China
    assert town.follow().total.state_changes == 0
    town.later(hours=1)
    assert town.follow().total.state_changes == 1
    licence = town.current(1)
    assert town.events(licence["id"]) == [("01", None, "01"), ("04", "01", "05")]
    assert town.says(licence["id"]) == {"revocation": 0, "suspension": 0, "message": 4}
    town.later(days=400)
    assert town.follow().total.state_changes == 1
    assert town.current(3)["state"] == "01"


def test_an_expired_licence_is_renewed_by_a_new_version_only(town: Town) -> None:
    town.feed(food(1, valid_to="2026-11-20"))
    town.follow()
    town.later(days=2)
    town.follow()
    town.feed(food(1, valid_to="2026-11-20", remark="提醒过"))
    assert town.follow().total.unchanged == 1
    assert town.current(1)["state"] == "05"
    town.feed(food(1, valid_to="2031-11-20"))
    assert town.follow().total.new_versions == 1
    new = town.current(1)
    assert (new["state"], town.events(new["id"])) == ("01", [("02", "05", "01")])


def test_a_term_cut_short_into_the_past_expires_the_licence(issued: Town) -> None:
    issued.feed(food(1, valid_to="2026-11-01"))
    issued.follow()
    assert [row["state"] for row in issued.licences(1)] == ["05"]
    assert issued.says(issued.current(1)["id"])["revocation"] == 1


def test_a_newer_edition_of_a_type_reissues_nothing_and_is_used_from_then_on(issued: Town) -> None:
    first = TYPES.latest("food_business_licence")
    second = dataclasses.replace(
        first, version=2, digest="2" * 64, items=tuple(item for item in first.items if item.name != "permitted_items")
    )
    issued.types = LicenceTypes((*TYPES.all, second))
    issued.feed(food(1, remark="甲"), food(2))
    report = issued.follow()
    assert (report.total.issued, report.total.new_versions) == (1, 0)
    assert (issued.current(1)["type_version"], issued.current(2)["type_version"]) == (1, 2)
    issued.feed(food(1, legal_representative="李某"))
    assert issued.follow().total.new_versions == 1
    assert issued.current(1)["type_version"] == 2


def test_an_authority_without_key_stops_its_own_licences_only(town: Town) -> None:
    town.enter(OTHER_BUREAU, OTHER_BUREAU_CODE)
    town.feed(food(1), food(2, authority=OTHER_BUREAU), food(3, authority=OTHER_BUREAU, valid_to="2026-11-21"))
    town.follow()
    town.end_key(OTHER_BUREAU_CODE)
    town.feed(food(1, status="02"), food(2, status="02", authority=OTHER_BUREAU))
    town.later(days=5)
    report = town.follow()
    assert (report.total.state_changes, report.total.refused) == (1, 1)
    assert town.refusals() == {"F000002": ["issuer_without_key"]}
    town.new_key(OTHER_BUREAU_CODE)
    assert town.follow().total.state_changes == 1
    assert town.current(2)["state"] == "02"
    town.later(days=1)
    town.follow()
    assert town.current(3)["state"] == "05"
