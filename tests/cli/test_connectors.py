"""Connectors from a terminal: looked at, checked, tried, run."""

from __future__ import annotations

import json

import psycopg
import pytest

from tests.cli.conftest import CONNECTOR, REPRESENTATIVE, Desk


def test_the_list_has_every_connector_and_the_place_of_what_is_wrong(desk: Desk) -> None:
    (desk.manifests / "broken.yaml").write_text("connector: test-office.broken\ntitle: 7\n", "utf-8")
    answer = desk.shuqiao("connectors", "list", "--json")

    assert answer.code == 0
    listed = {each["connector"]: each for each in answer.document["connectors"]}
    assert listed[CONNECTOR]["dataset"] == "legal_entity"
    broken = [each for each in answer.document["broken"] if each["file"].endswith("broken.yaml")]
    assert (2, "title") in {(each["line"], each["key"]) for each in broken}

    table = desk.shuqiao("connectors", "list").out.replace("\n", "")
    assert "broken.yaml:2" in table
    assert CONNECTOR in table


def test_show_says_where_the_connector_stands(desk: Desk) -> None:
    before = desk.shuqiao("connectors", "show", CONNECTOR, "--json").document
    assert before["state"] is None
    assert before["mapping"]["name"]["from"] == "firm_name"

    desk.run()
    after = desk.shuqiao("connectors", "show", CONNECTOR, "--json").document
    assert after["state"]["records"] == 5
    assert after["state"]["open_refusals"] == 2
    assert "登记库中的状态" in desk.shuqiao("connectors", "show", CONNECTOR).out


def test_check_goes_step_by_step(desk: Desk) -> None:
    answer = desk.shuqiao("connectors", "check", CONNECTOR, "--json")

    assert answer.code == 0
    (found,) = answer.document
    assert found["good"]
    assert [step["subject"].split()[-1] for step in found["steps"]] == ["manifest", "connection", "source", "mapping"]
    assert "2" in found["steps"][-1]["found"]


def test_check_of_a_renamed_column_ends_with_4_and_names_it(desk: Desk) -> None:
    desk.sql("ALTER TABLE office.firm RENAME COLUMN boss TO representative")
    answer = desk.shuqiao("connectors", "check", CONNECTOR)

    assert answer.code == 4
    assert "boss" in answer.out
    assert "Traceback" not in answer.out + answer.err


def test_check_of_everything_tells_broken_manifests_too(desk: Desk) -> None:
    (desk.manifests / "broken.yaml").write_text("connector: [\n", "utf-8")
    answer = desk.shuqiao("connectors", "check", "--json")

    assert answer.code == 4  # the reference departments' connections are not known here either
    assert any("broken.yaml" in step["found"] for each in answer.document for step in each["steps"])
    assert next(each for each in answer.document if each["connector"] == CONNECTOR)["good"]


