"""Seal certificates, held before the openssl command and the verifier of another library."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from cryptography.x509.verification import PolicyBuilder, Store

from registry.signing import certificates, p256
from registry.signing.certificates import CertificateRefused, Root, Subject, check_chain, did_of, pem

NOW = datetime(2026, 11, 23, 8, 0, 0, 5, tzinfo=UTC)
HUB = Subject("数桥 Shuqiao", "did:web:hub.example.gov.cn%3A8443")
OFFICE = Subject("桥州市市场监督管理局", f"{HUB.did}:issuers:11330200QE27RUC576", "11330200QE27RUC576")


def a_root(now: datetime = NOW) -> Root:
    key = p256.new_key()
    return Root(certificates.make_root(HUB, key, now), key)


@pytest.fixture(scope="module")
def root() -> Root:
    return a_root()


def a_seal(root: Root, subject: Subject = OFFICE, now: datetime = NOW) -> x509.Certificate:
    return certificates.make_seal(subject, p256.new_key().public_key(), root, now)


def openssl_verify(folder: Path, root: x509.Certificate, leaf: x509.Certificate, at: datetime) -> str:
    (folder / "root.pem").write_text(pem(root))
    (folder / "leaf.pem").write_text(pem(leaf))
    command = ["openssl", "verify", "-x509_strict", "-check_ss_sig", "-attime", str(int(at.timestamp()))]
    command += ["-CAfile", "root.pem", "leaf.pem"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def test_openssl_accepts_hub_and_seal_under_the_root(root: Root, tmp_path: Path) -> None:
    hub = certificates.make_hub(HUB, p256.new_key().public_key(), root, NOW)
    for leaf in (hub, a_seal(root)):
        assert openssl_verify(tmp_path, root.certificate, leaf, NOW) == "leaf.pem: OK\n"


def test_openssl_refuses_another_root_and_a_past_end(root: Root, tmp_path: Path) -> None:
    seal = a_seal(root)
    assert "verification failed" in openssl_verify(tmp_path, a_root().certificate, seal, NOW)
    assert "certificate has expired" in openssl_verify(tmp_path, root.certificate, seal, NOW + timedelta(days=1200))


def test_openssl_shows_what_the_seal_says(root: Root, tmp_path: Path) -> None:
    (tmp_path / "seal.pem").write_text(pem(a_seal(root)))
    command = ["openssl", "x509", "-in", "seal.pem", "-noout", "-text", "-nameopt", "utf8,sep_comma_plus_space"]
    text = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert "CN=桥州市市场监督管理局" in text
    assert "organizationIdentifier=11330200QE27RUC576" in text
    assert "URI:did:web:hub.example.gov.cn%3A8443:issuers:11330200QE27RUC576, DNS:hub.example.gov.cn" in text
    assert "Key Usage: critical\n                Digital Signature, Non Repudiation\n" in text
    assert "CA:FALSE" in text


def test_the_verifier_of_todays_web_rules_accepts_the_chain(root: Root) -> None:
    seal = a_seal(root)
    verifier = PolicyBuilder().store(Store([root.certificate])).time(NOW).build_client_verifier()
    names = verifier.verify(seal, []).subjects or []
    assert x509.DNSName("hub.example.gov.cn") in names


@pytest.mark.parametrize(
    ("did", "names"),
    [
        ("did:web:127.0.0.1%3A8000", ["IPAddress"]),
        ("did:web:localhost%3A8000:issuers:330203", ["DNSName"]),
        ("did:web:hub.example.gov.cn:city", ["DNSName"]),
        ("did:key:zDn", []),
    ],
)
def test_the_host_of_the_did_stands_in_the_certificate(root: Root, did: str, names: list[str]) -> None:
    leaf = a_seal(root, Subject("x", did, "330203"))
    found = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [type(name).__name__ for name in found] == ["UniformResourceIdentifier", *names]
    assert did_of(leaf) == did


def test_terms_are_20_5_and_3_years_and_none_outlasts_the_root(root: Root) -> None:
    hub = certificates.make_hub(HUB, p256.new_key().public_key(), root, NOW)
    years = [round((each.not_valid_after_utc - NOW).days / 365) for each in (root.certificate, hub, a_seal(root))]
    assert years == [20, 5, 3]
    late = a_seal(root, now=NOW + timedelta(days=365 * 19))
    assert late.not_valid_after_utc == root.certificate.not_valid_after_utc


def test_a_long_name_keeps_whole_in_the_organisation(root: Root) -> None:
    name = "国家税务总局桥州市税务局" * 4
    subject = a_seal(root, Subject(name, OFFICE.did, OFFICE.code)).subject
    assert subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)[0].value == name
    common = str(subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)
    assert name.startswith(common)
    assert 60 < len(common.encode()) <= 64


def test_a_seal_of_this_root_is_accepted_from_a_little_before_it_was_made(root: Root) -> None:
    seal = a_seal(root)
    for at in (NOW - timedelta(minutes=9), NOW, NOW + timedelta(days=1094)):
        check_chain(seal, root.certificate, at)


def _no_seal(root: Root, usage: x509.KeyUsage | None) -> x509.Certificate:
    """A certificate of this root that may not seal documents."""
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "x")]))
        .issuer_name(root.certificate.subject)
        .public_key(p256.new_key().public_key())
        .serial_number(7)
        .not_valid_before(NOW)
        .not_valid_after(NOW + timedelta(days=9))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    )
    if usage is not None:
        builder = builder.add_extension(usage, critical=True)
    return builder.sign(root.private_key, SHA256())


TLS_ONLY = x509.KeyUsage(
    digital_signature=True,
    content_commitment=False,
    key_encipherment=True,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=False,
    crl_sign=False,
    encipher_only=False,
    decipher_only=False,
)


@pytest.mark.parametrize(("reason", "days"), [("not_yet_valid", -1), ("expired", 1096), ("root_expired", 365 * 20 + 1)])
def test_a_seal_is_refused_outside_its_term(root: Root, reason: str, days: int) -> None:
    seal = a_seal(root, now=NOW + timedelta(days=1) if days < 0 else NOW)
    at = NOW if days < 0 else NOW + timedelta(days=days)
    with pytest.raises(CertificateRefused) as caught:
        check_chain(seal, root.certificate, at)
    assert caught.value.reason == reason
    assert caught.value.zh
    assert caught.value.en


def test_a_seal_of_another_root_of_the_same_name_is_refused(root: Root) -> None:
    with pytest.raises(CertificateRefused) as caught:
        check_chain(a_seal(root), a_root().certificate, NOW)
    assert caught.value.reason == "other_root"


def test_a_seal_cannot_issue_seals(root: Root) -> None:
    """The chain ends at the root itself: what a leaf signed is refused, though the signature is right."""
    key = p256.new_key()
    leaf = Root(certificates.make_seal(OFFICE, key.public_key(), root, NOW), key)
    forged = certificates.make_seal(Subject("假印章", OFFICE.did, OFFICE.code), p256.new_key().public_key(), leaf, NOW)
    for anchor in (leaf.certificate, root.certificate):
        with pytest.raises(CertificateRefused) as caught:
            check_chain(forged, anchor, NOW)
        assert caught.value.reason == "other_root"


@pytest.mark.parametrize("usage", [None, TLS_ONLY], ids=["no usage", "TLS only"])
def test_a_certificate_for_another_use_is_refused(root: Root, usage: x509.KeyUsage | None) -> None:
    with pytest.raises(CertificateRefused) as caught:
        check_chain(_no_seal(root, usage), root.certificate, NOW)
    assert caught.value.reason == "wrong_usage"


def test_the_root_is_no_seal(root: Root) -> None:
    with pytest.raises(CertificateRefused) as caught:
        check_chain(root.certificate, root.certificate, NOW)
    assert caught.value.reason == "wrong_usage"


def test_a_changed_certificate_is_refused(root: Root) -> None:
    der = bytearray(a_seal(root).public_bytes(Encoding.DER))
    der[-1] ^= 1
    with pytest.raises(CertificateRefused) as caught:
        check_chain(x509.load_der_x509_certificate(bytes(der)), root.certificate, NOW)
    assert caught.value.reason == "other_root"


def test_a_root_shows_nothing_of_its_key(root: Root) -> None:
    assert isinstance(root.private_key, ec.EllipticCurvePrivateKey)
    assert repr(root) == f"Root(serial={root.certificate.serial_number:x})"
