"""What a caller reads for: the purpose and its own case number, in headers, where the law asks for them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import unquote

from fastapi import Header

from registry.api.problems import INVALID_PARAMETER, Problem, parameter_error

PURPOSE, CASE_NUMBER = "Access-Purpose", "Case-Number"
_LONGEST = 200
LONGEST_NUMBER = 600
"""Characters of the header, percent-encoded."""
_PURPOSE = "^[a-z][a-z0-9_]{0,63}$"

AccessPurpose = Annotated[
    str | None,
    Header(
        alias=PURPOSE,
        pattern=_PURPOSE,
        description="What the data is for, as the consent says it 用途",
        examples=["credit_lending"],
    ),
]
CaseNumber = Annotated[
    str | None,
    Header(
        alias=CASE_NUMBER,
        max_length=LONGEST_NUMBER,
        description="The caller's own number of the business; percent-encoded UTF-8 where it is not ASCII 业务编号",
        examples=["L-2026-000123"],
    ),
]


@dataclass(frozen=True, slots=True)
class Stated:
    """What a request says it is for."""

    purpose: str
    case_number: str


def given(headers: Mapping[str, str]) -> tuple[str | None, str | None]:
    """Purpose and case number as a request states them, None where it does not; names of headers in lower case.

    Raises Problem where one is there and cannot be put on record as it is: whoever states it relies on its being there.
    """
    purpose, number = headers.get(PURPOSE.lower()), headers.get(CASE_NUMBER.lower())
    text = None if number is None else unquote(number).strip()
    errors: list[dict[str, Any]] = []
    if purpose is not None and re.fullmatch(_PURPOSE, purpose) is None:
        zh = "应以小写字母开头，由小写字母、数字和下划线组成，至多64字。"
        en = "Expected a small letter, then small letters, digits and underscores, 64 at most."
        errors.append(parameter_error(PURPOSE, zh, en, where="header"))
    if text is not None and not _is_case_number(text):
        errors.append(_no_case_number())
    if errors:
        names = ", ".join(error["pointer"].removeprefix("#/") for error in errors)
        raise Problem(
            INVALID_PARAMETER, f"请求头 {names} 不能记录。", f"{names} cannot be put on record.", errors=errors
        )
    return purpose, text


def stated(purpose: str | None, case_number: str | None) -> Stated:
    """Both, where both are needed. Raises Problem that names what is missing."""
    text = unquote(case_number or "").strip()
    errors: list[dict[str, Any]] = []
    if not purpose:
        zh, en = "须以该请求头说明用途。", "The header must say what the data is for."
        errors.append(parameter_error(PURPOSE, zh, en, where="header"))
    if not _is_case_number(text):
        errors.append(_no_case_number())
    if errors or not purpose:
        names = f"{PURPOSE}, {CASE_NUMBER}"
        raise Problem(INVALID_PARAMETER, f"须有请求头 {names}。", f"The headers {names} are needed.", errors=errors)
    return Stated(purpose, text)


def stated_number(case_number: str | None) -> str:
    """The case number alone, where only it is needed. Raises Problem."""
    text = unquote(case_number or "").strip()
    if not _is_case_number(text):
        zh, en = f"须有请求头 {CASE_NUMBER}。", f"The header {CASE_NUMBER} is needed."
        raise Problem(INVALID_PARAMETER, zh, en, errors=[_no_case_number()])
    return text


def _is_case_number(text: str) -> bool:
    return 0 < len(text) <= _LONGEST and text.isprintable()


def _no_case_number() -> dict[str, str]:
    zh = f"须以该请求头给出业务编号（1至{_LONGEST}字，非 ASCII 字符以 UTF-8 百分号编码）。"
    en = f"The header must name the case, in 1 to {_LONGEST} characters, those not ASCII as percent-encoded UTF-8."
    return parameter_error(CASE_NUMBER, zh, en, where="header")
