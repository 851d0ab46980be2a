"""What a licence says: the content that is signed, and what surrounds it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from registry.domain.licences.types import LicenceType


@dataclass(frozen=True, slots=True)
class Holder:
    """持证主体. ``code_type`` as in GB/T 36903 annex A."""

    name: str
    code: str
    code_type: str

    @property
    def is_natural_person(self) -> bool:
        """Codes of natural persons begin with a digit other than 0."""
        return not self.code_type.startswith("0")


@dataclass(frozen=True, slots=True)
class Content:
    """What one record makes a licence say. Two records with equal contents make the same licence."""

    type: LicenceType
    number: str
    holders: tuple[Holder, ...]
    issuer_name: str
    issuer_code: str | None
    """As the record gives it; the registry knows the code of an issuer that is only named."""
    issued_on: date
    valid_from: date
    valid_to: date | None
    """The last day; None: without end."""
    items: Mapping[str, Any]
    """By the names of the type's items; an item without value is absent."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Which record a licence was made from: its evidence."""

    dataset: str
    schema: str
    key: str
    record_version: int
    batch_id: int
    connector: str
    department: str


@dataclass(frozen=True, slots=True)
class StatusEntry:
    """Where a credential's state is found: a position in the lists of one group of one issuer."""

    group: int
    index: int


@dataclass(frozen=True, slots=True)
class Issuer:
    """An issuing authority 证照颁发机构 that has a seal at this hub."""

    code: str
    """Unified social credit code, or six digits of a division."""
    name: str
    name_en: str
    did: str


@dataclass(frozen=True, slots=True)
class Licence:
    """One version of one licence as the registry holds it; the signed forms are kept apart."""

    id: int
    identifier: str
    version: int
    type: str
    type_version: int
    issuer: Issuer
    content: Content
    origin: Origin | None
    status: StatusEntry
    state: str
    state_text: str | None
    supersedes: str | None
    superseded_by: str | None


@dataclass(frozen=True, slots=True)
class ContentRefusal:
    """Why a record does not make a licence: a stable code, the field, and a sentence for its department."""

    code: str
    field: str
    zh: str
    en: str

    def as_dict(self) -> dict[str, str]:
        """As stored and shown."""
        return {"code": self.code, "field": self.field, "zh": self.zh, "en": self.en}


class ContentRefused(ValueError):  # noqa: N818
    """A record cannot become a licence; ``refusals`` has every reason."""

    def __init__(self, refusals: Sequence[ContentRefusal]) -> None:
        super().__init__("; ".join(refusal.en for refusal in refusals))
        self.refusals = tuple(refusals)
