"""What is wrong with the keys: for operators, the nightly upkeep and ``shuqiao doctor``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import psycopg
from cryptography.hazmat.primitives.asymmetric import ec

from registry.credentials.did import did_web
from registry.licences import key_rows
from registry.licences.issuers import all_issuers
from registry.licences.key_rows import Key
from registry.licences.keys import WARNING, expiring
from registry.signing import p256
from registry.signing.certificates import CertificateRefused, check_chain
from registry.signing.master_key import MasterKey, MasterKeyError, other_key
from registry.signing.sm2 import Sm2Missing, Sm2Signer


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that somebody has to do something about."""

    code: str
    """``no_keys``, ``no_seal``, ``sealed_otherwise``, ``damaged``, ``sm2_missing``, ``certificate``, ``expires``,
    ``expired``, ``address``."""
    zh: str
    en: str
    key: str | None = None


def problems(
    connection: psycopg.Connection,
    master_key: MasterKey,
    *,
    base: str,
    now: datetime,
    within: timedelta = WARNING,
) -> list[Problem]:
    """Everything that is wrong now or soon; empty: nothing."""
    keys = key_rows.read(connection)
    if not any(key.purpose == "root" for key in keys):
        return [Problem("no_keys", "还没有密钥：请登记颁发机构", "there are no keys yet: shuqiao issuers load <file>")]
    found = [problem for key in keys if key.master_key_id == master_key.id and (problem := _opens(key, master_key))]
    for other in sorted({key.master_key_id for key in keys} - {master_key.id}):
        error = other_key(expected=other, got=master_key.id)
        found.append(Problem("sealed_otherwise", error.zh, error.en))
    root = next(key for key in keys if key.purpose == "root" and key.state == "active")
    found += [problem for key in keys if key.state != "revoked" and (problem := _certified(key, root))]
    found += _without_seal(connection, keys)
    found += _ending(connection, now, within)
    return found + list(_elsewhere(keys, base))


def _opens(key: Key, master_key: MasterKey) -> Problem | None:
    """A key must open, and be the one that its row says."""
    try:
        private = key.unseal(master_key)
    except MasterKeyError as error:
        return Problem("damaged", error.zh, error.en, key.id)
    try:
        if key.purpose == "sm2":
            public = Sm2Signer(private, key.verification_method).public_key
        else:
            public = p256.public_bytes(p256.from_private_bytes(private).public_key())
    except Sm2Missing as error:
        return Problem("sm2_missing", str(error), "", key.id)
    except ValueError:
        public = b""
    if public == key.public_key:
        return None
    return Problem(
        "damaged",
        f"密钥 {key.id} 的公钥与私钥不符，请从备份恢复数据库",
        f"the public key of {key.id} is not that of its private key: restore the database from its backup",
        key.id,
    )


def _certified(key: Key, root: Key) -> Problem | None:
    if key.purpose in {"root", "sm2"}:
        return None
    try:
        _check_certificate(key, root)
    except CertificateRefused as error:
        return Problem("certificate", f"密钥 {key.id}：{error.zh}", f"key {key.id}: {error.en}", key.id)
    return None


def _check_certificate(key: Key, root: Key) -> None:
    certificate = key.certificate
    if certificate is None or root.certificate is None:
        raise CertificateRefused("missing", "没有证书", "there is no certificate")
    check_chain(certificate, root.certificate, certificate.not_valid_before_utc)
    public = certificate.public_key()
    if not isinstance(public, ec.EllipticCurvePublicKey) or p256.key_id(public) != key.id:
        raise CertificateRefused("other_key", "证书属于另一密钥", "the certificate is of another key")


def _without_seal(connection: psycopg.Connection, keys: list[Key]) -> Iterator[Problem]:
    """An authority whose key ended as ``cessation`` has none, and that is right."""
    sealed = {key.issuer_code for key in keys if key.purpose == "seal" and key.state == "active"}
    ceased = {key.issuer_code for key in keys if key.revocation_reason == "cessation"}
    for entry in all_issuers(connection):
        if entry.issuer.code not in sealed | ceased:
            yield Problem(
                "no_seal",
                f"{entry.issuer.name} 没有在用的印章，请更换密钥",
                f"{entry.issuer.name} has no active seal: shuqiao keys rotate {entry.issuer.code}",
            )


def _ending(connection: psycopg.Connection, now: datetime, within: timedelta) -> Iterator[Problem]:
    for each in expiring(connection, within, now=now):
        key, owner = each.key, each.key.issuer_name or "平台 hub"
        remedy = "" if key.purpose == "root" else f": shuqiao keys rotate {key.issuer_code or 'hub'}"
        remedy += " --sm2" if key.purpose == "sm2" else ""
        day = key.not_after.date().isoformat()
        if each.days_left < 0:
            zh, en = f"{owner} 的密钥已于 {day} 到期", f"the {key.purpose} key of {owner} ended on {day}{remedy}"
        else:
            zh = f"{owner} 的密钥将于 {day} 到期（还有 {each.days_left} 天）"
            en = f"the {key.purpose} key of {owner} ends on {day}, in {each.days_left} days{remedy}"
        yield Problem("expired" if each.days_left < 0 else "expires", zh, en, key.id)


def _elsewhere(keys: list[Key], base: str) -> Iterator[Problem]:
    """Names on the web are part of what is signed: they do not follow when the hub moves."""
    hub = next((key for key in keys if key.purpose == "hub" and key.state == "active"), None)
    if hub is not None and hub.did != did_web(base, None):
        yield Problem(
            "address",
            f"密钥是为 {hub.did} 建立的，而 SHUQIAO_PUBLIC_URL 现为 {base}：在线核验将找不到机构",
            f"the keys were made for {hub.did}, but SHUQIAO_PUBLIC_URL is {base} now: who verifies online will not "
            "find the authorities; set it back, or keep the former address answering",
            hub.id,
        )
