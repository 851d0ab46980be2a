"""Rules are files: a city adds its own beside the hub's, and everything wrong with a file is said with its place."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from registry.domain.credit.catalogue import load_credit_catalogue
from registry.domain.credit.publicity import load_regimes
from registry.domain.credit.readers import READERS, load_reader_rules
from registry.domain.credit.record_facts import load_record_rules
from registry.domain.credit.rule_files import FOLDERS_VARIABLE, RULES, RuleFileError, read_all, read_rule_file
from registry.domain.credit.working_days import SCHEMA, CalendarYearMissing, load_calendar

YEAR = "year: 2027\nsource: 示例\ndays_off:\n  2027-01-01: {zh: 元旦, en: New Year}\ndays_worked: {}\n"


@pytest.fixture
def city(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a city's own rules."""
    monkeypatch.setenv(FOLDERS_VARIABLE, str(tmp_path))
    return tmp_path


def test_a_city_adds_a_file_beside_the_hubs(city: Path) -> None:
    with pytest.raises(CalendarYearMissing) as missing:
        load_calendar().add(date(2026, 12, 31), 1)
    assert missing.value.path == city / "calendar" / "2027.yaml"

    missing.value.path.parent.mkdir()
    missing.value.path.write_text(YEAR, encoding="utf-8")

    assert load_calendar().add(date(2026, 12, 31), 1) == date(2027, 1, 4)


def test_a_citys_file_takes_the_place_of_the_hubs_of_the_same_name(city: Path) -> None:
    (city / "readers").mkdir()
    text = READERS.read_text(encoding="utf-8")
    (city / "readers" / "1.yaml").write_text(text.replace('edition: "1"', 'edition: "1-city"'), encoding="utf-8")

    assert load_reader_rules().reference("public") == "readers/1-city#public"
    assert load_record_rules().edition == "1"


def test_a_city_replaces_a_regime_of_publicity(city: Path) -> None:
    (city / "publicity").mkdir()
    text = (RULES / "publicity" / "2026.yaml").read_text(encoding="utf-8")
    (city / "publicity" / "2026.yaml").write_text(
        text.replace("withdraw_within_days: 3", "withdraw_within_days: 1"), encoding="utf-8"
    )

    regimes = load_regimes()

    assert [regime.withdraw_within_days for regime in regimes.all] == [3, 3, 1]
    assert len(load_credit_catalogue().editions) == 3


def test_a_folder_that_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(FOLDERS_VARIABLE, str(tmp_path / "nowhere"))

    with pytest.raises(RuleFileError, match="nowhere: no such folder; SHUQIAO_CREDIT_RULES names it"):
        load_regimes()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "2027.yaml: the file is empty"),
        (b"year: \xff", "2027.yaml:1: no valid UTF-8"),
        (b"year: [", "2027.yaml:1: no valid YAML|2027.yaml:2: no valid YAML"),
        (YEAR.encode() + b"year: 2027\n", "2027.yaml:6: year: stands twice; the first is in line 1"),
        (YEAR.encode() + b"weekends: {}\n", "2027.yaml:6: weekends: unknown key"),
        (b"#" * (1 << 21), "2027.yaml: larger than 1048576 bytes"),
    ],
)
def test_a_file_that_is_wrong_says_where(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "2027.yaml"
    path.write_bytes(content)

    with pytest.raises(RuleFileError, match=message):
        load_calendar(tmp_path)


def test_a_file_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(RuleFileError, match="cannot be read: No such file"):
        read_rule_file(tmp_path / "2027.yaml", SCHEMA)


def test_the_digest_is_of_the_files_bytes(tmp_path: Path) -> None:
    (tmp_path / "2027.yaml").write_text(YEAR, encoding="utf-8")
    before = read_all(tmp_path, SCHEMA, lambda file: file.digest)
    (tmp_path / "2027.yaml").write_text(f"{YEAR}# a remark\n", encoding="utf-8")

    assert read_all(tmp_path, SCHEMA, lambda file: file.digest) != before


@pytest.mark.parametrize("folder", ["calendar", "catalogue", "publicity", "readers", "records"])
def test_every_file_that_comes_with_the_hub_fits_its_schema_and_says_its_source(folder: str) -> None:
    (schema,) = (RULES / folder).glob("*.schema.json")

    sources = read_all(RULES / folder, schema, lambda file: file.data["source"])

    assert sources
    assert all(sources)
