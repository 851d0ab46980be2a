"""docs/credit.md says what the rules of measures say."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import yaml

from registry.api.clients.clients import CREDIT_BANK, CREDIT_DEPARTMENT, CREDIT_EXCHANGE, CREDIT_PUBLIC, OPERATE
from registry.domain.credit.measures import EDITIONS, default_measures

PAGE = (Path(__file__).parents[3] / "docs" / "credit.md").read_text("utf-8")
EDITION = default_measures().all[-1]


def rows(head: str) -> Iterator[list[str]]:
    """The rows of the table whose head begins so."""
    text = PAGE.split(f"\n| {head} |", 1)[1].split("\n\n", 1)[0]
    for line in text.splitlines():
        if line.startswith("| `"):
            yield [cell.strip().strip("`") for cell in line.strip("|").split("|")]


def test_the_scenes_and_lists_are_those_of_the_edition() -> None:
    assert list(rows("scene")) == [[name, title.zh, title.en] for name, title in EDITION.scenes.items()]
    assert [row[:2] for row in rows("list")] == [[name, rule.title.zh] for name, rule in EDITION.lists.items()]


def test_everything_recalled_is_listed() -> None:
    recalled = [
        [f"measures/{path.name}", note.removeprefix("(recalled) ")]
        for path in sorted(EDITIONS.glob("*.yaml"))
        for note in yaml.safe_load(path.read_text("utf-8"))["notes"]
        if note.startswith("(recalled) ")
    ]

    assert list(rows("file")) == recalled


def test_the_scopes_are_those_of_the_api() -> None:
    assert [row[0] for row in rows("scope")] == [
        CREDIT_PUBLIC,
        CREDIT_DEPARTMENT,
        CREDIT_BANK,
        CREDIT_EXCHANGE,
        OPERATE,
    ]
