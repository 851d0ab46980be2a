"""API clients, their credentials and the keys of tokens from a terminal."""

from __future__ import annotations

from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from registry.api.clients import credentials
from shuqiao.cli import clients
from tests.cli.conftest import Desk


@pytest.fixture
def pem(tmp_path: Path) -> Path:
    """A public key in a file."""
    key = ec.generate_private_key(ec.SECP256R1())
    path = tmp_path / "desk.pem"
    path.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "private.pem").write_bytes(private)
    return path


def test_a_client_is_entered_listed_and_revoked(desk: Desk) -> None:
    made = desk.shuqiao("clients", "add", "桥州银行", "-s", "operate", "--json")
    assert made.code == 0
    assert made.document["secret"]

    listed = desk.shuqiao("clients", "list", "--json")
    assert listed.document[0]["id"] == made.document["id"]
    assert listed.document[0]["methods"] == ["client_secret"]
    assert made.document["secret"] not in listed.out
    assert "桥州银行" in desk.shuqiao("clients", "list").out

    revoked = desk.shuqiao("clients", "revoke", made.document["id"], "--json").document
    assert revoked["revoked_at"] is not None


def test_a_client_that_cannot_be(desk: Desk, pem: Path) -> None:
    assert "no client yet" in desk.shuqiao("clients", "list").out
    for words, said in (
        (["-s", "write:everything"], "credit:bank"),
        (["-s", "read:legal_entity"], "shuqiao grants"),
        (["-m", "private_key_jwt"], "--key"),
        (["--key", str(pem.with_name("private.pem"))], "private key"),
        (["--key", str(pem.with_name("nowhere.pem"))], "nowhere.pem"),
        (["--certificate", str(pem)], "certificate"),
        (["--subject", "desk"], "CN="),
    ):
        wrong = desk.shuqiao("clients", "add", "桥州银行", *words)
        assert (wrong.code, wrong.out) == (2, ""), words
        assert said in wrong.err, words
    for verb in ("show", "revoke", "rotate-secret", "keys"):
        assert desk.shuqiao("clients", verb, "client-none").code == 2
    assert desk.shuqiao("clients", "list", "--json").document == []


def test_a_secret_is_shown_once_and_replaced_with_overlap(desk: Desk) -> None:
    shown = desk.shuqiao("clients", "add", "桥州银行")
    assert "client_secret" in shown.out
    (made,) = desk.shuqiao("clients", "list", "--json").document
    rotated = desk.shuqiao("clients", "rotate-secret", made["id"], "--json").document

    assert rotated["secret"]
    assert rotated["old_ends_at"]
    kept = desk.shuqiao("clients", "show", made["id"])
    assert rotated["secret"] not in kept.out
    known = desk.shuqiao("clients", "show", made["id"], "--json").document["credentials"]
    assert [(each["kind"], each["ends_at"] is None) for each in known] == [("secret", False), ("secret", True)]
    at_once = desk.shuqiao("clients", "rotate-secret", made["id"], "--hours", "0")
    assert "client_secret" in at_once.out


def test_keys_come_and_go_and_the_ways_are_restricted(desk: Desk, pem: Path, tmp_path: Path) -> None:
    certificate = tmp_path / "certificate.pem"
    trustme.CA().issue_cert("desk@bank.example").cert_chain_pems[0].write_to_path(str(certificate))
    made = desk.shuqiao("clients", "add", "bank", "--key", str(pem), "--certificate", str(certificate), "--json")
    assert made.document["secret"] == ""
    client = made.document["id"]
    found = desk.shuqiao("clients", "methods", client, "private_key_jwt", "--json").document
    assert found["methods"] == ["private_key_jwt"]

    subject = desk.shuqiao("clients", "keys", client, "--subject", "CN=desk,O=Bank", "--json").document
    assert [each["kind"] for each in subject["credentials"]] == ["key", "certificate", "subject"]
    number = subject["credentials"][0]["number"]
    ended = desk.shuqiao("clients", "keys", client, "--end", str(number), "--json").document
    assert ended["credentials"][0]["ends_at"] is not None
    assert desk.shuqiao("clients", "keys", client, "--end", "4711").code == 2
    assert "ES256" in desk.shuqiao("clients", "show", client).out


@pytest.mark.parametrize(
    ("way", "remedy"),
    [
        ("private_key_jwt", "--key"),
        ("tls_client_auth", "--subject"),
        ("self_signed_tls_client_auth", "--certificate"),
        ("external", "--external"),
    ],
)
def test_a_client_is_not_locked_out_by_a_way_that_it_cannot_go(desk: Desk, way: str, remedy: str) -> None:
    client = desk.shuqiao("clients", "add", "bank", "--json").document["id"]

    refused = desk.shuqiao("clients", "methods", client, way, "client_secret")

    assert refused.code == 2
    assert remedy in refused.err
    assert desk.shuqiao("clients", "show", client, "--json").document["methods"] == ["client_secret"]


def test_a_limit_is_set_and_taken_back(desk: Desk) -> None:
    client = desk.shuqiao("clients", "add", "bank", "--external", "loan-desk", "--json").document["id"]

    assert desk.shuqiao("clients", "limit", client, "50", "--json").document["requests_per_second"] == 50
    assert desk.shuqiao("clients", "limit", client, "--default", "--json").document["requests_per_second"] is None
    assert desk.shuqiao("clients", "limit", client).code == 2
    assert desk.shuqiao("clients", "limit", client, "0").code == 2
    assert desk.shuqiao("clients", "show", client, "--json").document["external_name"] == "loan-desk"
    assert desk.shuqiao("clients", "add", "other", "--external", "loan-desk").code == 2


def test_token_keys_are_replaced_and_taken_away(desk: Desk, tmp_path: Path) -> None:
    file = ("--file", str(tmp_path / "token_key.pem"))
    assert desk.shuqiao("keys", "tokens", "list", *file).code == 1
    first = desk.shuqiao("keys", "tokens", "rotate", *file, "--json").document
    assert [each["signs"] for each in first] == [False, True]
    ahead = desk.shuqiao("keys", "tokens", "rotate", *file, "--in", "10", "--json").document

    assert [each["signs"] for each in ahead] == [False, True, False]
    gone = desk.shuqiao("keys", "tokens", "drop", ahead[0]["id"], *file, "--json").document
    assert [each["id"] for each in gone] == [ahead[1]["id"], ahead[2]["id"]]
    assert desk.shuqiao("keys", "tokens", "drop", ahead[1]["id"], *file).code == 1
    assert ahead[2]["id"] in desk.shuqiao("keys", "tokens", "list", *file).out.replace("\n", "").replace(" ", "")


def test_the_ways_that_are_typed_are_those_that_there_are() -> None:
    assert [each.value for each in clients.Method] == [each.value for each in credentials.Method]
