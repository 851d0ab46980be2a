"""docs/licence-types.md says what is so: its example is a type, its tables have the keys that there are."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from registry.domain.licences.content import applies, content_of
from registry.domain.licences.loading import licence_type_schema, load_types
from registry.domain.licences.metadata import DIRECTORY_NAMES, SHORT_NAMES
from tests.licences.domain.contents import record_of

PAGE = (Path(__file__).parents[3] / "docs" / "licence-types.md").read_text(encoding="utf-8")


def rows(heading: str) -> list[list[str]]:
    text = re.split(r"\n#{2,3} ", PAGE.split(f" {heading}\n", 1)[1], maxsplit=1)[0]
    return [
        [cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("| ")
    ]


def test_the_example_is_a_type_that_takes_its_records_from_the_generic_permit(tmp_path: Path) -> None:
    example = re.search(r"<!-- file: (\S+) -->\n```yaml\n(.*?)```", PAGE, re.DOTALL)
    assert example is not None
    path = tmp_path / example[1]
    path.parent.mkdir()
    path.write_text(example[2], encoding="utf-8")

    types = load_types([tmp_path]).of_dataset("administrative_licence")
    record = record_of("administrative_permit", licence_name="排污许可证")
    (licence_type,) = [found for found in types if applies(found, record)]
    assert licence_type.name == "discharge_permit"
    assert content_of(licence_type, record).items["discharge"] == record["content"]


@pytest.mark.parametrize(
    ("heading", "path"),
    [
        ("Of the file", ["properties"]),
        ("holder", ["properties", "holder", "properties"]),
        ("term", ["properties", "term", "properties"]),
        ("states", ["properties", "states", "properties"]),
        ("items", ["$defs", "item", "properties"]),
    ],
)
def test_each_table_has_every_key_and_no_other(heading: str, path: list[str]) -> None:
    keys: Any = licence_type_schema()
    for step in path:
        keys = keys[step]

    assert [cells[0].strip("`") for cells in rows(heading)[1:]] == list(keys)


def test_the_words_of_the_standards_are_those_that_are_written() -> None:
    table = rows("Words of the national standards")[1:-1]
    elements = {cells[1].split("`")[1]: cells[1].split("` ")[1] for cells in table}

    assert elements == {short: name for short, name in SHORT_NAMES.items() if short != "ZZBFJGJB"}
    columns = {cells[1].split("`")[1]: cells[2].strip("`") for cells in table if "extend_info" not in cells[2]}
    assert columns == DIRECTORY_NAMES
