"""The second signature: SM2 with SM3, held before the openssl command, which was written by others."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from registry.signing import sm2
from registry.signing.signer import Signer
from registry.signing.sm2 import Sm2Missing, Sm2Signer

METHOD = "did:web:hub.example.gov.cn#key"
DATA = "食品经营许可证".encode()


def openssl_says(folder: Path, public_key: bytes, signature: bytes, data: bytes) -> str:
    for name, content in {"key.der": public_key, "signature": signature, "data": data}.items():
        (folder / name).write_bytes(content)
    command = [
        *("openssl", "pkeyutl", "-verify", "-rawin", "-digest", "sm3", "-pkeyopt", "distid:1234567812345678"),
        *("-pubin", "-keyform", "DER", "-inkey", "key.der", "-in", "data", "-sigfile", "signature"),
    ]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False).stdout.strip()


def test_the_openssl_command_verifies_a_signature_and_refuses_a_changed_text(tmp_path: Path) -> None:
    private, public = sm2.new_key()
    signer: Signer = Sm2Signer(private, METHOD)
    signature = signer.sign(DATA)
    assert signer.algorithm == "SM2-SM3"
    assert signer.key_id == sm2.key_id(public)
    assert openssl_says(tmp_path, sm2.public_bytes(public), signature, DATA) == "Signature Verified Successfully"
    assert openssl_says(tmp_path, sm2.public_bytes(public), signature, DATA + b" ") == "Signature Verification Failure"


def test_a_signature_by_the_openssl_command_is_verified_here(tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(DATA)
    for command in (
        "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:SM2 -out key.pem",
        "openssl pkey -in key.pem -pubout -outform DER -out public.der",
        "openssl pkeyutl -sign -rawin -digest sm3 -pkeyopt distid:1234567812345678 -inkey key.pem -in data -out signed",
    ):
        subprocess.run(command.split(), cwd=tmp_path, check=True, capture_output=True)
    public, signature = (tmp_path / "public.der").read_bytes(), (tmp_path / "signed").read_bytes()
    assert sm2.verifies(signature, DATA, public)
    assert not sm2.verifies(signature, DATA + b" ", public)


@pytest.mark.parametrize("signature", [b"", b"\x30", bytes(64), bytes.fromhex("3006020100020100")])
def test_what_is_no_signature_does_not_verify(signature: bytes) -> None:
    _, public = sm2.new_key()
    assert not sm2.verifies(signature, DATA, sm2.public_bytes(public))


def test_a_key_of_another_signer_does_not_verify() -> None:
    private, _ = sm2.new_key()
    _, other = sm2.new_key()
    assert not sm2.verifies(Sm2Signer(private, METHOD).sign(DATA), DATA, sm2.public_bytes(other))


def test_without_its_library_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gmalg", None)
    with pytest.raises(Sm2Missing, match=r"install shuqiao\[sm2\]"):
        sm2.new_key()


def test_a_signer_shows_nothing_of_its_key() -> None:
    private, _ = sm2.new_key()
    assert repr(Sm2Signer(private, METHOD)) == f"Sm2Signer({METHOD!r})"
