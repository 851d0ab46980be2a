"""What a command prints: JSON or a table on stdout, notes on stderr."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, tzinfo
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

import orjson
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from shuqiao.cli.failures import redacted

_WIDTH_OF_FILES = 200
"""A table that no terminal shows is not squeezed into 80 columns."""
_WHOLE = frozenset(
    {"connector", "state", "key", "row", "subject", "kind", "dataset", "client_id", "subscription", "times"}
)
"""Columns, by the last word of their heads, whose values are to be copied: they are not broken into lines."""


def json_document(content: Any) -> None:
    """One JSON document on stdout."""
    option = orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS | (orjson.OPT_INDENT_2 if sys.stdout.isatty() else 0)
    _write(orjson.dumps(content, default=str, option=option))


def json_line(content: Any) -> None:
    """One line of NDJSON on stdout."""
    _write(orjson.dumps(content, default=str, option=orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS))


def _write(document: bytes) -> None:
    sys.stdout.write(document.decode() + "\n")
    sys.stdout.flush()


def console() -> Console:
    """For people, on stdout."""
    return Console(width=None if os.isatty(1) or "COLUMNS" in os.environ else _WIDTH_OF_FILES, highlight=False)


def note(text: str) -> None:
    """A sentence beside the result, on stderr."""
    sys.stderr.write(redacted(text) + "\n")


def table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], *, right: Sequence[str] = (), empty: str = ""
) -> None:
    """A table on stdout; a sentence instead where it would be empty.

    Chinese stands over English in the heads of columns, so that numbers take little room and texts get it.
    """
    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for name in columns:
        whole = name in right or name.rpartition(" ")[2] in _WHOLE
        head = name.replace(" ", "\n", 1)
        shown.add_column(head, justify="right" if name in right else "left", overflow="fold", no_wrap=whole)
    for row in rows:
        shown.add_row(*(cell(value) for value in row))
    if shown.row_count or not empty:
        console().print(Text(title, style="bold"))
        console().print(shown)
    else:
        console().print(empty, markup=False)


def pairs(title: str, content: Mapping[str, Any]) -> None:
    """One thing, a line for each of its sides."""
    shown = Table(box=None, show_header=False, pad_edge=False)
    shown.add_column(style="bold", no_wrap=True)
    shown.add_column(overflow="fold")
    for name, value in content.items():
        shown.add_row(name, cell(value))
    console().print(Text(title, style="bold"))
    console().print(shown)
    console().print()


def cell(value: Any) -> Text:
    """A value in a table; text as it is, never read as markup, without control characters."""
    from schemas.masking import printable  # noqa: PLC0415

    if value is None or value == "":
        return Text("–", style="dim")
    text = str(value)
    if isinstance(value, bool):
        text = "✓" if value else "✗"
    elif isinstance(value, int):
        text = f"{value:,}"
    elif isinstance(value, datetime):
        text = value.astimezone(_zone()).strftime("%Y-%m-%d %H:%M:%S")
    elif isinstance(value, dict | list | tuple):
        text = orjson.dumps(value, default=str).decode()
    return Text("\n".join(printable(line) for line in text.split("\n")))


@cache
def _zone() -> tzinfo:
    from shuqiao.settings import read  # noqa: PLC0415

    return ZoneInfo(read().timezone)
