"""一数一源 as data: an edition says whose word counts; a wrong one is refused with every fault at once."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from registry.domain.credit.rule_files import RuleFileError
from registry.domain.credit.sources import SOURCES, NoEdition, default_sources, load_sources

TEXT = (SOURCES / "1.yaml").read_text("utf-8")


def problems(folder: Path, **texts: str) -> list[str]:
    for name, text in texts.items():
        (folder / f"{name}.yaml").write_text(text, "utf-8")
    with pytest.raises(RuleFileError) as caught:
        load_sources(folder)
    return [f"{problem.path.name}:{problem.line} {problem.key}: {problem.message}" for problem in caught.value.problems]


def test_the_hubs_own_edition_names_a_department_for_every_field() -> None:
    edition = default_sources().on(date(2026, 11, 20))

    assert all(source.department for rule in edition.fields for source in rule.authoritative)
    assert edition.datasets[0] == edition.entity_dataset == "legal_entity"
    assert edition.compared == {"legal_entity", "tax_registration", "food_business_licence"}
    assert {"宁波", "宁波市", "海曙区", "浙江"} <= edition.matching.regions


def test_every_fault_is_told_at_once_with_its_place(tmp_path: Path) -> None:
    wrong = (
        TEXT.replace("{dataset: legal_entity, field: postal_code,", "{dataset: legal_entity, field: postcode,")
        .replace("datasets: {abnormal_operation: listed_on}", "datasets: {abnormal_operations: listed_on}")
        .replace('edition: "1"', 'edition: "2"')
    )

    found = problems(tmp_path, **{"1": wrong})

    assert len(found) == 3
    assert any("fields.postal_code.from[0]: legal_entity has no field postcode" in text for text in found)
    assert any("got the dataset abnormal_operations, which has no schema" in text for text in found)
    assert any("edition: got 2 in 1.yaml" in text for text in found)
    assert all(":0 " not in text for text in found)


def test_unknown_keys_and_values_are_told_with_what_was_expected(tmp_path: Path) -> None:
    wrong = TEXT.replace("compared_as: address", "compared_as: adress").replace("lists:\n", "list:\n", 1)

    found = "\n".join(problems(tmp_path, **{"1": wrong}))

    assert 'did you mean "address"' in found
    assert 'unknown key; did you mean "lists"' in found
    assert "lists: is missing" in found


def test_editions_must_not_overlap_and_each_holds_on_its_days(tmp_path: Path) -> None:
    later = TEXT.replace('edition: "1"', 'edition: "2"').replace("valid_from: 2025-08-01", "valid_from: 2027-01-01")
    (found,) = problems(tmp_path, **{"1": TEXT, "2": later})
    assert "1.yaml still holds that day" in found

    (tmp_path / "1.yaml").write_text(TEXT.replace("valid_to: null", "valid_to: 2026-12-31", 1), "utf-8")
    (tmp_path / "2.yaml").write_text(later.replace("valid_to: null", "valid_to: 2027-12-31", 1), "utf-8")
    editions = load_sources(tmp_path)

    assert editions.on(date(2026, 12, 31)).edition == "1"
    assert editions.on(date(2027, 1, 1)).edition == "2"
    assert editions.on(date(2020, 1, 1)).edition == "1", "before the first one, the first"
    with pytest.raises(NoEdition, match="2027-12-31"):
        editions.on(date(2028, 1, 1))


def test_a_term_that_ends_before_it_begins_is_refused(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, **{"1": TEXT.replace("valid_to: null", "valid_to: 2025-07-31", 1)})

    assert "valid_to: got 2025-07-31; expected no day before 2025-08-01" in found
