"""What a caller reads for: the purpose and its own case number, in headers, where the law asks for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import unquote

from fastapi import Header

from registry.api.problems import INVALID_PARAMETER, Problem, parameter_error

PURPOSE, CASE_NUMBER = "Access-Purpose", "Case-Number"
_LONGEST = 200

AccessPurpose = Annotated[
    str | None,
    Header(
        alias=PURPOSE,
        max_length=64,
        pattern="^[a-z][a-z0-9_]*$",
        description="What the data is for, as the consent says it 用途",
        examples=["credit_lending"],
    ),
]
CaseNumber = Annotated[
    str | None,
    Header(
        alias=CASE_NUMBER,
        max_length=600,
        description="The caller's own number of the business; percent-encoded UTF-8 where it is not ASCII 业务编号",
        examples=["L-2026-000123"],
    ),
]


@dataclass(frozen=True, slots=True)
class Stated:
    """What a request says it is for."""

    purpose: str
    case_number: str


def stated(purpose: str | None, case_number: str | None) -> Stated:
    """Both, where both are needed. Raises Problem that names what is missing."""
    text = unquote(case_number or "").strip()
    errors: list[dict[str, Any]] = []
    if not purpose:
        errors.append(_missing(PURPOSE, "须以该请求头说明用途。", "The header must say what the data is for."))
    if not text or len(text) > _LONGEST or not text.isprintable():
        zh, en = (
            f"须以该请求头给出业务编号（1至{_LONGEST}字）。",
            f"The header must name the case, in 1 to {_LONGEST} characters.",
        )
        errors.append(_missing(CASE_NUMBER, zh, en))
    if errors or not purpose:
        names = f"{PURPOSE}, {CASE_NUMBER}"
        raise Problem(INVALID_PARAMETER, f"须有请求头 {names}。", f"The headers {names} are needed.", errors=errors)
    return Stated(purpose, text)


def _missing(name: str, zh: str, en: str) -> dict[str, str]:
    return parameter_error(name, zh, en, where="header")
