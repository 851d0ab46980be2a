"""``shuqiao credit consent``: entered from a document, shown with its uses, revoked."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from registry.api.clients import clients
from registry.credit import consents
from registry.storage.database import connect
from tests.cli.conftest import Desk
from tests.credit.enterprise_file.town import Town, enterprise, uscc


@pytest.fixture
def town(registry_url: str) -> Iterator[Town]:
    made = Town(registry_url)
    made.say("legal_entity", {"1": enterprise(1)})
    yield made
    made.connection.close()


@pytest.fixture
def bank(town: Town) -> str:
    return clients.add(town.url, "bank", ["credit:bank"]).id


@pytest.fixture
def form(tmp_path: Path) -> Path:
    path = tmp_path / "consent.pdf"
    path.write_bytes(b"signed")
    return path


def words(bank: str, form: Path, *items: str, until: str = "2099-12-31") -> list[str]:
    chosen = [word for item in items or ("registration", "penalties") for word in ("--item", item)]
    return [
        "credit", "consent", "give", uscc(1), "--grantee", bank, "--purpose", "credit_lending", *chosen,
        "--until", until, "--evidence", str(form), "--from", "2026-11-01",
    ]  # fmt: skip


def use(town: Town, bank: str) -> None:
    with connect(town.url) as connection:
        consents.permit(
            connection, client=bank, entity=uscc(1), purpose="credit_lending", items=None, at=datetime.now(UTC),
            answer="lending", case_number="L-1",
        )  # fmt: skip


def test_a_consent_is_entered_from_its_document_and_the_same_one_is_one(desk: Desk, bank: str, form: Path) -> None:
    made: dict[str, Any] = desk.shuqiao(*words(bank, form), "--json").document

    assert made["evidence_digest"] == hashlib.sha256(b"signed").hexdigest()
    assert (made["state"], made["items"], made["given_by"]) == ("holding", ["penalties", "registration"], "operator")
    assert (made["valid_from"], made["valid_until"]) == ("2026-10-31T16:00:00Z", "2099-12-31T16:00:00Z")
    assert desk.shuqiao(*words(bank, form), "--json").document == made
    other = desk.shuqiao(*words(bank, form, "registration"))
    assert other.code == 1
    assert "stands for another consent" in other.err


def test_who_used_a_consent_is_listed_for_its_enterprise(desk: Desk, town: Town, bank: str, form: Path) -> None:
    made = desk.shuqiao(*words(bank, form), "--json").document
    use(town, bank)

    (line,) = desk.shuqiao("credit", "consent", "uses", uscc(1), "--json").lines

    assert (line["client"], line["answer"], line["case_number"]) == (bank, "lending", "L-1")
    assert line["items"] == ["penalties", "registration"]
    shown = desk.shuqiao("credit", "consent", "show", made["id"], "--json").document
    assert [each["id"] for each in shown["uses"]] == [line["id"]]
    table = desk.shuqiao("credit", "consent", "show", made["id"]).out
    assert "L-1" in table
    assert bank in desk.shuqiao("credit", "consent", "uses", uscc(1)).out
    assert "never used" in desk.shuqiao("credit", "consent", "uses", uscc(2)).out


def test_a_revoked_consent_is_listed_only_among_all(desk: Desk, bank: str, form: Path) -> None:
    made = desk.shuqiao(*words(bank, form), "--json").document

    assert [each["id"] for each in desk.shuqiao("credit", "consent", "list", "--json").lines] == [made["id"]]
    revoked = desk.shuqiao("credit", "consent", "revoke", made["id"], "--json").document
    assert (revoked["state"], revoked["revoked_by"]) == ("revoked", "operator")
    assert desk.shuqiao("credit", "consent", "revoke", made["id"], "--json").document == revoked
    assert desk.shuqiao("credit", "consent", "list", "--json").lines == []
    assert "no consent" in desk.shuqiao("credit", "consent", "list", "--grantee", "other", "--all").out
    assert made["id"] in desk.shuqiao("credit", "consent", "list", "--enterprise", uscc(1), "--all").out
    again = desk.shuqiao(*words(bank, form))
    assert again.code == 1
    assert "was revoked" in again.err


def test_what_cannot_be_done_says_why(desk: Desk, bank: str, form: Path) -> None:
    empty = form.with_name("empty.pdf")
    empty.touch()
    for said, code, reason in [
        (words(bank, form, "everything"), 1, "there are no items everything"),
        (words("nobody", form), 1, "there is no client nobody"),
        (words(bank, form, until="soon"), 2, "expected 2027-05-23"),
        (words(bank, form, until="2020-01-01"), 1, "term of the consent"),
        (words(bank, empty), 2, "is empty"),
        (words(bank, form.with_name("none.pdf")), 2, "cannot be read"),
        ([*words(bank, form)[:3], "91310000MA1FL00A0A", *words(bank, form)[4:]], 2, "check character"),
        (["credit", "consent", "show", "none"], 2, "no such consent"),
        (["credit", "consent", "revoke", "none"], 2, "no such consent"),
    ]:
        answer = desk.shuqiao(*said)
        assert (answer.code, reason in answer.err) == (code, True), (said, answer.err)
