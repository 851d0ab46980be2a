"""Cells of a CSV file that a spreadsheet opens: text stays text, whatever it begins with.

A spreadsheet takes a cell that begins with ``=``, ``+``, ``-``, ``@``, a tab or a carriage return for a formula, and
some take the full-width forms for them too: a name that a department entered could then run a command on the reader's
machine. Such a text gets an apostrophe before it; so does one that begins with an apostrophe, so that whoever takes one
away where there is one has every text as it was. Numbers are no texts and stay as they are.
"""

from __future__ import annotations

from typing import Any

import orjson

_DANGEROUS = tuple("=+-@\t\r\n'＝＋－＠")


def cell(value: Any) -> str:
    """A value of a record as a cell; objects and arrays as JSON, what is not there as nothing."""
    if value is None:
        return ""
    if isinstance(value, str):
        return guarded(value)
    if value is True or value is False:
        return "true" if value else "false"
    return orjson.dumps(value).decode()


def guarded(text: str) -> str:
    """A text that no spreadsheet runs."""
    return f"'{text}" if text.startswith(_DANGEROUS) else text
