"""A value that a rule cannot take, and the words for it in Chinese and English."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from schemas.masking import mask

_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a row became no record: where, by which rule, what was got and what was expected."""

    pointer: str
    rule: str
    """Stable code, for example ``mapping.date``."""
    zh: str
    en: str


class Refusal:
    """Stands in a column in place of a value that was refused; put into words only for the report."""

    __slots__ = ("en", "got", "rule", "zh")

    def __init__(self, rule: str, got: Any, zh: str, en: str) -> None:
        """``zh`` and ``en`` say what was expected."""
        self.rule, self.got, self.zh, self.en = rule, got, zh, en

    def problem(self, pointer: str, *, personal: bool) -> Problem:
        """In words."""
        got = shown(self.got, personal=personal)
        return Problem(pointer, self.rule, f"值为 {got}；应为{self.zh}", f"got {got}; expected {self.en}")


def shown(value: Any, *, personal: bool) -> str:
    """A value for people: short, masked if it may tell of a person, and printable whatever it holds."""
    if isinstance(value, str):
        text = value
    elif isinstance(value, (dt.date, dt.datetime)):
        text = value.isoformat()
    elif isinstance(value, bytes):
        return f"({len(value)} bytes)"
    else:
        text = repr(value)[: _SHOWN * 4]
    if personal:
        return f"“{printable(mask(text[: _SHOWN * 2]))}”"
    short = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
    return f"“{printable(short)}”"


def printable(text: str) -> str:
    """Control characters and lone surrogates written as escapes: a message must be storable and readable."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)
