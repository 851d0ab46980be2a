"""What may be shown of a personal value, and of a long one."""

from __future__ import annotations

from typing import Any

_SHORT = 2
_MIDDLE = 8
_STARS = "*" * _MIDDLE
_SHOWN = 60


def mask(value: Any) -> str:
    """A personal value as messages may show it: enough to find the record by, never the whole value.

    A name keeps its first character, a number its first two and last two.
    """
    if not isinstance(value, str) and (value is None or isinstance(value, bool | int | float | dict | list | tuple)):
        return "***"
    text = value if isinstance(value, str) else str(value)
    length = len(text)
    if length < _SHORT:
        return "*"
    if length < _MIDDLE:
        return printable(text[0]) + _STARS[: length - 1]
    return printable(text[:2]) + "*" * min(len(text) - 4, 14) + printable(text[-2:])


def printable(text: str) -> str:
    """The text with control characters and lone surrogates written as escapes, so that it can be shown and stored."""
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() or character == "\u3000" else _escape(character) for character in text
    )


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def shorten(value: Any) -> str:
    """A value that is not personal, as messages show it: one line of bounded length."""
    if isinstance(value, str):
        text, cut = value[: _SHOWN + 1], len(value) > _SHOWN
        shown = f"“{printable(text[:_SHOWN])}{'…' if cut else ''}”"
        return f"{shown} ({len(value)})" if cut else shown
    if isinstance(value, dict):
        return "{…}" if value else "{}"
    if isinstance(value, list | tuple):
        return f"[…] ({len(value)})" if value else "[]"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int) and abs(value) >= 10**_SHOWN:
        return f"{'-' if value < 0 else ''}…"
    text = str(value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
