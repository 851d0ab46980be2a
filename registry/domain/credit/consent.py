"""Consent of an enterprise 授权: who may read which items, for what, until when; made to stand in a grant check.

``check`` knows no database and no clock: it says whether one request is within one consent, and if not, why.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from registry.domain.credit.cases import CreditRefused
from registry.domain.credit.visibility import Reason

ALL_ITEMS = "*"
"""Never valid in a consent: what is consented to is named."""


@dataclass(frozen=True, slots=True)
class Consent:
    """One consent as it stands; times with zone."""

    id: str
    entity: str
    """Unified social credit code of the subject who consents."""
    grantee: str
    """The client that may read."""
    purpose: str
    items: frozenset[str]
    """Data items by name, such as ``penalties`` (``lending/<edition>.yaml``)."""
    valid_from: datetime
    valid_until: datetime
    """The first moment at which it no longer holds."""
    evidence_digest: bytes
    """SHA-256 of the signed form, or of the document with the electronic seal."""
    revoked_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Allowed:
    """The request is within the consent."""

    consent: Consent
    items: tuple[str, ...]
    """What was asked for, sorted."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The request is not within the consent; every reason is said."""

    reasons: tuple[Reason, ...]


def check(
    consent: Consent | None, client: str, purpose: str, items: Collection[str], at: datetime, entity: str | None = None
) -> Allowed | Refused:
    """Whether ``client`` may read ``items`` of the subject for ``purpose`` at a moment.

    ``entity``: whose data is asked for; None: the consent's own subject. To a client that is not the grantee nothing
    is told about the consent, not even that it exists.
    """
    if consent is None or consent.grantee != client or (entity is not None and consent.entity != entity):
        return Refused((NO_CONSENT,))
    reasons = []
    if consent.revoked_at is not None and at >= consent.revoked_at:
        reasons.append(_revoked(consent.revoked_at))
    if at < consent.valid_from:
        reasons.append(_not_yet(consent.valid_from))
    if at >= consent.valid_until:
        reasons.append(_over(consent.valid_until))
    if purpose != consent.purpose:
        reasons.append(_other_purpose(purpose, consent.purpose))
    wanted = sorted(set(items))
    beyond = [item for item in wanted if item not in consent.items]
    if beyond or not wanted:
        reasons.append(_beyond(beyond, consent.items))
    return Refused(tuple(reasons)) if reasons else Allowed(consent, tuple(wanted))


def expect_sound(
    items: Sequence[str], purpose: str, valid_from: datetime, valid_until: datetime, evidence_digest: bytes
) -> None:
    """What a consent must say before it is entered. Raises CreditRefused."""
    if not items or ALL_ITEMS in items or any(not item.strip() for item in items):
        raise CreditRefused(
            "consent_items",
            "授权须逐项列明数据项，不能为空，也不能为“*”",
            "a consent names its data items one by one; neither none nor *",
        )
    if not purpose.strip():
        raise CreditRefused("consent_purpose", "授权须写明用途", "a consent says what for")
    if valid_until <= valid_from:
        raise CreditRefused(
            "consent_term",
            f"授权期限：收到 {valid_from} 至 {valid_until}，截止须晚于开始",
            f"term of the consent: got {valid_from} to {valid_until}; expected an end after the beginning",
        )
    if len(evidence_digest) != _DIGEST:
        raise CreditRefused(
            "consent_evidence",
            f"授权书摘要应为 SHA-256（{_DIGEST} 字节），收到 {len(evidence_digest)} 字节",
            f"the digest of the evidence is SHA-256, {_DIGEST} bytes; got {len(evidence_digest)}",
        )


_DIGEST = 32
NO_CONSENT = Reason("no_consent", "没有该主体对本机构的授权", "there is no consent of this subject for this client")


def _revoked(at: datetime) -> Reason:
    return Reason("consent_revoked", f"授权已于 {at.isoformat()} 撤销", f"the consent was revoked at {at.isoformat()}")


def _not_yet(since: datetime) -> Reason:
    return Reason(
        "consent_not_yet", f"授权自 {since.isoformat()} 起有效", f"the consent holds from {since.isoformat()} on"
    )


def _over(until: datetime) -> Reason:
    return Reason("consent_over", f"授权已于 {until.isoformat()} 到期", f"the consent ended at {until.isoformat()}")


def _other_purpose(asked: str, given: str) -> Reason:
    return Reason(
        "other_purpose",
        f"授权用途为“{given}”，本次请求用途为“{asked}”",
        f"the consent is for {given!r}; the request is for {asked!r}",
    )


def _beyond(items: Sequence[str], given: Collection[str]) -> Reason:
    allowed = ", ".join(sorted(given))
    if not items:
        return Reason("no_items", f"未列明数据项；已授权：{allowed}", f"no items asked for; consented to: {allowed}")
    asked = ", ".join(items)
    return Reason(
        "items_beyond_consent",
        f"未获授权的数据项：{asked}；已授权：{allowed}",
        f"not consented to: {asked}; consented to: {allowed}",
    )
