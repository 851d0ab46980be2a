"""The published test vectors of ecdsa-jcs-2019 (their source is named in each file)."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from registry.credentials.data_integrity import ProofRefused, add_proof, check_proof, hash_data, signature_of
from registry.credentials.did import from_multikey, multikey
from registry.credentials.moments import moment_of
from registry.credentials.multibase import base58, from_base58
from registry.signing.p256 import P256Signer

VECTORS = Path(__file__).parent / "vectors"
CURVES = {"p256": ec.SECP256R1(), "p384": ec.SECP384R1()}


@pytest.fixture(params=CURVES)
def vector(request: pytest.FixtureRequest) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads((VECTORS / f"ecdsa-jcs-2019-{request.param}.json").read_bytes())
    found["curve"] = CURVES[request.param]
    return found


def secret(vector: dict[str, Any]) -> ec.EllipticCurvePrivateKey:
    raw = from_base58(vector["secretKeyMultibase"][1:])[2:]
    return ec.derive_private_key(int.from_bytes(raw), vector["curve"])


def test_the_published_key_is_read_and_written(vector: dict[str, Any]) -> None:
    key = from_multikey(vector["publicKeyMultibase"])

    assert multikey(key) == vector["publicKeyMultibase"]
    assert secret(vector).public_key() == key


def test_the_published_hashes_come_out(vector: dict[str, Any]) -> None:
    key, signed = from_multikey(vector["publicKeyMultibase"]), vector["signed"]

    assert hash_data(signed, signed["proof"], key).hex() == vector["hashData"]


def test_the_published_signature_is_read_and_written(vector: dict[str, Any]) -> None:
    key, proof = from_multikey(vector["publicKeyMultibase"]), vector["signed"]["proof"]

    assert signature_of(proof, key).hex() == vector["signature"]
    assert "z" + base58(bytes.fromhex(vector["signature"])) == proof["proofValue"]


def test_the_published_credential_verifies(vector: dict[str, Any]) -> None:
    check_proof(vector["signed"], from_multikey(vector["publicKeyMultibase"]))


@pytest.mark.parametrize("member", ["id", "name", "issuer", "validFrom"])
def test_a_changed_published_credential_does_not(vector: dict[str, Any], member: str) -> None:
    changed = copy.deepcopy(vector["signed"])
    changed[member] += "x"

    with pytest.raises(ProofRefused) as refused:
        check_proof(changed, from_multikey(vector["publicKeyMultibase"]))
    assert refused.value.code == "signature"


def test_signing_the_published_document_with_the_published_key_makes_the_same_proof_but_for_its_value() -> None:
    vector = orjson.loads((VECTORS / "ecdsa-jcs-2019-p256.json").read_bytes())
    vector["curve"] = CURVES["p256"]
    proof = dict(vector["signed"]["proof"])

    signer = P256Signer(secret(vector), proof["verificationMethod"])
    ours = add_proof(vector["signed"], signer, moment_of(proof["created"]))

    check_proof(ours, from_multikey(vector["publicKeyMultibase"]))
    assert {**ours["proof"], "proofValue": ""} == {**proof, "proofValue": ""}
