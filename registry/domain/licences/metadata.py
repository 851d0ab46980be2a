"""Metadata of a licence in the words of other systems, in both directions, without loss.

The elements of GB/T 36903 by their short names (the initials of the pinyin, as the national real-estate and
construction systems use them), and the row of the national directory of licences, which says the same under English
names.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Protocol

from registry.domain.licences.identifiers import IdentifierMalformed, Parsed, parse
from registry.domain.licences.licence import Content, Holder
from registry.domain.licences.types import Item, LicenceType
from schemas.formats import is_date
from schemas.identifiers import HOLDER_CODE_TYPES, LICENCE_ROOT

Words = tuple[str, str]
"""Chinese and English."""

SHORT_NAMES = {
    "ZZMC": "证照名称",
    "ZZLXDM": "证照类型代码",
    "ZZBH": "证照编号",
    "ZZBS": "证照标识",
    "ZZBFJG": "证照颁发机构",
    "ZZBFJGDM": "证照颁发机构代码",
    "ZZBFJGJB": "证照颁发机构级别",
    "ZZBFRQ": "证照颁发日期",
    "CZZT": "持证主体",
    "CZZTDM": "持证主体代码",
    "CZZTDMLX": "持证主体代码类型",
    "CZZTDMLXDM": "持证主体代码类型代码",
    "CZZTXX": "持证主体信息",
    "ZZYXQQSRQ": "证照有效期起始日期",
    "ZZYXQJZRQ": "证照有效期截止日期",
    "ZZQZR": "证照签章人",
    "ZZQZSJ": "证照签章时间",
    "ZZQZMC": "证照签章名称",
}
"""Short names of elements and what they mean; ``CZZTXX`` lists the holders where there are several."""

WITHOUT_END = "长期"
"""How other systems write a term without end; here such an element is absent."""

_MANDATORY = ("ZZLXDM", "ZZBH", "ZZBS", "ZZBFJG", "ZZBFRQ")
"""Beside the holders; what is left out of the standard's mandatory elements follows from these."""
_COMPACT_DATE = 8


@dataclass(frozen=True, slots=True)
class Seal:
    """The seal on a licence: who sealed it 签章人, when 签章时间, and what the seal is called 签章名称."""

    signer: str
    at: datetime
    """With its offset."""
    name: str


class HasMetadata(Protocol):
    """What metadata are made from: a :class:`registry.domain.licences.licence.Licence` is such."""

    @property
    def identifier(self) -> str:
        """证照标识, with its check character as written."""

    @property
    def content(self) -> Content:
        """What the licence says."""


@dataclass(frozen=True, slots=True)
class Described:
    """A licence as its metadata describe it."""

    identifier: str
    content: Content
    seal: Seal | None = None
    warnings: tuple[Words, ...] = ()
    """What is odd and yet no reason to refuse it, such as a wrong check character of another system's identifier."""


@dataclass(frozen=True, slots=True)
class MetadataProblem:
    """One element that cannot be read: its short name, and a sentence."""

    element: str
    zh: str
    en: str


class MetadataRefused(ValueError):  # noqa: N818  (named for what the caller meets)
    """Metadata describe no licence of this type; ``problems`` has every reason. No value is shown."""

    def __init__(self, problems: Sequence[MetadataProblem]) -> None:
        super().__init__("; ".join(problem.en for problem in problems))
        self.problems = tuple(problems)


def to_metadata(licence: HasMetadata, seal: Seal | None = None) -> dict[str, Any]:
    """A licence's metadata by the short names of their elements; what has no value is absent.

    An issuer that the record only named has the code of the identifier. Dates are written YYYY-MM-DD; a value with a
    code has its Chinese title; a list stays a list, an amount of money its three parts.
    """
    content = licence.content
    metadata: dict[str, Any] = {
        "ZZMC": content.type.title.zh,
        "ZZLXDM": content.type.code,
        "ZZBH": content.number,
        "ZZBS": licence.identifier,
        "ZZBFJG": content.issuer_name,
        "ZZBFJGDM": content.issuer_code or parse(licence.identifier).identifier.issuer_code,
        "ZZBFRQ": content.issued_on.isoformat(),
        **_holder_elements(content.holders[0]),
        "ZZYXQQSRQ": content.valid_from.isoformat(),
    }
    if content.valid_to is not None:
        metadata["ZZYXQJZRQ"] = content.valid_to.isoformat()
    if len(content.holders) > 1:
        metadata["CZZTXX"] = [_holder_elements(holder) for holder in content.holders]
    if seal is not None:
        metadata |= {"ZZQZR": seal.signer, "ZZQZSJ": seal.at.isoformat(), "ZZQZMC": seal.name}
    for item in content.type.items:
        if item.name in content.items:
            metadata[item.short_name] = _to_element(item, content.items[item.name])
    return metadata


