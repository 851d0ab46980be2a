"""``shuqiao run``: the whole hub on this machine."""

from __future__ import annotations

from typing import Annotated

import typer

from shuqiao.settings import Settings, read
from shuqiao.stack.guard import guarded

LOG_WIDTH = 160
"""Columns where nobody watches: wide enough for the summary."""


def run(
    once: Annotated[  # noqa: FBT002
        bool, typer.Option("--once", help="运行一个完整周期后停止 Stop after one full cycle.")
    ] = False,
) -> None:
    """启动整个数桥 Start the hub with its demo city and run every connector; it stays until Ctrl-C.

    Exit codes: 0 done (with --once: every connector published and the API answered), 1 one did not, 2 a setting is
    wrong or a port is taken, 4 a part failed.
    """
    settings = read()
    raise typer.Exit(guarded(lambda: _run(settings, once=once)))


def _run(settings: Settings, *, once: bool) -> int:
    from rich.console import Console  # noqa: PLC0415  the guarding parent stays small

    from shuqiao.stack import local  # noqa: PLC0415

    console = Console()
    if not console.is_terminal:
        console = Console(width=LOG_WIDTH)
    return local.run(settings, once=once, console=console)
