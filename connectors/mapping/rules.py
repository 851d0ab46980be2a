"""From a raw rule of a manifest to the field that carries it out."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any
from zoneinfo import ZoneInfo

from connectors.errors import RowRefused
from connectors.manifest.rules import TEXT_KINDS
from connectors.mapping import text as texts
from connectors.mapping.fields import Convert, Field, ListField, ScalarField, TextField, ValueField
from connectors.mapping.numbers import decimal_converter, integer, money_converter
from connectors.mapping.refusal import Refusal
from connectors.mapping.times import date_converter, datetime_converter

TRUE = frozenset({"true", "t", "yes", "y", "1", "是", "有", "真"})
FALSE = frozenset({"false", "f", "no", "n", "0", "否", "无", "假"})
DEFAULT_LIST_SEPARATOR = ","
_LISTED = 12


def compile_field(rule: Mapping[str, Any], *, timezone: str, empty: tuple[str, ...] | None, max_bytes: int) -> Field:
    """``rule`` is one that :func:`connectors.manifest.load` let pass."""
    kind = rule.get("as", "value" if "function" in rule else "text")
    given = rule.get("empty", texts.DEFAULT_EMPTY if empty is None else empty)
    none = frozenset(given) - set(rule.get("codes", ())) | {""}
    zone = ZoneInfo(rule.get("timezone", timezone))
    if "codes" in rule:
        return ScalarField(codes_converter(rule, _spelling(kind)), none)
    if kind in TEXT_KINDS:
        return TextField(none, max_bytes, _spelling(kind))
    if kind == "value":
        return ValueField(none, max_bytes)
    if kind == "list":
        return ListField(none, max_bytes, rule.get("separator", DEFAULT_LIST_SEPARATOR))
    return ScalarField(_scalar(kind, rule, zone), none)


def _spelling(kind: str) -> Callable[[str], str] | None:
    return {"company_name": texts.company_name, "code": texts.code, "upper": texts.upper, "lower": texts.lower}.get(
        kind
    )


def _scalar(kind: str, rule: Mapping[str, Any], zone: ZoneInfo) -> Convert:
    if kind == "date":
        return date_converter(rule.get("formats"), zone)
    if kind == "datetime":
        return datetime_converter(rule.get("formats"), zone)
    if kind == "decimal":
        return decimal_converter(rule.get("unit"), rule.get("source_unit"))
    if kind == "money":
        return money_converter(rule.get("unit"), rule.get("source_unit"), rule.get("currency"))
    return {"integer": integer, "boolean": boolean}[kind]


def boolean(value: Any) -> bool | Refusal:
    """true/false, 1/0, yes/no, y/n, 是/否, 有/无."""
    text = texts.as_text(value)
    plain = texts.half_width(text).strip().lower() if isinstance(text, str) else ""
    if plain in TRUE:
        return True
    if plain in FALSE:
        return False
    return Refusal("mapping.boolean", value, "是/否、1/0、true/false", "true/false, 1/0, yes/no or 是/否")


def codes_converter(rule: Mapping[str, Any], spelling: Callable[[str], str] | None) -> Convert:
    """The source's values to the record's; full-width letters, spaces around and ``as`` are looked through."""
    codes = dict(rule["codes"])
    spelled = {_code_text(key, spelling): value for key, value in codes.items()}
    listed = "、".join(list(codes)[:_LISTED]) + (f" … ({len(codes)})" if len(codes) > _LISTED else "")
    keep, unknown, has_unknown = rule.get("keep_unknown", False), rule.get("unknown"), "unknown" in rule

    def convert(value: Any) -> Any:
        text = texts.as_text(value)
        if isinstance(text, Refusal):
            return text
        plain = _code_text(text, spelling)
        if plain in spelled:
            return spelled[plain]
        if has_unknown:
            return unknown
        if keep:
            return texts.storable(text, len(text) * 4) or texts.clean(text)
        return Refusal("mapping.code", value, f"以下之一：{listed}", f"one of {listed}")

    return convert


def _code_text(text: str, spelling: Callable[[str], str] | None) -> str:
    plain = texts.half_width(texts.clean(text)).strip()
    return spelling(plain) if spelling else plain


def load_function(reference: str) -> Callable[..., Any]:
    """``package.module:name``. Raises ValueError with a sentence."""
    module_name, _, name = reference.partition(":")
    try:
        found: Any = importlib.import_module(module_name)
        for part in name.split("."):
            found = getattr(found, part)
    except Exception as error:
        raise ValueError(f"{reference} cannot be loaded: {type(error).__name__}: {error}") from error
    if not callable(found):
        raise ValueError(f"{reference} is no function")  # noqa: TRY004  (it is the manifest's value that is wrong)
    function: Callable[..., Any] = found
    return function


def call(function: Callable[..., Any], values: tuple[Any, ...]) -> Any:
    """The function's value, or a refusal; what it raises concerns this row alone."""
    try:
        return function(*values)
    except RowRefused as error:
        return Refusal(error.rule, values[0] if len(values) == 1 else values, error.zh, error.en)
    except Exception as error:  # noqa: BLE001  (a department's function may raise anything)
        name = getattr(function, "__qualname__", "function")
        kind = type(error).__name__
        return Refusal(
            "mapping.function",
            values[0] if len(values) == 1 else values,
            f"{name} 能处理的值（{kind}）",
            f"a value that {name} takes ({kind})",
        )
