"""Every command and option explains itself, in the help and in docs/cli.md, which are the same text."""

from __future__ import annotations

import importlib.util
import re
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from shuqiao.cli.application import COMMANDS, GROUPS, application

ROOT = Path(__file__).parent.parent.parent
CHINESE = re.compile(r"[\u4e00-\u9fff]")
ENGLISH = re.compile(r"[A-Za-z]{2}")


@pytest.fixture(scope="module")
def docs() -> ModuleType:
    spec = importlib.util.spec_from_file_location("cli_docs", ROOT / "tools" / "cli_docs.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def everything(docs: ModuleType) -> list[tuple[tuple[str, ...], Any]]:
    return list(docs.commands())


def test_the_page_is_what_the_commands_say(docs: ModuleType) -> None:
    assert (ROOT / "docs" / "cli.md").read_text("utf-8") == docs.page(), "run: python tools/cli_docs.py"


def test_every_command_and_option_has_help_in_both_languages(
    docs: ModuleType, everything: list[tuple[tuple[str, ...], Any]]
) -> None:
    silent = []
    for path, command in everything:
        texts = {" ".join(path): command.help}
        texts |= {f"{' '.join(path)} {each.name}": getattr(each, "help", None) for each in docs.options(command)}
        silent += [
            name for name, text in texts.items() if not (CHINESE.search(text or "") and ENGLISH.search(text or ""))
        ]
    assert silent == []


def test_every_command_and_option_is_on_the_page(
    docs: ModuleType, everything: list[tuple[tuple[str, ...], Any]]
) -> None:
    text = (ROOT / "docs" / "cli.md").read_text("utf-8")
    missing = []
    for path, command in everything[1:]:
        name = " ".join(path)
        section = re.split(r"^#+ `", text.partition(f" `{name}`\n")[2], maxsplit=1, flags=re.MULTILINE)[0]
        missing += [name] if not section else []
        for option in docs.options(command):
            words = [*option.opts, *option.secondary_opts] if option.param_type_name == "option" else []
            missing += [f"{name} {word}" for word in words if f"`{word}`" not in section]
    assert missing == []


def test_every_command_that_shows_something_speaks_json(everything: list[tuple[tuple[str, ...], Any]]) -> None:
    groups = {" ".join(path) for path, command in everything if getattr(command, "commands", None)}
    silent = [
        " ".join(path)
        for path, command in everything
        if " ".join(path) not in groups and "--json" not in {word for each in command.params for word in each.opts}
    ]
    assert silent in ([], ["shuqiao run"])  # it stays until Ctrl-C: what it shows is for people


def test_the_short_list_names_the_same_commands() -> None:
    whole = typer.main.get_command(application())
    short = typer.main.get_command(application(whole=False))

    assert list(short.commands) == list(whole.commands)  # type: ignore[attr-defined]
    assert set(COMMANDS) | set(GROUPS) == set(whole.commands)  # type: ignore[attr-defined]


def test_the_version_is_that_of_the_package() -> None:
    said = CliRunner().invoke(application(whole=False), ["--version"])
    assert (said.exit_code, said.stdout) == (0, f"shuqiao {version('shuqiao')}\n")
