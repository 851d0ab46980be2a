"""docs/keys.md says what is so."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from registry.licences import issuers, key_rows, keys, trust
from registry.licences.keys import KeyRing, Reason
from registry.licences.status import VALID_FOR
from registry.signing import certificates
from registry.signing.master_key import MasterKey, MasterKeyError, from_text, other_key
from shuqiao import master_key
from tests.licences.keys.conftest import MARKET, MASTER_KEY, Hall

PAGE = (Path(__file__).parents[3] / "docs" / "keys.md").read_text("utf-8")


def test_its_file_of_authorities_can_be_loaded(tmp_path: Path) -> None:
    (block,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "issuers.yaml").write_text(block, "utf-8")
    (found,) = issuers.read_file(tmp_path / "issuers.yaml")
    assert found == MARKET


def test_the_messages_of_the_master_key_are_those_that_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def told(work: object) -> MasterKeyError:
        assert callable(work)
        with pytest.raises(MasterKeyError) as caught:
            work()
        return caught.value

    monkeypatch.delitem(sys.modules, "airflow.sdk", raising=False)
    opened = MasterKey(bytes(32))
    errors = [
        told(master_key.load),
        told(lambda: from_text("x")),
        other_key(expected="a", got="b"),
        told(lambda: opened.unseal(b"\x01" + bytes(40), "x")),
    ]
    rows = re.findall(r"^\| ([没主无][^\x00-\x7f]+).*\|$", PAGE, re.MULTILINE)
    assert [row in error.zh for row, error in zip(rows, errors, strict=True)] == [True] * 4


def test_terms_and_reasons_are_those_of_the_code() -> None:
    assert re.findall(r"^\| `(\w+)` \S+ \| .*, (\d+) years \|$", PAGE, re.MULTILINE) == [
        ("root", str(certificates.ROOT_YEARS)),
        ("hub", str(certificates.HUB_YEARS)),
        ("seal", str(certificates.SEAL_YEARS)),
    ]
    assert set(re.findall(r"^\| `(\w+)` (?:泄露|替换|停用)", PAGE, re.MULTILINE)) == set(Reason)
    assert f"warn {keys.WARNING.days} days before a key ends" in PAGE
    assert f"a list ends after {trust.VALID.days} days" in PAGE
    assert (VALID_FOR.days, "end after seven days" in PAGE) == (7, True)
    assert (trust.OVERLAP.days, "a day of overlap" in PAGE) == (1, True)


def test_its_openssl_command_verifies_an_sm2_signature(hall: Hall, tmp_path: Path) -> None:
    hall.enter(MARKET, sm2=True)
    signer = KeyRing.load(hall.connection, MASTER_KEY).sm2(MARKET.code)
    assert signer is not None
    (key,) = [key for key in keys.all_keys(hall.connection) if key.purpose == "sm2"]
    (tmp_path / "sm2.pem").write_text(key_rows.public_pem(key))
    (tmp_path / "credential.json").write_bytes(b"{}")
    (tmp_path / "credential.sm2").write_bytes(signer.sign(b"{}"))
    (command,) = re.findall(r"^(openssl pkeyutl -verify .*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    done = subprocess.run(command, shell=True, cwd=tmp_path, capture_output=True, text=True, check=False)  # noqa: S602
    assert done.stdout.strip() == "Signature Verified Successfully"
