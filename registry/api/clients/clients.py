"""Clients of the API, as the operator enters and revokes them: plain functions for the command line.

A secret is shown once and kept only as its scrypt hash; :mod:`registry.api.clients.credentials` replaces it.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import psycopg

from registry.api.clients import credentials
from registry.api.clients.credentials import CredentialError, Given, Method
from registry.api.clients.secret_hashes import hash_secret, new_secret
from registry.storage.database import connect

OPERATE = "operate"
READ = "read:"
"""Before the name of a dataset: in tokens only, for what is granted to the client."""
LICENCE_ALL = "licence:*"
CREDIT_PUBLIC = "credit:public"
CREDIT_DEPARTMENT = "credit:department"
CREDIT_BANK = "credit:bank"
CREDIT_CONSENT = "credit:consent"
CREDIT_EXCHANGE = "credit:exchange"
CREDIT_CASES = "credit:cases"
CREDIT_DECIDE = "credit:decide:"
"""Before the name of the department that decides."""
GRANTS_DECIDE = "grants:decide:"
"""Before the name of the department that owns datasets."""
_SCOPE = re.compile(
    r"operate|licence:(\*|[a-z][a-z0-9_]{0,62})|issue:([0-9]{6}|[0-9A-Z]{18})"
    r"|grants:decide:[a-z][a-z0-9_-]{0,59}"
    r"|credit:(public|department|bank|consent|exchange|cases|decide:[a-z][a-z0-9_-]{0,59})"
)
_SCOPES = (
    "licence:<type>, licence:*, issue:<issuer code>, credit:public, credit:department, credit:bank, credit:consent,"
    " credit:exchange, credit:cases, credit:decide:<department>, grants:decide:<department> or operate"
)
_COLUMNS = "id, name, scopes, created_at, revoked_at, methods, external_name, requests_per_second"


class ClientError(Exception):
    """A client cannot be entered or revoked as asked."""


@dataclass(frozen=True, slots=True)
class Client:
    """A downstream system that may ask for tokens."""

    id: str
    name: str
    scopes: tuple[str, ...]
    created_at: datetime
    revoked_at: datetime | None
    methods: tuple[str, ...]
    """How it may prove who it is: :class:`registry.api.clients.credentials.Method`."""
    external_name: str | None
    """What the external issuer of tokens calls it."""
    requests_per_second: int | None
    """Its own limit; None: the hub's."""


@dataclass(frozen=True, slots=True)
class NewClient:
    """A client just entered; the only time its secret is there to be seen."""

    id: str
    name: str
    scopes: tuple[str, ...]
    secret: str
    """Empty for a client that proves who it is otherwise."""


def add(
    database_url: str,
    name: str,
    scopes: Sequence[str],
    *,
    methods: Sequence[Method] = (Method.SECRET,),
    given: Given | None = None,
    external_name: str | None = None,
) -> NewClient:
    """Enter a client with what it may do, and how it proves who it is. Raises ClientError.

    These are its roles; records of datasets it reads by grants (:mod:`registry.grants`), so it may have no role.

    ``licence:<type>``, ``licence:*``: licences in every form, and copies of them; ``issue:<issuer code>``: credentials
    of one's own, signed for that issuer; ``credit:public``: what may be published of an enterprise;
    ``credit:department``: its file, its credit record and the measures, as departments get them; ``credit:bank``: what
    lenders get with an enterprise's consent; ``credit:consent``: enter and revoke consents for enterprises;
    ``credit:exchange``: the permits and penalties to be made public, for the upper-level platform; ``credit:cases``:
    file repairs and objections for enterprises; ``credit:decide:<department>``: decide those about what that
    department recorded; ``grants:decide:<department>``: decide who may read that department's datasets; ``operate``:
    batches, quarantine, discrepancies, matches, and cases as the hub.
    """
    if not name.strip():
        raise ClientError("a client needs a name: the system and who is responsible for it")
    for scope in scopes:
        if scope.startswith(READ):
            raise ClientError(f"{scope} is no scope of a client: records are granted, see shuqiao grants give --help")
        if not _SCOPE.fullmatch(scope):
            raise ClientError(f"there is no scope {scope!r}; expected {_SCOPES}")
    granted = tuple(sorted(set(scopes)))
    secret = new_secret() if Method.SECRET in methods else ""
    client = NewClient(f"client-{secrets.token_hex(8)}", name.strip(), granted, secret)
    try:
        rows = _provable(methods, given or Given(), external_name)
        with connect(database_url) as connection, connection.transaction():
            connection.execute(
                "INSERT INTO registry.client (id, name, scopes, methods, external_name) VALUES (%s, %s, %s, %s, %s)",
                (client.id, client.name, list(granted), sorted(set(methods)), external_name),
            )
            credentials.insert(connection, client.id, [("secret", hash_secret(secret)), *rows] if secret else rows)
    except CredentialError as error:
        raise ClientError(str(error)) from None
    except psycopg.errors.UniqueViolation:
        raise ClientError(f"another client is called {external_name!r} by the external issuer already") from None
    return client


def _provable(methods: Sequence[Method], given: Given, external_name: str | None) -> list[tuple[str, str]]:
    """The credentials to enter, once it is sure that each method has what it needs. Raises ClientError."""
    needed = {
        Method.KEY: (given.keys, "a public key (--key)"),
        Method.CERTIFICATE: (given.certificates, "a certificate (--certificate)"),
        Method.PKI: (given.subjects, "a certificate's subject (--subject)"),
        Method.EXTERNAL: (external_name, "the name that the issuer gives it (--external)"),
    }
    if not methods:
        raise ClientError("a client needs a way to prove who it is")
    for method, (there, what) in needed.items():
        if method in methods and not there:
            raise ClientError(f"{method} needs {what}")
        if there and method not in methods:
            raise ClientError(f"{what} was given, but the client may not prove who it is by {method}")
    return given.rows()


def all_clients(database_url: str) -> list[Client]:
    """Every client, also revoked ones, the newest last."""
    with connect(database_url) as connection:
        rows = connection.execute(f"SELECT {_COLUMNS} FROM registry.client ORDER BY created_at, id").fetchall()
    return [_client(*row) for row in rows]


def revoke(database_url: str, client_id: str) -> Client:
    """End a client: no more tokens, and those it has stop working. Raises ClientError if there is none of that id."""
    with connect(database_url) as connection:
        row = connection.execute(
            f"UPDATE registry.client SET revoked_at = coalesce(revoked_at, now()) WHERE id = %s RETURNING {_COLUMNS}",
            (client_id,),
        ).fetchone()
    if row is None:
        raise ClientError(f"there is no client {client_id!r}; list them to see their ids")
    return _client(*row)


def one(database_url: str, client_id: str) -> Client:
    """The client of an id, revoked or not. Raises ClientError if there is none."""
    with connect(database_url) as connection:
        row = connection.execute(f"SELECT {_COLUMNS} FROM registry.client WHERE id = %s", (client_id,)).fetchone()
    if row is None:
        raise ClientError(f"there is no client {client_id!r}; list them to see their ids")
    return _client(*row)


def _client(
    client_id: str,
    name: str,
    scopes: Sequence[str],
    created_at: datetime,
    revoked_at: datetime | None,
    methods: Sequence[str],
    external_name: str | None,
    requests_per_second: int | None,
) -> Client:
    times = (created_at, revoked_at)
    return Client(client_id, name, tuple(scopes), *times, tuple(methods), external_name, requests_per_second)
