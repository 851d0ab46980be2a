"""docs/credit-cases.md says what the rules, the API and the command line say."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import typer

from registry.api.app import create_app
from registry.api.settings import ApiSettings
from registry.domain.credit.case_rules import default_case_rules
from shuqiao.cli.application import application

PAGE = (Path(__file__).parents[3] / "docs" / "credit-cases.md").read_text("utf-8")


def cells(head: str) -> Iterator[list[str]]:
    """The rows of the table whose head begins so."""
    for line in PAGE.partition(f"\n| {head} |")[2].splitlines()[2:]:
        if not line.startswith("|"):
            return
        yield [cell.strip().strip("`") for cell in line.strip("|").split("|")]


def test_everything_recalled_is_listed() -> None:
    recalled = [
        [f"cases/{rules.name}.yaml", note.removeprefix("(recalled) ")]
        for rules in sorted(default_case_rules().all, key=lambda rules: rules.name)
        for note in rules.notes
        if note.startswith("(recalled) ")
    ]

    assert list(cells("file")) == recalled


def test_every_address_of_cases_is_on_the_page_and_no_other(tmp_path: Path) -> None:
    settings = ApiSettings(database_url="postgresql://nobody@127.0.0.1:1/none", token_key=tmp_path / "key.pem")
    there = {
        f"{method.upper()} {path}"
        for path, operations in create_app(settings).openapi()["paths"].items()
        for method in operations
        if path.startswith("/api/v1/credit/cases")
    }

    assert set(re.findall(r"^\| `((?:GET|POST) /[^`]+)`", PAGE, re.MULTILINE)) == there


def test_every_line_for_the_terminal_is_a_command_with_these_options() -> None:
    whole = typer.main.get_command(application())
    seen = set()
    for line in re.findall(r"^    shuqiao (.+)$", PAGE, re.MULTILINE):
        command, words = whole, shlex.split(line)
        while words and words[0] in getattr(command, "commands", {}):
            command = command.commands[words.pop(0)]  # type: ignore[attr-defined]
        known = {each for parameter in command.params for each in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= known, line
        seen.add(command.name)
    assert {"list", "show", "file", "accept", "decline", "forward", "extend", "grant", "refuse", "withdraw"} <= seen
