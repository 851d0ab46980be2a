"""The PDF before poppler's pdfsig, certificates before openssl: ours are accepted, tampered ones are not."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from registry.licences import keys as signing_keys
from registry.licences.keys import KeyRing
from tests.crosscheck.conftest import Issued
from tests.licences.issue.town import BUREAU_CODE, MASTER_KEY, OTHER_BUREAU_CODE

Tool = Callable[[str], str]


def pdfsig(tool: Tool, document: bytes, folder: Path) -> str:
    """What pdfsig prints of a document."""
    path = folder / "licence.pdf"
    path.write_bytes(document)
    done = subprocess.run([tool("pdfsig"), path], capture_output=True, text=True, timeout=60, check=False)
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def pdf(issued: Issued) -> bytes:
    return issued.form(1, "pdf")


def test_the_seal_of_the_pdf_is_valid_and_covers_all_of_it(tool: Tool, pdf: bytes, tmp_path: Path) -> None:
    said = pdfsig(tool, pdf, tmp_path)
    assert "Signature is Valid" in said
    assert "ETSI.CAdES.detached" in said
    assert "Total document signed" in said
    assert "Signature #2" not in said


def test_a_changed_byte_makes_the_seal_invalid(tool: Tool, pdf: bytes, tmp_path: Path) -> None:
    place = pdf.index(b"stream") + 40
    said = pdfsig(tool, pdf[:place] + bytes([pdf[place] ^ 1]) + pdf[place + 1 :], tmp_path)
    assert "Signature is Valid" not in said


def test_what_is_appended_is_not_covered(tool: Tool, pdf: bytes, tmp_path: Path) -> None:
    said = pdfsig(tool, pdf + b"\n% appended\n", tmp_path)
    assert "Total document signed" not in said


@pytest.fixture
def chain(issued: Issued, tmp_path: Path) -> dict[str, Path]:
    """The certificates as files: root, hub, the seals of both authorities."""
    ring = KeyRing.load(issued.town.connection, MASTER_KEY)
    found = {
        "root": ring.root_certificate,
        "hub": ring.hub_chain[0],
        "seal": ring.chain(BUREAU_CODE)[0],
        "other_seal": ring.chain(OTHER_BUREAU_CODE)[0],
    }
    return {name: _written(tmp_path / f"{name}.pem", certificate) for name, certificate in found.items()}


def _written(path: Path, certificate: x509.Certificate) -> Path:
    path.write_bytes(certificate.public_bytes(Encoding.PEM))
    return path


def openssl(tool: Tool, *words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([tool("openssl"), *words], capture_output=True, text=True, timeout=60, check=False)


AT = "1795330800"
"""2026-11-22, within the term of the certificates, whenever the test runs."""


@pytest.mark.parametrize("name", ["hub", "seal", "other_seal"])
def test_every_certificate_stands_under_the_root(tool: Tool, chain: dict[str, Path], name: str) -> None:
    done = openssl(tool, "verify", "-x509_strict", "-attime", AT, "-CAfile", chain["root"], chain[name])
    assert (done.returncode, done.stdout.strip()) == (0, f"{chain[name]}: OK"), done.stderr


def test_a_certificate_under_another_root_or_out_of_its_term_is_refused(tool: Tool, chain: dict[str, Path]) -> None:
    assert openssl(tool, "verify", "-attime", AT, "-CAfile", chain["hub"], chain["seal"]).returncode != 0
    late = str(int(AT) + 4 * 366 * 86400)
    done = openssl(tool, "verify", "-attime", late, "-CAfile", chain["root"], chain["seal"])
    assert done.returncode != 0
    assert "expired" in done.stderr
    tampered = chain["seal"].read_bytes().splitlines()
    line = tampered[3]
    tampered[3] = line[:10] + (b"A" if line[10:11] != b"A" else b"B") + line[11:]
    chain["seal"].write_bytes(b"\n".join(tampered))
    assert openssl(tool, "verify", "-attime", AT, "-CAfile", chain["root"], chain["seal"]).returncode != 0


def test_the_key_of_the_seal_certificate_is_the_one_in_the_key_set(
    tool: Tool, issued: Issued, chain: dict[str, Path]
) -> None:
    signer = issued.town.ring.signer(BUREAU_CODE)
    done = openssl(tool, "x509", "-in", chain["seal"], "-noout", "-pubkey", "-ext", "subjectAltName,keyUsage")
    assert "Digital Signature, Non Repudiation" in done.stdout
    assert f"URI:{signer.verification_method.partition('#')[0]}" in done.stdout
    assert any(key["kid"] == signer.verification_method for key in issued.jwks["keys"])
    assert signing_keys.one_key(issued.town.connection, signer.key_id).state == "active"
