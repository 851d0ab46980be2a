"""Texts as the registry keeps them: NFC, trimmed; names and codes with one kind of brackets, spaces and letters."""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
import uuid
from decimal import Decimal
from typing import Any

from connectors.mapping.refusal import Refusal

DEFAULT_EMPTY = ("N/A", "n/a", "NULL", "null", "-", "--", "—", "——")
"""Texts that departments' systems write for "no value"."""

LONGEST_NUMBER = 30
"""Digits before the point, or zeros behind it."""

_HALF_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: 0x20}
_INVISIBLE = dict.fromkeys((0xFEFF, 0x200B, 0x200C, 0x200D, 0x2060, 0x00AD))
_HAN = re.compile("[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_SPACE = re.compile(r"\s+")
_SPACE_AT_HAN = re.compile("(?<=[\u3400-\u9fff\uff08\uff09·])\\s+|\\s+(?=[\u3400-\u9fff\uff08\uff09·])")
_FULL_BRACKETS = {**{ord(half): full for half, full in zip("()", "（）", strict=True)}, 0xFF08: "（", 0xFF09: "）"}
_NAME_LETTERS = {code: half for code, half in _HALF_WIDTH.items() if code not in (0xFF08, 0xFF09)} | _INVISIBLE
_CODE_LETTERS = _HALF_WIDTH | _INVISIBLE | {0x2013: "-", 0x2014: "-"}

_SPACES = "\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
"""As many as ``\\s`` means; written out, the search takes less than half the time."""
UNUSUAL_IN_NAMES = re.compile(f"[{_SPACES}()\uff01-\uff5e\u00ad\u200b-\u200d\u2060\ufeff]")
_UNUSUAL_BESIDE_BRACKETS = re.compile(f"[{_SPACES}\uff01-\uff07\uff0a-\uff5e\u00ad\u200b-\u200d\u2060\ufeff]")
UNUSUAL_IN_CODES = re.compile(f"[{_SPACES}\uff01-\uff5e\u00ad\u200b-\u200d\u2013\u2014\u2060\ufeff]")


def as_text(value: Any) -> str | Refusal:
    """Any scalar of a database driver or a JSON document as the text it stands for."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float, Decimal)):
        return _number_text(value)
    if isinstance(value, dt.datetime | dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, uuid.UUID):
        return str(value)
    return Refusal("mapping.text", value, "文本", f"a text, not {type(value).__name__}")


def _number_text(value: float | Decimal) -> str | Refusal:
    """Without an exponent; a whole number without a point."""
    number = value if isinstance(value, Decimal) else Decimal(value if isinstance(value, int) else repr(value))
    if not number.is_finite() or abs(number.adjusted()) > LONGEST_NUMBER:
        words = f"不超过{LONGEST_NUMBER}位的有限数值", f"a finite number of at most {LONGEST_NUMBER} digits"
        return Refusal("mapping.text", value, *words)
    return str(int(number)) if isinstance(value, float) and value.is_integer() else format(number, "f")


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
    """One spelling for the many of one name.

    Full-width brackets (half-width if no Han character is in it), half-width letters and digits, no space beside a Han
    character, one space elsewhere.
    """
    if not UNUSUAL_IN_NAMES.search(text):
        return text
    if not _UNUSUAL_BESIDE_BRACKETS.search(text) and _HAN.search(text):
        return text.replace("(", "（").replace(")", "）")
    text = text.translate(_NAME_LETTERS).strip()
    if not _HAN.search(text):
        return clean(_SPACE.sub(" ", text.translate({0xFF08: "(", 0xFF09: ")"})))
    return clean(_SPACE.sub(" ", _SPACE_AT_HAN.sub("", text.translate(_FULL_BRACKETS))))


def code(text: str) -> str:
    """An identifier: half-width, without any space or invisible character."""
    return clean(_SPACE.sub("", text.translate(_CODE_LETTERS))) if UNUSUAL_IN_CODES.search(text) else text


def half_width(text: str) -> str:
    """Full-width letters, digits and signs as half-width ones."""
    return text if text.isascii() else text.translate(_HALF_WIDTH)


def upper(text: str) -> str:
    """Half-width capitals."""
    return clean(half_width(text).upper())


def lower(text: str) -> str:
    """Half-width small letters."""
    return clean(half_width(text).lower())
