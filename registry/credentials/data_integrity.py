"""Data Integrity proofs of the suite ecdsa-jcs-2019 (W3C Data Integrity ECDSA Cryptosuites 1.0).

What is signed: the hash of the canonical proof without its value, then the hash of the canonical document without its
proof. SHA-256 with P-256, SHA-384 with P-384. Issued with P-256 only.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256, sha384
from typing import Any, NoReturn

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from registry.credentials.jcs import canonical
from registry.credentials.moments import text_of
from registry.credentials.multibase import base58, from_base58
from registry.credentials.refusal import Refused
from registry.signing.signer import Signer

CRYPTOSUITE = "ecdsa-jcs-2019"
ASSERTION = "assertionMethod"
AUTHENTICATION = "authentication"

_CURVES = {
    "secp256r1": (sha256, ec.ECDSA(hashes.SHA256()), 64),
    "secp384r1": (sha384, ec.ECDSA(hashes.SHA384()), 96),
}


class ProofRefused(Refused):
    """A proof does not hold."""


def add_proof(
    document: Mapping[str, Any],
    signer: Signer,
    created: datetime,
    *,
    purpose: str = ASSERTION,
    challenge: str | None = None,
    domain: str | None = None,
) -> dict[str, Any]:
    """The document with a proof as its last member. A proof that it already has is not kept."""
    if signer.algorithm != "ES256":
        raise ValueError(f"{CRYPTOSUITE} is issued with ES256, not with {signer.algorithm}")
    unsecured = {name: value for name, value in document.items() if name != "proof"}
    proof: dict[str, Any] = {
        "type": "DataIntegrityProof",
        "cryptosuite": CRYPTOSUITE,
        "created": text_of(created),
        "verificationMethod": signer.verification_method,
        "proofPurpose": purpose,
    }
    if challenge is not None:
        proof["challenge"] = challenge
    if domain is not None:
        proof["domain"] = domain
    if "@context" in unsecured:
        proof["@context"] = unsecured["@context"]
    signed = sha256(canonical(proof)).digest() + sha256(canonical(unsecured)).digest()
    return {**unsecured, "proof": {**proof, "proofValue": "z" + base58(signer.sign(signed))}}


def check_proof(
    document: Mapping[str, Any], key: ec.EllipticCurvePublicKey, proof: Mapping[str, Any] | None = None
) -> None:
    """Check the document's signature with this key; ``proof``: one of several.

    Says nothing of who owns the key nor of when it was signed. Raises :class:`ProofRefused`: proof_missing,
    proof_several, proof_malformed, proof_type, cryptosuite, proof_value, proof_context, curve, signature.
    """
    proof = proof if proof is not None else one_proof(document)
    _check_shape(document, proof)
    signed = hash_data(document, proof, key)
    _check_signature(key, signature_of(proof, key), signed)


def one_proof(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """The only proof of a document; ProofRefused when there is none, or several."""
    proof = document.get("proof")
    if proof is None:
        _refuse("proof_missing", "没有签名（proof）", "there is no proof")
    if isinstance(proof, list):
        if len(proof) != 1:
            _refuse(
                "proof_several", f"应有一个签名，实有 {len(proof)} 个", f"{len(proof)} proofs where one is expected"
            )
        proof = proof[0]
    if not isinstance(proof, dict):
        _refuse("proof_malformed", "签名（proof）不是对象", "the proof is not an object")
    return proof


def hash_data(document: Mapping[str, Any], proof: Mapping[str, Any], key: ec.EllipticCurvePublicKey) -> bytes:
    """What a proof signs: the two hashes, one after the other (the ``combined hash`` of the test vectors)."""
    if key.curve.name not in _CURVES:
        _refuse("curve", f"不支持的曲线 {key.curve.name}", f"the suite does not know the curve {key.curve.name}")
    digest = _CURVES[key.curve.name][0]
    options = dict(proof)
    options.pop("proofValue", None)
    unsecured = dict(document)
    unsecured.pop("proof", None)
    return digest(canonical(options)).digest() + digest(canonical(unsecured)).digest()


def signature_of(proof: Mapping[str, Any], key: ec.EllipticCurvePublicKey) -> bytes:
    """The bytes r || s of the proof value; ProofRefused (proof_value) when it is not that."""
    text = proof.get("proofValue")
    size = _CURVES[key.curve.name][2]
    if not isinstance(text, str) or not text.startswith("z"):
        _refuse("proof_value", "签名值不是 base58btc（z…）文本", "the proof value is not base58btc text (z...)")
    try:
        value = from_base58(text[1:])
    except ValueError as error:
        _refuse("proof_value", "签名值不是 base58btc（z…）文本", f"the proof value is not base58btc text: {error}")
    if len(value) != size:
        _refuse("proof_value", f"签名值应为 {size} 字节，实为 {len(value)}", f"{len(value)} bytes of proof, not {size}")
    return value


def _check_shape(document: Mapping[str, Any], proof: Mapping[str, Any]) -> None:
    if proof.get("type") != "DataIntegrityProof":
        _refuse("proof_type", "签名类型不是 DataIntegrityProof", "the proof's type is not DataIntegrityProof")
    if proof.get("cryptosuite") != CRYPTOSUITE:
        _refuse("cryptosuite", f"签名套件不是 {CRYPTOSUITE}", f"the proof's cryptosuite is not {CRYPTOSUITE}")
    # The suite lets contexts be added behind the signed ones; here a licence is taken only as it was signed.
    if "@context" in proof and proof["@context"] != document.get("@context"):
        _refuse("proof_context", "签名中的 @context 与文件不一致", "the proof's @context is not the document's")


def _check_signature(key: ec.EllipticCurvePublicKey, signature: bytes, signed: bytes) -> None:
    half = len(signature) // 2
    der = encode_dss_signature(int.from_bytes(signature[:half]), int.from_bytes(signature[half:]))
    try:
        key.verify(der, signed, _CURVES[key.curve.name][1])
    except InvalidSignature:
        _refuse(
            "signature", "签名与内容不符：内容或签名被改动", "the signature does not fit: content or proof was changed"
        )


def _refuse(code: str, zh: str, en: str) -> NoReturn:
    raise ProofRefused(code, zh, en)
