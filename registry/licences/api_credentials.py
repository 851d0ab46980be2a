"""Credentials that clients have signed through the W3C VC API: checked, given issuer and status, signed, kept."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

import orjson
import psycopg

from registry.credentials import build, data_integrity
from registry.credentials.jcs import DocumentRefused, canonical
from registry.credentials.status_list import SIZES, Purpose
from registry.credentials.verify import model
from registry.credentials.verify.verdict import CheckFailed
from registry.domain.licences.licence import StatusEntry
from registry.licences import issuers, status
from registry.licences.desk import lock_authorities
from registry.licences.errors import CredentialRefused
from registry.licences.keys import KeyRing, Reason
from registry.licences.status import Bits
from registry.licences.storing import CREDENTIAL, signed_document, stored_credential
from registry.signing.signer import Signer

_SET_HERE = ("proof", "credentialStatus")
_HUB_ONLY = (build.LICENCE, build.COPY, "BitstringStatusListCredential", "TrustList")
_MOST_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class IssuedCredential:
    """A client's credential as it was signed."""

    id: str
    body: bytes
    again: bool
    """Whether the same request had been answered before, with these bytes."""


def issue(
    connection: psycopg.Connection,
    client_id: str,
    issuer_code: str,
    document: Mapping[str, Any],
    *,
    keys: KeyRing,
    base: str,
    now: datetime,
) -> IssuedCredential:
    """Sign a credential for an authority. The same request again gets the same bytes, as long as its key is trusted.

    Raises CredentialRefused with what is wrong, NoActiveKey, KeyNotActive.
    """
    issuer = issuers.find(connection, code=issuer_code)
    if issuer is None:
        raise CredentialRefused(
            "issuer_unknown",
            f"颁发机构 {issuer_code} 未登记",
            f"the authority {issuer_code} is not entered at this hub",
        )
    _check(document, issuer.did, base)
    try:
        request = canonical([issuer_code, dict(document)])
    except DocumentRefused as error:
        raise CredentialRefused(error.code, error.zh, error.en) from error
    if len(request) > _MOST_BYTES:
        raise CredentialRefused("too_large", f"凭证超过 {_MOST_BYTES} 字节", f"larger than {_MOST_BYTES} bytes")
    digest = sha256(request).digest()
    with connection.transaction():
        lock_authorities(connection, keys, [issuer_code])
        stored = _stored(connection, client_id, digest, keys.signer(issuer_code), now)
        if stored is not None:
            return stored
        credential_id = str(document.get("id") or f"urn:uuid:{uuid.uuid4()}")
        if connection.execute("SELECT FROM registry.issued_credential WHERE id = %s", (credential_id,)).rowcount:
            raise CredentialRefused(
                "id_taken", f"凭证 {credential_id} 已签发", f"another credential has been signed as {credential_id}"
            )
        (entry,) = status.allocate(connection, keys, {issuer_code: 1}, base=base, now=now)[issuer_code]
        signer = keys.signer(issuer_code)
        said = {
            "@context": document["@context"],
            "id": credential_id,
            **{name: value for name, value in document.items() if name not in {"@context", "id"}},
            "issuer": document.get("issuer") or {"id": issuer.did, "name": issuer.name},
            "credentialStatus": build.entry(base, entry),
        }
        body = canonical(data_integrity.add_proof(said, signer, now))
        connection.execute(
            "INSERT INTO registry.issued_credential"
            " (id, client_id, issuer_code, request_digest, status_group_id, status_index, body, key_id, issued_at)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
            (
                credential_id,
                client_id,
                issuer_code,
                digest,
                entry.group,
                entry.index,
                stored_credential(credential_id, body),
                signer.key_id,
                now,
            ),
        )
    return IssuedCredential(credential_id, body, again=False)


