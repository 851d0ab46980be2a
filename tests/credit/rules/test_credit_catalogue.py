"""Only what the catalogue of the day names may enter a credit record."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

import pytest

from registry.domain.credit.catalogue import (
    EDITIONS,
    OutsideCatalogue,
    default_credit_catalogue,
    load_credit_catalogue,
)
from registry.domain.credit.record_facts import default_record_rules
from registry.domain.credit.rule_files import RuleFileError
from schemas.catalogue import default_catalogue

TODAY = date(2026, 6, 1)


@pytest.mark.parametrize(("edition", "classes"), [("2021", 11), ("2022", 12), ("2024", 13)])
def test_each_edition_has_its_number_of_classes(edition: str, classes: int) -> None:
    found = {known.name: known for known in default_credit_catalogue().editions}

    assert len(found[edition].classes) == classes


@pytest.mark.parametrize(
    ("day", "edition"),
    [
        ("2015-01-01", "2021"),
        ("2022-12-31", "2021"),
        ("2023-01-01", "2022"),
        ("2024-02-29", "2022"),
        ("2024-03-01", "2024"),
        ("2030-01-01", "2024"),
    ],
)
def test_one_edition_is_in_force_on_each_day(day: str, edition: str) -> None:
    assert default_credit_catalogue().on(date.fromisoformat(day)).name == edition


def test_what_an_edition_added_is_not_in_the_one_before() -> None:
    codes = [{found.code for found in edition.classes} for edition in default_credit_catalogue().editions]

    assert codes[1] - codes[0] == {"compliance"}
    assert codes[2] - codes[1] == {"intellectual_property"}
    assert not codes[0] - codes[1]
    assert not codes[1] - codes[2]


@pytest.mark.parametrize(
    ("dataset", "number"),
    [
        ("legal_entity", 1),
        ("administrative_licence", 3),
        ("administrative_penalty", 3),
        ("abnormal_operation", 5),
        ("serious_dishonesty", 6),
        ("tax_credit_rating", 9),
        ("red_list", 11),
    ],
)
def test_datasets_belong_to_their_class(dataset: str, number: int) -> None:
    assert default_credit_catalogue().required_class(dataset, TODAY).number == number


@pytest.mark.parametrize("dataset", ["utility_payment", "social_insurance", "tax_registration", "anything_else"])
def test_what_no_class_names_stays_out(dataset: str) -> None:
    catalogue = default_credit_catalogue()

    assert catalogue.class_of(dataset, TODAY) is None
    with pytest.raises(OutsideCatalogue, match="in no class of the catalogue, edition 2024"):
        catalogue.required_class(dataset, TODAY)


def test_every_dataset_has_rules_of_publicity_or_is_left_out_by_decision() -> None:
    """What is in a class without such rules would be shown to nobody, and nobody would have decided it."""
    datasets = {reference.partition("@")[0] for reference in default_catalogue().references()}
    for edition in default_credit_catalogue().editions:
        published = set(edition.by_dataset) & set(default_record_rules().records)
        assert datasets == (published & datasets) | set(edition.outside) | {"legal_entity"}, edition.name
        assert not published & set(edition.outside)
        assert all(reason.zh and reason.en for reason in edition.outside.values())


def test_what_is_in_a_class_and_outside_too_is_told(tmp_path: Path) -> None:
    _copy(tmp_path)
    path = tmp_path / "2024.yaml"
    path.write_text(path.read_text("utf-8").replace("  social_insurance: {", "  red_list: {"), "utf-8")

    with pytest.raises(RuleFileError, match="'red_list' is also named under outside"):
        load_credit_catalogue(tmp_path)


def test_a_city_adds_a_class_of_its_supplement(tmp_path: Path) -> None:
    _copy(tmp_path)
    path = tmp_path / "2024.yaml"
    before = "".join(
        line for line in path.read_text("utf-8").splitlines(keepends=True) if "utility_payment" not in line
    )
    path.write_text(
        before + "  - number: 14\n    code: utilities\n    supplement: true\n"
        "    title: {zh: 公用事业缴费信息, en: Utility payments}\n    datasets: [utility_payment]\n",
        encoding="utf-8",
    )

    found = load_credit_catalogue(tmp_path).class_of("utility_payment", TODAY)

    assert found is not None
    assert found.supplement


def test_every_fault_of_an_edition_is_said_at_once(tmp_path: Path) -> None:
    _copy(tmp_path)
    path = tmp_path / "2024.yaml"
    text = path.read_text(encoding="utf-8")
    path.write_text(
        text.replace("valid_from: 2024-03-01", "valid_from: 2024-03-02")
        .replace("number: 13", "number: 14")
        .replace("datasets: [red_list]", "datasets: [red_list, legal_entity]"),
        encoding="utf-8",
    )

    with pytest.raises(RuleFileError) as wrong:
        load_credit_catalogue(tmp_path)

    assert [(problem.key, problem.message) for problem in wrong.value.problems] == [
        ("classes[10].datasets[1]", "'legal_entity' is also in the class 'registration'; expected it in one"),
        ("classes[12].number", "got 14; expected 13"),
    ]


def test_a_gap_between_editions_is_a_fault(tmp_path: Path) -> None:
    _copy(tmp_path)
    path = tmp_path / "2024.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("2024-03-01", "2024-03-02"), encoding="utf-8")

    with pytest.raises(RuleFileError, match="expected the day after the last one of 2022, 2024-02-29"):
        load_credit_catalogue(tmp_path)


def test_nothing_enters_on_a_day_without_an_edition(tmp_path: Path) -> None:
    _copy(tmp_path)
    (tmp_path / "2021.yaml").unlink()

    with pytest.raises(OutsideCatalogue, match="no edition of the catalogue is in force on 2020-01-01"):
        load_credit_catalogue(tmp_path).class_of("legal_entity", date(2020, 1, 1))


def _copy(folder: Path) -> None:
    for path in (*EDITIONS.glob("*.yaml"), *EDITIONS.glob("*.json")):
        shutil.copy(path, folder)
