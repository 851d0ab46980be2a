"""Who signed, and whether they might: the key is the issuer's in the trust list, and its seal held then."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NoReturn

from registry.credentials import data_integrity
from registry.credentials.moments import moment_of
from registry.credentials.trust_list import CLOCKS, TrustedIssuer, TrustedKey, TrustList
from registry.credentials.verify.model import id_of, is_url, many
from registry.credentials.verify.verdict import CheckFailed

MOST_PROOFS = 10


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature over a document, whichever its form, as far as it can be told before its key is known."""

    method: str
    """The verification method: a DID URL with the key's id."""
    created: datetime | None
    """When it says it was made; None when the form does not say."""
    proof: Mapping[str, Any]


def read_proof(proof: Any, purpose: str) -> Signature:
    """One Data Integrity proof, its members checked: type, suite, purpose, method, dates.

    Raises CheckFailed: proof_malformed, proof_type, cryptosuite, proof_purpose, proof_method, proof_created,
    proof_expires, proof_value.
    """
    if not isinstance(proof, dict):
        _fail("proof_malformed", "签名（proof）不是对象", "a proof is not an object")
    if proof.get("type") != "DataIntegrityProof":
        _fail("proof_type", "签名类型不是 DataIntegrityProof", "the proof's type is not DataIntegrityProof")
    if proof.get("cryptosuite") != data_integrity.CRYPTOSUITE:
        suite = data_integrity.CRYPTOSUITE
        _fail("cryptosuite", f"签名套件不是 {suite}", f"the proof's cryptosuite is not {suite}")
    if proof.get("proofPurpose") != purpose:
        _fail("proof_purpose", f"签名用途应为 {purpose}", f"the proof's purpose is not {purpose}")
    method = proof.get("verificationMethod")
    if not isinstance(method, str) or not is_url(method):
        _fail("proof_method", "签名没有指明验证方法", "the proof names no verification method")
    if "id" in proof and not is_url(proof["id"]):
        _fail("proof_malformed", "签名的 id 应为网址", "the id of the proof is not a URL")
    return Signature(method, _moment(proof, "created"), proof)


def check_time(signature: Signature, at: datetime) -> None:
    """Whether the proof was made before ``at`` and has not expired by its own word."""
    if signature.created is None:
        _fail("proof_created", "签名没有时间（created）", "the proof does not say when it was made (created)")
    if signature.created > at + CLOCKS:
        when = signature.created.isoformat()
        _fail(
            "proof_from_future", f"签名时间 {when} 晚于当前时间", f"the proof says it was made at {when}, in the future"
        )
    expires = _moment(signature.proof, "expires")
    if expires is not None and expires < at:
        _fail("proof_expired", f"签名已于 {expires.isoformat()} 过期", f"the proof expired at {expires.isoformat()}")


def check_owner(trust: TrustList, issuer: object, method: str) -> tuple[TrustedIssuer, TrustedKey]:
    """The issuer and key of a verification method, which must be a key of this very issuer.

    Raises CheckFailed: issuer_not_trusted, key_unknown, key_of_other_issuer.
    """
    did = id_of(issuer)
    trusted = trust.issuers.get(did) if did is not None else None
    owner = trust.owner(method)
    if trusted is None:
        _fail("issuer_not_trusted", "签发者不在信任列表中", "the issuer is not in the trust list")
    if owner is None:
        _fail("key_unknown", "签名密钥不在信任列表中", "the signing key is not in the trust list")
    if owner[0] is not trusted:
        zh = f"签名密钥属于“{owner[0].name}”，不属于签发者“{trusted.name}”"
        _fail("key_of_other_issuer", zh, f"the key is {owner[0].name_en}'s, not the issuer's ({trusted.name_en})")
    return owner


def proofs_of(document: Mapping[str, Any]) -> list[Any]:
    """The proofs of a document, at least one and at most ``MOST_PROOFS``: each of them costs reading all of it."""
    proofs = many(document.get("proof"))
    if not proofs:
        _fail("proof_missing", "没有签名（proof）", "there is no proof")
    if len(proofs) > MOST_PROOFS:
        _fail("proof_too_many", f"签名超过 {MOST_PROOFS} 个", f"more than {MOST_PROOFS} proofs")
    return proofs


def _moment(proof: Mapping[str, Any], name: str) -> datetime | None:
    if name not in proof:
        return None
    try:
        return moment_of(proof[name])
    except (TypeError, ValueError):
        _fail(
            f"proof_{name}",
            f"签名的 {name} 应为带时区的日期时间",
            f"{name} of the proof is not a date and time with a zone",
        )


def _fail(code: str, zh: str, en: str) -> NoReturn:
    raise CheckFailed(code, zh, en)
