"""JSON as it is signed (RFC 8785) and JSON as it is accepted: nothing that two readers could read differently.

What comes from outside is read by :func:`parse`, which refuses what other parsers silently repair: a key given twice,
numbers beyond what every reader holds exactly, half a surrogate pair, documents too large or too deep.
"""

from __future__ import annotations

import json
from typing import Any, NoReturn

import orjson
import rfc8785

from registry.credentials.refusal import Refused

MAX_BYTES = 2 * 1024 * 1024
MAX_DEPTH = 64
MAX_INTEGER = 2**53 - 1
_LONGEST_INTEGER = 17  # a sign and sixteen digits
_SURROGATES = "\ud800"

_AS_IS = orjson.OPT_SORT_KEYS | orjson.OPT_PASSTHROUGH_SUBCLASS | orjson.OPT_PASSTHROUGH_DATACLASS
_AS_IS |= orjson.OPT_PASSTHROUGH_DATETIME


class DocumentRefused(Refused):
    """A document is not read at all."""


def canonical(document: Any) -> bytes:
    """The canonical form of RFC 8785.

    Raises :class:`DocumentRefused` for what JSON cannot say exactly: integers beyond 2^53, infinity, half surrogates.
    """
    try:
        return orjson.dumps(document, option=_AS_IS) if _is_plain(document) else rfc8785.dumps(document)
    except (rfc8785.CanonicalizationError, UnicodeError, orjson.JSONEncodeError) as error:
        _refuse("not_canonical", "内容无法以规范 JSON 表示", f"cannot be said in canonical JSON: {error}")


def _is_plain(value: Any) -> bool:
    """Whether orjson's sorted output is RFC 8785's.

    Integers are spelt alike; keys below the surrogates sort alike in UTF-8 and in UTF-16.
    """
    kind = type(value)
    if kind is str or kind is bool or value is None:
        return True
    if kind is dict:
        for key, member in value.items():
            if type(key) is not str or not (key.isascii() or max(key) < _SURROGATES):
                return False
            if type(member) is not str and not _is_plain(member):
                return False
        return True
    if kind is list:
        return all(type(member) is str or _is_plain(member) for member in value)
    return kind is int and -MAX_INTEGER <= value <= MAX_INTEGER


def parse(data: bytes) -> Any:
    """Read JSON strictly.

    Raises :class:`DocumentRefused`: too_large, not_utf8, not_json, too_deep, duplicate_key, number_out_of_range,
    not_a_number, lone_surrogate.
    """
    if len(data) > MAX_BYTES:
        _refuse("too_large", f"文件超过 {MAX_BYTES} 字节", f"larger than {MAX_BYTES} bytes")
    try:
        value = orjson.loads(data)
        # Written back to the very same bytes: then no key came twice, and no number was rounded.
        if orjson.dumps(value, option=orjson.OPT_STRICT_INTEGER) != data:
            value = _parse_slowly(data)
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        value = _parse_slowly(data)
    if data.count(b"{") + data.count(b"[") > MAX_DEPTH and _depth(value) > MAX_DEPTH:
        _refuse_depth()
    return value


def parse_object(data: bytes) -> dict[str, Any]:
    """Read JSON strictly and refuse what is not an object (not_an_object)."""
    value = parse(data)
    if not isinstance(value, dict):
        _refuse("not_an_object", "内容不是 JSON 对象", "not a JSON object")
    return value


def _parse_slowly(data: bytes) -> Any:
    """Read with the standard library, which lets every pair and number be looked at, to name what is wrong."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        _refuse("not_utf8", "不是 UTF-8 编码的文本", "not UTF-8 text")
    try:
        value = json.loads(
            text,
            object_pairs_hook=_unique,
            parse_int=_integer,
            parse_float=_float,
            parse_constant=_no_constant,
        )
    except RecursionError:
        _refuse_depth()
    except json.JSONDecodeError as error:
        _refuse("not_json", f"不是 JSON（第 {error.lineno} 行）", f"not JSON: {error.msg} at line {error.lineno}")
    if _depth(value) > MAX_DEPTH:
        _refuse_depth()
    try:
        orjson.dumps(value)
    except orjson.JSONEncodeError:
        _refuse("lone_surrogate", "含有不成对的 Unicode 代理字符", "has half of a surrogate pair")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        _refuse("duplicate_key", f"键“{twice[:40]}”重复出现", f"the key {twice[:40]!r} is given twice")
    return found


def _integer(text: str) -> int:
    if len(text) > _LONGEST_INTEGER or abs(value := int(text)) > MAX_INTEGER:
        _refuse("number_out_of_range", "整数超出可精确表示的范围", "an integer that not every reader holds exactly")
    return value


def _float(text: str) -> float:
    value = float(text)
    if value in {float("inf"), float("-inf")}:
        _refuse("number_out_of_range", "数值超出可表示的范围", "a number beyond what readers hold")
    return value


def _no_constant(text: str) -> NoReturn:
    _refuse("not_a_number", f"{text} 不是 JSON 数值", f"{text} is no JSON number")


def _depth(value: Any) -> int:
    """How many lists and objects are nested in one another; counting stops where it is too many."""
    depth = 0
    level = [value] if isinstance(value, dict | list) else []
    while level and depth <= MAX_DEPTH:
        depth += 1
        members = (one.values() if isinstance(one, dict) else one for one in level)
        level = [member for some in members for member in some if isinstance(member, dict | list)]
    return depth


def _refuse_depth() -> NoReturn:
    _refuse("too_deep", f"嵌套超过 {MAX_DEPTH} 层", f"nested deeper than {MAX_DEPTH}")


def _refuse(code: str, zh: str, en: str) -> NoReturn:
    raise DocumentRefused(code, zh, en)
