"""What the document for people shows, as plain texts: taken from the signed credential, set by a template as it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from typing import Any, Final

from registry.domain.licences.types import Item, LicenceType
from schemas import code_lists

_CHINA: Final = timezone(timedelta(hours=8))
_WITHOUT_END: Final = "长期"
_ORGANISATION: Final = "0"
"""What the codes of kinds of holder codes begin with that are not a natural person's (GB/T 36903 annex A)."""
_MASKED_FROM: Final = 8
"""Characters from which on a person's number is shown with its middle left out."""
_MONTHS: Final = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One labelled text. ``name`` is what templates place it by."""

    name: str
    zh: str
    en: str
    value: str


@dataclass(frozen=True, slots=True)
class Page:
    """A licence as printed."""

    title_zh: str
    title_en: str
    identifier: str
    """证照标识 (GB/T 36904), at the foot."""
    number: Entry
    """证照编号, the printed number."""
    entries: tuple[Entry, ...]
    """Holder, term (``holder_name``, ``holder_code``, ``term``), and the information items in the type's order."""
    issuer_zh: str
    issuer_en: str
    """Empty if the authority has no English name."""
    issued_on: date


@dataclass(frozen=True, slots=True)
class Copy:
    """What makes a document an annotated copy 加注件: good for one use, and it says so across the page."""

    cause: str
    requested_by: str
    usable_until: datetime


def page_of(credential: Mapping[str, Any], licence_type: LicenceType, issuer_en: str = "") -> Page:
    """The page of a licence's or a copy's credential (see registry.credentials.build).

    ``issuer_en`` is the authority's English name, which the credential does not have. Raises KeyError, TypeError or
    ValueError for a credential of another shape.
    """
    subject = credential["credentialSubject"]
    items = subject["items"]
    return Page(
        title_zh=licence_type.title.zh,
        title_en=licence_type.title.en,
        identifier=subject["identifier"],
        number=Entry("number", "证照编号", "Licence number", subject["number"]),
        entries=(
            *_holder_entries(subject["holder"]),
            *(
                Entry(item.name, item.title.zh, item.title.en, _shown(item, items[item.name]))
                for item in licence_type.items
                if item.name in items
            ),
            Entry("term", "有效期限", "Term of validity", _term(subject["firstDay"], subject.get("lastDay"))),
        ),
        issuer_zh=subject["issuingAuthority"]["authorityName"],
        issuer_en=issuer_en,
        issued_on=date.fromisoformat(subject["issuedOn"]),
    )


def copy_of(credential: Mapping[str, Any]) -> Copy | None:
    """The terms of an annotated copy; None for a licence's own credential."""
    terms = credential.get("termsOfUse")
    if not terms:
        return None
    (term,) = terms
    return Copy(term["cause"], term["requestedBy"], datetime.fromisoformat(term["usableUntil"]))


def chinese_date(day: date) -> str:
    """``2026年1月5日``."""
    return f"{day.year}年{day.month}月{day.day}日"


def english_date(day: date) -> str:
    """``5 January 2026``, whatever the machine's locale."""
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"


def minute_in_china(moment: datetime) -> str:
    """``2026-01-05 17:30`` as clocks in China show it."""
    return moment.astimezone(_CHINA).strftime("%Y-%m-%d %H:%M")


def _holder_entries(holders: Sequence[Mapping[str, str]]) -> tuple[Entry, Entry]:
    kinds = {holder["codeType"] for holder in holders}
    title = code_lists.load("holder_code_types").title(kinds.pop()) if len(kinds) == 1 else None
    zh, en = title or ("证件号码", "Code")
    return (
        Entry("holder_name", "名称", "Name of the holder", "、".join(holder["holderName"] for holder in holders)),
        Entry("holder_code", zh, en, "、".join(_holder_code(holder) for holder in holders)),
    )


def _holder_code(holder: Mapping[str, str]) -> str:
    """A person's number is not for everyone who sees the sheet: it keeps its first and last four characters."""
    code = holder["code"]
    if holder["codeType"].startswith(_ORGANISATION):
        return code
    if len(code) < _MASKED_FROM:
        return "*" * len(code)
    return code[:4] + "*" * (len(code) - 8) + code[-4:]


def _term(first: str, last: str | None) -> str:
    end = _WITHOUT_END if last is None else chinese_date(date.fromisoformat(last))
    return f"{chinese_date(date.fromisoformat(first))} 至 {end}"


def _shown(item: Item, value: Any) -> str:
    match item.kind:
        case "date":
            return chinese_date(date.fromisoformat(value))
        case "list":
            return "；".join(_meaning(item, one) for one in value)
        case "money" if isinstance(value, Mapping):
            currency, _ = code_lists.load("currencies").title(value["currency"]) or (value["currency"], "")
            return f"{value['amount']}{value['unit']}{currency}"
        case _:
            return _meaning(item, str(value))


def _meaning(item: Item, value: str) -> str:
    title = item.codes.get(value)
    return value if title is None else title.zh