def from_metadata(licence_type: LicenceType, metadata: Mapping[str, Any]) -> Described:
    """The licence that metadata, ours or another system's, describe. Raises MetadataRefused with every reason.

    Dates may be written YYYYMMDD, an end of the term may be 长期 (without end) or missing. Warnings are a wrong check
    character of the identifier, another name of the type, and elements that the type does not know.
    """
    reading = _Reading(metadata)
    parsed = reading.identifier()
    if reading.text("ZZLXDM") not in {"", licence_type.code}:
        reading.refuse("ZZLXDM", f"应为 {licence_type.code}", f"expected {licence_type.code}")
    holders = reading.holders()
    number, issuer_name, issuer_code = (reading.text(element) for element in ("ZZBH", "ZZBFJG", "ZZBFJGDM"))
    issued_on = reading.day("ZZBFRQ")
    valid_from, valid_to = reading.day("ZZYXQQSRQ"), reading.day("ZZYXQJZRQ")
    items = reading.items(licence_type.items)
    seal = reading.seal()
    if reading.problems or parsed is None or issued_on is None:
        raise MetadataRefused(reading.problems)
    content = Content(
        type=licence_type,
        number=number,
        holders=holders,
        issuer_name=issuer_name,
        issuer_code=issuer_code or parsed.identifier.issuer_code,
        issued_on=issued_on,
        valid_from=valid_from or issued_on,
        valid_to=valid_to,
        items=items,
    )
    warnings = _warnings(licence_type, metadata, parsed)
    return Described(str(metadata["ZZBS"]), content, seal, warnings)


@dataclass(frozen=True, slots=True)
class CopyNote:
    """What the directory says of an annotated copy 加注件: who had it made, why, from when to when."""

    created_at: str
    creator: str
    cause: str
    expires_at: str


@dataclass(frozen=True, slots=True)
class Listing:
    """What a row of the national directory says beside the metadata."""

    area_code: str
    """GB/T 2260."""
    status: str
    defining_authority_name: str
    defining_authority_code: str
    file_url: str | None = None
    related_item_name: str | None = None
    """服务事项: the administrative service that the licence comes from."""
    related_item_code: str | None = None
    copy: CopyNote | None = None


DIRECTORY_NAMES = {
    "ZZBS": "certificate_identifier",
    "ZZLXDM": "certificate_type_no",
    "ZZBH": "certificate_number",
    "ZZMC": "certificate_name",
    "ZZBFRQ": "certificate_issuing_authority_date",
    "ZZBFJG": "certificate_issuing_authority_name",
    "ZZBFJGDM": "certificate_issuing_authority_code",
    "ZZYXQQSRQ": "certificate_validate_start",
    "ZZYXQJZRQ": "certificate_validate_end",
    "CZZT": "certificate_holder_name",
    "CZZTDM": "certificate_holder_code",
    "CZZTDMLX": "certificate_holder_type_name",
    "CZZTDMLXDM": "certificate_holder_type",
}
"""Elements that have a column of their own in the national directory; the others go to ``extend_info``."""

_LISTING_COLUMNS = {
    "area_code": "certificate_area_code",
    "status": "status",
    "defining_authority_name": "certificate_define_authority_name",
    "defining_authority_code": "certificate_define_authority_code",
    "file_url": "file_url",
    "related_item_name": "related_item_name",
    "related_item_code": "related_item_code",
}
_COPY_COLUMNS = {
    "created_at": "certificate_copy_creation_time",
    "creator": "certificate_copy_creator",
    "cause": "certificate_copy_cause",
    "expires_at": "certificate_copy_expiring_time",
}


def listing_of(
    licence: HasMetadata, status: str, *, copy: CopyNote | None = None, file_url: str | None = None
) -> Listing:
    """What the directory says of a licence beside its metadata."""
    issuer_code = licence.content.issuer_code or parse(licence.identifier).identifier.issuer_code
    authority = licence.content.type.defining_authority
    return Listing(area_code(issuer_code), status, authority.name, authority.code, file_url=file_url, copy=copy)


