"""What goes wrong is told once, with place, cause and remedy, and never with a secret."""

from __future__ import annotations

import json
import time

import pytest

from shuqiao.cli import failures
from shuqiao.cli.exit_codes import MEANING, ExitCode
from tests.cli.conftest import CONNECTOR, Desk

NOWHERE = "postgresql://reader:h1dden-word@127.0.0.1:1/nowhere"


@pytest.mark.parametrize(
    "words",
    [
        ["datasets"],
        ["records", "legal_entity"],
        ["batches"],
        ["quarantine", "list"],
        ["clients", "list"],
        ["connectors", "run", CONNECTOR],
    ],
)
def test_an_unreachable_registry_ends_with_5_and_hides_the_password(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    monkeypatch.setenv("SHUQIAO_DATABASE_URL", NOWHERE)
    desk.environ["SHUQIAO_DATABASE_URL"] = NOWHERE
    answer = desk.shuqiao(*words)

    assert (answer.code, answer.out) == (5, "")
    assert "127.0.0.1:1/nowhere" in answer.err
    assert "h1dden-word" not in answer.err
    assert "Traceback" not in answer.err


def test_no_registry_at_all_says_how_to_start_one(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SHUQIAO_DATABASE_URL")
    del desk.environ["SHUQIAO_DATABASE_URL"]
    answer = desk.shuqiao("datasets", "--json")

    assert (answer.code, answer.out) == (5, "")
    assert "make run" in json.loads(answer.err)["error"]["remedy"]


def test_a_database_without_the_tables_ends_with_5(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHUQIAO_DATABASE_URL", desk.source)
    desk.environ["SHUQIAO_DATABASE_URL"] = desk.source
    for words in (["datasets"], ["clients", "list"], ["connectors", "run", CONNECTOR]):
        answer = desk.shuqiao(*words)
        assert answer.code == 5, words
        assert "holds no registry" in answer.err


def test_a_wrong_setting_ends_with_2_and_is_named(desk: Desk) -> None:
    answer = desk.process("datasets", "--json", SHUQIAO_API_PORT="eighty")

    assert (answer.code, answer.out) == (2, "")
    assert "SHUQIAO_API_PORT" in json.loads(answer.err)["error"]["cause"]


def test_wrong_usage_ends_with_2(desk: Desk) -> None:
    for words in (["nonsense"], ["batches", "show", "seven"], ["records"], ["connectors", "pull", CONNECTOR, "--nope"]):
        answer = desk.process(*words)
        assert (answer.code, answer.out) == (2, ""), words


def test_a_fault_of_ours_is_told_without_a_traceback_and_with_one_when_asked(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("with password=hunter22 inside")

    monkeypatch.setattr("shuqiao.cli.registry.read", broken)
    plain = desk.shuqiao("datasets")
    assert plain.code == 70
    assert "ZeroDivisionError" in plain.err
    assert "--debug" in plain.err
    assert "Traceback" not in plain.err
    told = desk.shuqiao("--debug", "datasets")
    assert "Traceback" in told.err
    assert "hunter22" not in plain.err + told.err


def test_secrets_are_taken_out_of_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_BANK", "postgres://me:pa%40ss-word@db/x")
    said = "cannot log in with pa@ss-word at https://a:b1234@host/x?token=abcdef and api_key: 'zz top'"
    kept = failures.redacted(said)
    for secret in ("pa@ss-word", "b1234", "abcdef", "zz top"):
        assert secret not in kept
    assert kept.startswith("cannot log in with")


def test_every_exit_code_has_its_meaning() -> None:
    assert set(MEANING) == set(ExitCode)


def test_interrupted(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("shuqiao.cli.registry.read", interrupt)
    assert desk.shuqiao("datasets").code == 130


def test_a_process_of_its_own_prints_nothing_but_json_on_stdout(desk: Desk) -> None:
    ran = desk.process("connectors", "run", CONNECTOR, "--json")
    assert ran.code == 0, ran.err
    assert ran.document["new"] == 5
    assert "planning" in ran.err
    assert len(desk.process("records", "legal_entity", "--json").lines) == 5


def test_help_comes_at_once(desk: Desk) -> None:
    """Measured in processor time, because the machine may have other work."""
    import resource  # noqa: PLC0415

    times = []
    for words in (["--help"], ["connectors", "--help"], ["records", "--help"]):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        began = time.perf_counter()
        assert desk.process(*words).code == 0
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        times.append((min(spent, time.perf_counter() - began), words))
    assert min(times)[0] < 0.6, times
