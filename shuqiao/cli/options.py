"""Options that many commands share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

import typer

Command = TypeVar("Command", bound=Callable[..., Any])

JSON = "shuqiao.json"
DEBUG = "shuqiao.debug"
"""Keys in the context's ``meta``, which a command shares with those above it."""


def _remember_json(ctx: typer.Context, value: bool) -> bool:  # noqa: FBT001
    if value:
        ctx.meta[JSON] = True
    return value


AsJson = Annotated[
    bool,
    typer.Option(
        "--json", callback=_remember_json, help="以 JSON 输出 Print JSON on stdout; notes and errors go to stderr."
    ),
]
AsJsonLines = Annotated[
    bool,
    typer.Option(
        "--json",
        callback=_remember_json,
        help="以 NDJSON 输出 Print one JSON document a line on stdout; notes and errors go to stderr.",
    ),
]


def examples(*lines: str) -> str:
    """The end of a command's help: how it is called, a line each."""
    return "\n".join(["例 Examples:", *(f"  {line}" for line in lines)])


def with_examples(*lines: str) -> Callable[[Command], Command]:
    """The examples of a plain command, which :mod:`shuqiao.cli.application` puts at the end of its help."""

    def marked(command: Command) -> Command:
        command.examples = examples(*lines)  # type: ignore[attr-defined]
        return command

    return marked
