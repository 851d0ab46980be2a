"""A record of a credit report in words: every field with its name and its meaning, in Chinese and English.

Names are those of the dataset's schema, meanings those of the code lists; a field that the schema does not name has
none and is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from registry.domain.credit.publicity import Title
from schemas import code_lists
from schemas.catalogue import default_catalogue
from schemas.formats import CODE_LIST_FORMATS

WORDS: Mapping[str, Mapping[str, Title]] = {
    "holder_kind": {
        "legal_person": Title("法人及非法人组织", "Organisation"),
        "individual_business": Title("个体工商户", "Individual business"),
        "natural_person": Title("自然人", "Natural person"),
    },
    "licence_category": {
        "ordinary": Title("普通", "Ordinary"),
        "concession": Title("特许", "Concession"),
        "qualification": Title("认可", "Qualification"),
        "verification": Title("核准", "Verification"),
        "registration": Title("登记", "Registration"),
        "other": Title("其他", "Other"),
    },
    "operation_kind": {
        "food_sales": Title("食品销售经营者", "Food sales"),
        "catering": Title("餐饮服务经营者", "Catering"),
        "canteen": Title("单位食堂", "Canteen"),
        "other": Title("其他", "Other"),
    },
    "status": {
        "active": Title("存续", "Active"),
        "revoked": Title("吊销", "Revoked"),
        "deregistered": Title("注销", "Deregistered"),
        "suspended": Title("歇业", "Suspended"),
        "moved_out": Title("迁出", "Moved out"),
        "valid": Title("有效", "Valid"),
        "invalid": Title("无效", "Invalid"),
        "withdrawn": Title("撤销", "Withdrawn"),
        "objection": Title("异议", "Objection"),
        "other": Title("其他", "Other"),
    },
}
"""What the values of fields that have a list of their own mean; a value that is not here stands as it is."""

_NOT_REPEATED = frozenset({"id", "uscc", "holder_name", "holder_kind", "name", "division", "use_scope", "source_time"})
"""Said once at the head of a report, or of no use to who reads it."""
_WITHOUT_END = {"2099-12-31": Title("长期", "Without end")}
_UNITS = {"万元": " × 10,000", "元": ""}


@dataclass(frozen=True, slots=True)
class Line:
    """One field of a record."""

    name: str
    label: Title
    value: Title
    """The same in both languages where it is a name, a number or the decision's own text."""


def lines(body: Mapping[str, Any], schema: str) -> list[Line]:
    """What a record says, in the order of its schema. Raises UnknownSchema.

    ``body`` is what the reader may see of it; nothing is left out here but what the head of a report says already.
    """
    return [
        Line(name, label, _value(name, body[name], code_list))
        for name, label, code_list in _fields(schema)
        if name in body and name not in _NOT_REPEATED and body[name] not in (None, "", [])
    ]


def meaning(field: str, value: str) -> Title:
    """What a value of a field with a list of its own means."""
    return WORDS.get(field, {}).get(value) or Title(value, value)


@lru_cache(maxsize=64)
def _fields(schema: str) -> tuple[tuple[str, Title, str | None], ...]:
    found = []
    for name, each in default_catalogue().schema(schema).get("properties", {}).items():
        zh = str(each.get("title", name))
        code_list = CODE_LIST_FORMATS.get(each.get("format") or (each.get("items") or {}).get("format") or "")
        found.append((name, Title(zh, _label(str(each.get("x-title-en", zh)))), code_list))
    return tuple(found)


def _label(title: str) -> str:
    """An English title without what explains it to programmers: in brackets, or a list of codes after a colon."""
    short = title.partition(" (")[0]
    name, _, rest = short.partition(": ")
    return name if ", " in rest else short


def _value(name: str, value: Any, code_list: str | None) -> Title:
    if isinstance(value, list | tuple):
        every = [_value(name, one, code_list) for one in value]
        return Title("；".join(each.zh for each in every), "; ".join(each.en for each in every))
    if isinstance(value, Mapping):
        return _money(value)
    text = str(value)
    if name in {"valid_to", "business_to"} and text in _WITHOUT_END:
        return _WITHOUT_END[text]
    if code_list is not None:
        found = code_lists.load(code_list).title(text)
        return Title(*found) if found else Title(text, text)
    return meaning(name, text)


def _money(value: Mapping[str, Any]) -> Title:
    """An amount of the common type money; an object of another shape as its parts."""
    if not {"amount", "unit", "currency"} <= set(value):
        text = "；".join(f"{each}" for each in value.values())
        return Title(text, text)
    currency = str(value["currency"])
    zh, en = code_lists.load("currencies").title(currency) or (currency, currency)
    amount, unit = str(value["amount"]), str(value["unit"])
    return Title(f"{amount}{unit}{zh}", f"{amount}{_UNITS.get(unit, f' {unit}')} {en}")
