"""Signatures with P-256, held before OpenSSL and RFC 6979."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.signing import p256
from registry.signing.p256 import P256Signer
from registry.signing.signer import Signer

METHOD = "did:web:hub.example.gov.cn#key"
RFC_6979_A_2_5 = 0xC9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721


def test_the_signature_is_the_one_of_rfc_6979() -> None:
    """Appendix A.2.5, SHA-256, message "sample"."""
    signer: Signer = P256Signer(ec.derive_private_key(RFC_6979_A_2_5, ec.SECP256R1()), METHOD)
    assert signer.sign(b"sample").hex().upper() == (
        "EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716"
        "F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8"
    )
    assert signer.algorithm == "ES256"
    assert signer.verification_method == METHOD


@settings(max_examples=25)
@given(st.binary(max_size=200), st.integers(1, 2**255))
def test_a_signature_has_64_bytes_however_small_its_numbers(data: bytes, secret: int) -> None:
    key = ec.derive_private_key(secret, ec.SECP256R1())
    signature = P256Signer(key, METHOD).sign(data)
    assert len(signature) == 64
    r, s = int.from_bytes(signature[:32]), int.from_bytes(signature[32:])
    key.public_key().verify(encode_dss_signature(r, s), data, ec.ECDSA(SHA256()))


def test_openssl_verifies_a_signature(tmp_path: Path) -> None:
    key = p256.new_key()
    signature = P256Signer(key, METHOD).sign("桥州".encode())
    (tmp_path / "data").write_bytes("桥州".encode())
    der = encode_dss_signature(int.from_bytes(signature[:32]), int.from_bytes(signature[32:]))
    (tmp_path / "signature").write_bytes(der)
    pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "key.pem").write_bytes(pem)
    command = ["openssl", "dgst", "-sha256", "-verify", "key.pem", "-signature", "signature", "data"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "Verified OK"
    (tmp_path / "data").write_bytes("杭州".encode())
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode != 0


def test_the_id_is_the_thumbprint_of_rfc_7638() -> None:
    """The public JWK of RFC 7517 appendix A.1; the thumbprint is what the package joserfc makes of it."""
    jwk = {
        "kty": "EC",
        "crv": "P-256",
        "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
        "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
    }
    assert p256.thumbprint(jwk) == "cn-I_WNMClehiVp51i_0VpOENW1upEerA8sEam5hn-s"


def test_a_key_goes_through_its_bytes() -> None:
    key = p256.new_key()
    assert p256.from_private_bytes(p256.private_bytes(key)).private_numbers() == key.private_numbers()


@pytest.mark.parametrize("curve", [ec.SECP384R1(), ec.SECP256K1()])
def test_a_key_on_another_curve_is_refused(curve: ec.EllipticCurve) -> None:
    with pytest.raises(ValueError, match="expected a key on P-256"):
        P256Signer(ec.generate_private_key(curve), METHOD)


def test_ids_can_be_typed_as_arguments() -> None:
    assert not any(p256.key_id(p256.new_key().public_key()).startswith("-") for _ in range(300))


def test_a_signer_shows_nothing_of_its_key() -> None:
    key = ec.derive_private_key(RFC_6979_A_2_5, ec.SECP256R1())
    shown = repr(P256Signer(key, METHOD))
    assert shown == f"P256Signer({METHOD!r})"
