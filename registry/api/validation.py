"""What is wrong with parameters and bodies that are not as declared: where, and what is expected, in both languages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from registry.api.problems import INVALID_BODY, INVALID_PARAMETER, Problem, parameter_error

_IN_CHINESE: Mapping[str, str] = {
    "missing": "缺少该项",
    "extra_forbidden": "没有该成员",
    "literal_error": "应为 {expected}",
    "less_than_equal": "应不大于 {le}",
    "less_than": "应小于 {lt}",
    "greater_than_equal": "应不小于 {ge}",
    "greater_than": "应大于 {gt}",
    "too_long": "至多 {max_length} 项",
    "too_short": "至少 {min_length} 项",
    "string_too_long": "至多 {max_length} 个字符",
    "string_too_short": "至少 {min_length} 个字符",
    "string_pattern_mismatch": "应符合 {pattern}",
    "string_type": "应为文本",
    "int_type": "应为整数",
    "int_parsing": "应为整数",
    "bool_type": "应为 true 或 false",
    "bool_parsing": "应为 true 或 false",
    "list_type": "应为数组",
    "dict_type": "应为对象",
    "model_attributes_type": "应为对象",
    "json_invalid": "从第 {position} 个字符起不是有效的 JSON",
}
"""By the kind of fault, as pydantic names it; others are told in its own words."""


def invalid(faults: Sequence[Mapping[str, Any]]) -> Problem:
    """The problem, without the values: they may be personal. ``faults`` as pydantic and FastAPI tell them."""
    told = [_told(fault) for fault in faults]
    errors = [parameter_error(place, zh, en, where=where) for where, place, zh, en in told]
    names = ", ".join("/".join(map(str, place)) or where for where, place, _, _ in told)
    kind = INVALID_BODY if all(where == "body" for where, *_ in told) else INVALID_PARAMETER
    return Problem(kind, f"参数无效：{names}。", f"Not valid: {names}.", errors=errors)


def _told(fault: Mapping[str, Any]) -> tuple[str, Sequence[str | int], str, str]:
    """In which part of the request, where in that, and what is wrong, in Chinese and English."""
    where, *place = fault["loc"]
    said, words = str(fault["msg"]), dict(fault.get("ctx", {}))
    if fault["type"] == "json_invalid":  # its place is a number of characters, no member
        words["position"], place = place[0] + 1, []
        said = f"No JSON from character {words['position']} on"
    zh = _IN_CHINESE.get(fault["type"])
    return where, place, f"参数值无效：{said if zh is None else zh.format_map(words)}。", said
