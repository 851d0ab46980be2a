"""Annotated copies 加注件: a licence for one use, with who asked, why and until when; on record, and revocable.

A copy is a credential of its own, with a position of its own in the issuer's status lists. It follows its licence: what
is published of the licence's state is published of its copies too, until they are revoked themselves.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import orjson
import psycopg

from registry.credentials import build, data_integrity
from registry.credentials.jcs import canonical
from registry.documents import document
from registry.domain.licences import states
from registry.domain.licences.licence import StatusEntry
from registry.domain.licences.loading import LicenceTypes
from registry.domain.licences.types import LicenceType
from registry.licences import status
from registry.licences.desk import CHINA, lock_authorities
from registry.licences.errors import CopyRefused, LicenceUnknown
from registry.licences.keys import KeyRing
from registry.licences.status import Bits
from registry.licences.storing import COPY, FORM, copy_identity, form_identity, signed_document, stored_document

REVOKED_BITS = Bits(revocation=1, message=states.message_value(states.REVOKED))


@dataclass(frozen=True, slots=True)
class Copy:
    """An annotated copy on record."""

    id: str
    identifier: str
    """Of the licence."""
    client_id: str
    requested_by: str
    cause: str
    created_at: datetime
    valid_until: datetime
    revoked_at: datetime | None
    revoked_by: str | None
    status: StatusEntry
    credential: bytes
    pdf: bytes


@dataclass(frozen=True, slots=True)
class _Original:
    """The licence that a copy is made of."""

    id: int
    type: LicenceType
    issuer_code: str
    issuer_en: str
    credential: bytes


def make(
    connection: psycopg.Connection,
    identifier: str,
    client_id: str,
    requested_by: str,
    cause: str,
    valid_until: datetime,
    *,
    keys: KeyRing,
    types: LicenceTypes,
    base: str,
    now: datetime,
) -> Copy:
    """Make an annotated copy of a licence that is valid now, and keep it.

    The position is taken first and the document drawn without holding anybody up; a process killed in between leaves a
    position that nobody has. Raises LicenceUnknown, CopyRefused, NoActiveKey, KeyNotActive.
    """
    if not requested_by.strip() or not cause.strip() or valid_until <= now:
        raise CopyRefused(
            "copy_incomplete",
            "加注件须写明申请人、用证事由与将来的截止时间",
            "an annotated copy says who asks, why, and until when in the future",
        )
    original = _original(connection, identifier, types, now)
    with connection.transaction():
        lock_authorities(connection, keys, [original.issuer_code])
        (entry,) = status.allocate(connection, keys, {original.issuer_code: 1}, base=base, now=now)[
            original.issuer_code
        ]
    copy_id = secrets.token_urlsafe(16)
    signer = keys.signer(original.issuer_code)
    unsigned = build.copy_credential(
        orjson.loads(original.credential),
        original.credential,
        base=base,
        copy_id=copy_id,
        status=entry,
        requested_by=requested_by,
        cause=cause,
        created=now,
        until=valid_until,
    )
    credential = canonical(data_integrity.add_proof(unsigned, signer, now))
    pdf = document.make(
        credential,
        original.type,
        key=signer,
        chain=keys.chain(original.issuer_code)[1:],
        verification_address=f"{base}/verify/copies/{copy_id}",
        issuer_en=original.issuer_en,
        at=now,
    )
    ends = datetime.fromisoformat(unsigned["validUntil"])
    with connection.transaction():
        lock_authorities(connection, keys, [original.issuer_code])
        _original(connection, identifier, types, now)  # still valid: nobody can change its state while this holds
        connection.execute(
            "INSERT INTO registry.licence_copy"
            " (id, licence_id, client_id, requested_by, cause, created_at, valid_until, status_group_id, status_index,"
            " credential, pdf, key_id)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            (copy_id, original.id, client_id, requested_by, cause, now, ends, entry.group, entry.index,
             stored_document(original.type, COPY, copy_identity(copy_id, "credential"), credential),
             stored_document(original.type, COPY, copy_identity(copy_id, "pdf"), pdf),
             signer.key_id),
        )  # fmt: skip
    return one(connection, copy_id)


def one(connection: psycopg.Connection, copy_id: str) -> Copy:
    """A copy on record. Raises CopyRefused (copy_unknown)."""
    row = connection.execute(
        "SELECT c.id, l.identifier, c.client_id, c.requested_by, c.cause, c.created_at, c.valid_until, c.revoked_at,"
        " c.revoked_by, c.status_group_id, c.status_index, c.credential, c.pdf"
        " FROM registry.licence_copy c JOIN registry.licence l ON l.id = c.licence_id WHERE c.id = %s",
        (copy_id,),
    ).fetchone()
    if row is None:
        raise _unknown(copy_id)
    return Copy(
        id=row[0],
        identifier=row[1],
        client_id=row[2],
        requested_by=row[3],
        cause=row[4],
        created_at=row[5],
        valid_until=row[6],
        revoked_at=row[7],
        revoked_by=row[8],
        status=StatusEntry(row[9], row[10]),
        credential=signed_document(COPY, copy_identity(row[0], "credential"), row[11]),
        pdf=signed_document(COPY, copy_identity(row[0], "pdf"), row[12]),
    )


def revoke(connection: psycopg.Connection, copy_id: str, by: str, *, keys: KeyRing, base: str, now: datetime) -> bool:
    """End a copy before its time; False if it had been revoked before.

    Raises CopyRefused (copy_unknown), KeyNotActive, NoActiveKey.
    """
    with connection.transaction():
        row = connection.execute(
            "SELECT g.issuer_code, c.status_group_id, c.status_index FROM registry.licence_copy c"
            " JOIN registry.status_group g ON g.id = c.status_group_id WHERE c.id = %s",
            (copy_id,),
        ).fetchone()
        if row is None:
            raise _unknown(copy_id)
        lock_authorities(connection, keys, [row[0]])
        revoked = connection.execute(
            "UPDATE registry.licence_copy SET revoked_at = %s, revoked_by = %s WHERE id = %s AND revoked_at IS NULL",
            (now, by, copy_id),
        ).rowcount
        if revoked:
            status.apply(connection, keys, [(StatusEntry(row[1], row[2]), REVOKED_BITS)], base=base, now=now)
    return bool(revoked)


def _original(connection: psycopg.Connection, identifier: str, types: LicenceTypes, now: datetime) -> _Original:
    """The licence, if a copy may be made of it. Raises LicenceUnknown, CopyRefused."""
    row: tuple[Any, ...] | None = connection.execute(
        "SELECT l.id, l.type, l.type_version, l.issuer_code, i.name_en, f.body, l.state, l.superseded_by IS NOT NULL,"
        " l.valid_from, l.valid_to FROM registry.licence l JOIN registry.issuer i ON i.code = l.issuer_code"
        " JOIN registry.licence_form f ON f.licence_id = l.id AND f.form = 'vc' WHERE l.identifier = %s",
        (identifier,),
    ).fetchone()
    if row is None:
        raise LicenceUnknown(identifier)
    number, name, version, issuer_code, issuer_en, body, state, superseded, valid_from, valid_to = row
    if superseded or state != states.VALID or not _in_term(valid_from, valid_to, now.astimezone(CHINA).date()):
        zh, en = states.name("superseded" if superseded else state)
        raise CopyRefused(
            "licence_not_valid",
            f"证照当前不在有效状态（{zh}），不出具加注件",
            f"no annotated copy is made: the licence is not valid now ({en.lower()}, or outside its term)",
        )
    return _Original(
        number,
        types.one(f"{name}@{version}"),
        issuer_code,
        issuer_en,
        signed_document(FORM, form_identity(number, "vc"), body),
    )


def _in_term(valid_from: date, valid_to: date | None, day: date) -> bool:
    return valid_from <= day and (valid_to is None or day <= valid_to)


def _unknown(copy_id: str) -> CopyRefused:
    return CopyRefused("copy_unknown", f"没有加注件 {copy_id}", f"there is no annotated copy {copy_id}")
