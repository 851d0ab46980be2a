"""A violation in words: what was got and what was expected, in Chinese and English.

Nothing here shows the whole value of a personal field.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import chain
from typing import Any

import jsonschema_rs

from schemas import code_lists
from schemas.catalogue import properties
from schemas.formats import CODE_LIST_FORMATS, EXPECTED
from schemas.masking import mask, printable, shorten

_LISTED = 12
_PATTERN_SHOWN = 120
_POINTER_SHOWN = 500

Words = tuple[str, str]
"""Chinese and English."""


@dataclass(frozen=True, slots=True)
class Violation:
    """One rule that a record breaks."""

    pointer: str
    """JSON Pointer of the field; of the missing field itself where one is missing. Empty for the whole record."""
    rule: str
    """The schema's keyword, ``format:<name>`` for a format."""
    zh: str
    en: str

    def as_dict(self) -> dict[str, str]:
        """As JSON."""
        return asdict(self)


def explain(
    schema: Mapping[str, Any], record: Any, pointer: str, keyword: str, error: jsonschema_rs.ValidationError
) -> Violation:
    """What an error of the engine means to a person."""
    rule, limit = keyword, _limit(schema, error)
    if keyword == "format":
        rule = f"format:{limit}"
    if keyword == "dependentRequired":
        missing = _unescape(pointer.rpartition("/")[2])
        limit = {field: [missing] for field, needed in limit.items() if missing in needed}
    zh, en = describe(schema, pointer)
    got = "" if keyword in _WHOLE else _got(schema, record, pointer)
    pointer = printable(pointer[:_POINTER_SHOWN])
    if keyword in _WHOLE:
        reason_zh, reason_en = _WHOLE[keyword](limit, schema)
        return Violation(pointer, rule, f"{zh}：{reason_zh}", f"{en}: {reason_en}")
    expected_zh, expected_en = _own_words(schema, error) if keyword == "pattern" else _expected(keyword, limit)
    return Violation(
        pointer,
        rule,
        f"{zh}：收到 {got}，应为{expected_zh}",
        f"{en}: got {got}, expected {expected_en}",
    )


def describe(schema: Mapping[str, Any], pointer: str) -> Words:
    """What a field is called; the whole record by its dataset's name; a field the schema does not know by its own."""
    if not pointer:
        zh = str(schema.get("title", "记录"))
        return zh, str(schema.get("x-title-en", "the record"))
    names = pointer.split("/")
    for last in range(len(names), 1, -1):
        for found in _subschemas(schema, names[1:last]):
            if "title" in found:
                rest = "".join(f"/{name}" for name in names[last:])
                zh = str(found["title"])
                return zh + printable(rest), str(found.get("x-title-en", zh)) + printable(rest)
        if names[last - 1].isdecimal():
            continue
        break
    name = printable(names[-1][:60].replace("~1", "/").replace("~0", "~"))
    return name, name


def _subschemas(schema: Any, parts: list[str]) -> Iterator[Mapping[str, Any]]:
    """Every subschema that speaks of the value at these parts of a pointer."""
    if not isinstance(schema, Mapping):
        return
    if not parts:
        yield schema
    else:
        name = parts[0].replace("~1", "/").replace("~0", "~")
        yield from _subschemas(schema.get("properties", {}).get(name), parts[1:])
        if name.isdecimal():
            yield from _subschemas(schema.get("items"), parts[1:])
    for keyword in ("allOf", "anyOf", "oneOf"):
        for branch in schema.get(keyword, ()):
            yield from _subschemas(branch, parts)
    for keyword in ("then", "else"):
        yield from _subschemas(schema.get(keyword), parts)


def is_personal(schema: Mapping[str, Any], pointer: str) -> bool:
    """Whether the field is personal, or stands within a personal one, or should hold one."""
    parts = pointer.split("/")[1:]
    above = (found for last in range(len(parts) + 1) for found in _subschemas(schema, parts[:last]))
    below = (field for found in _subschemas(schema, parts) for _, field in properties(found))
    return any(found.get("x-personal") is True for found in chain(above, below))


def _got(schema: Mapping[str, Any], record: Any, pointer: str) -> str:
    value = _value(record, pointer)
    return mask(value) if is_personal(schema, pointer) else shorten(value)


def _value(record: Any, pointer: str) -> Any:
    for part in pointer.split("/")[1:]:
        record = record[int(part)] if isinstance(record, list | tuple) else record[_unescape(part)]
    return record


def _unescape(part: str) -> str:
    return part.replace("~1", "/").replace("~0", "~")


def _limit(schema: Mapping[str, Any], error: jsonschema_rs.ValidationError) -> Any:
    """The keyword's value in the schema."""
    node: Any = schema
    for part in error.schema_path:
        try:
            node = node[part]
        except (KeyError, IndexError, TypeError):
            return None
    return node


_TYPES: dict[str, Words] = {
    "string": ("文本", "text"),
    "integer": ("整数", "an integer"),
    "number": ("数", "a number"),
    "boolean": ("布尔值", "true or false"),
    "array": ("数组", "an array"),
    "object": ("对象", "an object"),
    "null": ("空值", "null"),
}


