"""Keys of the hub and its authorities: who signs now, what comes after, and what a lost key brings with it.

A private key is unsealed only when something is to be signed, and only in memory. Every change is one transaction.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from time import monotonic
from typing import Literal

import psycopg
from cryptography import x509

from registry.licences import key_rows
from registry.licences.key_rows import Key
from registry.signing.certificates import Subject
from registry.signing.master_key import MasterKey, other_key
from registry.signing.p256 import P256Signer
from registry.signing.sm2 import Sm2Signer

WARNING = timedelta(days=180)
"""How long before its end a key is to be replaced."""
HUB = "hub"
"""Stands for the hub where an authority's code is asked for."""


class KeysError(Exception):
    """Something cannot be done with these keys; the text says why and what to do, in both languages."""


class NoActiveKey(KeysError):  # noqa: N818
    """Nobody signs for this authority, or there are no keys at all."""


class KeyNotActive(KeysError):  # noqa: N818
    """A key was replaced or revoked meanwhile: load the keys anew and do the work again."""


class KeyUnknown(KeysError):  # noqa: N818
    """There is no key of that id."""


class RevocationRefused(KeysError):  # noqa: N818
    """This key cannot be revoked so."""


class Reason(StrEnum):
    """Why a key is revoked."""

    KEY_COMPROMISE = "key_compromise"
    """Others may have the key: nothing that it signed is believed any more, whatever date it bears."""
    CESSATION = "cessation"
    """The authority is no more: what was signed before holds, nothing is signed after."""
    SUPERSEDED = "superseded"
    """Replaced for another cause: what was signed before holds, nothing is signed after."""


@dataclass(frozen=True, slots=True)
class Rotation:
    """One key has taken another's place."""

    old: str | None
    new: Key


@dataclass(frozen=True, slots=True)
class Affected:
    """What a key has signed that is in use now."""

    licences: int
    """Current versions of licences."""
    forms: int
    """Forms (vc, jwt, pdf ...) of these."""
    status_lists: int
    copies: int
    """Annotated copies that have neither ended nor been revoked."""
    credentials: int
    """Credentials signed for clients."""


@dataclass(frozen=True, slots=True)
class Revocation:
    """A key revoked, and what follows from it."""

    key: Key
    successor: str | None
    """The id of the key that signs from now on; None when nobody does."""
    affected: Affected

    @property
    def must_be_reissued(self) -> bool:
        """Whether what the key has signed is worthless and is to be made anew with the successor."""
        return self.key.revocation_reason == Reason.KEY_COMPROMISE


@dataclass(frozen=True, slots=True)
class Expiring:
    """An active key near or past its end."""

    key: Key
    days_left: int
    """Negative: past."""


class KeyRing:
    """The active keys, as they were when they were loaded."""

    def __init__(self, keys: Iterable[Key], master_key: MasterKey) -> None:
        self._keys = {(key.purpose, key.issuer_code): key for key in keys if key.state == "active"}
        self._master_key = master_key
        self._signers: dict[str, P256Signer] = {}
        self._sm2_signers: dict[str, Sm2Signer] = {}

    def __repr__(self) -> str:
        return f"KeyRing({len(self._keys)} keys)"

    @classmethod
    def load(cls, connection: psycopg.Connection, master_key: MasterKey) -> KeyRing:
        """The keys that sign now. Raises MasterKeyWrong when they are sealed with another master key."""
        keys = key_rows.read(connection, "k.state = 'active'")
        for key in keys:
            if key.master_key_id != master_key.id:
                raise other_key(expected=key.master_key_id, got=master_key.id)
        return cls(keys, master_key)

    def signer(self, issuer_code: str) -> P256Signer:
        """Signs for an authority. Raises NoActiveKey, MasterKeyWrong."""
        return self._signer(self._one("seal", issuer_code))

    @property
    def hub(self) -> P256Signer:
        """Signs the trust list. Raises NoActiveKey, MasterKeyWrong."""
        return self._signer(self._one("hub", None))

    @property
    def root_certificate(self) -> x509.Certificate:
        """What every certificate stands under. Raises NoActiveKey."""
        return _certificate(self._one("root", None))

    def chain(self, issuer_code: str) -> tuple[x509.Certificate, x509.Certificate]:
        """An authority's seal certificate and the root's. Raises NoActiveKey."""
        return _certificate(self._one("seal", issuer_code)), self.root_certificate

    @property
    def hub_chain(self) -> tuple[x509.Certificate, x509.Certificate]:
        """The hub's certificate and the root's. Raises NoActiveKey."""
        return _certificate(self._one("hub", None)), self.root_certificate

    def sm2(self, issuer_code: str) -> Sm2Signer | None:
        """The authority's second signature; None where it has no SM2 key. Raises Sm2Missing, MasterKeyWrong."""
        key = self._keys.get(("sm2", issuer_code))
        if key is None:
            return None
        if key.id not in self._sm2_signers:
            self._sm2_signers[key.id] = Sm2Signer(key.unseal(self._master_key), key.verification_method)
        return self._sm2_signers[key.id]

    def _one(self, purpose: Literal["root", "hub", "seal"], issuer_code: str | None) -> Key:
        try:
            return self._keys[purpose, issuer_code]
        except KeyError:
            raise _no_active_key(issuer_code) from None

    def _signer(self, key: Key) -> P256Signer:
        if key.id not in self._signers:
            self._signers[key.id] = key.signer(self._master_key)
        return self._signers[key.id]


