"""One file per enterprise: whose word counts, where it comes from, how old it is."""

from __future__ import annotations

import random
from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from registry.domain.credit.enterprise_file import FileRecord, enterprise_file
from tests.credit.enterprise_file.town import (
    SOURCES,
    TODAY,
    Town,
    body,
    enterprise,
    penalty,
    record,
    taxpayer,
    uscc,
)


def test_each_field_is_the_word_of_its_department() -> None:
    records = [
        record("legal_entity", "1", enterprise(1, name="桥州天成餐饮有限公司", industry="6210")),
        record("tax_registration", "1", taxpayer(1, name="桥州天成餐饮公司", industry="62", taxpayer_type="general")),
    ]

    found = enterprise_file(uscc(1), records, TODAY, SOURCES)

    assert found.fields["name"].value == "桥州天成餐饮有限公司"
    assert found.fields["name"].provenance.department == "market-supervision"
    assert found.fields["taxpayer_type"].value == "general"
    assert found.fields["taxpayer_type"].provenance.connector == "tax.tax_registration"
    assert found.fields["industry"].value == "6210"
    assert all(value.authoritative for value in found.fields.values())


def test_a_field_its_department_says_nothing_of_is_another_ones_word_and_marked_so() -> None:
    records = [record("tax_registration", "1", taxpayer(1))]

    found = enterprise_file(uscc(1), records, TODAY, SOURCES)

    assert found.fields["name"].value == "桥州天成1餐饮有限公司"
    assert not found.fields["name"].authoritative
    assert found.fields["taxpayer_status"].authoritative
    assert "status" not in found.fields, "a state of the taxpayer is no state of the registration"


def test_a_record_of_the_right_dataset_but_another_department_is_not_authoritative() -> None:
    records = [
        record("legal_entity", "1", enterprise(1, name="一"), department="tax", published_on=TODAY),
        record("legal_entity", "2", enterprise(1, name="二"), published_on=TODAY - timedelta(days=9)),
    ]

    assert enterprise_file(uscc(1), records, TODAY, SOURCES).fields["name"].value == "二"


def test_each_value_carries_its_batch_and_the_days_since_its_source_said_so() -> None:
    records = [
        record("legal_entity", "1", enterprise(1), batch_id=7, confirmed_on=TODAY - timedelta(days=3)),
        record("tax_registration", "1", taxpayer(1), batch_id=9, confirmed_on=TODAY - timedelta(days=40)),
    ]

    found = enterprise_file(uscc(1), records, TODAY, SOURCES)

    assert (found.fields["name"].provenance.batch_id, found.fields["name"].provenance.age_days) == (7, 3)
    assert (found.fields["taxpayer_status"].provenance.batch_id, found.age_days) == (9, 40)


def test_lists_are_newest_first_and_of_several_ratings_the_latest_year_counts() -> None:
    records = [
        record("tax_credit_rating", "a", body(1, year=2024, grade="A")),
        record("tax_credit_rating", "b", body(1, year=2025, grade="C"), published_on=TODAY - timedelta(days=99)),
        record("administrative_penalty", "p1", penalty(1, decided_on="2024-01-01")),
        record("administrative_penalty", "p2", penalty(1, decided_on="2025-01-01")),
        record("administrative_penalty", "p0", penalty(1, decided_on="2025-01-01")),
    ]

    found = enterprise_file(uscc(1), records, TODAY, SOURCES)

    assert found.fields["tax_credit_grade"].value == "C"
    assert [entry.body["year"] for entry in found.lists["tax_ratings"]] == [2025, 2024]
    assert [entry.provenance.key for entry in found.lists["penalties"]] == ["p0", "p2", "p1"]
    assert found.lists["licences"] == ()
    assert set(found.lists) == {rule.name for rule in SOURCES.lists}


_RECORDS = st.lists(
    st.builds(
        lambda dataset, key, name, day, department: record(
            dataset,
            key,
            {"name": name, "holder_name": name, "status": "01", "year": day, "decided_on": f"2025-01-{day:02d}"},
            department=department,
            published_on=date(2026, 1, day),
            version=day,
        ),
        st.sampled_from(["legal_entity", "tax_registration", "tax_credit_rating", "administrative_penalty"]),
        st.sampled_from("abc"),
        st.sampled_from(["一", "二", "三"]),
        st.integers(1, 28),
        st.sampled_from(["market-supervision", "tax"]),
    ),
    unique_by=lambda found: (found.dataset, found.key),
    max_size=10,
)


@given(_RECORDS, st.randoms())
def test_the_order_of_the_records_changes_nothing(records: list[FileRecord], chance: random.Random) -> None:
    shuffled = list(records)
    chance.shuffle(shuffled)

    assert enterprise_file("x", records, TODAY, SOURCES) == enterprise_file("x", shuffled, TODAY, SOURCES)


def test_the_registry_gives_an_enterprises_file_now_and_as_it_was(town: Town) -> None:
    town.say("legal_entity", {"1": enterprise(1), "2": enterprise(2)})
    town.say("tax_registration", {"1": taxpayer(1)})
    ((before,),) = town.rows("SELECT clock_timestamp()")
    town.say("legal_entity", {"1": enterprise(1, name="桥州新天成餐饮有限公司")})
    town.end("tax_registration", "1")

    now, then = town.file(1), town.file(1, at=before)

    assert now.fields["name"].value == "桥州新天成餐饮有限公司"
    assert "taxpayer_status" not in now.fields
    assert then.fields["name"].value == "桥州天成1餐饮有限公司"
    assert then.fields["taxpayer_status"].value == "normal"
    assert then.fields["name"].provenance.batch_id < now.fields["name"].provenance.batch_id
    assert town.file(3).fields == {}