def _expected(keyword: str, limit: Any) -> Words:
    if keyword in _EXPECTED:
        return _EXPECTED[keyword](limit)
    return f"符合规则 {keyword} 的值", f"a value that keeps the rule {keyword}"


def _own_words(schema: Mapping[str, Any], error: jsonschema_rs.ValidationError) -> Words:
    """What a schema says itself about its pattern (``x-expected``), for a pattern explains little to people."""
    node: Any = schema
    for part in error.schema_path[:-1]:
        node = node[part]
    words = node.get("x-expected")
    return (str(words["zh"]), str(words["en"])) if words else _pattern(node.get("pattern"))


def _type(limit: Any) -> Words:
    names = limit if isinstance(limit, list) else [limit]
    words = [_TYPES.get(str(name), (str(name), str(name))) for name in names]
    return "或".join(zh for zh, _ in words), " or ".join(en for _, en in words)


def _one_of(limit: Any) -> Words:
    values = [shorten(value).strip("“”") for value in limit]
    shown = ", ".join(values[:_LISTED])
    rest = len(values) - _LISTED
    if rest > 0:
        return f"下列之一：{shown} 等{len(values)}个", f"one of {shown} and {rest} more"
    return f"下列之一：{shown}", f"one of {shown}"


def _format(limit: Any) -> Words:
    name = str(limit)
    if name in EXPECTED:
        return EXPECTED[name].zh, EXPECTED[name].en
    if name in CODE_LIST_FORMATS:
        return _one_of([f"{entry.code} {entry.zh}" for entry in code_lists.load(CODE_LIST_FORMATS[name])])
    return f"格式 {name}", f"the format {name}"


def _pattern(limit: Any) -> Words:
    text = str(limit)
    shown = text if len(text) <= _PATTERN_SHOWN else text[:_PATTERN_SHOWN] + "…"
    return f"符合 {shown} 的文本", f"text that matches {shown}"


_EXPECTED: dict[str, Callable[[Any], Words]] = {
    "type": _type,
    "enum": _one_of,
    "const": lambda limit: (shorten(limit), shorten(limit)),
    "format": _format,
    "pattern": _pattern,
    "minLength": lambda limit: (f"至少{limit}个字符", f"at least {limit} character(s)"),
    "maxLength": lambda limit: (f"至多{limit}个字符", f"at most {limit} characters"),
    "minimum": lambda limit: (f"不小于{limit}", f"at least {limit}"),
    "maximum": lambda limit: (f"不大于{limit}", f"at most {limit}"),
    "exclusiveMinimum": lambda limit: (f"大于{limit}", f"more than {limit}"),
    "exclusiveMaximum": lambda limit: (f"小于{limit}", f"less than {limit}"),
    "multipleOf": lambda limit: (f"{limit}的倍数", f"a multiple of {limit}"),
    "minItems": lambda limit: (f"至少{limit}项", f"at least {limit} item(s)"),
    "maxItems": lambda limit: (f"至多{limit}项", f"at most {limit} items"),
    "uniqueItems": lambda _: ("互不相同的各项", "items that differ from each other"),
    "minProperties": lambda limit: (f"至少{limit}个字段", f"at least {limit} field(s)"),
    "maxProperties": lambda limit: (f"至多{limit}个字段", f"at most {limit} fields"),
}


def _missing(_limit: Any, _schema: Mapping[str, Any]) -> Words:
    return "缺少此必填字段", "this field is required and missing"


def _unknown(_limit: Any, _schema: Mapping[str, Any]) -> Words:
    return "不在共享规范之中的字段", "a field that the schema does not have"


def _together(limit: Any, schema: Mapping[str, Any]) -> Words:
    pairs = [(field, needed) for field, all_needed in dict(limit).items() for needed in all_needed]
    return (
        "；".join(
            f"有{describe(schema, f'/{field}')[0]}（{field}）时须有{describe(schema, f'/{needed}')[0]}（{needed}）"
            for field, needed in pairs
        ),
        "; ".join(f"where there is {field} there must be {needed}" for field, needed in pairs),
    )


def _alternatives(limit: Any, schema: Mapping[str, Any]) -> Words:
    """``anyOf`` with branches that only ask for fields: the fields are named."""
    asked = [branch.get("required") if isinstance(branch, Mapping) else None for branch in limit]
    if not all(asked):
        return "不符合任何一种允许的形式", "it has none of the allowed forms"
    zh = "，或 ".join(
        "、".join(describe(schema, f"/{field}")[0] + f"（{field}）" for field in fields or ()) for fields in asked
    )
    en = ", or ".join(" and ".join(fields or ()) for fields in asked)
    return f"须有 {zh}", f"there must be {en}"


_WHOLE: dict[str, Callable[[Any, Mapping[str, Any]], Words]] = {
    "required": _missing,
    "additionalProperties": _unknown,
    "unevaluatedProperties": _unknown,
    "dependentRequired": _together,
    "anyOf": _alternatives,
    "oneOf": lambda _limit, _schema: ("须恰好符合一种允许的形式", "it must have exactly one of the allowed forms"),
    "not": lambda _limit, _schema: ("符合了被禁止的形式", "it has a form that is forbidden"),
    "false": lambda _limit, _schema: ("此处不允许有值", "no value is allowed here"),
}
"""Rules about fields rather than about a field's value."""
