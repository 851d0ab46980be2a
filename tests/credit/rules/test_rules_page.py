"""docs/credit-rules.md says what the rule files say."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import get_args

import pytest

from registry.domain.credit.amounts import Suspicion, amount_finding
from registry.domain.credit.catalogue import default_credit_catalogue
from registry.domain.credit.publicity import default_regimes
from registry.domain.credit.readers import default_reader_rules
from registry.domain.credit.rule_files import FOLDERS_VARIABLE, RULES, read_all
from registry.domain.credit.working_days import default_calendar, load_calendar

PAGE = (Path(__file__).parents[3] / "docs" / "credit-rules.md").read_text("utf-8")
FOLDERS = ("calendar", "catalogue", "publicity", "readers", "records")


def cells(heading: str) -> list[list[str]]:
    """The rows of the table below a heading that begin with a name."""
    text = re.split(r"\n## ", PAGE.split(f"\n## {heading}", 1)[1])[0]
    return [
        [cell.strip().strip("`") for cell in line.strip("|").split("|")]
        for line in text.splitlines()
        if line.startswith("| `")
    ]


def test_the_folders_are_explained() -> None:
    assert tuple(row[0] for row in cells("1.")) == FOLDERS
    assert FOLDERS_VARIABLE in PAGE


def test_the_years_are_those_that_come_with_the_hub() -> None:
    years = default_calendar().years

    assert f"the years {years[0]} to {years[-1]}." in PAGE


def test_the_example_of_a_year_is_a_calendar(tmp_path: Path) -> None:
    found = re.search(r"<!-- file: calendar/2027.yaml -->\n```yaml\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    (tmp_path / "2027.yaml").write_text(found[1], encoding="utf-8")

    assert not load_calendar(tmp_path).is_working_day(date(2027, 1, 1))


def test_the_editions_of_the_catalogue_are_those_of_the_files() -> None:
    expected = [
        [edition.name, span(edition.valid_from, edition.valid_to), str(len(edition.classes))]
        for edition in default_credit_catalogue().editions
    ]

    assert cells("3.") == expected


def test_the_terms_are_those_of_the_files() -> None:
    expected = [
        [
            regime.name,
            span(regime.valid_from, regime.valid_to),
            grade.code,
            grade.title.zh,
            grade.published,
            str(grade.minimum_months),
            str(grade.maximum_months),
            grade.repair,
        ]
        for regime in default_regimes().all
        for grade in regime.kinds["penalty"].grades.values()
    ]

    assert cells("4.") == expected


def test_the_readers_are_those_of_the_file() -> None:
    yes = {True: "yes", False: "no"}
    expected = [
        [
            name,
            ", ".join(sorted(rule.scopes, key=["public", "government"].index)),
            yes["natural_person" in rule.holders],
            yes[rule.unpublished_grades],
        ]
        for name, rule in default_reader_rules().readers.items()
    ]

    assert cells("5.") == expected


@pytest.mark.parametrize("row", cells("6."), ids=lambda row: row[0])
def test_the_examples_of_slips_are_found_as_such(row: list[str]) -> None:
    example = re.fullmatch(r"([0-9.]+) \(万元\), the decision says (.*)", row[2])
    assert example is not None

    found = amount_finding("fine", example_yuan(example[1]), f"罚款{example[2]}", "fine")

    assert found is not None
    assert found.suspicion == row[0]


def test_every_suspicion_is_explained() -> None:
    assert [row[0] for row in cells("6.")] == list(get_args(Suspicion))


def test_everything_recalled_is_listed() -> None:
    assert [tuple(row) for row in cells("7.")] == list(recalled())


def recalled() -> Iterator[tuple[str, str]]:
    for folder in FOLDERS:
        (schema,) = (RULES / folder).glob("*.schema.json")
        for path, notes in read_all(RULES / folder, schema, lambda file: (file.path, file.data.get("notes", ()))):
            for note in notes:
                if note.startswith("(recalled) "):
                    yield f"{folder}/{path.name}", note.removeprefix("(recalled) ")


def span(first: date | None, last: date | None) -> str:
    if first is None:
        return f"until {last}"
    return f"from {first}" if last is None else f"{first} to {last}"


def example_yuan(wan: str) -> Decimal:
    return Decimal(wan) * 10_000
