"""What is done from a terminal is in the access log before it begins."""

from __future__ import annotations

import getpass
import json
import socket
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import typer

from registry.audit import reading
from registry.audit.reading import Logged
from registry.storage.database import connect
from shuqiao.cli import on_record
from shuqiao.cli.application import application
from shuqiao.cli.on_record import UNRECORDED, Recorded
from tests.cli.conftest import Desk, uscc

DOCS = Path(__file__).parent.parent.parent / "docs" / "access-log.md"


def commands() -> dict[str, Any]:
    """Every command by the words it is called with."""

    def below(command: Any, words: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
        inner = getattr(command, "commands", None)
        if inner is None:
            yield " ".join(words), command
        for name, each in (inner or {}).items():
            yield from below(each, (*words, name))

    return dict(below(typer.main.get_command(application()), ()))


def entries(desk: Desk) -> list[Logged]:
    with connect(desk.registry) as connection:
        return reading.between(connection, 0, 1 << 20)


def test_every_command_is_on_record_or_says_why_not() -> None:
    there = commands()

    assert not UNRECORDED.keys() - there.keys(), "a command that is not there any more"
    assert all(isinstance(command, Recorded) for command in there.values())
    assert all(reason for reason in UNRECORDED.values())


def test_the_documentation_names_what_is_not_on_record() -> None:
    page = DOCS.read_text("utf-8")

    for name in UNRECORDED:
        assert f"`{name}`" in page, name


def test_an_act_is_on_record_with_who_did_it_where(desk: Desk) -> None:
    assert desk.shuqiao("clients", "revoke", "client-nobody").code != 0

    (found,) = entries(desk)
    assert (found.entry.action, found.entry.status) == ("shuqiao clients revoke", 202)
    assert found.entry.client == f"terminal:{getpass.getuser()}@{socket.gethostname()}"
    said = b'shuqiao clients revoke\n{"as_json":false,"client_id":"client-nobody"}'
    assert found.entry.request_digest == sha256(said).digest()


def test_whose_records_were_looked_at_is_on_record(desk: Desk) -> None:
    desk.write(1)
    desk.run()

    desk.shuqiao("entity", uscc(1))
    desk.shuqiao("records", "legal_entity", f"uscc={uscc(2)}")
    found = [(each.entry.action, each.entry.entity, each.entry.dataset) for each in entries(desk)]

    assert ("shuqiao entity", uscc(1), None) in found
    assert ("shuqiao records", uscc(2), "legal_entity") in found
    who = desk.shuqiao("audit", "who", uscc(1), "--json")
    assert "shuqiao entity" in {line["action"] for line in who.lines}


def test_a_code_of_a_person_does_not_come_into_the_log(desk: Desk) -> None:
    desk.shuqiao("records", "legal_entity", "holder_code=110101199003070011")

    (found,) = entries(desk)
    assert found.entry.entity is None
    assert b"110101199003070011" not in found.data


def test_what_changes_nothing_and_shows_nobodys_records_is_not_on_record(desk: Desk) -> None:
    for words in (("clients", "list"), ("batches", "list"), ("datasets",), ("connectors", "list")):
        assert desk.shuqiao(*words).code == 0, words

    assert entries(desk) == []


def test_an_act_that_cannot_be_put_on_record_does_not_begin(desk: Desk) -> None:
    with connect(desk.registry) as connection:
        connection.execute("ALTER TABLE registry.access_log RENAME TO elsewhere")

    refused = desk.shuqiao("clients", "add", "somebody", "--scope", "operate", "--json")

    assert refused.code != 0
    assert "error" in json.loads(refused.err.splitlines()[-1])
    with connect(desk.registry) as connection:
        assert connection.execute("SELECT count(*) FROM registry.client").fetchone() == (0,)


@pytest.mark.parametrize(
    ("uid", "sudo", "said"),
    [(0, "li", "root(li)"), (0, "", "root"), (0, "root", "root"), (1, "li", "daemon"), (4242424, "", "4242424")],
)
def test_who_became_root_is_named(monkeypatch: pytest.MonkeyPatch, uid: int, sudo: str, said: str) -> None:
    monkeypatch.setattr("os.getuid", lambda: uid)
    monkeypatch.setenv("SUDO_USER", sudo)

    assert on_record.who() == f"terminal:{said}@{socket.gethostname()}"