def all_keys(connection: psycopg.Connection, issuer_code: str | None = None) -> list[Key]:
    """Every key there ever was, the oldest first; those of one authority, or of ``hub`` (root and hub)."""
    if issuer_code is None:
        return key_rows.read(connection)
    where = "k.issuer_code IS NOT DISTINCT FROM %(issuer)s"
    return key_rows.read(connection, where, {"issuer": None if issuer_code == HUB else issuer_code})


def one_key(connection: psycopg.Connection, key_id: str) -> Key:
    """The key of an id. Raises KeyUnknown."""
    found = key_rows.read(connection, "k.id = %(id)s", {"id": key_id})
    if not found:
        raise KeyUnknown(f"没有密钥 {key_id}，请查看 there is no key {key_id!r}; see: shuqiao keys list")
    return found[0]


def hold(connection: psycopg.Connection, key_ids: Collection[str]) -> None:
    """Keep these keys active until the transaction ends: nobody revokes one between signing and commit.

    Raises KeyNotActive when one is active no more.
    """
    rows = connection.execute(
        "SELECT id FROM registry.signing_key WHERE id = ANY(%s) AND state = 'active' ORDER BY id FOR SHARE",
        (sorted(key_ids),),
    ).fetchall()
    if gone := set(key_ids) - {row[0] for row in rows}:
        raise KeyNotActive(
            "密钥已被更换或吊销，请重新签发 keys were replaced or revoked meanwhile; sign again: "
            + ", ".join(sorted(gone))
        )


def rotate(
    connection: psycopg.Connection,
    issuer_code: str,
    *,
    master_key: MasterKey,
    now: datetime,
    replacing: str | None = None,
    sm2: bool = False,
) -> Rotation:
    """A new key for an authority (or ``hub``); the old one signs no more, and what it signed holds.

    With ``replacing``, only that key is replaced: of two who ask at once, the second is told. With ``sm2`` it is the
    authority's SM2 key. Raises KeyNotActive, NoActiveKey (an authority that is not entered), MasterKeyWrong.
    """
    with connection.transaction():
        key_rows.lock(connection)
        purpose, code = _place(issuer_code, sm2=sm2)
        old = key_rows.retire(connection, purpose, code, now)
        if replacing is not None and old != replacing:
            raise KeyNotActive(
                f"密钥 {replacing} 已不在用，现用密钥为 {old} "
                f"the key {replacing} is active no more; the active one is {old}"
            )
        return Rotation(old, _make(connection, purpose, code, master_key, now))


def revoke(
    connection: psycopg.Connection, key_id: str, reason: Reason, *, master_key: MasterKey, now: datetime
) -> Revocation:
    """End a key for good, and what follows from it.

    An active key gets a successor in the same transaction, except for ``cessation``. Doing it again changes nothing; a
    revoked key may turn out to be compromised later. Raises KeyUnknown, RevocationRefused, MasterKeyWrong.
    """
    began = monotonic()
    with connection.transaction():
        key_rows.lock(connection)
        connection.execute("SELECT FROM registry.signing_key WHERE id = %s FOR UPDATE", (key_id,))
        waited = timedelta(seconds=monotonic() - began)  # for who was signing: that was before the revocation
        before = one_key(connection, key_id)
        if before.state != "revoked" or _is_worse(before, reason):
            _check_revocable(before, reason)
            connection.execute(
                "UPDATE registry.signing_key SET state = 'revoked', revoked_at = coalesce(revoked_at, %s),"
                " revocation_reason = %s WHERE id = %s",
                (now + waited, reason.value, key_id),
            )
        elif before.revocation_reason != reason:
            raise RevocationRefused(f"密钥 {key_id} 已吊销 the key is revoked already, for {before.revocation_reason}")
        if before.state == "active" and reason is not Reason.CESSATION:
            _make(connection, before.purpose, before.issuer_code, master_key, now)
        successor = key_rows.active(connection, before.purpose, before.issuer_code)
        return Revocation(
            one_key(connection, key_id), successor.id if successor else None, affected(connection, key_id, now)
        )


def replace_root(connection: psycopg.Connection, *, master_key: MasterKey, now: datetime) -> list[Key]:
    """After the root or the master key fell into other hands: every key is revoked as compromised and made anew.

    One transaction. The keys revoked by it, whose work is to be made anew; who verifies needs the new root certificate.
    Raises NoActiveKey without keys, MasterKeyWrong.
    """
    with connection.transaction():
        key_rows.lock(connection)
        connection.execute("SELECT FROM registry.signing_key ORDER BY id FOR UPDATE")
        before = [key for key in key_rows.read(connection) if key.state != "revoked"]
        hub = next((key for key in before if key.purpose == "hub" and key.state == "active"), None)
        if hub is None:
            raise _no_active_key(None)
        hub.unseal(master_key)
        connection.execute(
            "UPDATE registry.signing_key SET state = 'revoked', revoked_at = %s, revocation_reason = 'key_compromise'"
            " WHERE state <> 'revoked'",
            (now,),
        )
        key_rows.make_root(connection, Subject(key_rows.ROOT_NAME, hub.did), master_key, now)
        for key in before:
            if key.state == "active" and key.purpose != "root":
                _make(connection, key.purpose, key.issuer_code, master_key, now)
        return [one_key(connection, key.id) for key in before]


