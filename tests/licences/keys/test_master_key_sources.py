"""Where the master key comes from; and that nobody pays for Airflow who does not need it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from registry.signing.master_key import MasterKeyMalformed, MasterKeyMissing
from shuqiao import master_key
from tests.licences.keys.conftest import MASTER_KEY, MASTER_KEY_TEXT

LOAD = """
import sys
from shuqiao import master_key
print(master_key.load().id, "airflow" in sys.modules)
"""
REFUSED = """
import sys
from shuqiao import master_key
try:
    master_key.load()
finally:
    print("airflow" in sys.modules)
"""
LOCAL_FILES = "airflow.secrets.local_filesystem.LocalFilesystemBackend"


def in_a_process(code: str = LOAD, **environ: str) -> subprocess.CompletedProcess[str]:
    given = {"PATH": os.environ["PATH"], **environ}
    return subprocess.run(
        [sys.executable, "-c", code], env=given, capture_output=True, text=True, timeout=120, check=False
    )


def test_the_environment_comes_before_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "master.key"
    monkeypatch.setenv("SHUQIAO_MASTER_KEY_FILE", str(path))
    with pytest.raises(MasterKeyMissing, match=r"master\.key"):
        master_key.load()
    path.write_text(MASTER_KEY_TEXT + "\n")
    assert master_key.load().id == MASTER_KEY.id
    monkeypatch.setenv("SHUQIAO_MASTER_KEY", "bm90IHRoaXJ0eS10d28gYnl0ZXM=")
    with pytest.raises(MasterKeyMalformed, match="20 bytes"):
        master_key.load()


def test_without_any_it_says_in_one_sentence_of_each_language_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "airflow.sdk", raising=False)
    with pytest.raises(MasterKeyMissing) as caught:
        master_key.load()
    for text in (caught.value.zh, caught.value.en):
        assert "SHUQIAO_MASTER_KEY_FILE" in text
        assert "shuqiao_master_key" in text
    assert caught.value.zh.count("。") == 1


def test_a_process_that_is_given_the_key_imports_no_airflow() -> None:
    done = in_a_process(SHUQIAO_MASTER_KEY=MASTER_KEY_TEXT, AIRFLOW__SECRETS__BACKEND=LOCAL_FILES)
    assert done.stdout.split() == [MASTER_KEY.id, "False"], done.stderr


def test_a_process_that_has_nothing_to_do_with_airflow_does_not_ask_it() -> None:
    done = in_a_process(REFUSED)
    assert done.stdout.split() == ["False"]
    assert "MasterKeyMissing" in done.stderr


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("variables_file_path", {"shuqiao_master_key": MASTER_KEY_TEXT}),
        ("connections_file_path", {"shuqiao_master_key": {"conn_type": "generic", "password": MASTER_KEY_TEXT}}),
    ],
    ids=["a variable", "a connection"],
)
def test_a_secrets_backend_of_airflow_gives_it(tmp_path: Path, kind: str, content: dict[str, object]) -> None:
    path = tmp_path / "secrets.json"
    path.write_text(json.dumps(content))
    done = in_a_process(
        AIRFLOW_HOME=str(tmp_path),
        AIRFLOW__SECRETS__BACKEND=LOCAL_FILES,
        AIRFLOW__SECRETS__BACKEND_KWARGS=json.dumps({kind: str(path)}),
    )
    assert done.stdout.split()[-2:] == [MASTER_KEY.id, "True"], done.stderr
    assert MASTER_KEY_TEXT not in done.stdout + done.stderr


IN_A_TASK = """
import airflow.sdk, os
os.environ["AIRFLOW_VAR_SHUQIAO_MASTER_KEY"] = os.environ.pop("GIVEN")
from shuqiao import master_key
print(master_key.load().id)
"""


def test_a_task_asks_airflow_for_its_variable(tmp_path: Path) -> None:
    done = in_a_process(IN_A_TASK, AIRFLOW_HOME=str(tmp_path), GIVEN=MASTER_KEY_TEXT)
    assert done.stdout.split()[-1:] == [MASTER_KEY.id], done.stderr
