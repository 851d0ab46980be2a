"""Consents of enterprises on the registry: given, revoked, and every use put down with the permission itself."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, LiteralString

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

    id: int
    consent_id: str
    at: datetime
    client: str
    items: tuple[str, ...]
    answer: str | None
    """In which answer: ``lending``, ``credit_record``, ``credit_report``."""
    case_number: str | None
    """The client's own number of the business for which it read: a loan application."""


@dataclass(frozen=True, slots=True)
class EnteredConsent:
    """A consent with what is on record about it."""

    consent: Consent
    number: int
    """In the order in which they were entered."""
    given_by: str
    created_at: datetime
    revoked_by: str | None


_CONSENT = """
SELECT id, entity, grantee, purpose, items, valid_from, valid_until, evidence_digest, revoked_at FROM registry.consent
"""
_ENTERED: LiteralString = """
SELECT number, given_by, created_at, revoked_by, id, entity, grantee, purpose, items, valid_from, valid_until,
       evidence_digest, revoked_at FROM registry.consent
"""
_USES: LiteralString = """
SELECT u.id, u.consent_id, u.at, u.client_id, u.items, u.answer, u.case_number FROM registry.consent_use u
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
    answer: str | None = None,
    case_number: str | None = None,
) -> Allowed:
    """Permit one read and put it down, in the caller's transaction or one of its own. Raises ConsentRefused.

    Read within the same transaction: what is not on record was not permitted.
    """
    with connection.transaction():
        row = connection.execute(f"{_CONSENT} WHERE id = %s FOR SHARE".encode(), (consent_id,)).fetchone()
        found = None if row is None else _consent(row)
        if found is not None and found.revoked_at is not None:  # while this request was under way, or before
            at = max(at, found.revoked_at)
        outcome = rules.check(found, client, purpose, items, at, entity)
        if isinstance(outcome, Refused):
            raise ConsentRefused(outcome.reasons)
        connection.execute(
            "INSERT INTO registry.consent_use (consent_id, at, client_id, items, answer, case_number)"
            " VALUES (%s, %s, %s, %s, %s, %s)",
            (consent_id, at, client, list(outcome.items), answer, case_number),
        )
    return outcome


def permit(
    connection: psycopg.Connection,
    *,
    client: str,
    entity: str,
    purpose: str,
    items: Collection[str] | None,
    at: datetime,
    answer: str,
    case_number: str,
) -> tuple[Allowed, ...]:
    """Permit one read by whatever consents the enterprise gave this client, and put every use down.

    ``items`` None: all that are consented to for this purpose now. Each item rests on the newest consent that holds for
    it. To be called in the transaction that reads. Raises ConsentRefused, and then nothing is put down.
    """
    with connection.transaction():
        given = [
            _consent(row)
            for row in connection.execute(
                f"{_CONSENT} WHERE entity = %s AND grantee = %s ORDER BY number DESC".encode(), (entity, client)
            )
        ]
        holding = [one for one in given if isinstance(rules.check(one, client, purpose, one.items, at), Allowed)]
        basis: dict[str, Consent] = {}
        for one in holding:
            for item in one.items:
                basis.setdefault(item, one)
        wanted = sorted(set(basis) if items is None else set(items))
        if not wanted or any(item not in basis for item in wanted):
            raise ConsentRefused(_why(holding or given, client, purpose, wanted, at, set(basis)))
        parts = {one.id: [item for item in wanted if basis[item] is one] for one in holding}
        return tuple(
            use(
                connection, consent_id, client=client, entity=entity, purpose=purpose, items=part, at=at,
                answer=answer, case_number=case_number,
            )
            for consent_id, part in parts.items() if part
        )  # fmt: skip


def _why(
    candidates: Sequence[Consent], client: str, purpose: str, wanted: Sequence[str], at: datetime, basis: set[str]
) -> tuple[Reason, ...]:
    """Why a read is not permitted: what is beyond all that hold, else what is wrong with the newest for the purpose."""
    newest = min(candidates, key=lambda one: one.purpose != purpose, default=None)
    if newest is not None and basis:
        newest = replace(newest, items=frozenset(basis))
    outcome = rules.check(newest, client, purpose, wanted or (newest.items if newest else ()), at)
    assert isinstance(outcome, Refused)  # noqa: S101  (it was looked for among all that hold)
    return outcome.reasons


def one(connection: psycopg.Connection, consent_id: str) -> Consent | None:
    """A consent as it stands."""
    row = connection.execute(f"{_CONSENT} WHERE id = %s".encode(), (consent_id,)).fetchone()
    return None if row is None else _consent(row)


def uses(
    connection: psycopg.Connection, consent_id: str, *, after: int = 0, limit: int | None = None
) -> list[ConsentUse]:
    """Every use of a consent, in order: what the enterprise may see at any time."""
    rows = connection.execute(
        _USES + "WHERE u.consent_id = %s AND u.id > %s ORDER BY u.id LIMIT %s", (consent_id, after, limit)
    )
    return [_use(row) for row in rows]


def uses_of_entity(
    connection: psycopg.Connection, entity: str, *, after: int = 0, limit: int | None = None
) -> list[ConsentUse]:
    """Who used any of an enterprise's consents, when and for what, in order."""
    rows = connection.execute(
        _USES + "JOIN registry.consent c ON c.id = u.consent_id"
        " WHERE c.entity = %s AND u.id > %s ORDER BY u.id LIMIT %s",
        (entity, after, limit),
    )
    return [_use(row) for row in rows]


def entered(connection: psycopg.Connection, consent_id: str) -> EnteredConsent | None:
    """A consent with who entered and who revoked it."""
    row = connection.execute(_ENTERED + "WHERE id = %s", (consent_id,)).fetchone()
    return None if row is None else _entered(row)


def listed(
    connection: psycopg.Connection,
    *,
    entity: str | None = None,
    grantee: str | None = None,
    holding_at: datetime | None = None,
    after: int = 0,
    limit: int | None = None,
) -> list[EnteredConsent]:
    """Consents in the order in which they were entered; ``holding_at``: only those that hold at that moment."""
    rows = connection.execute(
        _ENTERED + "WHERE number > %(after)s AND (%(entity)s::text IS NULL OR entity = %(entity)s)"
        " AND (%(grantee)s::text IS NULL OR grantee = %(grantee)s)"
        " AND (%(at)s::timestamptz IS NULL"
        "      OR (valid_from <= %(at)s AND valid_until > %(at)s AND (revoked_at IS NULL OR revoked_at > %(at)s)))"
        " ORDER BY number LIMIT %(limit)s",
        {"after": after, "entity": entity, "grantee": grantee, "at": holding_at, "limit": limit},
    )
    return [_entered(row) for row in rows]


def _use(row: tuple[Any, ...]) -> ConsentUse:
    number, consent_id, at, client, items, answer, case_number = row
    return ConsentUse(number, consent_id, at, client, tuple(items), answer, case_number)


def _entered(row: tuple[Any, ...]) -> EnteredConsent:
    number, given_by, created_at, revoked_by, *consent = row
    return EnteredConsent(_consent(tuple(consent)), number, given_by, created_at, revoked_by)


def _consent(row: tuple[Any, ...]) -> Consent:
    consent_id, entity, grantee, purpose, items, valid_from, valid_until, evidence_digest, revoked_at = row
    return Consent(
        consent_id, entity, grantee, purpose, frozenset(items), valid_from, valid_until, evidence_digest, revoked_at
    )
