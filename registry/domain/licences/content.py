"""From a record to what its licence says: the rules of a type, compiled once, applied to each record.

Equal contents make the same licence: :func:`as_json` is the plain form that is stored, hashed and signed.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from datetime import date
from functools import lru_cache
from typing import Any
from uuid import UUID

import orjson

from registry.domain.licences.licence import Content, ContentRefusal, ContentRefused, Holder
from registry.domain.licences.states import OTHER
from registry.domain.licences.types import LicenceType
from schemas import catalogue
from schemas.errors import SchemaError
from schemas.formats import is_date
from schemas.identifiers import HOLDER_CODE_TYPES
from schemas.masking import mask, shorten

USCC_TYPE = "001"

Record = Mapping[str, Any]


def content_of(licence_type: LicenceType, record: Record) -> Content:
    """What a record makes a licence of this type say.

    Whether the record is of the type at all, :func:`applies` tells. Raises ContentRefused with every reason.
    """
    return _compiled(licence_type).content(record)


def applies(licence_type: LicenceType, record: Record) -> bool:
    """Whether the record is of this type: all its conditions hold."""
    for condition in licence_type.conditions:
        value = record.get(condition.field)
        if (isinstance(value, str) and value in condition.values) is condition.negated:
            return False
    return True


def target_state(licence_type: LicenceType, record: Record | None) -> tuple[str, str | None]:
    """The state that a record asks for, with the explanation that ``99`` needs; None: the record was deleted.

    Raises ContentRefused where the record's state means nothing to the type, or ``99`` is not explained.
    """
    rule = licence_type.states
    text = None
    if record is None:
        return rule.deleted, ("记录已删除" if rule.deleted == OTHER else None)
    value = record.get(rule.field)
    state = rule.codes.get(value) if isinstance(value, str) else None
    if state is None:
        raise ContentRefused([_state_unknown(licence_type, value)])
    if state == OTHER:
        text = record.get(rule.text or "")
        if not isinstance(text, str) or not text.strip():
            raise ContentRefused([_state_unexplained(licence_type)])
    return state, text


def as_json(content: Content) -> dict[str, Any]:
    """The content as plain data, the same for equal contents; what has no value is absent."""
    issuer = {"name": content.issuer_name}
    if content.issuer_code is not None:
        issuer["code"] = content.issuer_code
    plain: dict[str, Any] = {
        "number": content.number,
        "holders": [
            {"name": holder.name, "code": holder.code, "code_type": holder.code_type} for holder in content.holders
        ],
        "issuer": issuer,
        "issued_on": content.issued_on.isoformat(),
        "valid_from": content.valid_from.isoformat(),
    }
    if content.valid_to is not None:
        plain["valid_to"] = content.valid_to.isoformat()
    plain["items"] = dict(content.items)
    return plain


def from_json(licence_type: LicenceType, plain: Mapping[str, Any]) -> Content:
    """The content that :func:`as_json` made plain."""
    issuer = plain["issuer"]
    valid_to = plain.get("valid_to")
    return Content(
        type=licence_type,
        number=plain["number"],
        holders=tuple(Holder(found["name"], found["code"], found["code_type"]) for found in plain["holders"]),
        issuer_name=issuer["name"],
        issuer_code=issuer.get("code"),
        issued_on=_date(plain["issued_on"]),
        valid_from=_date(plain["valid_from"]),
        valid_to=None if valid_to is None else _date(valid_to),
        items=dict(plain["items"]),
    )


def content_hash(licence_type: LicenceType, plain: Mapping[str, Any]) -> UUID:
    """A digest of type, version and content: the first 128 bits of SHA-256 over their sorted JSON."""
    text = orjson.dumps([licence_type.reference, plain], option=orjson.OPT_SORT_KEYS)
    return UUID(bytes=hashlib.sha256(text).digest()[:16])


class _Rules:
    """The rules of one type, laid out so that a record costs microseconds."""

    def __init__(self, licence_type: LicenceType) -> None:
        self.type = licence_type
        self.number_fits = re.compile(licence_type.number.pattern).fullmatch
        self.code_types = frozenset(licence_type.holder.code_types)
        self.unlimited = licence_type.term.unlimited
        self.items = tuple((item.name, item.field, _READERS[item.kind], item) for item in licence_type.items)

    def content(self, record: Record) -> Content:
        refusals: list[ContentRefusal] = []
        number = self._number(record, refusals)
        holder = self._holder(record, refusals)
        issuer_name = self._text(record, self.type.issuer.name, "issuer_missing", refusals)
        issued_on, valid_from, valid_to = self._term(record, refusals)
        items = self._items(record, refusals)
        if refusals:
            raise ContentRefused(refusals)
        issuer_code = record.get(self.type.issuer.code) if self.type.issuer.code else None
        return Content(
            type=self.type,
            number=number,
            holders=(holder,),
            issuer_name=issuer_name,
            issuer_code=issuer_code if isinstance(issuer_code, str) and issuer_code else None,
            issued_on=issued_on,
            valid_from=valid_from,
            valid_to=valid_to,
            items=items,
        )

    def _number(self, record: Record, refusals: list[ContentRefusal]) -> str:
        rule = self.type.number
        field, value = _first(record, rule.fields)
        if value is None:
            refusals.append(_missing(self.type, "number_missing", rule.fields[0]))
        elif not isinstance(value, str) or not self.number_fits(value):
            expected = (f"应符合 {rule.pattern}", f"expected the pattern {rule.pattern}")
            refusals.append(_wrong(self.type, "number_not_fitting", field, value, expected))
        else:
            return value
        return ""

    def _holder(self, record: Record, refusals: list[ContentRefusal]) -> Holder:
        rule = self.type.holder
        name = self._text(record, rule.name, "holder_name_missing", refusals)
        code_type: Any = USCC_TYPE
        field, code = rule.uscc, record.get(rule.uscc)
        if code is None and rule.code is not None and rule.code_type is not None:
            field, code, code_type = rule.code, record.get(rule.code), record.get(rule.code_type, "")
        if code is None:
            refusals.append(_missing(self.type, "holder_code_missing", rule.uscc))
        elif not isinstance(code, str) or not code:
            refusals.append(_wrong(self.type, "holder_code_wrong", field, code, _TEXT))
        elif not isinstance(code_type, str) or code_type not in self.code_types:
            refusals.append(self._code_type_refusal(code_type))
        else:
            return Holder(name, code, code_type)
        return Holder(name, "", USCC_TYPE)

    def _code_type_refusal(self, code_type: Any) -> ContentRefusal:
        rule = self.type.holder
        allowed = ", ".join(f"{code} {HOLDER_CODE_TYPES[code][0]}" for code in rule.code_types)
        allowed_en = ", ".join(f"{code} ({HOLDER_CODE_TYPES[code][1]})" for code in rule.code_types)
        expected = (f"此类证照的持证主体代码类型应为 {allowed}", f"holders of this licence have {allowed_en}")
        return _wrong(self.type, "holder_code_type_not_allowed", rule.code_type or rule.uscc, code_type, expected)

    def _text(self, record: Record, field: str, code: str, refusals: list[ContentRefusal]) -> str:
        value = record.get(field)
        if isinstance(value, str) and value:
            return value
        if value is None or value == "":
            refusals.append(_missing(self.type, code, field))
        else:
            refusals.append(_wrong(self.type, code, field, value, _TEXT))
        return ""

    def _term(self, record: Record, refusals: list[ContentRefusal]) -> tuple[date, date, date | None]:
        rule = self.type.term
        issued_on = self._day(record, rule.issued_on, refusals)
        if issued_on is None:
            if not any(refusal.code == "date_wrong" for refusal in refusals):
                refusals.append(_missing(self.type, "issued_on_missing", rule.issued_on[0]))
            issued_on = date.min
        valid_from = self._day(record, rule.valid_from, refusals) or issued_on
        valid_to = None
        if rule.valid_to is not None and record.get(rule.valid_to) not in self.unlimited:
            valid_to = self._day(record, (rule.valid_to,), refusals)
        if valid_to is not None and valid_to < valid_from:
            refusals.append(_reversed(self.type, str(rule.valid_to), valid_from, valid_to))
        return issued_on, valid_from, valid_to

    def _day(self, record: Record, fields: tuple[str, ...], refusals: list[ContentRefusal]) -> date | None:
        field, value = _first(record, fields)
        if value is None:
            return None
        if isinstance(value, str) and is_date(value):
            return _date(value)
        refusals.append(_wrong(self.type, "date_wrong", field, value, _DATE))
        return None

    def _items(self, record: Record, refusals: list[ContentRefusal]) -> dict[str, Any]:
        items: dict[str, Any] = {}
        for name, field, read, item in self.items:
            value = record.get(field)
            if value is None or value in ("", []):
                if item.required:
                    refusals.append(_missing(self.type, "item_missing", field))
                continue
            found = read(value)
            if found is None:
                refusals.append(_wrong(self.type, "item_wrong", field, value, _ITEM_EXPECTED[item.kind]))
            else:
                items[name] = found
        return items


def _first(record: Record, fields: tuple[str, ...]) -> tuple[str, Any]:
    for field in fields:
        value = record.get(field)
        if value is not None and value != "":
            return field, value
    return "", None


def _read_text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _read_date(value: Any) -> str | None:
    return value if isinstance(value, str) and is_date(value) else None


def _read_list(value: Any) -> list[str] | None:
    if isinstance(value, list | tuple) and all(isinstance(part, str) for part in value):
        return list(value)
    return None


def _read_money(value: Any) -> dict[str, str] | None:
    if not isinstance(value, Mapping):
        return None
    amount, unit, currency = value.get("amount"), value.get("unit"), value.get("currency")
    if isinstance(amount, str) and isinstance(unit, str) and isinstance(currency, str):
        return {"amount": amount, "unit": unit, "currency": currency}
    return None


_READERS: dict[str, Callable[[Any], Any]] = {
    "text": _read_text,
    "date": _read_date,
    "list": _read_list,
    "money": _read_money,
}
_TEXT = ("应为文本", "expected a text")
_DATE = ("应为存在的日期，写作 YYYY-MM-DD", "expected a day that exists, written YYYY-MM-DD")
_ITEM_EXPECTED = {
    "text": _TEXT,
    "date": _DATE,
    "list": ("应为文本列表", "expected a list of texts"),
    "money": (
        "应为金额（amount、unit、currency 均为文本）",
        "expected an amount of money (amount, unit, currency, each a text)",
    ),
}


@lru_cache(maxsize=1 << 16)
def _date(text: str) -> date:
    """Remembered: a city's records share their days."""
    return date.fromisoformat(text)