def test_a_source_that_does_not_answer_ends_with_3(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    address = json.dumps(
        {"conn_type": "postgres", "host": "127.0.0.1", "port": 1, "login": "a", "password": "tops3cret"}
    )
    monkeypatch.setenv("AIRFLOW_CONN_TEST_OFFICE", address)
    desk.environ["AIRFLOW_CONN_TEST_OFFICE"] = address

    for words in (["check"], ["pull", "--dry-run"], ["pull"], ["run"], ["discover"]):
        answer = desk.shuqiao("connectors", *words, CONNECTOR)
        assert answer.code == 3, words
        assert "tops3cret" not in answer.out + answer.err


def test_a_connection_that_nobody_knows_ends_with_4_and_says_how_to_add_it(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_TEST_OFFICE")
    del desk.environ["AIRFLOW_CONN_TEST_OFFICE"]
    answer = desk.shuqiao("connectors", "run", CONNECTOR)

    assert answer.code == 4
    assert "AIRFLOW_CONN_TEST_OFFICE" in answer.err
    assert answer.out == ""


def test_a_name_that_is_not_there_ends_with_2_and_guesses(desk: Desk) -> None:
    answer = desk.shuqiao("connectors", "show", "test-office.firm")

    assert answer.code == 2
    assert CONNECTOR in answer.err


def test_a_broken_manifest_named_ends_with_4_and_file_and_line(desk: Desk) -> None:
    text = (desk.manifests / "firms.yaml").read_text("utf-8")
    (desk.manifests / "firms.yaml").write_text(text.replace("as: date", "as: dat"), "utf-8")
    answer = desk.shuqiao("connectors", "run", CONNECTOR, "--json")

    assert answer.code == 4
    error = json.loads(answer.err.splitlines()[-1])["error"]
    assert "firms.yaml:21" in error["cause"]
    assert error["remedy"]


def test_a_dry_run_shows_records_and_refusals_and_leaves_the_registry_alone(desk: Desk) -> None:
    answer = desk.shuqiao("connectors", "pull", CONNECTOR, "--dry-run", "--limit", "6", "--json")

    assert answer.code == 0
    found = answer.document
    assert (found["read"], found["accepted"], found["refused"], found["complete"]) == (6, 5, 1, False)
    assert found["records"][0]["name"] == "桥州第1厂"
    assert found["refusals"][0]["reasons"][0]["pointer"] == "/uscc"
    assert REPRESENTATIVE not in answer.out
    assert found["records"][0]["legal_representative"].startswith("诸")
    with psycopg.connect(desk.registry) as connection:
        assert connection.execute("SELECT count(*) FROM registry.batch").fetchone() == (0,)
        assert connection.execute("SELECT count(*) FROM registry.connector").fetchone() == (0,)


def test_a_dry_run_needs_no_registry(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SHUQIAO_DATABASE_URL")
    del desk.environ["SHUQIAO_DATABASE_URL"]
    answer = desk.shuqiao("connectors", "pull", CONNECTOR, "--dry-run")

    assert answer.code == 0
    assert "桥州第1厂" in answer.out
    assert "/status" in answer.out
    assert REPRESENTATIVE not in answer.out
    assert "The registry was not touched" in answer.err


def test_a_limit_without_a_dry_run_is_refused(desk: Desk) -> None:
    answer = desk.shuqiao("connectors", "pull", CONNECTOR, "--limit", "5")

    assert answer.code == 2
    assert "--dry-run" in answer.err


def test_a_pulled_batch_waits_until_it_is_published(desk: Desk) -> None:
    pulled = desk.shuqiao("connectors", "pull", CONNECTOR, "--json").document
    assert {"state": "pulling", "pulled": 7, "accepted": 5, "refused": 2}.items() <= pulled.items()
    assert desk.shuqiao("datasets", "--json").document[0]["records"] == 0

    published = desk.shuqiao("batches", "publish", str(pulled["batch"]), "--json")
    assert published.code == 0
    assert published.document["new"] == 5


def test_run_publishes_and_runs_again_from_its_cursor(desk: Desk) -> None:
    (first,) = desk.run().lines
    assert {"state": "published", "pulled": 7, "accepted": 5, "refused": 2, "new": 5}.items() <= first.items()

    desk.write(1, firm_name="桥州第一厂")
    (second,) = desk.run().lines
    assert (second["changed"], second["mode"]) == (1, "incremental")
    assert second["pulled"] < 7

    full = desk.shuqiao("connectors", "run", CONNECTOR, "--full", "--json").document
    assert (full["mode"], full["unchanged"]) == ("full", 5)


def test_run_without_a_name_says_what_to_give(desk: Desk) -> None:
    assert desk.shuqiao("connectors", "run").code == 2
    assert desk.shuqiao("connectors", "run", CONNECTOR, "--all").code == 2


def test_one_that_fails_does_not_stop_the_others(desk: Desk) -> None:
    answer = desk.shuqiao("connectors", "run", "tax.registration", CONNECTOR, "--json")

    assert answer.code == 4
    assert [each["connector"] for each in answer.lines] == [CONNECTOR]
    assert "tax.registration" in answer.err


def test_a_held_batch_ends_with_1_and_says_why(desk: Desk) -> None:
    for number in range(100, 140):
        desk.write(number, state="不明")
    answer = desk.shuqiao("connectors", "run", CONNECTOR)

    assert answer.code == 1
    assert "batches approve" in answer.err
    assert "refused" in answer.err


def test_discover_shows_tables_with_masked_samples(desk: Desk) -> None:
    for where in (CONNECTOR, "test_office"):
        answer = desk.shuqiao("connectors", "discover", where, "--table", "office.firm", "--json")
        assert answer.code == 0
        (table,) = answer.document["tables"]
        assert [each["name"] for each in table["fields"]][:3] == ["no", "code", "firm_name"]
        assert REPRESENTATIVE not in answer.out

    assert "firm_name" in desk.shuqiao("connectors", "discover", "test_office").out


def test_discover_of_what_is_not_there(desk: Desk) -> None:
    assert desk.shuqiao("connectors", "discover", "nowhere").code == 2
    assert desk.shuqiao("connectors", "discover", "test_office", "--table", "zzz").code == 2
    assert desk.shuqiao("connectors", "discover", "test_office", "--set", "novalue").code == 2
    assert desk.shuqiao("connectors", "discover", "test_office", "--kind", "telepathy").code == 2


def test_a_draft_becomes_a_manifest_once_its_todos_are_done(desk: Desk) -> None:
    words = ["connectors", "discover", "test_office", "--table", "office.firm", "--draft", "--schema", "legal_entity@1"]
    text = desk.shuqiao(*words).out
    assert "# 未映射 not mapped: firm_name" in text
    for field, column in {"uscc": "code", "name": "firm_name", "established_on": "since"}.items():
        text = text.replace(f"  {field}: {{from: TODO}}", f"  {field}: {{from: {column}}}")
    text = text.replace("  status: {from: TODO}", "  status: {from: state, codes: {开业: active}}")
    text = text.replace("test-office.firm\n", "test-office.drafted\n")
    (desk.manifests / "drafted.yaml").write_text(text, "utf-8")

    checked = desk.shuqiao("connectors", "check", "test-office.drafted")
    assert checked.code == 0, checked.out + checked.err
    assert desk.shuqiao(*words, "--json").document["draft"].startswith("# 草稿")
    assert desk.shuqiao(*words[:-2]).code == 0
