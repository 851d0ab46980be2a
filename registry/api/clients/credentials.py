"""Clients' credentials, as the operator enters, replaces and ends them: plain functions for the command line.

A client may have several at once, so that a new one is in use before the old one ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

import orjson
import psycopg

from registry.api.clients import certificates, public_keys
from registry.api.clients.secret_hashes import hash_secret, new_secret
from registry.storage.database import connect

MOST = 10
"""Credentials in force that one client may have of a kind."""
OVERLAP = timedelta(hours=24)
"""How long an old secret stays good beside a new one where nothing else is said."""
_COLUMNS = "id, kind, content, created_at, ends_at"


class Method(StrEnum):
    """How a client may prove who it is, by the names of RFC 7591 and RFC 8705."""

    SECRET = "client_secret"  # noqa: S105
    """A secret, in the header (client_secret_basic) or the form (client_secret_post)."""
    KEY = "private_key_jwt"
    """An assertion signed with its private key."""
    PKI = "tls_client_auth"
    """A certificate with a subject that is entered here, of an authority that the hub trusts."""
    CERTIFICATE = "self_signed_tls_client_auth"
    """A certificate that is entered here itself."""
    EXTERNAL = "external"
    """A token of the external issuer that the hub trusts."""


_PROVEN_WITH = {Method.SECRET: "secret", Method.KEY: "key", Method.PKI: "subject", Method.CERTIFICATE: "certificate"}
"""The kind of credential that a way needs; the external issuer's name for a client is none."""


class CredentialError(Exception):
    """A credential cannot be entered, replaced or ended as asked."""


@dataclass(frozen=True, slots=True)
class Credential:
    """What a client proves with who it is, without what is secret."""

    number: int
    kind: str
    """``secret``, ``key``, ``certificate`` or ``subject``."""
    shown: str
    """The key's id and algorithm, the certificate's thumbprint, the subject's name; nothing for a secret."""
    created_at: datetime
    ends_at: datetime | None


@dataclass(frozen=True, slots=True)
class Given:
    """Credentials to enter: files as they were handed over."""

    keys: tuple[bytes, ...] = ()
    certificates: tuple[bytes, ...] = ()
    subjects: tuple[str, ...] = ()

    def rows(self) -> list[tuple[str, str]]:
        """Kind and content of each. Raises CredentialError."""
        try:
            keys = [jwk for content in self.keys for jwk in public_keys.read(content)]
            thumbprints = [certificates.thumbprint_of(certificates.read(content)) for content in self.certificates]
            names = [certificates.subject_name(text) for text in self.subjects]
        except (public_keys.PublicKeyError, certificates.CertificateError) as error:
            raise CredentialError(str(error)) from None
        return [
            *(("key", orjson.dumps(jwk, option=orjson.OPT_SORT_KEYS).decode()) for jwk in keys),
            *(("certificate", thumbprint) for thumbprint in thumbprints),
            *(("subject", name) for name in names),
        ]


def of_client(database_url: str, client_id: str) -> list[Credential]:
    """A client's credentials, the oldest first, ended ones too. Raises CredentialError if there is no such client."""
    with connect(database_url) as connection:
        _expect_client(connection, client_id)
        return _read(connection, client_id)


def add(database_url: str, client_id: str, given: Given) -> list[Credential]:
    """Enter keys, certificates or subjects of a client; what it has stays. All of them then. Raises CredentialError."""
    rows = given.rows()
    if not rows:
        raise CredentialError("there is nothing to enter; name a key, a certificate or a subject")
    with connect(database_url) as connection, connection.transaction():
        _expect_client(connection, client_id)
        insert(connection, client_id, rows)
        return _read(connection, client_id)


def rotate_secret(database_url: str, client_id: str, overlap: timedelta = OVERLAP) -> tuple[str, datetime | None]:
    """A new secret, to be shown once, and when the last one ends; those before it end now. Raises CredentialError.

    None: there was no other.
    """
    if overlap < timedelta(0):
        raise CredentialError("the old secret cannot have ended before now")
    secret = new_secret()
    with connect(database_url) as connection, connection.transaction():
        _expect_client(connection, client_id)
        rows = connection.execute(
            "UPDATE registry.client_credential AS one SET ends_at = CASE WHEN id ="
            " (SELECT max(id) FROM registry.client_credential WHERE client_id = one.client_id AND kind = 'secret')"
            " THEN least(ends_at, now() + %s) ELSE now() END"
            " WHERE client_id = %s AND kind = 'secret' AND (ends_at IS NULL OR ends_at > now()) RETURNING ends_at",
            (overlap, client_id),
        ).fetchall()
        insert(connection, client_id, [("secret", hash_secret(secret))])
        connection.execute(
            "UPDATE registry.client SET methods = methods || %s::text[] WHERE id = %s AND NOT %s = ANY(methods)",
            ([Method.SECRET.value], client_id, Method.SECRET.value),
        )
    return secret, max((row[0] for row in rows), default=None)