_COMPILED: dict[int, _Rules] = {}
_MOST_COMPILED = 1000


def _compiled(licence_type: LicenceType) -> _Rules:
    """By identity: each entry keeps its type alive, so no other type can come to have its id."""
    found = _COMPILED.get(id(licence_type))
    if found is None:
        if len(_COMPILED) >= _MOST_COMPILED:
            _COMPILED.clear()
        found = _COMPILED[id(licence_type)] = _Rules(licence_type)
    return found


def _titles(licence_type: LicenceType, field: str) -> tuple[str, str]:
    """What the dataset's schema calls a field; the field's own name where it says nothing."""
    found = _properties(licence_type.schema).get(field, {})
    zh = str(found.get("title", field))
    return zh, str(found.get("x-title-en", zh))


@lru_cache(maxsize=256)
def _properties(reference: str) -> Mapping[str, Any]:
    """A schema that is no longer there has nothing to say of its fields."""
    try:
        found: dict[str, Any] = catalogue.schema(reference).get("properties", {})
    except SchemaError:
        return {}
    return found


def _missing(licence_type: LicenceType, code: str, field: str) -> ContentRefusal:
    zh, en = _titles(licence_type, field)
    return ContentRefusal(
        code,
        field,
        f"{zh}：缺少，{licence_type.title.zh}须有此项",
        f"{en}: is missing; a licence of this type ({licence_type.title.en}) needs it",
    )


