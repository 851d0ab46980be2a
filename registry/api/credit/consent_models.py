"""The shapes of requests and answers about consents and what lenders get by them, for the OpenAPI description."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, Field, StringConstraints

from registry.api.models import NO_NUL, Answer, Source, Title, with_example

_AT = "2026-11-23T05:36:52Z"
_USCC = "91310000MA1FL00A0Q"
_BANK = "client-0123456789abcdef"
_ID = "6f1b9a52-3c0e-4a57-9f55-0a4ad4c0a9d1"
_WANTED: dict[str, Any] = {
    "subject": _USCC,
    "grantee": _BANK,
    "purpose": "credit_lending",
    "items": ["registration", "tax_credit_rating"],
    "valid_from": "2026-11-23T00:00:00+08:00",
    "valid_until": "2027-05-23T00:00:00+08:00",
    "evidence_digest": "0f" * 32,
}
_CONSENT: dict[str, Any] = _WANTED | {
    "id": _ID,
    "valid_from": "2026-11-22T16:00:00Z",
    "valid_until": "2027-05-22T16:00:00Z",
    "state": "holding",
    "given_by": "client-fedcba9876543210",
    "created_at": _AT,
    "revoked_at": None,
    "revoked_by": None,
}
_USE: dict[str, Any] = {
    "id": 31,
    "consent": _ID,
    "at": _AT,
    "client": _BANK,
    "items": ["registration", "tax_credit_rating"],
    "answer": "lending",
    "case_number": "L-2026-000123",
}
_SOURCE: dict[str, Any] = {
    "connector": "tax.credit-rating",
    "department": "tax",
    "read_at": "2026-11-23T05:30:00Z",
    "age_seconds": 412,
    "freshness_seconds": 86400,
    "late": False,
}
_BASIS: dict[str, Any] = {
    "purpose": "credit_lending",
    "case_number": "L-2026-000123",
    "consents": [{"id": _ID, "items": ["tax_credit_rating"], "valid_until": "2027-05-22T16:00:00Z"}],
    "not_consented": ["penalties"],
}

Name = Annotated[str, StringConstraints(pattern="^[a-z][a-z0-9_]{0,62}$")]
State = Literal["holding", "not_yet", "over", "revoked"]


class ConsentWanted(BaseModel):
    """A consent as it is to be entered."""

    model_config = with_example(**_WANTED)

    subject: str = Field(max_length=18, description="Unified social credit code of who consents 授权主体")
    grantee: str = Field(max_length=100, pattern=NO_NUL, description="The client that may read 被授权机构")
    purpose: Name = Field(description="What for, see docs/credit-lending.md 用途")
    items: list[Name] = Field(min_length=1, max_length=50, description="Data items, one by one 数据项")
    valid_from: AwareDatetime = Field(description="With offset 授权起")
    valid_until: AwareDatetime = Field(description="With offset; the first moment at which it holds no longer 授权止")
    evidence_digest: str = Field(
        pattern="^[0-9a-f]{64}$", description="SHA-256 of the signed form or sealed document, hexadecimal 授权书摘要"
    )


class Consent(Answer):
    """A consent as it stands. Every consent can be revoked."""

    model_config = with_example(**_CONSENT)

    id: str
    subject: str
    grantee: str
    purpose: str
    items: list[str]
    valid_from: datetime
    valid_until: datetime
    evidence_digest: str
    state: State
    given_by: str = Field(description="The client, or the operator, that entered it")
    created_at: datetime
    revoked_at: datetime | None
    revoked_by: str | None


class ConsentPage(Answer):
    """Consents in the order in which they were entered."""

    model_config = with_example(as_of=_AT, consents=[_CONSENT], next=None)

    as_of: datetime
    consents: list[Consent]
    next: str | None


class ConsentUse(Answer):
    """One use of a consent."""

    id: int
    consent: str
    at: datetime
    client: str
    items: list[str]
    answer: str | None = Field(description="In which answer: lending, credit_record, credit_report")
    case_number: str | None


class ConsentUsePage(Answer):
    """Uses in order: who read by which consent, when, what, for which case."""

    model_config = with_example(as_of=_AT, uses=[_USE], next=None)

    as_of: datetime
    uses: list[ConsentUse]
    next: str | None


class BasisConsent(Answer):
    """A consent and the items that the answer rests on it for."""

    id: str
    items: list[str]
    valid_until: datetime


class Basis(Answer):
    """On what the answer to a lender rests."""

    purpose: str
    case_number: str
    consents: list[BasisConsent]
    not_consented: list[str] = Field(description="Items that this answer leaves out 未包含的数据项")


class LendingOrigin(Answer):
    """The record that an entry comes from, and when its source last confirmed it."""

    dataset: str
    department: str
    connector: str
    batch: int
    version: int
    published_on: date
    confirmed_on: date
    age_days: int
    matched: bool


class LendingEntry(Answer):
    """One record of an item, with the fields that leave."""

    key: str
    body: dict[str, Any]
    marks: list[Literal["disputed"]]
    source: LendingOrigin


class LendingEvaluation(Answer):
    """The grade by one scorecard."""

    scorecard: str
    version: int
    day: date
    score: int
    grade: str
    changes_on: date | None
    computed_at: datetime


class LendingItem(Answer):
    """One data item; without entries: the hub holds none that may be shared."""

    title: Title
    entries: list[LendingEntry]
    sources: dict[str, list[Source]]
    missing: list[str] = Field(description="Datasets of the item that the registry does not hold: nothing can be said")
    evaluations: list[LendingEvaluation] | None = None


class Lending(Answer):
    """The items for lending that the enterprise has consented to, and no others."""

    model_config = with_example(
        uscc=_USCC,
        found_by="uscc",
        as_of=_AT,
        edition="1",
        **_BASIS,
        items={
            "tax_credit_rating": {
                "title": {"zh": "纳税信用等级", "en": "Tax credit rating"},
                "entries": [
                    {
                        "key": f"{_USCC}|2025",
                        "body": {"uscc": _USCC, "year": "2025", "grade": "A", "rated_on": "2026-04-20"},
                        "marks": [],
                        "source": {
                            "dataset": "tax_credit_rating",
                            "department": "tax",
                            "connector": "tax.credit-rating",
                            "batch": 7,
                            "version": 1024,
                            "published_on": "2026-11-18",
                            "confirmed_on": "2026-11-23",
                            "age_days": 0,
                            "matched": False,
                        },
                    }
                ],
                "sources": {"tax_credit_rating": [_SOURCE]},
                "missing": [],
            }
        },
    )

    uscc: str
    found_by: str
    as_of: datetime
    edition: str = Field(description="Of the rules that say which items there are")
    purpose: str
    case_number: str
    consents: list[BasisConsent]
    not_consented: list[str]
    items: dict[str, LendingItem]
