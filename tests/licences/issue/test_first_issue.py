"""Records that reach the registry become licences."""

from __future__ import annotations

import itertools

import pytest

from registry.credentials.data_integrity import check_proof
from registry.domain.licences.identifiers import parse
from registry.licences import issue, issuers
from registry.licences.keys import KeyNotActive
from tests.licences.issue.town import (
    BASE,
    BUREAU_CODE,
    MASTER_KEY,
    NOW,
    OTHER_BUREAU,
    OTHER_BUREAU_CODE,
    Town,
    entity,
    food,
    permit,
)
from tests.registry.feeding import Feeder, gone


def test_a_valid_record_becomes_a_signed_licence(town: Town) -> None:
    town.feed(food(1))
    report = town.follow()
    assert (report.total.issued, report.total.refused, report.caught_up) == (1, 0, True)
    licence = town.current(1)
    parsed = parse(licence["identifier"])
    assert parsed.check_is_right
    assert (parsed.identifier.issuer_code, parsed.identifier.version) == (BUREAU_CODE, 1)
    assert (licence["state"], town.events(licence["id"])) == ("01", [("01", None, "01")])
    credential = town.credential(licence["id"])
    assert credential["id"] == f"{BASE}/licences/{licence['identifier']}"
    check_proof(credential, town.ring.signer(BUREAU_CODE).private_key.public_key())
    assert town.says(licence["id"]) == {"revocation": 0, "suspension": 0, "message": 0}


def test_following_again_does_nothing(town: Town) -> None:
    town.feed(food(1), food(2))
    town.follow()
    before = town.rows("SELECT id, identifier FROM registry.licence ORDER BY id")
    for _ in range(3):
        assert town.follow().total.issued == 0
    assert town.rows("SELECT id, identifier FROM registry.licence ORDER BY id") == before


def test_records_that_were_there_before_the_type_are_issued_in_batches_and_none_is_left_out(town: Town) -> None:
    town.feed(*[food(number) for number in range(2500)])
    assert town.follow().total.issued == 2500
    town.feed(food(2500))
    assert town.follow().total.issued == 1


def test_what_is_published_during_the_first_load_is_issued_once(town: Town) -> None:
    town.feed(food(1))
    with town.feeder_at_work():
        town.feed(food(2))
        report = town.follow()
        assert report.total.issued == 2
        assert not report.caught_up
    assert town.follow().total.issued == 0


def test_a_suspended_record_is_issued_and_suspended(town: Town) -> None:
    town.feed(food(1, status="02"))
    assert town.follow().total.issued == 1
    licence = town.current(1)
    assert town.events(licence["id"]) == [("01", None, "01"), ("03", "01", "02")]
    assert town.says(licence["id"]) == {"revocation": 0, "suspension": 1, "message": 1}


@pytest.mark.parametrize("state", ["03", "04", "05", "06", "07", "99"])
def test_a_record_that_has_ended_at_first_sight_makes_no_licence(town: Town, state: str) -> None:
    town.feed(food(1, status=state, status_reason="停业整顿"))
    report = town.follow()
    assert (report.total.issued, report.total.refused, report.total.unchanged) == (0, 0, 1)


def test_a_record_whose_term_has_ended_at_first_sight_makes_no_licence_until_it_is_renewed(town: Town) -> None:
    town.feed(food(1, valid_to="2026-11-19"), food(2, valid_to="2026-11-20"))
    assert town.follow().total.issued == 1
    assert town.licences(1) == []
    town.feed(food(1, valid_to="2031-11-19"))
    assert town.follow().total.issued == 1


def test_a_record_of_an_authority_without_seal_is_refused_with_the_remedy_and_issued_once_it_has_one(
    town: Town,
) -> None:
    town.feed(food(1), food(2, authority=OTHER_BUREAU))
    report = town.follow()
    assert (report.total.issued, report.total.refused) == (1, 1)
    ((reasons,),) = town.rows("SELECT reasons FROM registry.licence_refusal")
    assert reasons[0]["code"] == "issuer_unknown"
    assert "shuqiao issuers add" in reasons[0]["en"]
    assert OTHER_BUREAU in reasons[0]["zh"]
    assert town.follow().total.issued == 0
    town.enter(OTHER_BUREAU, OTHER_BUREAU_CODE)
    assert town.follow().total.issued == 1
    assert town.refusals() == {}
    assert town.current(2)["issuer_code"] == OTHER_BUREAU_CODE


def test_an_authority_is_known_by_its_aliases_too(town: Town) -> None:
    town.feed(food(1, authority="宁波市海曙区市场监管局（食药）"))
    assert town.follow().total.refused == 1
    issuers.enter(
        town.connection, BUREAU_CODE, "海曙区市场监督管理局", "Bureau", ["宁波市海曙区市场监管局(食药)"],
        base=BASE, master_key=MASTER_KEY, now=NOW,
    )  # fmt: skip
    assert town.follow().total.issued == 1


