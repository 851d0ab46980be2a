"""Signing keys as rows: read, made, sealed. What is done with them is in :mod:`registry.licences.keys`.

Every change of keys or issuers holds one lock, so that two at once come one after the other; the unique index on active
keys is the second fence.
"""

from __future__ import annotations

import base64
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

import psycopg
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from psycopg.rows import dict_row

from registry.signing import certificates, p256, sm2
from registry.signing.certificates import SEAL_YEARS, Root, Subject
from registry.signing.master_key import MasterKey, other_key

Purpose = Literal["root", "hub", "seal", "sm2"]
State = Literal["active", "retired", "revoked"]

HUB_NAME = "数桥 Shuqiao"
ROOT_NAME = "数桥 Shuqiao root"
_LOCK = 0x4B455953  # first half of the advisory lock on keys and issuers
_COLUMNS = """
    k.id, k.purpose, k.issuer_code, k.state, k.algorithm, k.public_key, k.certificate, k.sealed_private_key,
    k.master_key_id, k.not_before, k.not_after, k.created_at, k.retired_at, k.revoked_at, k.revocation_reason,
    i.name AS issuer_name, i.did AS issuer_did
"""


@dataclass(frozen=True, slots=True)
class Key:
    """A key of this hub; its private part only sealed."""

    id: str
    """JWK thumbprint of the public key (RFC 7638)."""
    purpose: Purpose
    issuer_code: str | None
    issuer_name: str | None
    did: str
    """Whose key it is."""
    state: State
    algorithm: str
    public_key: bytes = field(repr=False)
    """SubjectPublicKeyInfo (DER)."""
    certificate: x509.Certificate | None = field(repr=False)
    sealed_private_key: bytes = field(repr=False)
    master_key_id: str
    not_before: datetime
    not_after: datetime
    created_at: datetime
    retired_at: datetime | None
    revoked_at: datetime | None
    revocation_reason: str | None

    @property
    def verification_method(self) -> str:
        """``did:web:...#key-id``."""
        return f"{self.did}#{self.id}"

    def unseal(self, master_key: MasterKey) -> bytes:
        """The private key: PKCS 8 for P-256, 32 bytes for SM2. Raises MasterKeyWrong."""
        if self.master_key_id != master_key.id:
            raise other_key(expected=self.master_key_id, got=master_key.id)
        return master_key.unseal(self.sealed_private_key, _context(self.id, self.purpose, self.issuer_code))

    def signer(self, master_key: MasterKey) -> p256.P256Signer:
        """What signs with this P-256 key. Raises MasterKeyWrong."""
        private = p256.from_private_bytes(self.unseal(master_key))
        return p256.P256Signer(private, self.verification_method, self.certificate)

    def root(self, master_key: MasterKey) -> Root:
        """What signs certificates with this root key. Raises MasterKeyWrong."""
        if self.certificate is None:
            raise ValueError(f"key {self.id} has no certificate")
        return Root(self.certificate, p256.from_private_bytes(self.unseal(master_key)))


def lock(connection: psycopg.Connection) -> None:
    """Be the only one to change keys and issuers, until this transaction ends."""
    connection.execute("SELECT pg_advisory_xact_lock(%s, 0)", (_LOCK,))


def read(connection: psycopg.Connection, where: str = "true", values: Mapping[str, Any] | None = None) -> list[Key]:
    """Keys, the oldest first; ``where`` is a condition on ``k`` (the key) and ``i`` (its issuer)."""
    statement = f"""
        SELECT {_COLUMNS} FROM registry.signing_key k LEFT JOIN registry.issuer i ON i.code = k.issuer_code
        WHERE {where} ORDER BY k.created_at, k.purpose, k.id
    """
    with connection.cursor(row_factory=dict_row) as cursor:
        return [_key(row) for row in cursor.execute(statement.encode(), values or {})]


def active(connection: psycopg.Connection, purpose: Purpose, issuer_code: str | None) -> Key | None:
    """The one active key of a purpose."""
    where = "k.state = 'active' AND k.purpose = %(purpose)s AND k.issuer_code IS NOT DISTINCT FROM %(issuer)s"
    found = read(connection, where, {"purpose": purpose, "issuer": issuer_code})
    return found[0] if found else None


def make_root(connection: psycopg.Connection, subject: Subject, master_key: MasterKey, now: datetime) -> Key:
    """Enter a new root key."""
    private = p256.new_key()
    return _insert_p256(
        connection, "root", None, private, certificates.make_root(subject, private, now), master_key, now
    )


