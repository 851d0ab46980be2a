"""``shuqiao issuers`` and ``shuqiao keys``, as an operator types them."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from shuqiao.cli import application
from tests.licences.keys.conftest import MARKET, MASTER_KEY, MASTER_KEY_TEXT, Hall

FILE = f"""\
issuers:
  - code: {MARKET.code}
    name: {{zh: {MARKET.name}, en: {MARKET.name_en}}}
  - code: "330203"
    name: {{zh: 海曙区行政审批局, en: Haishu Approval Bureau}}
"""


@dataclass
class Answer:
    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)


@dataclass
class Terminal:
    environ: dict[str, str]

    def shuqiao(self, *words: str, typed: str = "") -> Answer:
        environ = {**self.environ, "COLUMNS": "250"}
        result = CliRunner().invoke(application(), list(words), env=environ, input=typed)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Answer(result.exit_code, result.stdout, result.stderr)

    def listed(self, *words: str) -> list[dict[str, Any]]:
        answer = self.shuqiao("keys", "list", "--json", *words)
        assert answer.code == 0, answer.err
        return list(answer.document)

    def seal(self, code: str = MARKET.code) -> str:
        """The id of the active seal key."""
        return next(str(key["id"]) for key in self.listed("--issuer", code) if key["purpose"] == "seal")


@pytest.fixture
def bare(registry_url: str) -> Terminal:
    return Terminal(
        {
            "SHUQIAO_DATABASE_URL": registry_url,
            "SHUQIAO_MASTER_KEY": MASTER_KEY_TEXT,
            "SHUQIAO_PUBLIC_URL": "https://hub.example.gov.cn/",
        }
    )


@pytest.fixture
def terminal(bare: Terminal, tmp_path: Path) -> Terminal:
    path = tmp_path / "issuers.yaml"
    path.write_text(FILE, "utf-8")
    answer = bare.shuqiao("issuers", "load", str(path), "--json")
    assert answer.code == 0, answer.err
    return bare


def test_authorities_are_loaded_added_and_listed(terminal: Terminal) -> None:
    added = terminal.shuqiao("issuers", "add", "330205", "江北区行政审批局", "--en", "Jiangbei", "--alias", "江北审批")
    assert added.code == 0
    assert "did:web:hub.example.gov.cn:issuers:330205" in added.out
    listed = terminal.shuqiao("issuers", "list", "--json").document
    assert [each["code"] for each in listed] == [MARKET.code, "330203", "330205"]
    assert listed[2]["aliases"] == ["江北审批"]
    assert all(each["seal_until"] for each in listed)
    for word in ("江北审批", MARKET.name, "Haishu Approval Bureau"):
        assert word in terminal.shuqiao("issuers", "list").out


def test_what_is_wrong_with_an_authority_or_a_file_is_told(bare: Terminal, tmp_path: Path) -> None:
    wrong = bare.shuqiao("issuers", "add", "123", "x", "--en", "x")
    assert (wrong.code, wrong.out) == (2, "")
    assert "is no code of an authority" in wrong.err
    missing = bare.shuqiao("issuers", "load", str(tmp_path / "none.yaml"), "--json")
    assert missing.code == 2
    assert "none.yaml" in json.loads(missing.err)["error"]["cause"]
    assert bare.shuqiao("issuers", "list").out.strip().startswith("还没有机构")
    assert "还没有密钥" in bare.shuqiao("keys", "list").out


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({"SHUQIAO_MASTER_KEY": ""}, "There is no master key"),
        ({"SHUQIAO_MASTER_KEY": "c2hvcnQ="}, "but it has 5 bytes"),
        ({"SHUQIAO_MASTER_KEY": "c2VjcmV0!"}, "cannot be read as base64"),
        ({"SHUQIAO_MASTER_KEY": "", "SHUQIAO_MASTER_KEY_FILE": "/nowhere/master.key"}, "/nowhere/master.key"),
        ({"SHUQIAO_MASTER_KEY": "A" * 43}, f"sealed with {MASTER_KEY.id}"),
    ],
    ids=["missing", "short", "no base64", "no file", "another"],
)
def test_a_master_key_that_cannot_be_used_is_told_in_a_sentence(
    terminal: Terminal, variables: dict[str, str], says: str
) -> None:
    terminal.environ |= variables
    answer = terminal.shuqiao("issuers", "add", "330205", "x", "--en", "x")
    assert answer.code == 4
    assert says in answer.err
    assert "请" in answer.err
    assert variables["SHUQIAO_MASTER_KEY"] not in answer.err or not variables["SHUQIAO_MASTER_KEY"]
    assert "Traceback" not in answer.err


def test_a_key_is_replaced_after_a_question(terminal: Terminal) -> None:
    before = terminal.seal()
    assert terminal.shuqiao("keys", "rotate", MARKET.code, typed="n\n").code == 1
    assert terminal.seal() == before
    answer = terminal.shuqiao("keys", "rotate", MARKET.code, typed="y\n")
    assert answer.code == 0
    assert before in answer.out
    assert terminal.seal() != before
    assert terminal.seal() in answer.out
    assert "trust-list.json" in answer.err
    states = {key["id"]: key["state"] for key in terminal.listed("--issuer", MARKET.code, "--all")}
    assert states == {before: "retired", terminal.seal(): "active"}


def test_a_key_is_revoked_by_the_beginning_of_its_id(terminal: Terminal) -> None:
    seal = terminal.seal()
    answer = terminal.shuqiao("keys", "revoke", seal[:12], "--reason", "key_compromise", "--yes", "--json")
    assert answer.code == 0, answer.err
    assert answer.document["key"]["id"] == seal
    assert answer.document["key"]["revocation_reason"] == "key_compromise"
    assert answer.document["successor"] == terminal.seal()
    assert answer.document["must_be_reissued"] is True
    assert answer.document["affected"]["licences"] == 0
    again = terminal.shuqiao("keys", "revoke", seal, "--reason", "superseded", "--yes")
    assert again.code == 1
    assert "revoked already" in again.err


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("keys", "rotate", "330299", "--yes"), 2, "there is no authority"),
        (("keys", "revoke", "zzzzzz", "--reason", "superseded", "--yes"), 2, "there is no key"),
        (("keys", "revoke", "", "--reason", "superseded", "--yes"), 2, "there is no key"),
        (("keys", "show", "zzzzzz"), 2, "there is no key"),
        (("keys", "reseal", "/nowhere/new.key", "--yes"), 4, "/nowhere/new.key"),
    ],
    ids=["authority", "key", "empty key", "key to show", "file"],
)
def test_a_slip_of_the_pen_is_told(terminal: Terminal, words: tuple[str, ...], code: int, says: str) -> None:
    answer = terminal.shuqiao(*words)
    assert (answer.code, answer.out) == (code, "")
    assert says in answer.err


def test_what_a_revoked_key_signed_is_made_anew_and_what_an_active_one_signed_is_not(terminal: Terminal) -> None:
    seal = terminal.seal()
    refused = terminal.shuqiao("keys", "reissue", seal)
    assert refused.code == 1
    assert "still in use" in refused.err
    revoked = terminal.shuqiao("keys", "revoke", seal, "--reason", "key_compromise", "--yes")
    assert revoked.code == 0
    done = terminal.shuqiao("keys", "reissue", seal, "--json")
    nothing = {"licences": 0, "forms": 0, "status_lists": 0, "copies_lost": 0, "clients_to_tell": []}
    assert done.document == nothing


def test_certificates_are_shown_as_openssl_reads_them(terminal: Terminal, tmp_path: Path) -> None:
    root = next(key["id"] for key in terminal.listed("--issuer", "hub") if key["purpose"] == "root")
    for name, key in (("root", root), ("seal", terminal.seal())):
        (tmp_path / f"{name}.pem").write_text(terminal.shuqiao("keys", "show", key).out)
    command = ["openssl", "verify", "-x509_strict", "-CAfile", "root.pem", "seal.pem"]
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).stdout == b"seal.pem: OK\n"
    public = terminal.shuqiao("keys", "show", terminal.seal(), "--public").out
    shown = terminal.shuqiao("keys", "show", terminal.seal(), "--json").document
    assert (shown["public_key"], shown["certificate"]) == (public, (tmp_path / "seal.pem").read_text())
    command = ["openssl", "x509", "-in", "seal.pem", "-noout", "-pubkey"]
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout == public


def test_sm2_keys_are_made_where_the_setting_asks_for_them(terminal: Terminal, tmp_path: Path) -> None:
    assert {key["algorithm"] for key in terminal.listed()} == {"ES256"}
    terminal.environ["SHUQIAO_SM2"] = "yes"
    assert terminal.shuqiao("issuers", "load", str(tmp_path / "issuers.yaml")).code == 0
    assert sorted(key["issuer_code"] for key in terminal.listed() if key["algorithm"] == "SM2-SM3") == [
        MARKET.code,
        "330203",
    ]
    assert terminal.shuqiao("keys", "check").code == 0
    assert terminal.shuqiao("keys", "rotate", MARKET.code, "--sm2", "--yes").code == 0


def test_a_check_says_all_is_well_or_what_is_not(terminal: Terminal) -> None:
    assert terminal.shuqiao("keys", "check").code == 0
    soon = terminal.shuqiao("keys", "check", "--within", "1100")
    assert soon.code == 1
    assert f"shuqiao keys rotate {MARKET.code}" in soon.out
    found = terminal.shuqiao("keys", "check", "--within", "1100", "--json")
    assert {problem["code"] for problem in found.document} == {"expires"}
    terminal.environ["SHUQIAO_PUBLIC_URL"] = "https://moved.example.gov.cn"
    assert "set it back" in terminal.shuqiao("keys", "check").out


def test_a_new_master_key_is_taken_on(terminal: Terminal, tmp_path: Path) -> None:
    new = tmp_path / "new.key"
    new.write_text("A" * 43)
    answer = terminal.shuqiao("keys", "reseal", str(new), "--yes", "--json")
    assert answer.document["resealed"] == 4
    assert terminal.shuqiao("keys", "check").code == 1
    terminal.environ["SHUQIAO_MASTER_KEY"] = "A" * 43
    assert terminal.shuqiao("keys", "check").code == 0


def test_a_lost_root_is_replaced_and_what_to_do_next_is_told(terminal: Terminal) -> None:
    before = {key["id"] for key in terminal.listed()}
    answer = terminal.shuqiao("keys", "replace-root", "--yes")
    assert answer.code == 0
    assert answer.err.count("shuqiao keys reissue ") == 2
    assert "root.pem" in answer.err
    assert not before & {key["id"] for key in terminal.listed()}
    assert terminal.shuqiao("keys", "check").code == 0


def test_no_command_prints_anything_private(terminal: Terminal, empty: Hall) -> None:
    rows = empty.connection.execute("SELECT sealed_private_key FROM registry.signing_key").fetchall()
    printed = terminal.shuqiao("keys", "list", "--json").out + terminal.shuqiao("keys", "list", "--all").out
    assert len(rows) == 4
    assert MASTER_KEY_TEXT not in printed
    assert not any(row[0].hex()[:32] in printed for row in rows)
    assert "sealed_private_key" not in printed