def affected(connection: psycopg.Connection, key_id: str, now: datetime) -> Affected:
    """What a key has signed that is in use now."""
    row = connection.execute(
        """
        SELECT (SELECT count(*) FROM registry.licence WHERE key_id = %(key)s AND superseded_by IS NULL),
               (SELECT count(*) FROM registry.licence_form f JOIN registry.licence l ON l.id = f.licence_id
                WHERE f.key_id = %(key)s AND l.superseded_by IS NULL),
               (SELECT count(*) FROM registry.status_list WHERE key_id = %(key)s),
               (SELECT count(*) FROM registry.licence_copy
                WHERE key_id = %(key)s AND revoked_at IS NULL AND valid_until > %(now)s),
               (SELECT count(*) FROM registry.issued_credential WHERE key_id = %(key)s)
        """,
        {"key": key_id, "now": now},
    ).fetchone()
    return Affected(*row) if row else Affected(0, 0, 0, 0, 0)


def expiring(
    connection: psycopg.Connection, within: timedelta = WARNING, *, now: datetime | None = None
) -> list[Expiring]:
    """Active keys that end ``within`` a time, or have ended; the next one first."""
    at = now or datetime.now(UTC)
    keys = key_rows.read(connection, "k.state = 'active' AND k.not_after <= %(end)s", {"end": at + within})
    return [Expiring(key, (key.not_after - at).days) for key in sorted(keys, key=lambda key: key.not_after)]


def reseal(connection: psycopg.Connection, old: MasterKey, new: MasterKey) -> int:
    """Seal every private key with a new master key, all or none; how many. Raises MasterKeyWrong.

    Those sealed with the new one already are left: after a kill, the same call ends the work.
    """
    with connection.transaction():
        key_rows.lock(connection)
        keys = [key for key in key_rows.read(connection) if key.master_key_id != new.id]
        for key in keys:
            key_rows.reseal(connection, key, old, new)
    return len(keys)


def _place(issuer_code: str, *, sm2: bool) -> tuple[key_rows.Purpose, str | None]:
    if issuer_code == HUB:
        return "hub", None
    return ("sm2" if sm2 else "seal"), issuer_code


def _make(
    connection: psycopg.Connection,
    purpose: key_rows.Purpose,
    issuer_code: str | None,
    master_key: MasterKey,
    now: datetime,
) -> Key:
    """A new active key for whom keys were made before."""
    earlier = key_rows.read(
        connection,
        "k.issuer_code IS NOT DISTINCT FROM %(issuer)s AND k.purpose IN ('hub', 'seal')",
        {"issuer": issuer_code},
    )
    if not earlier:
        raise _no_active_key(issuer_code)
    if purpose == "sm2":
        return key_rows.make_sm2(connection, issuer_code or HUB, master_key, now)
    last = earlier[-1]
    subject = Subject(last.issuer_name or key_rows.HUB_NAME, last.did, issuer_code)
    return key_rows.make_leaf(connection, "hub" if issuer_code is None else "seal", subject, master_key, now)


def _is_worse(before: Key, reason: Reason) -> bool:
    return reason is Reason.KEY_COMPROMISE and before.revocation_reason != Reason.KEY_COMPROMISE


def _check_revocable(key: Key, reason: Reason) -> None:
    if key.purpose == "root":
        raise RevocationRefused(
            "根密钥不能单独吊销：须重建全部密钥并重新分发根证书，用 shuqiao keys replace-root，见 docs/keys.md "
            "a root key is not revoked alone: all keys are made anew and the new root certificate is handed out, with "
            "`shuqiao keys replace-root`, see docs/keys.md"
        )
    if key.purpose == "hub" and reason is Reason.CESSATION:
        raise RevocationRefused(
            "平台密钥不能停用：信任列表须由它签名，请用 superseded 或 key_compromise "
            "the hub's key cannot cease, it signs the trust list: use superseded or key_compromise"
        )


def _certificate(key: Key) -> x509.Certificate:
    if key.certificate is None:
        raise NoActiveKey(f"密钥 {key.id} 没有证书 the key {key.id} has no certificate")
    return key.certificate


def _no_active_key(issuer_code: str | None) -> NoActiveKey:
    if issuer_code is None:
        return NoActiveKey(
            "平台还没有密钥 the hub has no keys yet: shuqiao issuers load <file>, or shuqiao issuers add"
        )
    return NoActiveKey(
        f"机构 {issuer_code} 没有在用的签章密钥 the authority {issuer_code} has no active seal key: "
        "shuqiao issuers list, shuqiao keys rotate"
    )
