"""What a verification answers: one outcome, and every check that led to it, passed or failed and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from registry.credentials.moments import text_of
from registry.credentials.refusal import Refused


class Outcome(StrEnum):
    """The answer in one word. Only ``valid`` means that the licence may be relied on now."""

    VALID = "valid"
    EXPIRED = "expired"
    NOT_YET_VALID = "not_yet_valid"
    SUSPENDED = "suspended"
    REVOKED = "revoked"
    WITHDRAWN = "withdrawn"
    CANCELLED = "cancelled"
    MOVED_OUT = "moved_out"
    OTHER = "other"
    SUPERSEDED = "superseded"
    STATUS_UNKNOWN = "status_unknown"
    NOT_GENUINE = "not_genuine"


class Form(StrEnum):
    """In which form a document came."""

    CREDENTIAL = "vc"
    TOKEN = "jwt"  # noqa: S105 - the form's name
    SELECTIVE = "sd_jwt"
    PRESENTATION = "vp"
    PDF = "pdf"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Check:
    """One question and its answer. ``passed`` is None when it could not be asked, which ``zh`` and ``en`` explain."""

    name: str
    passed: bool | None
    code: str
    """``ok``, or the reason, stable for programs."""
    zh: str
    en: str

    def as_dict(self) -> dict[str, Any]:
        """As answered by the API and the command line."""
        return {"name": self.name, "passed": self.passed, "code": self.code, "zh": self.zh, "en": self.en}


class CheckFailed(Refused):
    """A check did not pass."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """All that a verification found out."""

    outcome: Outcome
    form: Form
    checks: tuple[Check, ...]
    at: datetime
    """The moment for which the answer holds."""
    document: Mapping[str, Any] | None = None
    """The credential as read; believe it only when the outcome is not ``not_genuine``."""
    issuer: str | None = None
    issuer_name: str | None = None
    issuer_code: str | None = None
    identifier: str | None = None
    number: str | None = None
    title: str | None = None
    holder_name: str | None = None
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    signed_at: datetime | None = None
    status_as_of: datetime | None = None
    """When the oldest of the status lists that were used was fetched."""
    trust_as_of: datetime | None = None
    """When the trust list was made."""
    superseded_by: str | None = None
    undisclosed: int = 0
    """How many parts of an SD-JWT were kept back."""
    credentials: tuple[Verdict, ...] = field(default=())
    """Of a presentation: one for each credential in it."""

    @property
    def is_valid(self) -> bool:
        """Whether the licence may be relied on at that moment."""
        return self.outcome is Outcome.VALID

    @property
    def is_genuine(self) -> bool:
        """Whether its issuer signed just this, in whatever state it is now."""
        return self.outcome is not Outcome.NOT_GENUINE

    @property
    def failed(self) -> tuple[Check, ...]:
        """The checks that did not pass."""
        return tuple(check for check in self.checks if check.passed is False)

    @property
    def reason(self) -> Check | None:
        """The first check that did not pass."""
        return next((check for check in self.checks if check.passed is False), None)

    @property
    def status_age(self) -> timedelta | None:
        """How old the status information is."""
        return None if self.status_as_of is None else self.at - self.status_as_of

    @property
    def trust_age(self) -> timedelta | None:
        """How old the trust list is."""
        return None if self.trust_as_of is None else self.at - self.trust_as_of

    def as_dict(self) -> dict[str, Any]:
        """As answered by the API and the command line; ages in whole seconds."""
        said = {
            "outcome": self.outcome.value,
            "form": self.form.value,
            "at": text_of(self.at),
            "identifier": self.identifier,
            "title": self.title,
            "number": self.number,
            "holderName": self.holder_name,
            "issuer": self.issuer,
            "issuerName": self.issuer_name,
            "issuerCode": self.issuer_code,
            "validFrom": _text(self.valid_from),
            "validUntil": _text(self.valid_until),
            "signedAt": _text(self.signed_at),
            "statusAsOf": _text(self.status_as_of),
            "statusAge": _seconds(self.status_age),
            "trustListAsOf": _text(self.trust_as_of),
            "trustListAge": _seconds(self.trust_age),
            "supersededBy": self.superseded_by,
            "undisclosed": self.undisclosed,
            "checks": [check.as_dict() for check in self.checks],
        }
        if self.credentials:
            said["credentials"] = [one.as_dict() for one in self.credentials]
        return said


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else text_of(moment)


def _seconds(age: timedelta | None) -> int | None:
    return None if age is None else int(age.total_seconds())
