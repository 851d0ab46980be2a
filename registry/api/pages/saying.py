"""What a licence's credential says, as the public page shows it: in words, and of natural persons only a part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from registry.api.pages.finding import Fact, Text
from registry.domain.licences.loading import LicenceTypes
from registry.domain.licences.types import Item, LicenceType
from schemas.masking import mask

_ZONE = ZoneInfo("Asia/Shanghai")
_WIDE = 24
"""Longer values have a line of their own."""
_ORGANISATION = "0"
"""How the codes of kinds of organisations begin (GB/T 36903 annex A)."""
_NOT_SHOWN = "（未出示 not disclosed）"


@dataclass(frozen=True, slots=True)
class Said:
    """The licence's title, its most telling facts, all others, and the use of an annotated copy."""

    title: Text
    key_facts: Sequence[Fact]
    facts: Sequence[Fact]
    use: Sequence[Fact]


def said(credential: Mapping[str, Any], types: LicenceTypes) -> Said | None:
    """What a credential that was found genuine says; None if it is no licence's.

    Clients have credentials of their own signed too: nothing is taken for granted of what stands in one.
    """
    subject = _mapping(credential.get("credentialSubject"))
    kind_said = _mapping(subject.get("licenceType"))
    if not kind_said:
        return None
    kind = _kind(kind_said, types)
    holders = [_mapping(holder) for holder in _list(subject.get("holder"))]
    authority = _mapping(subject.get("issuingAuthority"))
    return Said(
        title=Text(str(kind_said.get("licenceTypeName", "")), kind.title.en if kind else ""),
        key_facts=[
            *_names(holders),
            _fact("证照编号", "Number", subject.get("number")),
            _fact("颁发机关", "Issued by", authority.get("authorityName")),
            Fact(Text("有效期", "In force"), term(subject.get("firstDay"), subject.get("lastDay"))),
        ],
        facts=[
            *_codes(holders),
            *_items(_mapping(subject.get("items")), kind),
            _fact("发证日期", "Issued on", _day(subject.get("issuedOn"))),
            _fact("颁发机关代码", "Authority's code", authority.get("code")),
            _fact("可信等级", "Trust grade", subject.get("trustGrade")),
            Fact(Text("证照标识", "Identifier"), str(subject.get("identifier", "")), wide=True),
        ],
        use=_use(credential.get("termsOfUse")),
    )


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else []


def term(first: Any, last: Any) -> str:
    """From when to when."""
    if not isinstance(first, str):
        return _NOT_SHOWN
    if not isinstance(last, str):
        return f"{_day(first)}起，长期有效 without end"
    return f"{_day(first)} 至 {_day(last)}"


def _kind(said_of_type: Mapping[str, Any], types: LicenceTypes) -> LicenceType | None:
    """The type in the very version that the licence was made by; None if this hub does not have it."""
    return next((kind for kind in types.all if kind.reference == said_of_type.get("licenceTypeVersion")), None)


def _names(holders: Sequence[Mapping[str, Any]]) -> list[Fact]:
    return [_personal("持证主体", "Holder", holder.get("holderName"), hide=_is_person(holder)) for holder in holders]


def _codes(holders: Sequence[Mapping[str, Any]]) -> list[Fact]:
    return [
        _personal("持证主体代码", "Holder's code", holder.get("code"), hide=_is_person(holder)) for holder in holders
    ]


def _is_person(holder: Mapping[str, Any]) -> bool:
    return not str(holder.get("codeType", "")).startswith(_ORGANISATION)


def _items(values: Mapping[str, Any], kind: LicenceType | None) -> list[Fact]:
    """In the order of the type. Of a type that nobody here knows everything could be personal."""
    if kind is None:
        return [_personal(name, name, value, hide=True) for name, value in values.items()]
    return [_item(item, values[item.name]) for item in kind.items if item.name in values]


def _item(item: Item, value: Any) -> Fact:
    texts = [_text(item, each) for each in (value if isinstance(value, list) else [value])]
    return _personal(item.title.zh, item.title.en, "；".join(texts), hide=item.personal)


def _text(item: Item, value: Any) -> str:
    if item.kind == "date":
        return _day(value)
    meaning = item.codes.get(str(value))
    return f"{meaning.zh} {meaning.en}" if meaning else str(value)


def _personal(zh: str, en: str, value: Any, *, hide: bool) -> Fact:
    if value is None:
        return Fact(Text(zh, en), _NOT_SHOWN)
    text = str(value)
    return Fact(Text(zh, en), mask(text), masked=True) if hide else Fact(Text(zh, en), text, wide=len(text) > _WIDE)


def _fact(zh: str, en: str, value: Any) -> Fact:
    return _personal(zh, en, value, hide=False)


def _use(terms: Any) -> list[Fact]:
    first = _mapping(next(iter(_list(terms)), None))
    if first.get("type") != "AnnotatedCopyTerms":
        return []
    return [
        _fact("用证单位", "Made for", first.get("requestedBy")),
        _fact("用证事由", "Purpose", first.get("cause")),
        _fact("使用期限", "Usable until", _moment(first.get("usableUntil"))),
    ]


def _day(text: Any) -> str:
    try:
        found = date.fromisoformat(str(text))
    except ValueError:
        return str(text)
    return f"{found.year}年{found.month}月{found.day}日"


def _moment(text: Any) -> str:
    try:
        return datetime.fromisoformat(str(text)).astimezone(_ZONE).strftime("%Y-%m-%d %H:%M")
    except ValueError:
        return str(text)
