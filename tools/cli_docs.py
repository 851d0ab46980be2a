"""Write docs/cli.md from the command line itself: ``python tools/cli_docs.py`` (``--check``: only compare).

The page is made from the same help texts that ``shuqiao … --help`` shows, so neither can say what the other does not.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from shuqiao.cli.application import application
from shuqiao.cli.exit_codes import MEANING

PAGE = Path(__file__).parent.parent / "docs" / "cli.md"

HEAD = """\
<!-- Made by tools/cli_docs.py from the help texts of the commands: change those, then run it again. -->

# 命令行 Command line

`shuqiao` is the hub from a terminal: for operators, and for departments that look after their connectors. Every command
has `--help` with examples. In a folder where `make run` (or `shuqiao run`) has a hub running, the commands speak to
that hub; elsewhere `SHUQIAO_DATABASE_URL` says where the registry is, and `AIRFLOW_CONN_<ID>` how a source is reached.

- `--json` prints JSON on stdout and nothing else there: one document, or one a line (NDJSON) where the option's help
  says so. Notes, progress and errors go to stderr; with `--json` an error is one line,
  `{"error": {"code": 4, "cause": "…", "remedy": "…", "place": "…"}}`.
- Errors name place, cause and remedy. `shuqiao --debug …` shows the traceback too. Passwords are never printed.
- Personal values (`x-personal` in the schemas) are masked; `records` and `entity` show them whole with `--unmasked`.
"""


def page() -> str:
    """The whole page."""
    return "\n".join(_lines())


def commands(command: Any = None, path: tuple[str, ...] = ("shuqiao",)) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command and group with its words, in the order of the help."""
    command = command or typer.main.get_command(application())
    yield path, command
    for name, each in getattr(command, "commands", {}).items():
        yield from commands(each, (*path, name))


def options(command: Any) -> list[Any]:
    """A command's arguments and options, without those that typer adds to every program."""
    return [each for each in command.params if each.name not in {"help", "install_completion", "show_completion"}]


def _lines() -> Iterator[str]:
    yield HEAD
    yield "## 退出码 Exit codes\n"
    yield "| code | 含义 | meaning |\n|---|---|---|"
    for code, (zh, en) in MEANING.items():
        yield f"| {int(code)} | {zh} | {en} |"
    yield ""
    for path, command in commands():
        if len(path) > 1:
            yield from _section(path, command)


def _section(path: tuple[str, ...], command: Any) -> Iterator[str]:
    yield f"{'#' * len(path)} `{' '.join(path)}`\n"
    yield _text(command.help) + "\n"
    given = options(command)
    if given:
        yield "| | 默认 default | |\n|---|---|---|"
        for each in given:
            yield f"| {_names(each)} | {_default(each)} | {_cell(_help(each))} |"
        yield ""
    if command.epilog:
        lines = [line.strip() for line in command.epilog.splitlines() if line.strip().startswith("shuqiao ")]
        yield "```sh\n" + "\n".join(lines) + "\n```\n"


def _names(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return f"`{parameter.metavar or parameter.name.upper()}`"
    return ", ".join(f"`{name}`" for name in [*parameter.opts, *parameter.secondary_opts])


def _default(parameter: Any) -> str:
    if parameter.required:
        return "必填 required"
    default = parameter.default
    if default is None or callable(default) or isinstance(default, bool) or default in {"", ()}:
        return ""
    return f"`{default}`"


def _help(parameter: Any) -> str:
    text = str(parameter.help or "")
    variables = [parameter.envvar] if isinstance(parameter.envvar, str) else list(parameter.envvar or ())
    return text + (f" ({', '.join(f'`{name}`' for name in variables)})" if variables else "")


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _text(text: str | None) -> str:
    paragraphs = [" ".join(each.split()) for each in (text or "").split("\n\n")]
    return "\n\n".join(each for each in paragraphs if each)


def main() -> int:
    """Write or compare."""
    made = page()
    if "--check" in sys.argv:
        same = PAGE.is_file() and PAGE.read_text("utf-8") == made
        if not same:
            print("docs/cli.md is not what the commands say: python tools/cli_docs.py", file=sys.stderr)
        return 0 if same else 1
    PAGE.write_text(made, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
