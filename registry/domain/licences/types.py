"""Licence types as data: what a type's file says, once it has been read and checked.

A type is a file ``<type>/<version>.yaml`` (see :mod:`registry.domain.licences.loading`); adding one needs no code. The
words follow the ministries' engineering standards of e-licences: number, holder, information items, states, template.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

TrustGrade = Literal["A", "B", "C", "D"]
ItemKind = Literal["text", "date", "list", "money"]


@dataclass(frozen=True, slots=True)
class Title:
    """A name in both languages."""

    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class DefiningAuthority:
    """The body that defines the type 证照定义机构; its unified social credit code begins the type code."""

    name: str
    code: str


@dataclass(frozen=True, slots=True)
class Condition:
    """Which of the dataset's records are of this type: a field that has, or has not, one of some values."""

    field: str
    values: tuple[str, ...]
    negated: bool = False


@dataclass(frozen=True, slots=True)
class NumberRule:
    """The printed number 证照编号: the first of these fields with a value, and the pattern that it must fit whole."""

    fields: tuple[str, ...]
    pattern: str


@dataclass(frozen=True, slots=True)
class HolderRule:
    """Where the record names the holder 持证主体, and which kinds of codes (GB/T 36903 annex A) are allowed."""

    name: str
    uscc: str
    code: str | None
    code_type: str | None
    code_types: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class IssuerRule:
    """Where the record names the issuing authority 证照颁发机构, by name or by code."""

    name: str
    code: str | None
    only: tuple[str, ...] = ()
    """The authorities that may issue licences of this type, by code; empty: any that is entered at the hub."""


@dataclass(frozen=True, slots=True)
class TermRule:
    """Where the record says from when to when the licence holds: of several fields the first that has a value.

    Without ``valid_from`` the licence holds from the day of issue. A date of ``unlimited`` (2099-12-31 in many systems)
    means without end, as does an absent one.
    """

    issued_on: tuple[str, ...]
    valid_from: tuple[str, ...]
    valid_to: str | None
    unlimited: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StateRule:
    """How the record's state becomes one of the state codes 01-07, 99, and what a deleted record means."""

    field: str
    codes: Mapping[str, str]
    text: str | None
    """The field with the explanation that state 99 needs."""
    deleted: str


@dataclass(frozen=True, slots=True)
class Item:
    """One information item 证照信息项 beyond holder, issuer and term."""

    name: str
    title: Title
    short_name: str
    """The element's short name (pinyin initials), as in the exchange of metadata."""
    field: str
    kind: ItemKind
    required: bool
    personal: bool
    """Whether it says something of a natural person: such items can be left undisclosed (SD-JWT)."""
    codes: Mapping[str, Title]
    """What the record's values mean to people; empty if they are shown as they are."""


@dataclass(frozen=True, slots=True)
class LicenceType:
    """One version of one type of e-licence."""

    name: str
    version: int
    code: str
    """证照类型代码: 21 characters, the defining authority's code and three digits."""
    code_is_provisional: bool
    """Whether the ministry's own code is not known, so that this one must be corrected before production."""
    title: Title
    defining_authority: DefiningAuthority
    legal_basis: str
    trust_grade: TrustGrade
    dataset: str
    schema: str
    """The dataset's schema that the rules below were written for, such as ``food_business_licence@1``."""
    conditions: tuple[Condition, ...]
    """All must hold."""
    otherwise: bool
    """Whether it takes the records that no other type of the dataset takes; the conditions then say which they are."""
    number: NumberRule
    holder: HolderRule
    issuer: IssuerRule
    term: TermRule
    states: StateRule
    items: tuple[Item, ...]
    template: Path
    """The typst template of the document for people."""
    path: Path
    digest: str
    """SHA-256 (hexadecimal) of the file, and of the conditions if it is for all records ``otherwise``: what changes it
    makes another edition."""

    @property
    def reference(self) -> str:
        """``food_business_licence@1``."""
        return f"{self.name}@{self.version}"

    @property
    def has_personal_items(self) -> bool:
        """Whether a licence of this type can say something of a natural person."""
        return any(item.personal for item in self.items) or any(
            not code.startswith("0") for code in self.holder.code_types
        )