def _stored(
    connection: psycopg.Connection, client_id: str, digest: bytes, signer: Signer, now: datetime
) -> IssuedCredential | None:
    """What the same request was answered with; signed anew if the key has been compromised since."""
    row = connection.execute(
        "SELECT c.id, c.body, k.revocation_reason FROM registry.issued_credential c"
        " JOIN registry.signing_key k ON k.id = c.key_id WHERE c.client_id = %s AND c.request_digest = %s",
        (client_id, digest),
    ).fetchone()
    if row is None:
        return None
    credential_id, revoked = row[0], row[2]
    body = signed_document(CREDENTIAL, credential_id, row[1])
    if revoked == Reason.KEY_COMPROMISE:
        body = canonical(data_integrity.add_proof(orjson.loads(body), signer, now))
        connection.execute(
            "UPDATE registry.issued_credential SET body = %s, key_id = %s WHERE id = %s",
            (stored_credential(credential_id, body), signer.key_id, credential_id),
        )
    return IssuedCredential(credential_id, body, again=True)


def set_status(
    connection: psycopg.Connection,
    credential_id: str,
    client_id: str,
    purpose: Purpose,
    value: int,
    *,
    keys: KeyRing,
    base: str,
    now: datetime,
) -> bool:
    """Say something in one of the lists of a credential that this client had signed; False if it was said already.

    What has been revoked stays revoked. Raises CredentialRefused, NoActiveKey, KeyNotActive.
    """
    if purpose not in SIZES or not 0 <= value < 1 << SIZES[purpose]:
        raise CredentialRefused(
            "status_wrong",
            "状态用途应为 revocation、suspension 或 message，值须在范围内",
            "expected purpose revocation or suspension (0 or 1), or message (0 to 15)",
        )
    with connection.transaction():
        row = connection.execute(
            "SELECT issuer_code, status_group_id, status_index FROM registry.issued_credential"
            " WHERE id = %s AND client_id = %s",
            (credential_id, client_id),
        ).fetchone()
        if row is None:
            raise CredentialRefused(
                "credential_unknown",
                f"没有由本客户端申请签发的凭证 {credential_id}（证照的状态随其记录而定）",
                f"this client has had no credential {credential_id} signed (licences follow their records)",
            )
        lock_authorities(connection, keys, [row[0]])
        entry = StatusEntry(row[1], row[2])
        now_said = status.read(connection, entry)
        if now_said.revocation and purpose == "revocation" and not value:
            raise CredentialRefused("revoked", "撤销不可恢复", "a revocation cannot be taken back")
        says = {name: now_said.of(name) for name in SIZES} | {purpose: value}
        wanted = Bits(**says)
        if wanted == now_said:
            return False
        status.apply(connection, keys, [(entry, wanted)], base=base, now=now)
    return True


def _check(document: Mapping[str, Any], did: str, base: str) -> None:
    """The shape of VC 2.0, and nothing in it that only the hub may say."""
    for name in _SET_HERE:
        if name in document:
            raise CredentialRefused(f"{name}_given", f"{name} 由本平台填写", f"{name} is filled in by this hub")
    try:
        model.check_context(document)
        model.check_types(document, "VerifiableCredential")
        model.check_id(document)
        model.check_texts(document)
        model.check_subject(document)
        model.check_dates(document)
        model.check_members(document)
    except CheckFailed as failed:
        raise CredentialRefused(failed.code, failed.zh, failed.en) from failed
    if model.id_of(document.get("issuer", did)) != did:
        raise CredentialRefused(
            "issuer_wrong", f"issuer 应为 {did}，或不填", f"issuer is {did}, or left out: it is filled in"
        )
    if _claims_to_be_the_hubs(document) or str(document.get("id", "")).startswith(f"{base}/"):
        raise CredentialRefused(
            "reserved",
            "证照、加注件与状态列表不由此签发，本平台的地址不得用作凭证 id",
            "licences, their copies and status lists are not signed here, nor ids below this hub's address",
        )


def _claims_to_be_the_hubs(document: Mapping[str, Any]) -> bool:
    """Whether it is of a type that is the hub's alone: by name, by its IRI, or by another name that it defines."""
    types = {str(one).replace("/", "#").rpartition("#")[2].rpartition(":")[2] for one in model.types_of(document)}
    defined = str([one for one in model.many(document.get("@context")) if isinstance(one, dict)])
    return any(name in types or name in defined for name in _HUB_ONLY)
