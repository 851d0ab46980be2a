"""The nightly check sees a licence that contradicts itself; operators see which records make none, and why."""

from __future__ import annotations

from registry.licences import integrity, progress
from tests.licences.issue.town import TYPES, Town, food


def test_licences_in_every_state_contradict_nothing(town: Town) -> None:
    town.feed(*(food(number) for number in range(1, 6)))
    town.follow()
    town.feed(food(1, status="02"), food(2, status="07"), food(3, holder_name="宁波改名后的食品有限公司"))
    town.follow()

    assert integrity.faults(town.connection) == []
    assert progress.behind(town.connection, TYPES) == []


def test_a_state_written_past_the_hub_is_seen(town: Town) -> None:
    town.feed(food(1), food(2))
    town.follow()
    wrong = town.current(1)
    town.connection.execute("UPDATE registry.licence SET state = '07' WHERE id = %s", (wrong["id"],))

    (fault,) = integrity.faults(town.connection)
    town.connection.execute("UPDATE registry.licence SET state = '01' WHERE id = %s", (wrong["id"],))
    assert "differ from their status lists" in fault.en
    assert wrong["identifier"] in fault.zh


def test_a_licence_without_its_signed_credential_is_seen(town: Town) -> None:
    town.feed(food(1))
    town.follow()
    licence = town.current(1)
    with town.connection.transaction(force_rollback=True):
        town.connection.execute("DELETE FROM registry.licence_form WHERE licence_id = %s", (licence["id"],))
        lacking = integrity._without_form(town.connection)

    assert [fault.en for fault in lacking] == [f"1 licence(s) have no signed credential: {licence['identifier']}"]


def test_a_record_of_an_unknown_authority_is_listed_with_the_remedy_until_it_has_a_seal(town: Town) -> None:
    town.feed(food(1), food(2, authority="无名区市场监督管理局"))
    town.follow()

    (refusal,) = progress.refusals(town.connection)
    assert (refusal.type, refusal.dataset) == ("food_business_licence", "food_business_licence")
    assert any("shuqiao issuers add" in reason["en"] for reason in refusal.reasons)
    assert progress.refusals(town.connection, type_name="business_licence") == []
    assert [count.refused for count in progress.counts(town.connection) if count.refused] == [1]