def _wrong(licence_type: LicenceType, code: str, field: str, value: Any, expected: tuple[str, str]) -> ContentRefusal:
    zh, en = _titles(licence_type, field)
    got = mask(value) if _is_personal(licence_type, field) else shorten(value)
    return ContentRefusal(code, field, f"{zh}：收到 {got}，{expected[0]}", f"{en}: got {got}, {expected[1]}")


def _is_personal(licence_type: LicenceType, field: str) -> bool:
    """Whether a value must not be shown whole; of a field that is not known it must not."""
    return field not in _properties(licence_type.schema) or field in _personal_fields(licence_type.schema)


@lru_cache(maxsize=256)
def _personal_fields(reference: str) -> frozenset[str]:
    return frozenset(pointer.split("/")[1] for pointer in catalogue.personal_fields(reference))


def _reversed(licence_type: LicenceType, field: str, valid_from: date, valid_to: date) -> ContentRefusal:
    zh, en = _titles(licence_type, field)
    return ContentRefusal(
        "term_reversed",
        field,
        f"{zh}：收到 {valid_to}，不应早于起始日期 {valid_from}",
        f"{en}: got {valid_to}, expected no day before the first one, {valid_from}",
    )


def _state_unknown(licence_type: LicenceType, value: Any) -> ContentRefusal:
    rule = licence_type.states
    if value is None:
        return _missing(licence_type, "state_missing", rule.field)
    listed = ", ".join(rule.codes)
    return _wrong(licence_type, "state_unknown", rule.field, value, (f"应为 {listed}", f"expected one of {listed}"))


def _state_unexplained(licence_type: LicenceType) -> ContentRefusal:
    field = licence_type.states.text or licence_type.states.field
    zh, en = _titles(licence_type, field)
    return ContentRefusal(
        "state_text_missing",
        field,
        f"{zh}：状态为 99（其他）时须说明是什么状态",
        f"{en}: is missing; state 99 (other) must be explained",
    )
