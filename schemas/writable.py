"""Values that no JSON document or database text can hold: they are refused wherever they stand in a record.

NUL and other control characters, lone surrogates, NaN and the infinities, integers beyond 64 bits, and anything that is
no JSON at all. The check of a good record is one look at its serialised form; only a suspicious one is walked through.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

import orjson

from schemas.catalogue import escape
from schemas.explanation import Violation, describe
from schemas.masking import printable

PASS_NOTHING = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_SUBCLASS
"""orjson's wish to write more than JSON, switched off."""

TOO_DEEP = "json:depth"
"""The rule of a value nested too deeply, perhaps within itself."""
_CONTROL = re.compile("[\x00-\x07\x0b\x0e-\x1f]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_LARGEST, _SMALLEST = 2**64 - 1, -(2**63)
_DEEPEST = 254
"""Levels of arrays and objects that orjson writes."""
_REPORTED = 100
_CONTAINERS = (dict, list, tuple)

_WORDS = {
    "text:control": (
        "含有控制字符",
        "it holds a control character",
        "不含 NUL 等控制字符的文本",
        "text without NUL and other control characters",
    ),
    "text:surrogate": (
        "含有不完整的字符（孤立代理项）",
        "it holds half a character (a lone surrogate)",
        "完整的 Unicode 文本",
        "whole Unicode text",
    ),
    "number:finite": ("不是数（NaN 或无穷大）", "it is not a number (NaN or infinite)", "有限的数", "a finite number"),
    "number:range": (
        "整数超出64位",
        "the integer needs more than 64 bits",
        "64位以内的整数",
        "an integer of at most 64 bits",
    ),
    "json:type": (
        "不是 JSON 值",
        "it is no JSON value",
        "文本、数、布尔、数组或对象",
        "text, a number, a boolean, an array or an object",
    ),
    TOO_DEEP: ("嵌套过深", "it is nested too deeply", f"至多{_DEEPEST}层", f"at most {_DEEPEST} levels"),
}


@dataclass(frozen=True, slots=True)
class Flaw:
    """One value that cannot be written, and where it stands."""

    pointer: str
    rule: str

    def violation(self, schema: Mapping[str, Any]) -> Violation:
        """The flaw in words; the value itself is not shown."""
        field_zh, field_en = describe(schema, self.pointer)
        zh, en, expected_zh, expected_en = _WORDS[self.rule]
        return Violation(
            printable(self.pointer[:500]),
            self.rule,
            f"{field_zh}：{zh}，应为{expected_zh}",
            f"{field_en}: {en}, expected {expected_en}",
        )


def looks_suspicious(text: bytes) -> bool:
    r"""Whether a serialised record may hold a control character (``\u00..``) or a NaN (written as ``null``)."""
    return b"null" in text or (b"\\" in text and b"\\u00" in text)  # one character is sought much faster than four


def find_flaws(record: Any) -> list[Flaw]:
    """The values of a record that cannot be written; of very many the first hundred."""
    return list(islice(_flaws(record, "", 0), _REPORTED))


def _flaws(value: Any, pointer: str, depth: int) -> Iterator[Flaw]:
    if isinstance(value, _CONTAINERS) and depth >= _DEEPEST:
        yield Flaw(pointer, TOO_DEEP)
    elif type(value) is dict:
        for name, item in value.items():
            if type(name) is not str:
                yield Flaw(pointer, "json:type")
            elif rule := _text_flaw(name):
                yield Flaw(f"{pointer}/{escape(name)}", rule)
            else:
                yield from _flaws(item, f"{pointer}/{escape(name)}", depth + 1)
    elif type(value) is list or type(value) is tuple:
        for index, item in enumerate(value):
            yield from _flaws(item, f"{pointer}/{index}", depth + 1)
    elif rule := _scalar_flaw(value):
        yield Flaw(pointer, rule)


def _scalar_flaw(value: Any) -> str | None:
    kind = type(value)
    if kind is str:
        return _text_flaw(value)
    if kind is float:
        return None if math.isfinite(value) else "number:finite"
    if kind is int:
        return None if _SMALLEST <= value <= _LARGEST else "number:range"
    return None if value is None or kind is bool else "json:type"


def _text_flaw(text: str) -> str | None:
    if _CONTROL.search(text):
        return "text:control"
    return "text:surrogate" if _SURROGATE.search(text) else None


def without(value: Any, pointers: set[str], pointer: str = "") -> Any:
    """A copy of a record in which the values at these pointers are ``None``, so that the rest can be looked at.

    They keep their places: a field that cannot be written is not a missing one.
    """
    if pointer in pointers:
        return None
    if isinstance(value, dict):
        return {
            name: without(item, pointers, f"{pointer}/{escape(name)}")
            for name, item in value.items()
            if _SURROGATE.search(name) is None
        }
    if isinstance(value, list | tuple):
        return [without(item, pointers, f"{pointer}/{index}") for index, item in enumerate(value)]
    return value
