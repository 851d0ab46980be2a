"""The access log from a terminal: verified with and without the hub."""

from __future__ import annotations

import base64
import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from registry.audit import notes
from registry.licences import issuers
from registry.storage.database import connect
from tests.audit.log import CODES, fill
from tests.cli.conftest import Desk
from tests.licences.issue.town import BASE, BUREAU, BUREAU_CODE, MASTER_KEY


@pytest.fixture
def log(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Iterator[psycopg.Connection]:
    """A hub with a key and 300 entries in its log."""
    monkeypatch.setenv("SHUQIAO_MASTER_KEY", base64.b64encode(b"m" * 32).decode())
    with connect(desk.registry) as connection:
        issuers.enter(
            connection, BUREAU_CODE, BUREAU, "Bureau", base=BASE, master_key=MASTER_KEY, now=datetime.now(UTC)
        )
        fill(connection, 300)
        yield connection


@pytest.fixture
def held(desk: Desk, log: psycopg.Connection, tmp_path: Path) -> tuple[Path, Path]:
    """What a third party keeps: a checkpoint of 300 entries, and the hub's key."""
    assert log.closed is False
    note, key = tmp_path / "kept.note", tmp_path / "hub.key"
    note.write_text(desk.shuqiao("audit", "checkpoint").out, "utf-8")
    key.write_text(desk.shuqiao("audit", "keys").out, "utf-8")
    return note, key


def tamper(connection: psycopg.Connection) -> None:
    with connection.transaction():
        connection.execute("SET LOCAL session_replication_role = replica")
        connection.execute("UPDATE registry.access_log SET client = 'nobody' WHERE index = 7")


def test_a_log_that_nobody_altered_is_verified(desk: Desk, held: tuple[Path, Path]) -> None:
    found = desk.shuqiao("audit", "verify", "--checkpoint", str(held[0]), "--json")

    assert (found.code, found.document["entries"], found.document["proven"]) == (0, 300, 300)
    assert (found.document["checkpoints"], found.document["findings"]) == (2, [])


def test_a_changed_row_is_named(desk: Desk, log: psycopg.Connection, held: tuple[Path, Path]) -> None:
    assert held
    tamper(log)

    found = desk.shuqiao("audit", "verify", "--json")
    shown = desk.shuqiao("audit", "verify")

    assert (found.code, shown.code) == (1, 1)
    assert [(each["kind"], each["first"], each["last"]) for each in found.document["findings"]] == [("changed", 7, 7)]
    assert "条目被改动" in shown.out


def test_a_third_party_verifies_an_export_without_the_hub(
    desk: Desk, held: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "log.ndjson"
    assert desk.shuqiao("audit", "export", str(file), "--end", "300").code == 0
    for name in ("SHUQIAO_DATABASE_URL", "SHUQIAO_MASTER_KEY"):
        monkeypatch.delenv(name)
    words = ("audit", "verify", str(file), "-c", str(held[0]), "-k", str(held[1]), "--json")
    del desk.environ["SHUQIAO_DATABASE_URL"]

    found = desk.shuqiao(*words)
    assert (found.code, found.document["entries"], found.document["proven"]) == (0, 300, 300)
    file.write_bytes(file.read_bytes().replace(b'"status":200', b'"status":304', 1))
    found = desk.shuqiao(*words)
    assert (found.code, found.document["proven"]) == (1, 0)
    assert [each["kind"] for each in found.document["findings"]] == ["checkpoint"]


def test_an_export_may_begin_at_a_checkpoint(
    desk: Desk, log: psycopg.Connection, held: tuple[Path, Path], tmp_path: Path
) -> None:
    fill(log, 400)
    later, file = tmp_path / "later.note", tmp_path / "new.ndjson"
    later.write_text(desk.shuqiao("audit", "checkpoint").out, "utf-8")
    assert desk.shuqiao("audit", "export", str(file), "--first", "300").code == 0

    words = ("audit", "verify", str(file), "-k", str(held[1]), "-c", str(later), "--json")
    assert desk.shuqiao(*words).code == 1, "what stands before is not proven"
    found = desk.shuqiao(*words, "-c", str(held[0]))

    assert (found.code, found.document["first"], found.document["proven"]) == (0, 300, 100)


def test_a_key_may_come_as_pem(desk: Desk, held: tuple[Path, Path], tmp_path: Path) -> None:
    key = notes.key_from_text(held[1].read_text("utf-8")).public_key
    pem, file = tmp_path / "hub.pem", tmp_path / "log.ndjson"
    pem.write_bytes(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    desk.shuqiao("audit", "export", str(file))

    assert desk.shuqiao("audit", "verify", str(file), "-c", str(held[0]), "-k", str(pem)).code == 0


def test_a_checkpoint_that_the_key_did_not_sign_is_refused(desk: Desk, held: tuple[Path, Path]) -> None:
    held[0].write_text(held[0].read_text("utf-8").replace("\n300\n", "\n299\n"), "utf-8")

    refused = desk.shuqiao("audit", "verify", "--checkpoint", str(held[0]))
    assert (refused.code, "签名不符" in refused.err) == (1, True)
    held[0].write_text("something", "utf-8")
    assert desk.shuqiao("audit", "verify", "--checkpoint", str(held[0])).code == 2


def test_a_file_needs_checkpoints_and_keys(desk: Desk, tmp_path: Path) -> None:
    file = tmp_path / "log.ndjson"
    file.write_text("{}", "utf-8")

    assert desk.shuqiao("audit", "verify", str(file)).code == 2


@pytest.mark.usefixtures("log")
def test_entries_that_are_not_there_are_not_exported(desk: Desk, tmp_path: Path) -> None:
    refused = desk.shuqiao("audit", "export", str(tmp_path / "x"), "--first", "200", "--end", "302")

    assert (refused.code, "301" in refused.err) == (2, True), "the 300 and this command itself"


def test_an_export_is_for_its_owner_only(desk: Desk, held: tuple[Path, Path], tmp_path: Path) -> None:
    assert held
    desk.shuqiao("audit", "export", str(tmp_path / "log.ndjson"))

    assert stat.S_IMODE((tmp_path / "log.ndjson").stat().st_mode) == 0o600


@pytest.mark.usefixtures("log")
def test_an_enterprise_learns_who_read_its_data(desk: Desk) -> None:
    found = desk.shuqiao("audit", "who", CODES[0], "--limit", "5", "--json")
    shown = desk.shuqiao("audit", "who", CODES[0])

    assert len(found.lines) == 5
    assert all(CODES[0] in {each.get("entity"), *each.get("entities", [])} for each in found.lines)
    assert [each["index"] for each in found.lines] == sorted((each["index"] for each in found.lines), reverse=True)
    assert "信贷审批" in shown.out
    assert "nobody read it" in desk.shuqiao("audit", "who", "91330203MA2CH1XY5X").out


@pytest.mark.usefixtures("log")
def test_a_log_that_was_altered_is_not_signed(desk: Desk, log: psycopg.Connection) -> None:
    desk.shuqiao("audit", "checkpoint")
    with log.transaction():
        log.execute("SET LOCAL session_replication_role = replica")
        log.execute("UPDATE registry.access_log_node SET hash = sha256('x')")
    fill(log, 310)

    refused = desk.shuqiao("audit", "checkpoint")

    assert refused.code == 1
    assert "shuqiao audit verify" in refused.err


def test_old_entries_are_archived_verified_and_put_back(
    desk: Desk, log: psycopg.Connection, held: tuple[Path, Path], tmp_path: Path
) -> None:
    fill(log, 600)
    folder, tomorrow = tmp_path / "archive", (datetime.now(UTC) + timedelta(days=1)).date().isoformat()
    folder.mkdir()
    before = desk.shuqiao("audit", "who", CODES[0], "--limit", "999", "--json").lines

    assert "nothing" in desk.shuqiao("audit", "archive", str(folder)).err, "the term is not over"
    made = desk.shuqiao("audit", "archive", str(folder), "--before", tomorrow, "--json").document
    file = folder / made["file"]

    assert (made["first"], made["until"]) == (0, 300)
    found = desk.shuqiao("audit", "verify", "--json")
    assert (found.code, found.document["archived"], found.document["findings"]) == (0, 300, [])
    assert desk.shuqiao("audit", "verify", "--archive", str(folder)).code == 0
    found = desk.shuqiao("audit", "verify", str(file), "-c", str(held[0]), "-k", str(held[1]), "--json")
    assert (found.code, found.document["proven"]) == (0, 300)
    assert "archived" in desk.shuqiao("audit", "who", CODES[0]).err
    whole = desk.shuqiao("audit", "who", CODES[0], "--limit", "999", "--archive", str(folder), "--json").lines
    assert [line for line in whole if line["action"].startswith("GET")] == [
        line for line in before if line["action"].startswith("GET")
    ]
    assert made["file"] in desk.shuqiao("audit", "archives", "--json").out

    assert desk.shuqiao("audit", "restore", str(file)).code == 0
    assert desk.shuqiao("audit", "restore", str(file)).code == 1, "it is no archive any more"
    assert desk.shuqiao("audit", "verify", "--json").document["archived"] == 0


def test_a_folder_that_lacks_an_archive_is_refused(
    desk: Desk, log: psycopg.Connection, held: tuple[Path, Path], tmp_path: Path
) -> None:
    assert held
    fill(log, 600)
    made = desk.shuqiao("audit", "archive", str(tmp_path), "--before", "2099-01-01", "--json").document
    (tmp_path / made["file"]).unlink()

    refused = desk.shuqiao("audit", "verify", "--archive", str(tmp_path))
    assert (refused.code, made["file"] in refused.err) == (2, True)
