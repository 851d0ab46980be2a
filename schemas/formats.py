"""The formats that the hub's schemas use beside those of JSON Schema, and the code list behind each.

A format is a function from text to bool. ``date`` and ``date-time`` replace the engine's own, which let pass what no
database takes: year 0000, leap seconds, ``-000-01-01``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import Any

from schemas import code_lists
from schemas.identifiers import is_licence_identifier, is_organisation_code, is_resident_id, is_uscc

CODE_LIST_FORMATS = {
    "division": "divisions",
    "industry": "industries",
    "currency": "currencies",
    "holder-code-type": "holder_code_types",
    "licence-state": "licence_states",
    "penalty-kind": "penalty_kinds",
    "tax-credit-grade": "tax_credit_grades",
}
"""Formats that ask for a code of a list: valid now or once, for old records keep the codes of their time."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a format asks for, in words."""

    zh: str
    en: str


_DIVISION_DIGITS = 2
_DATE_LENGTH = 10
_DATE_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-5][0-9]:[0-5][0-9](\.[0-9]{1,6})?([Zz]|[+-][0-9]{2}:[0-5][0-9])"
)

EXPECTED = {
    "uscc": Expectation(
        "校验位正确的18位统一社会信用代码", "an 18-character unified social credit code with its right check character"
    ),
    "organisation-code": Expectation(
        "校验位正确的9位组织机构代码", "a 9-character organisation code with its right check character"
    ),
    "resident-id": Expectation(
        "校验位和出生日期正确的18位公民身份号码",
        "an 18-character resident identity number with a real birth date and its right check character",
    ),
    "licence-identifier": Expectation(
        "校验位正确的电子证照标识", "an e-licence identifier (GB/T 36904) with its right check character"
    ),
    "date": Expectation("存在的日期，写作 YYYY-MM-DD", "a day that exists, written YYYY-MM-DD"),
    "date-time": Expectation(
        "带时差的时间，写作 YYYY-MM-DDThh:mm:ss+08:00", "a time with its offset, written YYYY-MM-DDThh:mm:ss+08:00"
    ),
    "division": Expectation("GB/T 2260 行政区划代码（6位数字）", "a GB/T 2260 division code (6 digits)"),
    "industry": Expectation(
        "GB/T 4754-2017 行业代码（门类字母，或2至4位数字）",
        "a GB/T 4754-2017 industry code (section letter, or 2 to 4 digits)",
    ),
    "currency": Expectation("币种代码（ISO 4217），如 CNY", "a currency code (ISO 4217) such as CNY"),
}


@lru_cache(maxsize=1)
def formats() -> dict[str, Callable[[Any], bool]]:
    """Every format of the hub by name."""
    found: dict[str, Callable[[Any], bool]] = {
        "date": is_date,
        "date-time": is_date_time,
        "uscc": is_uscc,
        "organisation-code": is_organisation_code,
        "resident-id": is_resident_id,
        "licence-identifier": is_licence_identifier,
    }
    for name, code_list in CODE_LIST_FORMATS.items():
        found[name] = code_lists.load(code_list).codes.__contains__
    found["industry"] = _industries().__contains__
    return found


def is_date(text: str) -> bool:
    """Whether this is a day that exists, written ``YYYY-MM-DD``."""
    return len(text) == _DATE_LENGTH and _is_day(text)


@lru_cache(maxsize=1 << 16)
def _is_day(text: str) -> bool:
    """Remembered, for a city's records share their days; never whatever long text somebody sends."""
    if not (text.isascii() and text[4] == text[7] == "-"):
        return False
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return "W" not in text


def is_date_time(text: str) -> bool:
    """Whether this is a time of RFC 3339 with its offset; no leap second, for no database keeps one."""
    if _DATE_TIME.fullmatch(text) is None:
        return False
    try:
        datetime.fromisoformat(text.upper())
    except ValueError:
        return False
    return True


def _industries() -> frozenset[str]:
    """The industries listed, and every group and class that their divisions could have: not all of these are listed."""
    listed = code_lists.load("industries").codes
    divisions = [code for code in listed if len(code) == _DIVISION_DIGITS]
    return listed | {
        f"{division}{number:0{digits}}" for division in divisions for digits in (1, 2) for number in range(10**digits)
    }
