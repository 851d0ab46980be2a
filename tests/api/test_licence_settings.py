"""Settings of the API that licences need, and what it does without them."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
from pathlib import Path

import pytest

from registry.api.settings import ApiSettingsError, from_environment

URL = {"SHUQIAO_DATABASE_URL": "postgresql://u:p@h/d"}
KEY = base64.b64encode(b"k" * 32).decode()


def test_the_public_address_is_this_process_unless_it_is_set() -> None:
    assert from_environment(URL, port=8000).base == "http://127.0.0.1:8000"
    assert from_environment(URL | {"SHUQIAO_PUBLIC_URL": "https://hub.example.cn/"}).base == "https://hub.example.cn"
    assert from_environment(URL | {"SHUQIAO_PUBLIC_URL": "https://a.cn:8/hub"}).base == "https://a.cn:8/hub"


@pytest.mark.parametrize(
    "address", ["hub.example.cn", "ftp://a.cn", "https://", "https://a.cn?x=1", "https://u:p@a.cn", "http://a.cn"]
)
def test_an_address_that_cannot_be_published_is_refused(address: str) -> None:
    with pytest.raises(ApiSettingsError, match="SHUQIAO_PUBLIC_URL cannot be"):
        from_environment(URL | {"SHUQIAO_PUBLIC_URL": address})


def test_a_folder_of_licence_types_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ApiSettingsError, match=r"SHUQIAO_LICENCE_TYPES names .*other.*expected folders that exist"):
        from_environment(URL | {"SHUQIAO_LICENCE_TYPES": str(tmp_path / "other")})


def test_the_master_key_comes_as_text_or_in_a_file_and_is_never_shown(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(KEY + "\n")

    by_text = from_environment(URL | {"SHUQIAO_MASTER_KEY": KEY})
    by_file = from_environment(URL | {"SHUQIAO_MASTER_KEY_FILE": str(tmp_path / "key")})

    assert by_text.master_key is not None
    assert by_file.master_key is not None
    assert by_text.master_key.id == by_file.master_key.id
    assert KEY not in repr(by_text)
    assert by_text.master_key.id not in repr(by_text)
    assert from_environment(URL).master_key is None


@pytest.mark.parametrize(
    "given", [{"SHUQIAO_MASTER_KEY": "secret!"}, {"SHUQIAO_MASTER_KEY_FILE": "/nowhere/key"}], ids=["text", "file"]
)
def test_a_master_key_that_is_none_is_refused_without_being_shown(given: dict[str, str]) -> None:
    with pytest.raises(ApiSettingsError) as raised:
        from_environment(URL | given)

    assert "secret!" not in str(raised.value)


def test_further_folders_of_licence_types_are_read(tmp_path: Path) -> None:
    folders = (tmp_path / "a", tmp_path / "b")
    for folder in folders:
        folder.mkdir()

    found = from_environment(URL | {"SHUQIAO_LICENCE_TYPES": os.pathsep.join(map(str, folders))})

    assert found.licence_types == folders


def test_a_wrong_licence_type_is_named_when_the_api_starts(tmp_path: Path) -> None:
    (tmp_path / "fishing_licence").mkdir()
    (tmp_path / "fishing_licence" / "1.yaml").write_text("code: 7\n")
    environment = URL | {"SHUQIAO_LICENCE_TYPES": str(tmp_path), "SHUQIAO_TOKEN_KEY": str(tmp_path / "key.pem")}

    ended = subprocess.run(
        [sys.executable, "-m", "registry.api", "--port", "0"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert ended.returncode == 2
    assert "fishing_licence/1.yaml" in ended.stderr
    assert "Traceback" not in ended.stderr