def test_a_code_of_the_authority_decides_over_its_name(town: Town) -> None:
    town.enter(OTHER_BUREAU, OTHER_BUREAU_CODE)
    town.feed(food(1, authority_code=OTHER_BUREAU_CODE), food(2, authority_code="113302120000000000"))
    report = town.follow()
    assert (report.total.issued, report.total.refused) == (1, 1)
    assert town.current(1)["issuer_code"] == OTHER_BUREAU_CODE


def test_a_record_that_cannot_become_a_licence_is_refused_with_every_reason_until_it_is_mended(town: Town) -> None:
    town.feed(food(1, licence_number="JY1", issued_on=None), food(2))
    report = town.follow()
    assert (report.total.issued, report.total.refused) == (1, 1)
    assert set(town.refusals()["F000001"]) == {"number_not_fitting", "issued_on_missing"}
    town.feed(food(1))
    assert town.follow().total.issued == 1
    assert town.refusals() == {}


def test_a_change_committed_beside_a_longer_transaction_is_waited_for(town: Town) -> None:
    town.feed(food(1))
    town.follow()
    with town.long_transaction(seconds=1.0):
        town.feed(food(1, status="02"))
        assert not town.follow().caught_up
        assert town.current(1)["state"] == "01"
        report = town.follow(wait=20)
        assert report.caught_up
    assert town.current(1)["state"] == "02"
    assert report.total.state_changes == 1


def test_a_registry_that_was_moved_to_another_cluster_is_gone_through_again(town: Town) -> None:
    town.feed(*[food(number) for number in range(5)])
    town.follow()
    town.feed(gone("F000001", "row-1"), food(2, status="02"), food(5))
    town.connection.execute("UPDATE registry.licence_type SET followed_xid = '9000000000'")
    with town.steps_of(2):
        report = town.follow()
    assert (report.total.issued, report.total.state_changes, report.caught_up) == (1, 2, True)
    assert [town.current(number)["state"] for number in range(6)] == ["01", "04", "02", "01", "01", "01"]
    town.feed(food(3, status="02"))
    assert town.follow().total.state_changes == 1


def test_an_authority_entered_while_the_keys_were_read_already_asks_for_them_to_be_read_again(town: Town) -> None:
    ring = town.ring
    town.enter(OTHER_BUREAU, OTHER_BUREAU_CODE)
    town.feed(food(1, authority=OTHER_BUREAU))
    with pytest.raises(KeyNotActive):
        issue.follow(town.connection, town.types, ring, base=BASE, now=town.now)
    assert town.follow().total.issued == 1


def test_a_full_group_is_followed_by_another(town: Town) -> None:
    town.feed(food(1))
    town.follow()
    town.connection.execute("UPDATE registry.status_group SET used = size - 3")
    town.feed(*[food(number) for number in range(2, 10)])
    town.follow()
    groups = dict(town.rows("SELECT status_group_id, count(*) FROM registry.licence GROUP BY 1"))
    assert sorted(groups.values()) == [4, 5]
    assert town.rows("SELECT count(*) FROM registry.status_list") == [(6,)]
    town.feed(food(9, status="02"))
    town.follow()
    assert town.says(town.current(9)["id"])["suspension"] == 1


def test_positions_are_given_out_in_no_order_that_tells_anything(town: Town) -> None:
    town.feed(*[food(number) for number in range(200)])
    town.follow()
    indexes = [index for (index,) in town.rows("SELECT status_index FROM registry.licence ORDER BY id")]
    assert len(set(indexes)) == 200
    ascending = sum(first < second for first, second in itertools.pairwise(indexes))
    assert 60 < ascending < 140
    ((order,),) = town.rows("SELECT index_order FROM registry.status_group")
    assert {int.from_bytes(order[at : at + 4]) for at in range(0, len(order), 4)} == set(range(131_072))


def test_every_type_of_a_dataset_takes_its_own_records(town: Town) -> None:
    feeder = Feeder(town.url, "council.permits", "administrative_licence")
    feeder.feed([permit(1, "建筑业企业资质证书"), permit(2, "动物诊疗许可证"), permit(3, "道路运输经营许可证")])
    report = town.follow()
    assert {name: counts.issued for name, counts in report.by_type.items()} == {
        "construction_qualification": 1,
        "animal_clinic_licence": 1,
        "administrative_permit": 1,
    }
    feeder.feed([permit(3, "动物诊疗许可证")])
    assert town.follow().total.issued == 1
    assert dict(town.rows("SELECT type, state FROM registry.licence WHERE key = 'P3'")) == {
        "administrative_permit": "04",
        "animal_clinic_licence": "01",
    }


def test_an_amount_of_money_is_signed_as_the_record_says_it(town: Town) -> None:
    feeder = Feeder(town.url, "market.entities", "legal_entity")
    feeder.feed([entity(1)])
    assert town.follow().total.issued == 1
    ((number,),) = town.rows("SELECT id FROM registry.licence")
    capital = town.credential(number)["credentialSubject"]["items"]["registered_capital"]
    assert "1000.5" in str(capital)
    assert "{" not in (capital if isinstance(capital, str) else "")