def area_code(issuer_code: str) -> str:
    """The division of an issuing authority: characters 3 to 8 of a unified social credit code, or the six digits."""
    return issuer_code[2:8] if len(issuer_code) > len("330200") else issuer_code


def to_directory_row(metadata: Mapping[str, Any], listing: Listing) -> dict[str, Any]:
    """The national directory's row of what :func:`to_metadata` gave; what has no value is absent."""
    row = {column: metadata[short] for short, column in DIRECTORY_NAMES.items() if short in metadata}
    row |= {
        "certificate_version": parse(metadata["ZZBS"]).identifier.version,
        "certificate_type_name": metadata["ZZMC"],
        "certificate_type_name_code": metadata["ZZLXDM"],
        "certificate_validity_range": f"{metadata['ZZYXQQSRQ']}至{metadata.get('ZZYXQJZRQ', WITHOUT_END)}",
    }
    rest = {short: value for short, value in metadata.items() if short not in DIRECTORY_NAMES}
    row["extend_info"] = json.dumps(rest, ensure_ascii=False, sort_keys=True)
    row |= _columns(listing, _LISTING_COLUMNS)
    return row | (_columns(listing.copy, _COPY_COLUMNS) if listing.copy is not None else {})


def from_directory_row(row: Mapping[str, Any]) -> tuple[dict[str, Any], Listing]:
    """The metadata of a row of the national directory, and what it says beside them. Raises MetadataRefused."""
    metadata = {short: row[column] for short, column in DIRECTORY_NAMES.items() if row.get(column) not in {None, ""}}
    try:
        rest = json.loads(row.get("extend_info") or "{}")
    except (ValueError, TypeError, RecursionError):
        rest = None
    if not isinstance(rest, dict):
        problem = MetadataProblem("extend_info", "扩展信息应为 JSON 对象", "extend_info: expected a JSON object")
        raise MetadataRefused([problem])
    copied = {name: row.get(column) for name, column in _COPY_COLUMNS.items()}
    listed = {name: row.get(column) for name, column in _LISTING_COLUMNS.items()}
    optional = {"file_url", "related_item_name", "related_item_code"}
    filled: dict[str, Any] = {name: value if name in optional else value or "" for name, value in listed.items()}
    copy = CopyNote(**{name: value or "" for name, value in copied.items()}) if any(copied.values()) else None
    return metadata | rest, Listing(**filled, copy=copy)


def _columns(source: object, columns: Mapping[str, str]) -> dict[str, Any]:
    return {column: getattr(source, name) for name, column in columns.items() if getattr(source, name) is not None}


def _holder_elements(holder: Holder) -> dict[str, str]:
    kind = HOLDER_CODE_TYPES.get(holder.code_type, ("", ""))[0]
    return {"CZZT": holder.name, "CZZTDM": holder.code, "CZZTDMLX": kind, "CZZTDMLXDM": holder.code_type}


def _to_element(item: Item, value: Any) -> Any:
    if isinstance(value, str) and value in item.codes:
        return item.codes[value].zh
    if isinstance(value, list):
        return [_to_element(item, part) for part in value]
    return value


def _from_element(item: Item, value: Any) -> Any:
    if isinstance(value, list):
        return [_from_element(item, part) for part in value]
    return next((code for code, title in item.codes.items() if title.zh == value), value)


def _warnings(licence_type: LicenceType, metadata: Mapping[str, Any], parsed: Parsed) -> tuple[Words, ...]:
    warnings = [parsed.warning] if parsed.warning is not None else []
    if parsed.identifier.type_code != licence_type.code:
        warnings.append(
            (
                f"证照标识中的类型代码为 {parsed.identifier.type_code}，与证照类型代码 {licence_type.code} 不一致",
                f"the identifier's type code is {parsed.identifier.type_code}, not the licence's, {licence_type.code}",
            )
        )
    if metadata.get("ZZMC", licence_type.title.zh) != licence_type.title.zh:
        warnings.append(
            (
                f"证照名称与本类型的名称“{licence_type.title.zh}”不同",
                f"ZZMC is not the type's name, {licence_type.title.zh}",
            )
        )
    known = {*SHORT_NAMES, *(item.short_name for item in licence_type.items)}
    warnings += [
        (f"元素 {name} 不属于此证照类型，未读取", f"{name} is no element of this type and was left out")
        for name in sorted(set(map(str, metadata)) - known)
    ]
    return tuple(warnings)


