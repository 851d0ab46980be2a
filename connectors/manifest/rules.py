"""Whether the keys of one mapping rule go together; what each means is in :mod:`connectors.mapping`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

TEXT_KINDS = frozenset({"text", "code", "upper", "lower", "company_name"})

EPOCH_FORMATS = frozenset({"epoch", "epoch_ms"})
"""Seconds and milliseconds since 1970, as formats of a date-time."""

_ONLY_FOR = {
    "formats": frozenset({"date", "datetime"}),
    "timezone": frozenset({"date", "datetime"}),
    "unit": frozenset({"decimal", "money"}),
    "source_unit": frozenset({"decimal", "money"}),
    "currency": frozenset({"money"}),
    "codes": TEXT_KINDS,
}


def rule_faults(rule: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Key within the rule (empty: the rule itself) and what is wrong."""
    if "constant" in rule:
        for other in sorted(set(rule) - {"constant"}):
            yield other, "cannot stand beside constant, which reads nothing"
        return
    if "from" not in rule:
        yield "", "is missing from (a source column) or constant"
    kind = rule.get("as", "text")
    for key, kinds in _ONLY_FOR.items():
        if key in rule and kind not in kinds:
            yield key, f"has no meaning with as: {kind}; expected as: {' or '.join(sorted(kinds))}"
    yield from _column_faults(rule, kind)
    yield from _code_faults(rule)
    for form in rule.get("formats", ()):
        fault = _format_fault(form, kind)
        if fault:
            yield "formats", fault
    if "timezone" in rule and not is_timezone(rule["timezone"]):
        yield "timezone", f"got {rule['timezone']!r}; expected a time zone such as Asia/Shanghai"


def _column_faults(rule: Mapping[str, Any], kind: str) -> Iterator[tuple[str, str]]:
    several = isinstance(rule.get("from"), list) and len(rule["from"]) > 1
    if "combine" in rule and not several:
        yield "combine", "needs several columns in from"
    if "separator" in rule and not several and kind != "list":
        yield "separator", "needs several columns in from, or as: list"
    if (
        several
        and rule.get("combine", "join") == "join"
        and "function" not in rule
        and kind not in TEXT_KINDS | {"list"}
    ):
        yield "from", f"several columns are joined into a text, which as: {kind} does not take; expected combine: first"


def _code_faults(rule: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key in ("unknown", "keep_unknown"):
        if key in rule and "codes" not in rule:
            yield key, "has no meaning without codes"
    if "unknown" in rule and rule.get("keep_unknown"):
        yield "keep_unknown", "contradicts unknown: one of the two"


def is_timezone(name: str) -> bool:
    """Whether the time zone database knows the name."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True


def columns_of(rule: Mapping[str, Any]) -> tuple[str, ...]:
    """The source columns (or dotted paths) that a rule reads."""
    columns = rule.get("from", ())
    return (columns,) if isinstance(columns, str) else tuple(columns)


def _format_fault(form: str, kind: str) -> str | None:
    """What is wrong with a strptime format; ``None`` if nothing."""
    if form in EPOCH_FORMATS and kind == "datetime":
        return None
    if "%" not in form:
        return f"got {form!r}; expected a strptime format such as %Y-%m-%d"
    try:
        datetime.strptime(datetime(2024, 11, 23, 10, 11, 12).strftime(form), form)  # noqa: DTZ001, DTZ007
    except ValueError as error:
        return f"got {form!r}; {error}"
    return None
