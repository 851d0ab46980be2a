"""Consents of enterprises on the registry: given, revoked, and every use put down with the permission itself."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg

from registry.domain.credit import consent as rules
from registry.domain.credit.cases import CreditRefused
from registry.domain.credit.consent import Allowed, Consent, Refused
from registry.domain.credit.visibility import Reason


class ConsentRefused(CreditRefused):
    """A request is not within a consent; ``reasons`` has every reason."""

    def __init__(self, reasons: tuple[Reason, ...]) -> None:
        self.reasons = reasons
        super().__init__(
            reasons[0].code,
            "；".join(reason.zh for reason in reasons),
            "; ".join(reason.en for reason in reasons),
        )


@dataclass(frozen=True, slots=True)
class ConsentUse:
    """One use of a consent."""

    at: datetime
    client: str
    items: tuple[str, ...]
    case_number: str | None
    """The client's own number of the business for which it read: a loan application."""


_CONSENT = """
SELECT id, entity, grantee, purpose, items, valid_from, valid_until, evidence_digest, revoked_at FROM registry.consent
"""


def give(
    connection: psycopg.Connection,
    entity: str,
    grantee: str,
    purpose: str,
    items: Collection[str],
    *,
    valid_from: datetime,
    valid_until: datetime,
    evidence_digest: bytes,
    given_by: str,
    now: datetime,
) -> Consent:
    """Enter a consent; the same one again: the one that is there. Raises CreditRefused.

    ``evidence_digest``: SHA-256 of the signed form or of the sealed document; one document is one consent for one
    grantee, so that a revoked consent does not come back with its old form. ``given_by``: who entered it.
    """
    wanted = sorted(set(items))
    rules.expect_sound(wanted, purpose, valid_from, valid_until, evidence_digest)
    with connection.transaction():
        if not connection.execute("SELECT FROM registry.client WHERE id = %s", (grantee,)).rowcount:
            raise CreditRefused("grantee_unknown", f"没有系统 {grantee}", f"there is no client {grantee}")
        connection.execute(
            """
            INSERT INTO registry.consent (id, entity, grantee, purpose, items, valid_from, valid_until,
                evidence_digest, given_by, created_at)
            VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (entity, grantee, evidence_digest) DO NOTHING
            """,
            (
                str(uuid.uuid4()),
                entity,
                grantee,
                purpose,
                wanted,
                valid_from,
                valid_until,
                evidence_digest,
                given_by,
                now,
            ),
        )
        row = connection.execute(
            f"{_CONSENT} WHERE entity = %s AND grantee = %s AND evidence_digest = %s".encode(),
            (entity, grantee, evidence_digest),
        ).fetchone()
    assert row is not None  # noqa: S101  (it was there, or has just been entered)
    found = _consent(row)
    if found.revoked_at is not None:
        raise CreditRefused(
            "consent_revoked",
            "该授权书对应的授权已撤销；须重新取得授权",
            "the consent of this document was revoked: a new one is needed",
        )
    said = (found.purpose, found.items, found.valid_from, found.valid_until)
    if said != (purpose, frozenset(wanted), valid_from, valid_until):
        raise CreditRefused(
            "evidence_used",
            f"该授权书已用于内容不同的授权 {found.id}",
            f"this document stands for another consent already, {found.id}",
        )
    return found


def revoke(connection: psycopg.Connection, consent_id: str, *, revoked_by: str, now: datetime) -> Consent:
    """End a consent from now on; revoked twice, the first time counts. Raises CreditRefused of one not known.

    It waits for uses that are just being permitted: after it returns there is none any more.
    """
    with connection.transaction():
        row = connection.execute(
            "UPDATE registry.consent SET revoked_by = coalesce(revoked_by, %s), revoked_at = coalesce(revoked_at, %s)"
            " WHERE id = %s RETURNING id, entity, grantee, purpose, items, valid_from, valid_until, evidence_digest,"
            " revoked_at",
            (revoked_by, now, consent_id),
        ).fetchone()
    if row is None:
        raise CreditRefused("consent_unknown", f"没有授权 {consent_id}", f"there is no consent {consent_id}")
    return _consent(row)


def use(
    connection: psycopg.Connection,
    consent_id: str,
    *,
    client: str,
    entity: str,
    purpose: str,
    items: Collection[str],
    at: datetime,
    case_number: str | None = None,
) -> Allowed:
    """Permit one read and put it down, in the caller's transaction or one of its own. Raises ConsentRefused.

    Read within the same transaction: what is not on record was not permitted.
    """
    with connection.transaction():
        row = connection.execute(f"{_CONSENT} WHERE id = %s FOR SHARE".encode(), (consent_id,)).fetchone()
        found = None if row is None else _consent(row)
        outcome = rules.check(found, client, purpose, items, at, entity)
        if isinstance(outcome, Refused):
            raise ConsentRefused(outcome.reasons)
        connection.execute(
            "INSERT INTO registry.consent_use (consent_id, at, client_id, items, case_number)"
            " VALUES (%s, %s, %s, %s, %s)",
            (consent_id, at, client, list(outcome.items), case_number),
        )
    return outcome


def one(connection: psycopg.Connection, consent_id: str) -> Consent | None:
    """A consent as it stands."""
    row = connection.execute(f"{_CONSENT} WHERE id = %s".encode(), (consent_id,)).fetchone()
    return None if row is None else _consent(row)


def of_entity(connection: psycopg.Connection, entity: str) -> list[Consent]:
    """The consents of an enterprise, the newest first, ended ones too."""
    rows = connection.execute(f"{_CONSENT} WHERE entity = %s ORDER BY created_at DESC, id".encode(), (entity,))
    return [_consent(row) for row in rows]


def uses(connection: psycopg.Connection, consent_id: str) -> list[ConsentUse]:
    """Every use of a consent, in order: what the enterprise may see at any time."""
    rows = connection.execute(
        "SELECT at, client_id, items, case_number FROM registry.consent_use WHERE consent_id = %s ORDER BY at",
        (consent_id,),
    )
    return [ConsentUse(at, client, tuple(items), case_number) for at, client, items, case_number in rows]


def _consent(row: tuple[Any, ...]) -> Consent:
    consent_id, entity, grantee, purpose, items, valid_from, valid_until, evidence_digest, revoked_at = row
    return Consent(
        consent_id, entity, grantee, purpose, frozenset(items), valid_from, valid_until, evidence_digest, revoked_at
    )