class _Reading:
    """Reads elements one by one and remembers what is wrong with each."""

    def __init__(self, metadata: Mapping[str, Any]) -> None:
        self.metadata = metadata
        self.problems: list[MetadataProblem] = []
        for element in _MANDATORY:
            if metadata.get(element) is None or metadata[element] == "":
                self.refuse(element, "缺少此项", "is missing")

    def refuse(self, element: str, zh: str, en: str) -> None:
        title = SHORT_NAMES.get(element, element)
        self.problems.append(MetadataProblem(element, f"{title}（{element}）：{zh}", f"{element} {title}: {en}"))

    def text(self, element: str) -> str:
        value = self.metadata.get(element)
        if isinstance(value, str):
            return value
        if value is not None:
            self.refuse(element, "应为文本", "expected a text")
        return ""

    def identifier(self) -> Parsed | None:
        text = self.text("ZZBS")
        if not text:
            return None
        try:
            return parse(text)
        except IdentifierMalformed as error:
            expected = f"应为 {LICENCE_ROOT} 开头的证照标识（{error.zh}）"
            self.refuse("ZZBS", expected, f"expected an identifier of GB/T 36904 ({error.en})")
            return None

    def day(self, element: str) -> date | None:
        text = self.text(element)
        if text in {"", WITHOUT_END}:
            return None
        if len(text) == _COMPACT_DATE and text.isascii() and text.isdigit():
            text = f"{text[:4]}-{text[4:6]}-{text[6:]}"
        if is_date(text):
            return date.fromisoformat(text)
        self.refuse(element, "应为日期 YYYY-MM-DD 或 YYYYMMDD", "expected a day written YYYY-MM-DD or YYYYMMDD")
        return None

    def holders(self) -> tuple[Holder, ...]:
        if "CZZTXX" not in self.metadata:
            return (self._holder(self.metadata),)
        listed = self.metadata["CZZTXX"]
        if not isinstance(listed, list) or not listed or not all(isinstance(found, Mapping) for found in listed):
            self.refuse("CZZTXX", "应为持证主体列表", "expected a list of holders")
            return ()
        return tuple(self._holder(found) for found in listed)

    def _holder(self, elements: Mapping[str, Any]) -> Holder:
        texts = [elements.get(element) for element in ("CZZT", "CZZTDM", "CZZTDMLXDM")]
        name, code, code_type = (text if isinstance(text, str) else "" for text in texts)
        if not name or not code:
            self.refuse(
                "CZZT", "每个持证主体应有名称和代码（CZZTDM）", "expected a name and a code (CZZTDM) for each holder"
            )
        if code_type not in HOLDER_CODE_TYPES:
            self.refuse("CZZTDMLXDM", "应为 GB/T 36903 附录A 的代码", "expected a code of GB/T 36903 annex A")
        return Holder(name, code, code_type)

    def items(self, items: Sequence[Item]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for item in items:
            value = self.metadata.get(item.short_name)
            if value is None or value == "":
                continue
            if item.kind == "date":
                day = self.day(item.short_name)
                value = day.isoformat() if day is not None else None
            elif not _FITS[item.kind](value):
                self.refuse(item.short_name, "数据类型不符", f"expected a {item.kind}")
                continue
            found[item.name] = _from_element(item, value)
        return found

    def seal(self) -> Seal | None:
        if not any(self.metadata.get(element) for element in ("ZZQZR", "ZZQZSJ", "ZZQZMC")):
            return None
        try:
            at = datetime.fromisoformat(self.text("ZZQZSJ"))
        except ValueError:
            at = datetime.min  # noqa: DTZ901  (a problem is noted, so it is never used)
        if at.tzinfo is None:
            self.refuse("ZZQZSJ", "应为带时差的时间", "expected a time with its offset")
        return Seal(self.text("ZZQZR"), at, self.text("ZZQZMC"))


def _is_list(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(part, str) for part in value)


def _is_money(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and value.keys() == {"amount", "unit", "currency"}
        and all(isinstance(part, str) for part in value.values())
    )


_FITS: dict[str, Callable[[Any], bool]] = {
    "text": lambda value: isinstance(value, str),
    "list": _is_list,
    "money": _is_money,
}
