"""Refused records from a terminal: who has to correct what, and what came of it."""

from __future__ import annotations

import psycopg

from tests.cli.conftest import CONNECTOR, REPRESENTATIVE, Desk, uscc


def ids(desk: Desk) -> dict[str, int]:
    return {each["row_id"]: each["id"] for each in desk.shuqiao("quarantine", "list", "--all", "--json").lines}


def test_the_list_has_each_refused_record_once_with_its_reasons(desk: Desk) -> None:
    desk.run()
    desk.shuqiao("connectors", "run", CONNECTOR, "--full")
    found = {each["row_id"]: each for each in desk.shuqiao("quarantine", "list", "--json").lines}

    assert set(found) == {"6", "7"}
    assert found["6"]["reasons"][0]["pointer"] == "/uscc"
    assert found["7"]["times_seen"] == 2
    table = desk.shuqiao("quarantine", "list", "--connector", CONNECTOR).out
    assert "/status" in table
    assert desk.shuqiao("quarantine", "list", "--department", "elsewhere", "--json").out == ""
    assert "nothing in quarantine" in desk.shuqiao("quarantine", "list", "--department", "elsewhere").out


def test_a_limit_says_that_there_is_more(desk: Desk) -> None:
    desk.run()
    answer = desk.shuqiao("quarantine", "list", "--limit", "1", "--json")
    assert len(answer.lines) == 1
    assert "--limit" in answer.err


def test_one_is_shown_with_its_row_and_without_personal_values(desk: Desk) -> None:
    desk.run()
    number = str(ids(desk)["7"])
    answer = desk.shuqiao("quarantine", "show", number, "--json")

    assert answer.code == 0
    found = answer.document
    assert found["raw"]["state"] == "不明"
    assert found["raw"]["boss"] == "诸*****"
    assert {"zh", "en", "rule", "pointer"} <= set(found["reasons"][0])
    for shown in (answer, desk.shuqiao("quarantine", "show", number)):
        assert REPRESENTATIVE not in shown.out + shown.err


def test_contradicting_rows_are_masked_too(desk: Desk) -> None:
    desk.sql("UPDATE office.firm SET written = '2026-01-01T00:00:00Z'")
    desk.write(8, code=uscc(1), boss="司马昭先生大人")
    desk.sql("ALTER TABLE office.firm ALTER COLUMN written DROP DEFAULT")
    text = (desk.manifests / "firms.yaml").read_text("utf-8")
    text = text.replace("  cursor: {column: written, lookback: 0s}\n", "").replace(
        "  operation: {column: flag, delete: [d]}\n", ""
    )
    (desk.manifests / "firms.yaml").write_text(text, "utf-8")
    desk.run()

    contradicting = [number for row, number in ids(desk).items() if "#" in row]
    assert len(contradicting) == 2
    for number in contradicting:
        out = desk.shuqiao("quarantine", "show", str(number)).out
        assert REPRESENTATIVE not in out
        assert "司马昭先生大人" not in out


def test_without_its_manifest_every_value_is_masked(desk: Desk) -> None:
    desk.run()
    number = str(ids(desk)["7"])
    (desk.manifests / "firms.yaml").unlink()
    raw = desk.shuqiao("quarantine", "show", number, "--json").document["raw"]

    assert raw["state"] == "不*"
    assert REPRESENTATIVE not in raw.values()


def test_what_is_not_there_ends_with_2(desk: Desk) -> None:
    for words in (["show", "4711"], ["retry", "4711"], ["retry", "no.such"]):
        answer = desk.shuqiao("quarantine", *words)
        assert (answer.code, answer.out) == (2, "")


def test_retry_publishes_what_has_been_corrected_and_says_what_closed(desk: Desk) -> None:
    desk.run()
    numbers = ids(desk)
    desk.write(7, state="开业")
    answer = desk.shuqiao("quarantine", "retry", CONNECTOR, "--json")

    assert answer.code == 0
    found = answer.document
    assert found["batch"]["state"] == "published"
    assert [(each["id"], each["closed_because"]) for each in found["closed"]] == [(numbers["7"], "corrected")]
    assert [each["id"] for each in found["open"]] == [numbers["6"]]
    assert len(desk.shuqiao("records", "legal_entity", "--key", uscc(7), "--json").lines) == 1
    assert set(ids(desk)) == {"6", "7"}
    assert [each["row_id"] for each in desk.shuqiao("quarantine", "list", "--open", "--json").lines] == ["6"]


def test_retry_reads_rows_that_no_cursor_would_reach(desk: Desk) -> None:
    desk.run()
    number = str(ids(desk)["7"])
    desk.sql("UPDATE office.firm SET state = '开业' WHERE no = 7")  # written stays as it was
    answer = desk.shuqiao("quarantine", "retry", number)

    assert answer.code == 0
    assert "corrected" in answer.out


def test_retry_of_one_that_is_still_wrong_ends_with_1(desk: Desk) -> None:
    desk.run()
    answer = desk.shuqiao("quarantine", "retry", str(ids(desk)["6"]))

    assert answer.code == 1
    assert "Still open" in answer.out


def test_retry_of_one_that_is_closed_reads_nothing(desk: Desk) -> None:
    desk.run()
    number = str(ids(desk)["7"])
    desk.write(7, state="开业")
    desk.run()
    answer = desk.shuqiao("quarantine", "retry", number)

    assert answer.code == 1
    assert "corrected" in answer.err
    with psycopg.connect(desk.registry) as connection:
        assert connection.execute("SELECT count(*) FROM registry.batch").fetchone() == (2,)
