"""Settings are read once; every wrong one is named with what was got and what is expected."""

from pathlib import Path

import pytest

from shuqiao import settings
from shuqiao.settings import Settings, SettingsError


def test_without_variables_the_defaults_serve() -> None:
    assert settings.read({}) == Settings(run_dir=settings.read({}).run_dir)


def test_every_field_is_read_from_its_variable(tmp_path: Path) -> None:
    read = settings.read(
        {
            "SHUQIAO_DATABASE_URL": "postgresql://u:secret@h/d",
            "SHUQIAO_RUN_DIR": str(tmp_path),
            "SHUQIAO_API_PORT": "18000",
            "SHUQIAO_SCALE": "7",
            "SHUQIAO_MANIFESTS": f"{tmp_path}:",
            "SHUQIAO_TIMEZONE": "Asia/Urumqi",
        }
    )

    assert (read.run_dir, read.api_port, read.scale) == (tmp_path, 18000, 7)
    assert (read.manifests, read.timezone) == ((tmp_path,), "Asia/Urumqi")
    assert "secret" not in repr(read)


@pytest.mark.parametrize(
    ("variable", "text", "expected"),
    [
        ("SHUQIAO_API_PORT", "eighty", "a port number, 1 to 65535"),
        ("SHUQIAO_AIRFLOW_PORT", "65536", "a port number, 1 to 65535"),
        ("SHUQIAO_SCALE", "0", "a whole number of enterprises"),
        ("SHUQIAO_TIMEZONE", "Mars/Olympus", "a time zone such as Asia/Shanghai"),
        ("SHUQIAO_MANIFESTS", "/does/not/exist", "folders that exist"),
        ("SHUQIAO_LICENCE_TYPES", "/does/not/exist", "folders that exist"),
        ("SHUQIAO_CREDIT_RULES", "/does/not/exist", "folders that exist"),
        ("SHUQIAO_CREDIT_PLACE", "浙江", "the name of a place with rules, such as"),
        ("SHUQIAO_PUBLIC_URL", "data.example.gov.cn", "https://host"),
        ("SHUQIAO_PUBLIC_URL", "http://data.example.gov.cn", "https://host"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_expected(variable: str, text: str, expected: str) -> None:
    with pytest.raises(SettingsError) as caught:
        settings.read({variable: text})

    (problem,) = caught.value.problems
    assert problem.startswith(f"{variable} cannot be {text!r}; expected {expected}")


def test_all_wrong_values_are_named_at_once_and_a_database_address_is_not_repeated() -> None:
    with pytest.raises(SettingsError) as caught:
        settings.read({"SHUQIAO_SCALE": "x", "SHUQIAO_DATABASE_URL": "mysql://root:hidden@h/d"})

    assert len(caught.value.problems) == 2
    assert "hidden" not in str(caught.value)


def test_the_public_address_is_the_local_api_unless_it_is_set() -> None:
    assert settings.public_url(settings.read({"SHUQIAO_API_PORT": "18000"})) == "http://127.0.0.1:18000"
    assert settings.public_url(settings.read({"SHUQIAO_PUBLIC_URL": "https://hub.example/"})) == "https://hub.example"


def test_two_parts_on_one_port_are_named() -> None:
    with pytest.raises(SettingsError, match="SHUQIAO_API_PORT and SHUQIAO_AIRFLOW_PORT are both 9000"):
        settings.read({"SHUQIAO_API_PORT": "9000", "SHUQIAO_AIRFLOW_PORT": "9000"})
