"""The credit report 公共信用信息报告 as a signed PDF for people; what it says comes as plain texts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from cryptography import x509

from registry.documents import qr, rendering, signing

TEMPLATE: Final = Path(__file__).parent / "templates" / "credit_report.typ"


@dataclass(frozen=True, slots=True)
class Words:
    """A text in both languages."""

    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Pair:
    """A labelled text."""

    label: Words
    value: Words


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a table: what, how many, and what is to be said of it."""

    label: Words
    cells: tuple[Words, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """One record."""

    title: Words
    mark: Words | None
    """What stands beside it wherever it is shown: disputed."""
    pairs: tuple[Pair, ...]
    origin: Words
    """Dataset, department, version and age: small, at its foot."""


@dataclass(frozen=True, slots=True)
class ReportPage:
    """A report as printed."""

    title: Words
    edition: Words
    number: str
    issuer: str
    """Whose certificate seals it."""
    head: tuple[Pair, ...]
    summary: tuple[Row, ...]
    nothing: Words
    """Said in the place of records where there are none."""
    sections: tuple[Section, ...]
    measures: tuple[Row, ...]
    ages: tuple[Row, ...]
    check: tuple[Pair, ...]
    notes: tuple[Words, ...]
    """What the reader may and may not do with it."""
    check_address: str


def make(
    page: ReportPage,
    *,
    key: signing.SealKey,
    chain: Sequence[x509.Certificate],
    at: datetime,
) -> bytes:
    """The PDF of a report, sealed: PDF/A-3b, PAdES baseline B over the whole file.

    Raises what :func:`registry.documents.rendering.typeset` and :func:`registry.documents.signing.sign` raise, and
    ``segno.DataOverflowError`` for an address that no QR code can hold.
    """
    setter = rendering.Setter()
    inputs: dict[str, Any] = _settable(asdict(page), setter)
    inputs["qr"] = qr.draw(page.check_address)
    inputs["unprintable"] = list(setter.missing)
    document = rendering.typeset(TEMPLATE, {"page": json.dumps(inputs, ensure_ascii=False)}, at)
    reason = "出具公共信用信息报告 issue of a report of public credit information"
    return signing.sign(document, key, chain, name=page.issuer, reason=reason, at=at)


def _settable(value: Any, setter: rendering.Setter) -> Any:
    if isinstance(value, str):
        return setter.text(value)
    if isinstance(value, dict):
        return {name: _settable(part, setter) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_settable(part, setter) for part in value]
    return value
