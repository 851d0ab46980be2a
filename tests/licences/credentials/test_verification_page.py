"""docs/verification.md: its program works, and its tables are complete."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from cryptography.exceptions import InvalidSignature

from registry import credentials
from registry.credentials.verify import Outcome
from registry.credentials.verify.credential import SEVERITY
from registry.credentials.verify.findings import PASSED
from tests.licences.credentials.city import City

PAGE = (Path(__file__).parents[3] / "docs" / "verification.md").read_text("utf-8")
SOURCES = Path(str(credentials.__file__)).parent


@pytest.fixture(scope="module")
def program() -> Any:
    (source,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(source, "docs/verification.md", "exec"), names)  # noqa: S102 - the page's own program
    return SimpleNamespace(**names)


def trusted(city: City) -> Any:
    return orjson.loads(city.trust_list())["credentialSubject"]["trustedIssuers"]


def test_the_program_accepts_a_genuine_licence(city: City, program: Any) -> None:
    assert program.is_genuine(city.credential, trusted(city))


def test_the_program_refuses_a_changed_one(city: City, program: Any) -> None:
    with pytest.raises(InvalidSignature):
        program.is_genuine({**city.credential, "name": "别的"}, trusted(city))


def test_the_program_refuses_another_issuers_key(city: City, program: Any) -> None:
    with pytest.raises(StopIteration):
        program.is_genuine(city.sign(city.unsigned(), by=city.other), trusted(city))


@pytest.mark.parametrize(("purpose", "value"), [("revocation", 1), ("suspension", 1), ("message", 6), ("message", 0)])
def test_the_program_reads_the_status(city: City, program: Any, purpose: Any, value: int) -> None:
    lists = {purpose: orjson.loads(city.list_of(purpose, value))}
    entry = next(one for one in city.credential["credentialStatus"] if one["statusPurpose"] == purpose)

    assert program.status(entry, lambda url: lists[url.rpartition("/")[2]]) == value


def table(heading: str) -> list[list[str]]:
    rows = re.findall(r"^\| (`.*) \|$", PAGE.partition(heading)[2].partition("\n## ")[0], re.MULTILINE)
    return [row.split(" | ") for row in rows]


def test_every_outcome_is_explained_in_the_order_in_which_it_is_given() -> None:
    assert [row[0].strip("`") for row in table("## The answer")] == [one.value for one in SEVERITY]
    assert set(SEVERITY) == set(Outcome)


def test_every_check_is_explained() -> None:
    named = {name for row in table("## The checks") for name in re.findall(r"`(\w+)`", row[0])}

    assert named == {*PASSED, "status"}


def test_every_code_is_explained() -> None:
    raised = set()
    for path in SOURCES.rglob("*.py"):
        text = path.read_text("utf-8")
        raised |= set(re.findall(r'_(?:fail|refuse|mistrust)\(\s*"([a-z0-9_]+)"', text))
        raised |= set(re.findall(r'findings\.(?:fail|skip)\(\s*[\w."]+,\s*"([a-z0-9_]+)"', text))

    assert len(raised) > 100
    assert {code for code in raised if f"`{code}`" not in PAGE} - {"id", "issuer", "type"} == set()