def make_leaf(
    connection: psycopg.Connection,
    purpose: Literal["hub", "seal"],
    subject: Subject,
    master_key: MasterKey,
    now: datetime,
) -> Key:
    """Enter a new active key with its certificate under the root, which must be there."""
    root = _root(connection)
    private = p256.new_key()
    certify = certificates.make_hub if purpose == "hub" else certificates.make_seal
    certificate = certify(subject, private.public_key(), root.root(master_key), now)
    issuer_code = None if purpose == "hub" else subject.code
    return _insert_p256(connection, purpose, issuer_code, private, certificate, master_key, now)


def make_sm2(connection: psycopg.Connection, issuer_code: str, master_key: MasterKey, now: datetime) -> Key:
    """Enter a new active SM2 key. Raises Sm2Missing where the library is not installed."""
    _root(connection).unseal(master_key)  # the master key is the registry's, else nobody could open the new key
    private, public = sm2.new_key()
    key_id = sm2.key_id(public)
    end = now + timedelta(days=365 * SEAL_YEARS)
    return _insert(
        connection, key_id, "sm2", issuer_code, sm2.ALGORITHM, sm2.public_bytes(public), None, private, master_key,
        (now, end), now,
    )  # fmt: skip


def retire(connection: psycopg.Connection, purpose: Purpose, issuer_code: str | None, now: datetime) -> str | None:
    """The active key signs no more, and what it signed holds; its id, None where there was none."""
    row = connection.execute(
        "UPDATE registry.signing_key SET state = 'retired', retired_at = %s"
        " WHERE state = 'active' AND purpose = %s AND issuer_code IS NOT DISTINCT FROM %s RETURNING id",
        (now, purpose, issuer_code),
    ).fetchone()
    return row[0] if row else None


def reseal(connection: psycopg.Connection, key: Key, old: MasterKey, new: MasterKey) -> None:
    """Seal a private key with another master key."""
    sealed = new.seal(key.unseal(old), _context(key.id, key.purpose, key.issuer_code))
    connection.execute(
        "UPDATE registry.signing_key SET sealed_private_key = %s, master_key_id = %s WHERE id = %s",
        (sealed, new.id, key.id),
    )


def certificate_pem(key: Key) -> str | None:
    """The key's certificate as tools read it; None for SM2, which has none here."""
    return certificates.pem(key.certificate) if key.certificate is not None else None


def public_pem(key: Key) -> str:
    """The public key as tools read it."""
    lines = textwrap.wrap(base64.b64encode(key.public_key).decode(), 64)
    return "\n".join(["-----BEGIN PUBLIC KEY-----", *lines, "-----END PUBLIC KEY-----", ""])


def _root(connection: psycopg.Connection) -> Key:
    root = active(connection, "root", None)
    if root is None:
        raise ValueError("there is no root key")
    return root


def _insert_p256(
    connection: psycopg.Connection,
    purpose: Purpose,
    issuer_code: str | None,
    private: Any,
    certificate: x509.Certificate,
    master_key: MasterKey,
    now: datetime,
) -> Key:
    public = private.public_key()
    return _insert(
        connection, p256.key_id(public), purpose, issuer_code, p256.ALGORITHM, p256.public_bytes(public),
        certificate.public_bytes(Encoding.DER), p256.private_bytes(private), master_key,
        (certificate.not_valid_before_utc, certificate.not_valid_after_utc), now,
    )  # fmt: skip


def _insert(
    connection: psycopg.Connection,
    key_id: str,
    purpose: Purpose,
    issuer_code: str | None,
    algorithm: str,
    public_key: bytes,
    certificate: bytes | None,
    private_key: bytes,
    master_key: MasterKey,
    term: tuple[datetime, datetime],
    now: datetime,
) -> Key:
    connection.execute(
        """
        INSERT INTO registry.signing_key
            (id, issuer_code, purpose, state, algorithm, public_key, certificate, sealed_private_key, master_key_id,
             not_before, not_after, created_at)
        VALUES (%s, %s, %s, 'active', %s, %s, %s, %s, %s, %s, %s, %s)
        """,
        (key_id, issuer_code, purpose, algorithm, public_key, certificate)
        + (master_key.seal(private_key, _context(key_id, purpose, issuer_code)), master_key.id)
        + (*term, now),
    )
    return read(connection, "k.id = %(id)s", {"id": key_id})[0]


def _context(key_id: str, purpose: str, issuer_code: str | None) -> str:
    return f"signing_key/{purpose}/{issuer_code or 'hub'}/{key_id}"


def _key(row: dict[str, Any]) -> Key:
    der = row.pop("certificate")
    certificate = x509.load_der_x509_certificate(der) if der is not None else None
    did = row.pop("issuer_did")
    if did is None and certificate is not None:
        did = certificates.did_of(certificate)
    return Key(certificate=certificate, did=did or "", **row)
