"""Texts as the registry keeps them: NFC, trimmed; names and codes with one kind of brackets, spaces and letters."""

from __future__ import annotations

import datetime
import re
import unicodedata
from decimal import Decimal
from typing import Any

from connectors.mapping.refusal import Refusal

DEFAULT_EMPTY = ("N/A", "n/a", "NULL", "null", "-", "--", "—", "——")
"""Texts that departments' systems write for "no value"."""

_HALF_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: 0x20}
_INVISIBLE = dict.fromkeys((0xFEFF, 0x200B, 0x200C, 0x200D, 0x2060, 0x00AD))
_HAN = re.compile("[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_SPACE = re.compile(r"\s+")
_SPACE_AT_HAN = re.compile("(?<=[\u3400-\u9fff\uff08\uff09·])\\s+|\\s+(?=[\u3400-\u9fff\uff08\uff09·])")
_FULL_BRACKETS = {**{ord(half): full for half, full in zip("()", "（）", strict=True)}, 0xFF08: "（", 0xFF09: "）"}
_NAME_LETTERS = {code: half for code, half in _HALF_WIDTH.items() if code not in (0xFF08, 0xFF09)} | _INVISIBLE
_CODE_LETTERS = _HALF_WIDTH | _INVISIBLE | {0x2013: "-", 0x2014: "-"}

UNUSUAL_IN_NAMES = re.compile("[\\s()\uff01-\uff5e\u00ad\u200b-\u200d\u2060\ufeff]")
UNUSUAL_IN_CODES = re.compile("[\\s\uff01-\uff5e\u00ad\u200b-\u200d\u2013\u2014\u2060\ufeff]")


def as_text(value: Any) -> str | Refusal:
    """Any scalar of a database driver or a JSON document as the text it stands for."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return (
            str(value)
            if -(10**30) < value < 10**30
            else _no_text("a number of at most 30 digits", "不超过30位的数字", value)
        )
    if isinstance(value, Decimal):
        if value.is_finite() and -30 <= value.adjusted() <= 30:
            return format(value, "f")
        return _no_text("a finite number", "有限数值", value)
    if isinstance(value, float):
        if value == value and abs(value) < 1e18:  # noqa: PLR0124  (NaN is the only value that differs from itself)
            return str(int(value)) if value.is_integer() else format(Decimal(repr(value)), "f")
        return _no_text("a finite number", "有限数值", value)
    if isinstance(value, datetime.datetime | datetime.date | datetime.time):
        return value.isoformat()
    if type(value).__name__ == "UUID":
        return str(value)
    return _no_text(f"a text, not {type(value).__name__}", "文本", value)


def clean(text: str) -> str:
    """NFC without spaces around."""
    return text.strip() if unicodedata.is_normalized("NFC", text) else unicodedata.normalize("NFC", text).strip()


def storable(text: str, max_bytes: int) -> Refusal | None:
    """NUL cannot be stored by PostgreSQL, a lone surrogate is no character, and a text has its limit."""
    if "\0" in text:
        return Refusal("mapping.nul", text, "不含空字符（NUL）的文本", "a text without NUL characters")
    try:
        length = len(text.encode("utf-8"))
    except UnicodeEncodeError:
        return Refusal("mapping.surrogate", text, "有效的 Unicode 文本", "a valid Unicode text (no lone surrogates)")
    if length > max_bytes:
        return Refusal(
            "mapping.too_long",
            text,
            f"不超过 {max_bytes} 字节的文本（实际 {length}）",
            f"at most {max_bytes} bytes (got {length})",
        )
    return None


def company_name(text: str) -> str:
    """One spelling for the many of one name: full-width brackets (half-width if no Han character is in it), half-width
    letters and digits, no space beside a Han character, one space elsewhere.
    """
    if not UNUSUAL_IN_NAMES.search(text):
        return text
    text = text.translate(_NAME_LETTERS).strip()
    if not _HAN.search(text):
        return _SPACE.sub(" ", text.translate({0xFF08: "(", 0xFF09: ")"}))
    return _SPACE.sub(" ", _SPACE_AT_HAN.sub("", text.translate(_FULL_BRACKETS)))


def code(text: str) -> str:
    """An identifier: half-width, without any space or invisible character."""
    return _SPACE.sub("", text.translate(_CODE_LETTERS)) if UNUSUAL_IN_CODES.search(text) else text


def half_width(text: str) -> str:
    """Full-width letters, digits and signs as half-width ones."""
    return text.translate(_HALF_WIDTH)


def _no_text(en: str, zh: str, value: Any) -> Refusal:
    return Refusal("mapping.text", value, zh, en)
