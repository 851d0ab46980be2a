"""A credit record holds what its reader may see on the day and today, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.domain.credit.catalogue import OutsideCatalogue, default_credit_catalogue
from registry.domain.credit.marks import Mark
from registry.domain.credit.readers import Reader
from registry.domain.credit.report import CreditRecord, HeldRecord, credit_record, facts_with_mark, may_see
from registry.domain.credit.visibility import visibility
from tests.credit.enterprise_file.town import DEPARTMENTS, TODAY, body, enterprise, penalty
from tests.credit.enterprise_file.town import record as made

READERS: list[Reader] = ["public", "department", "authorised_bank"]


def held(dataset: str, key: str, content: dict[str, Any], **mark: datetime | None) -> HeldRecord:
    if dataset not in DEPARTMENTS:
        one = replace(made("utility_payment", key, content), dataset=dataset)
    else:
        one = made(dataset, key, content)
    return HeldRecord(one, f"{dataset}@1", Mark(**mark))


def seen(records: list[HeldRecord], day: date = TODAY, today: date = TODAY, reader: Reader = "public") -> CreditRecord:
    return credit_record(records, day, today, reader, registration="legal_entity")


def moments() -> st.SearchStrategy[datetime | None]:
    return st.none() | st.datetimes(datetime(2024, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


PENALTIES = st.builds(
    lambda key, day, kinds, scope, disputed, repaired: held(
        "administrative_penalty",
        key,
        penalty(1, decided_on=f"{day}", penalty_kinds=[kinds], use_scope=scope),
        disputed_since=disputed,
        repaired_at=repaired,
    ),
    st.uuids().map(str),
    st.dates(date(2022, 1, 1), date(2027, 6, 1)),
    st.sampled_from(["warning", "fine", "confiscation_of_income", "revocation"]),
    st.sampled_from(["public", "government", "internal"]),
    moments(),
    moments(),
)


@given(
    st.lists(PENALTIES, max_size=5, unique_by=lambda each: each.record.key),
    st.dates(date(2024, 6, 1), date(2028, 1, 1)),
    st.dates(date(2024, 6, 1), date(2028, 1, 1)),
    st.sampled_from(READERS),
)
def test_it_holds_what_may_be_seen_on_both_days(
    records: list[HeldRecord], day: date, today: date, reader: Reader
) -> None:
    found = seen(records, day, today, reader)

    expected = {
        each.record.key
        for each in records
        if all(visibility(facts_with_mark(each), when, reader).visible for when in (day, today))
    }
    assert {each.held.record.key for each in found.records} == expected
    for each in found.records:
        now = visibility(facts_with_mark(each.held), today, reader)
        assert each.visibility.marks == now.marks
        assert each.visibility.until == now.until
    decided = [each.decided_on for each in found.records]
    assert decided == sorted(decided, reverse=True)
    assert seen(list(reversed(records)), day, today, reader) == found


@pytest.mark.parametrize("reader", READERS)
def test_what_no_class_of_the_catalogue_names_is_not_in_it(reader: Reader) -> None:
    records = [
        held("utility_payment", "U", body(1, period="2026-10")),
        held("social_insurance", "S", body(1, period="2026-10")),
        held("legal_entity", "1", enterprise(1)),
    ]

    found = seen(records, reader=reader)

    assert (found.records, found.left_out) == ((), ())


@pytest.mark.parametrize("reader", READERS)
def test_what_cannot_be_judged_is_named_and_shown_to_nobody(reader: Reader) -> None:
    records = [
        held("tax_credit_rating", "R", body(1, year="2025", grade="A")),
        held("administrative_penalty", "P", {"content": "罚款2000元"}),
    ]

    found = seen(records, reader=reader)

    assert found.records == ()
    assert found.left_out == ("administrative_penalty", "tax_credit_rating")


def test_a_schema_that_the_hub_does_not_know_shows_nothing() -> None:
    one = held("administrative_penalty", "P", penalty(1, penalty_kinds=["confiscation_of_income"]))

    assert seen([replace(one, schema="city_penalty@9")]).left_out == ("administrative_penalty",)


def test_a_file_shares_a_repaired_record_with_nobody() -> None:
    repaired = datetime(2026, 11, 1, 4, tzinfo=UTC)
    rating, fine = body(1, year="2025", grade="A"), penalty(1)

    for dataset, content in (("tax_credit_rating", rating), ("administrative_penalty", fine)):
        assert may_see(held(dataset, "K", content), TODAY, "department")
        assert not may_see(held(dataset, "K", content, repaired_at=repaired), TODAY, "department")


def test_without_an_edition_of_the_catalogue_nothing_is_let_in() -> None:
    catalogue = default_credit_catalogue()
    ended = replace(catalogue, editions=tuple(replace(each, valid_to=TODAY) for each in catalogue.editions[-1:]))

    with pytest.raises(OutsideCatalogue):
        credit_record([], TODAY, TODAY + timedelta(days=1), "public", registration="legal_entity", catalogue=ended)
