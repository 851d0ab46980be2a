"""The items for lending are rules: what they name leaves, nothing else, and a wrong file is told with its place."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.domain.credit.cases import CreditRefused
from registry.domain.credit.enterprise_file import FileRecord
from registry.domain.credit.lending import (
    LENDING,
    READER,
    LendingItem,
    default_lending_rules,
    lent_body,
    load_lending_rules,
)
from registry.domain.credit.readers import default_reader_rules
from registry.domain.credit.report import HeldRecord
from registry.domain.credit.rule_files import RuleFileError
from schemas.catalogue import default_catalogue
from tests.credit.enterprise_file.town import uscc

RULES = default_lending_rules()
ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "credit-lending.md").read_text("utf-8")
TEXT = LENDING.read_text("utf-8")
REFERENCES = {reference.partition("@")[0]: reference for reference in default_catalogue().references()}
PLACES = [(item, dataset) for item in RULES.items.values() for dataset in item.datasets if dataset in REFERENCES]


def held(dataset: str, body: dict[str, object]) -> HeldRecord:
    day = date(2026, 11, 20)
    record = FileRecord(dataset, "K", body, 1, day, day, 1, "office.thing", "office", matched=False)
    return HeldRecord(record, REFERENCES[dataset])


@given(place=st.sampled_from(PLACES), natural=st.booleans())
def test_only_the_fields_of_the_item_leave_and_of_them_what_its_reader_may_see(
    place: tuple[LendingItem, str],
    natural: bool,  # noqa: FBT001
) -> None:
    item, dataset = place
    fields = default_catalogue().schema(REFERENCES[dataset])["properties"]
    body: dict[str, object] = {name: f"value of {name}" for name in fields}
    body["uscc"] = None if natural else uscc(1)

    shown = lent_body(held(dataset, body), item)

    assert set(shown) <= set(item.datasets[dataset])
    rules = default_reader_rules()
    assert not set(shown) & (rules.never_shown | rules.hub_only)
    personal = {pointer.strip("/") for pointer in default_catalogue().personal_fields(REFERENCES[dataset])}
    allowed = rules.of(READER)
    names = allowed.personal_of_natural_persons if natural else allowed.personal_of_organisations
    assert set(shown) & personal <= names


def test_no_number_of_a_person_an_account_or_a_meter_is_an_item() -> None:
    named = {field for item, dataset in PLACES for field in item.datasets[dataset]}

    assert not named & default_reader_rules().never_shown
    assert not named & {"account_number", "bill_number", "taxpayer_number", "address_of_meter", "registration_number"}


def test_a_dataset_stands_in_one_item() -> None:
    datasets = [dataset for item in RULES.items.values() for dataset in item.datasets]

    assert len(datasets) == len(set(datasets))
    assert RULES.datasets_of(RULES.items) == set(datasets)
    assert RULES.datasets_of([]) == frozenset()


def test_words_that_no_rule_knows_are_refused() -> None:
    RULES.expect_known(["registration"], "credit_lending")
    with pytest.raises(CreditRefused) as items:
        RULES.expect_known(["registration", "*"], "credit_lending")
    assert items.value.code == "consent_items"
    with pytest.raises(CreditRefused) as purpose:
        RULES.expect_known(["registration"], "marketing")
    assert purpose.value.code == "consent_purpose"


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("tax_credit_rating: [uscc, year,", "tax_credit_rating: [uscc, colour,", "'colour' is no field"),
        ("      tax_arrears: [", "      tax_credit_rating: [", "is also in tax_credit_rating"),
        ("reader: authorised_bank", "reader: public", "reader"),
        ("    evaluation: true\n", "", "has neither datasets nor the evaluation"),
        ("  credit_lending: {zh: 授信审批, en: Decision on a loan}", "  Credit: {zh: 授信审批}", "purposes"),
    ],
)
def test_a_wrong_file_of_items_is_told_with_its_place(tmp_path: Path, before: str, after: str, said: str) -> None:
    assert before in TEXT
    path = tmp_path / "1.yaml"
    path.write_text(TEXT.replace(before, after, 1), "utf-8")

    with pytest.raises(RuleFileError) as refused:
        load_lending_rules(path)

    assert said in str(refused.value)
    assert re.search(r"1\.yaml:[0-9]+: ", str(refused.value))


def test_the_page_names_the_items_and_their_datasets() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (\S+) \| (.*) \|$", PAGE.split("The data items")[1], re.MULTILINE)

    said = {name: (title, re.findall(r"`(\w+)`", datasets)) for name, title, datasets in rows if name in RULES.items}
    assert said == {name: (item.title.zh, [*item.datasets]) for name, item in RULES.items.items()}
    for purpose, title in RULES.purposes.items():
        assert f"`{purpose}` {title.zh}" in PAGE


def test_the_page_says_which_notes_are_recalled() -> None:
    notes = re.findall(r'"\(recalled\) (.*)"', TEXT)

    assert notes == re.findall(r"^\| `lending/1.yaml` \| (.*) \|$", PAGE, re.MULTILINE)