def end(database_url: str, client_id: str, number: int, after: timedelta = timedelta(0)) -> list[Credential]:
    """Let one credential end, now or later; tokens it brought live on until they expire. All of them that are left.

    Raises CredentialError.
    """
    with connect(database_url) as connection, connection.transaction():
        _expect_client(connection, client_id)
        done = connection.execute(
            "UPDATE registry.client_credential SET ends_at = least(ends_at, now() + %s)"
            " WHERE client_id = %s AND id = %s",
            (after, client_id, number),
        )
        if done.rowcount != 1:
            raise CredentialError(f"the client has no credential {number}; shuqiao clients show {client_id}")
        return _read(connection, client_id)


def restrict(database_url: str, client_id: str, methods: Sequence[Method]) -> None:
    """From now on a client proves who it is in these ways only, for each of which it has what is needed.

    Raises CredentialError.
    """
    if not methods:
        raise CredentialError("a client needs at least one way to prove who it is")
    with connect(database_url) as connection, connection.transaction():
        _expect_client(connection, client_id)
        for method in methods:
            _expect_provable(connection, client_id, method)
        connection.execute("UPDATE registry.client SET methods = %s WHERE id = %s", (sorted(set(methods)), client_id))


def limit(database_url: str, client_id: str, requests_per_second: int | None) -> None:
    """How fast a client may ask; None: as fast as the hub allows everyone. Raises CredentialError."""
    if requests_per_second is not None and requests_per_second < 1:
        raise CredentialError("a client may ask at least once a second; to stop it: shuqiao clients revoke")
    with connect(database_url) as connection:
        done = connection.execute(
            "UPDATE registry.client SET requests_per_second = %s WHERE id = %s", (requests_per_second, client_id)
        )
        if done.rowcount != 1:
            raise _no_client(client_id)


def insert(connection: psycopg.Connection, client_id: str, rows: Sequence[tuple[str, str]]) -> None:
    """Within the caller's transaction. What is there already is not entered again. Raises CredentialError."""
    for kind, content in rows:
        connection.execute(
            "INSERT INTO registry.client_credential (client_id, kind, content) SELECT %(client)s, %(kind)s, %(content)s"
            " WHERE NOT EXISTS (SELECT FROM registry.client_credential WHERE client_id = %(client)s"
            " AND kind = %(kind)s AND content = %(content)s AND (ends_at IS NULL OR ends_at > now()))",
            {"client": client_id, "kind": kind, "content": content},
        )
    row = connection.execute(
        "SELECT max(number) FROM (SELECT count(*) AS number FROM registry.client_credential"
        " WHERE client_id = %s AND (ends_at IS NULL OR ends_at > now()) GROUP BY kind) AS counted",
        (client_id,),
    ).fetchone()
    if row is not None and row[0] is not None and row[0] > MOST:
        raise CredentialError(f"a client may have {MOST} credentials of a kind at once; let one end first")


def _read(connection: psycopg.Connection, client_id: str) -> list[Credential]:
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM registry.client_credential WHERE client_id = %s ORDER BY id", (client_id,)
    ).fetchall()
    return [Credential(number, kind, _shown(kind, content), made, ends) for number, kind, content, made, ends in rows]


def _shown(kind: str, content: str) -> str:
    if kind == "secret":
        return ""
    if kind == "key":
        jwk = orjson.loads(content)
        return f"{jwk['alg']} {jwk['kid']}"
    return f"x5t#S256 {content}" if kind == "certificate" else content


def _expect_provable(connection: psycopg.Connection, client_id: str, method: Method) -> None:
    """So that nobody locks a client out by a way that it cannot go."""
    if method is Method.EXTERNAL:
        named = "SELECT FROM registry.client WHERE id = %s AND external_name IS NOT NULL"
        there = connection.execute(named, (client_id,)).rowcount
        lacking = "name at the external issuer; it gets one when it is entered: shuqiao clients add --external"
    else:
        kind = _PROVEN_WITH[method]
        there = connection.execute(
            "SELECT FROM registry.client_credential WHERE client_id = %s AND kind = %s"
            " AND (ends_at IS NULL OR ends_at > now())",
            (client_id, kind),
        ).rowcount
        enter = f"rotate-secret {client_id}" if method is Method.SECRET else f"keys {client_id} --{kind} ..."
        lacking = f"{kind} in force; first: shuqiao clients {enter}"
    if not there:
        raise CredentialError(f"{method} cannot be its way: the client has no {lacking}")


def _expect_client(connection: psycopg.Connection, client_id: str) -> None:
    """Held until the transaction ends, so that two who change one client's credentials take turns."""
    if connection.execute("SELECT FROM registry.client WHERE id = %s FOR UPDATE", (client_id,)).fetchone() is None:
        raise _no_client(client_id)


def _no_client(client_id: str) -> CredentialError:
    return CredentialError(f"there is no client {client_id!r}; list them to see their ids: shuqiao clients list")
