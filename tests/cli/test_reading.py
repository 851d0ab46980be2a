"""Datasets, records and entities from a terminal."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tests.cli.conftest import CONNECTOR, REPRESENTATIVE, Desk, uscc


def test_an_empty_registry_says_what_to_do(desk: Desk) -> None:
    assert desk.shuqiao("datasets", "--json").document == []
    assert "connectors run --all" in desk.shuqiao("datasets").out


def test_datasets_say_how_old_they_are(desk: Desk) -> None:
    desk.run()
    (found,) = desk.shuqiao("datasets", "--json").document

    assert (found["dataset"], found["records"]) == ("legal_entity", 5)
    assert found["sources"][0]["connector"] == CONNECTOR
    assert found["sources"][0]["late"] is False
    assert "legal_entity" in desk.shuqiao("datasets").out


def test_one_dataset_shows_its_fields(desk: Desk) -> None:
    desk.run()
    found = desk.shuqiao("datasets", "legal_entity", "--json").document

    fields = {each["field"]: each for each in found["fields"]}
    assert fields["uscc"]["required"]
    assert fields["legal_representative"]["personal"]
    assert found["open_refusals"] == {CONNECTOR: 2}
    assert "统一社会信用代码" in desk.shuqiao("datasets", "legal_entity").out


def test_a_dataset_that_is_not_there_ends_with_2_and_guesses(desk: Desk) -> None:
    desk.run()
    for command in ("datasets", "records"):
        answer = desk.shuqiao(command, "legal_entitty")
        assert answer.code == 2
        assert "legal_entity" in answer.err


def test_records_are_lines_of_json_with_personal_values_masked(desk: Desk) -> None:
    desk.run()
    answer = desk.shuqiao("records", "legal_entity", "--json")

    assert answer.code == 0
    assert [each["key"] for each in answer.lines] == sorted(uscc(number) for number in range(1, 6))
    assert answer.lines[0]["body"]["legal_representative"] == "诸*****"
    assert REPRESENTATIVE not in answer.out
    assert REPRESENTATIVE in desk.shuqiao("records", "legal_entity", "--json", "--unmasked").out


def test_a_limit_says_that_there_is_more(desk: Desk) -> None:
    desk.run()
    answer = desk.shuqiao("records", "legal_entity", "--limit", "2", "--json")

    assert len(answer.lines) == 2
    assert "--limit" in answer.err
    assert desk.shuqiao("records", "legal_entity", "--limit", "5", "--json").err == ""


def test_filters(desk: Desk) -> None:
    desk.write(3, state="注销")
    desk.run()
    closed = desk.shuqiao("records", "legal_entity", "status=deregistered", "--json")
    assert [each["key"] for each in closed.lines] == [uscc(3)]
    assert desk.shuqiao("records", "legal_entity", "status=revoked", "--json").out == ""
    assert len(desk.shuqiao("records", "legal_entity", "--key", uscc(2), "--json").lines) == 1
    assert len(desk.shuqiao("records", "legal_entity", "--entity", uscc(2), "--json").lines) == 1
    assert "没有记录" in desk.shuqiao("records", "legal_entity", "status=revoked").out
    table = desk.shuqiao("records", "legal_entity", "--fields", "name,status")
    assert "桥州第1厂" in table.out


def test_a_filter_that_cannot_be_ends_with_2_and_says_what_can(desk: Desk) -> None:
    desk.run()
    for given, said in {
        "status=sleeping": "active",
        "statuss=active": "status",
        "status": "FIELD=VALUE",
        "registered_capital=5": "uscc",
    }.items():
        answer = desk.shuqiao("records", "legal_entity", given)
        assert answer.code == 2, given
        assert said in answer.err


def test_as_it_was(desk: Desk) -> None:
    desk.run()
    then = datetime.now(UTC)
    desk.write(1, firm_name="桥州新厂")
    desk.run()
    now_and_then = [
        desk.shuqiao("records", "legal_entity", "--key", uscc(1), *words, "--json").lines[0]["body"]["name"]
        for words in ([], ["--as-of", then.isoformat()])
    ]
    assert now_and_then == ["桥州新厂", "桥州第1厂"]
    before = desk.shuqiao("records", "legal_entity", "--as-of", (then - timedelta(days=1)).isoformat(), "--json")
    assert before.out == ""
    for wrong in ("yesterday", "2999-01-01"):
        assert desk.shuqiao("records", "legal_entity", "--as-of", wrong).code == 2


def test_a_record_whose_newer_data_was_refused_says_so(desk: Desk) -> None:
    desk.run()
    desk.write(1, state="不明")
    desk.run()

    (found,) = desk.shuqiao("records", "legal_entity", "--key", uscc(1), "--json").lines
    assert found["body"]["status"] == "active"
    assert found["stale"]["reasons"][0]["pointer"] == "/status"
    assert "newer data refused since" in desk.shuqiao("records", "legal_entity").out


def test_an_entity_across_datasets(desk: Desk) -> None:
    desk.run()
    answer = desk.shuqiao("entity", uscc(4), "--json")

    assert answer.code == 0
    assert answer.document["entity"] == uscc(4)
    assert answer.document["datasets"][0]["records"][0]["body"]["name"] == "桥州第4厂"
    assert REPRESENTATIVE not in answer.out
    assert "桥州第4厂" in desk.shuqiao("entity", uscc(4)).out


def test_an_entity_that_nobody_knows(desk: Desk) -> None:
    desk.run()
    unknown = desk.shuqiao("entity", uscc(99))
    assert (unknown.code, unknown.out) == (1, "")
    assert uscc(99) in unknown.err
    assert desk.shuqiao("entity", "91310000000000000X").code == 2
    assert desk.shuqiao("entity", uscc(1), "--code-type", "777").code == 2
