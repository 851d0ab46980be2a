"""What verifiers are given to trust this hub's signatures: the trust list, DID documents, the key set."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import psycopg
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, load_der_public_key

from registry.credentials import did, trust_list
from registry.credentials.trust_list import TrustedIssuer, TrustedKey
from registry.licences import key_rows
from registry.licences.issuers import all_issuers
from registry.licences.key_rows import Key
from registry.licences.keys import KeyRing
from registry.signing import p256

VALID = timedelta(days=30)
"""How long a trust list holds: offline verifiers fetch a new one within this time, and with it learn of revocations."""
OVERLAP = timedelta(days=1)
"""How long after its rotation a key may still have signed: what was under way then was signed with it."""


def trust_list_document(
    connection: psycopg.Connection,
    keyring: KeyRing,
    *,
    base: str,
    resources: Mapping[str, bytes],
    now: datetime,
    valid: timedelta = VALID,
) -> bytes:
    """The signed trust list: every authority with every seal key it ever had, and why one is revoked.

    ``resources`` are the published documents (context, schemas) by their address. Raises NoActiveKey, MasterKeyWrong.
    """
    hub_certificate, root = keyring.hub_chain
    return trust_list.make(
        base=base,
        hub=_did(keyring.hub.verification_method),
        root=root,
        hub_certificate=hub_certificate,
        signer=keyring.hub,
        issuers=trusted_issuers(connection),
        resources=resources,
        issued_at=now,
        valid_until=min(now + valid, hub_certificate.not_valid_after_utc),
    )


def trusted_issuers(connection: psycopg.Connection) -> list[TrustedIssuer]:
    """Every authority with every seal key it ever had: what the trust list says, for who reads the registry itself."""
    keys = _seal_keys(connection)
    return [
        TrustedIssuer(
            entry.issuer.did,
            entry.issuer.code,
            entry.issuer.name,
            entry.issuer.name_en,
            tuple(_trusted(key) for key in keys if key.issuer_code == entry.issuer.code),
        )
        for entry in all_issuers(connection)
    ]


def hub_keys(connection: psycopg.Connection) -> list[tuple[str, ec.EllipticCurvePublicKey]]:
    """Every key by which the hub itself ever signed, with its DID, but those that others may have."""
    keys = key_rows.read(connection, "k.purpose = 'hub' AND k.revocation_reason IS DISTINCT FROM 'key_compromise'")
    return [(key.did, _public_key(key)) for key in keys]


def did_document(connection: psycopg.Connection, issuer_code: str | None = None) -> dict[str, Any] | None:
    """The ``did:web`` document of an authority, or of the hub; None where there is none."""
    where = "k.purpose IN ('hub', 'seal') AND k.issuer_code IS NOT DISTINCT FROM %(issuer)s"
    keys = key_rows.read(connection, where, {"issuer": issuer_code})
    if not keys:
        return None
    return did.document(keys[-1].did, [_published(key) for key in keys])


def jwks(connection: psycopg.Connection, others: Sequence[Mapping[str, Any]] = ()) -> dict[str, Any]:
    """The key set (RFC 7517): every hub and seal key that is not revoked, with its certificates; then ``others``.

    ``kid`` is the verification method, as in the headers of what the keys sign.
    """
    keys = key_rows.read(connection, "k.purpose IN ('root', 'hub', 'seal') AND k.state <> 'revoked'")
    root = next((key for key in keys if key.purpose == "root"), None)
    return {"keys": [*(_jwk(key, root) for key in keys if key.purpose != "root"), *others]}


def _seal_keys(connection: psycopg.Connection) -> list[Key]:
    return key_rows.read(connection, "k.purpose = 'seal'")


def _trusted(key: Key) -> TrustedKey:
    if key.certificate is None:
        raise ValueError(f"the seal key {key.id} has no certificate")
    ends = key.not_after if key.retired_at is None else min(key.not_after, key.retired_at + OVERLAP)
    return TrustedKey(
        id=key.verification_method,
        public_key=_public_key(key),
        certificate=key.certificate,
        valid_from=key.not_before,
        valid_until=ends,
        revoked_at=key.revoked_at,
        reason=key.revocation_reason,
    )


def _published(key: Key) -> did.PublishedKey:
    return did.PublishedKey(key.verification_method, _public_key(key), key.not_after, key.revoked_at)


def _jwk(key: Key, root: Key | None) -> dict[str, Any]:
    chain = _certificates([key, *([root] if root else [])])
    return {
        **p256.public_jwk(_public_key(key)),
        "kid": key.verification_method,
        "use": "sig",
        "alg": p256.ALGORITHM,
        "x5c": chain,
    }


def _certificates(keys: Iterable[Key]) -> list[str]:
    ders = [key.certificate.public_bytes(Encoding.DER) for key in keys if key.certificate is not None]
    return [base64.b64encode(der).decode() for der in ders]


def _public_key(key: Key) -> ec.EllipticCurvePublicKey:
    found = load_der_public_key(key.public_key)
    if not isinstance(found, ec.EllipticCurvePublicKey):
        raise ValueError(f"the key {key.id} is not on P-256")  # noqa: TRY004
    return found


def _did(verification_method: str) -> str:
    return verification_method.partition("#")[0]
