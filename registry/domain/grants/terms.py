"""The terms of a grant, checked against the schema of the dataset's records before anybody is bound by them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import jsonschema_rs

from schemas import formats
from schemas.catalogue import Catalogue
from schemas.errors import SchemaError

MOST_PURPOSES, MOST_ROW_VALUES = 50, 1000
_PURPOSE = re.compile(r"[a-z][a-z0-9_]{0,63}")


class GrantError(Exception):
    """A grant or a request for one cannot be given, changed or ended as asked; ``code`` is stable."""

    def __init__(self, en: str, zh: str = "授权条件不符合要求", code: str = "terms") -> None:
        super().__init__(f"{zh} {en}")
        self.en, self.zh, self.code = en, zh, code


@dataclass(frozen=True, slots=True)
class Terms:
    """What a grant says, before it has a number."""

    fields: frozenset[str] | None = None
    purposes: frozenset[str] = frozenset()
    case_number: bool = False
    rows: Mapping[str, frozenset[str]] = field(default_factory=dict, hash=False)
    valid_until: datetime | None = None
    """None: as long as the rules have it, a year from when it is given."""
    daily_quota: int | None = None
    legal_basis: str = ""


def checked(
    terms: Terms,
    schema: str,
    always: Iterable[str],
    at: datetime,
    catalogue: Catalogue,
    *,
    usual: timedelta,
    longest: timedelta,
) -> Terms:
    """The terms as they will stand: with an end, and with the fields that a record cannot be told apart without.

    ``always``: the dataset's key, and the field with the entity. Raises GrantError with everything that is wrong.
    """
    wrong = list(_wrong(terms, at, longest))
    if terms.fields is not None or terms.rows:
        try:
            properties: Mapping[str, Any] = catalogue.schema(schema).get("properties", {})
        except SchemaError as error:
            raise GrantError(f"fields and rows cannot be checked: {error}", "字段与行级范围无法核对") from error
        personal = {pointer.removeprefix("/") for pointer in catalogue.personal_fields(schema)}
        wrong += _wrong_fields(terms.fields or (), properties, personal, schema)
        wrong += _wrong_rows(terms.rows, properties, schema)
    if wrong:
        raise GrantError("; ".join(en for en, _ in wrong), "；".join(zh for _, zh in wrong))
    fields = None if terms.fields is None else terms.fields | frozenset(always)
    end = (terms.valid_until or at + usual).astimezone(UTC)
    return Terms(
        fields, terms.purposes, terms.case_number, terms.rows, end, terms.daily_quota, terms.legal_basis.strip()
    )


def _wrong(terms: Terms, at: datetime, longest: timedelta) -> Iterable[tuple[str, str]]:
    """Each fault in English and Chinese; so do those below."""
    end = terms.valid_until
    if end is not None and end.tzinfo is None:
        yield "the end has no offset; expected a time such as 2027-12-31T23:59:59+08:00", "有效期止须带时区"
    elif end is not None and not at < end <= at + longest:
        yield (
            f"a grant cannot hold until {end.isoformat()}; expected a time to come, {longest.days} days on at most",
            f"有效期不能至 {end.isoformat()}，应晚于现在且不超过 {longest.days} 天",
        )
    if terms.daily_quota is not None and not 0 < terms.daily_quota < 1 << 53:
        yield (
            f"the daily quota cannot be {terms.daily_quota}; expected a number of answers, 1 or more",
            f"每日次数不能为 {terms.daily_quota}，应不小于 1",
        )
    if len(terms.purposes) > MOST_PURPOSES:
        yield f"{len(terms.purposes)} purposes; expected {MOST_PURPOSES} at most", f"用途至多 {MOST_PURPOSES} 项"
    for purpose in sorted(terms.purposes):
        if not _PURPOSE.fullmatch(purpose):
            expected = "expected a small letter, then small letters, digits and underscores: credit_lending"
            yield (
                f"{purpose[:80]!r} is no purpose; {expected}",
                f"{purpose[:80]!r} 不是用途，应以小写字母开头，由小写字母、数字和下划线组成",
            )
    if terms.fields is not None and not terms.fields:
        yield "no field at all; expected at least one, or none named for all of them", "未列任何字段"


def _wrong_fields(
    fields: Iterable[str], properties: Mapping[str, Any], personal: Iterable[str], schema: str
) -> Iterable[tuple[str, str]]:
    for name in sorted(set(fields) - set(properties) - set(personal)):
        there = ", ".join(sorted(properties))
        yield f"{schema} has no field {name[:80]!r}; expected some of {there}", f"{schema} 没有字段 {name[:80]!r}"
    for name in sorted(set(fields) & set(personal)):
        if (top := name.partition("/")[0]) not in set(fields):
            yield f"{name!r} lies within {top!r}, which is to be granted too", f"{name!r} 属于 {top!r}，须一并列出"


def _wrong_rows(
    rows: Mapping[str, frozenset[str]], properties: Mapping[str, Any], schema: str
) -> Iterable[tuple[str, str]]:
    for name, values in sorted(rows.items()):
        if name not in properties:
            yield (
                f"{schema} has no field {name[:80]!r} to choose records by; it has {', '.join(sorted(properties))}",
                f"{schema} 没有可用作行级范围的字段 {name[:80]!r}",
            )
            continue
        if not 0 < len(values) <= MOST_ROW_VALUES:
            yield (
                f"{len(values)} values of {name}; expected 1 to {MOST_ROW_VALUES}",
                f"{name} 的取值应为 1 至 {MOST_ROW_VALUES} 个",
            )
        given = properties[name]
        scalar = given.get("items", {}) if _kind(given) == "array" else given
        if _kind(scalar) != "string":
            yield (
                f"records cannot be chosen by {name}, which holds no text; expected a field with a code or a word",
                f"{name} 不是文本字段，不能用作行级范围",
            )
            continue
        validator = jsonschema_rs.Draft202012Validator(scalar, formats=formats.formats(), validate_formats=True)
        for value in sorted(values):
            if not validator.is_valid(value):
                yield (
                    f"{value[:80]!r} cannot occur in {name} of {schema}",
                    f"{schema} 的 {name} 不会有值 {value[:80]!r}",
                )


def _kind(given: Mapping[str, Any]) -> str:
    kinds = given.get("type") or next((part["type"] for part in given.get("allOf", ()) if "type" in part), None)
    if kinds is None:
        return "string" if "enum" in given or "const" in given else ""
    return str(next((kind for kind in kinds if kind != "null"), "")) if isinstance(kinds, list) else str(kinds)
