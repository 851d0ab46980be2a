"""``shuqiao``: the hub's command line. One module per command here; each is named once in :data:`COMMANDS`."""

from __future__ import annotations

import sys
from importlib import import_module

import typer

from shuqiao.settings import SettingsError, read
from shuqiao.stack.environment import join

COMMANDS = {
    "run": "shuqiao.cli.run:run",
    "doctor": "shuqiao.cli.doctor:doctor",
}
"""Name -> module and function of a plain command."""
GROUPS = {
    "demo": "shuqiao.demo.commands:app",
}
"""Name -> module and typer application of a group of commands."""

WRONG_SETTING = 2


def main() -> None:
    """The entry point. Commands beside a local stack speak to it without being told where it is."""
    try:
        settings = read()
        if sys.argv[1:2] not in (["run"], ["doctor"]):  # these two ask the person's own environment
            join(settings.run_dir)
    except SettingsError as error:
        sys.exit(_refused(error))
    asked = sys.argv[1] if len(sys.argv) > 1 else ""
    application(only=asked if asked in COMMANDS | GROUPS else None)()


def application(only: str | None = None) -> typer.Typer:
    """The typer application with every command; or with one, so that nothing is imported that it does not need."""
    app = typer.Typer(
        name="shuqiao",
        help="数桥 Shuqiao: the data-sharing hub of a city.",
        no_args_is_help=True,
        pretty_exceptions_show_locals=False,  # locals hold records and secrets
    )
    for name, place in COMMANDS.items():
        if only in {None, name}:
            app.command(name)(_load(place))
    for name, place in GROUPS.items():
        if only in {None, name}:
            app.add_typer(_load(place), name=name)
    if only is not None:
        app.callback()(lambda: None)  # with one command typer would drop its name
    return app


def _load(place: str) -> typer.Typer:
    module, _, attribute = place.partition(":")
    found: typer.Typer = getattr(import_module(module), attribute)
    return found


def _refused(error: SettingsError) -> int:
    for problem in error.problems:
        sys.stderr.write(f"{problem}\n")
    return WRONG_SETTING
