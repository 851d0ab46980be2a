"""The demo city's authorities: every one that its records name, each with the code that the records have."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest

from registry.licences import issuers, keys
from registry.licences.issuers import folded
from registry.storage.database import connect
from schemas.identifiers import is_uscc
from shuqiao import demo
from shuqiao.demo.rosters import City
from shuqiao.demo.rows import all_rows
from shuqiao.stack import licences

FILE = Path(demo.__file__).parent / "issuers.yaml"
NAMES = {
    "market-supervision.enterprise": ("reg_org", None),
    "credit.abnormal-operation": ("decorg_cn", None),
    "licensing.food-business": ("发证机关", None),
    "licensing.permits": ("许可机关", "许可机关代码"),
    "licensing.construction": ("发证机关", None),
    "credit.permits": ("XK_XKJG", "XK_XKJGDM"),
    "credit.permits-old-edition": ("XK_XZJG", None),
    "credit.penalties": ("CF_CFJG", "CF_CFJGDM"),
}
"""Connector -> the columns with an authority's name and its code."""


def named(city: City) -> dict[str, set[str]]:
    """Name -> the codes that records give it."""
    found: dict[str, set[str]] = defaultdict(set)
    for connector, (name, code) in NAMES.items():
        for row in all_rows(city, connector, 3):
            found[row[name]] |= {row[code]} if code else set()
    return found


def test_every_authority_that_a_record_names_is_in_the_file_with_its_one_code() -> None:
    known = {folded(each.name): each.code for each in issuers.read_file(FILE)}
    found = {folded(name): codes for name, codes in named(City(scale=3000)).items() if name}
    assert set(found) <= set(known)
    assert len(found) >= 17
    assert {name: codes for name, codes in found.items() if not codes <= {known[name]}} == {}


def test_every_code_is_a_right_one_and_of_one_authority() -> None:
    found = issuers.read_file(FILE)
    assert all(is_uscc(each.code) for each in found)
    assert len({each.code for each in found}) == len({each.name for each in found}) == len(found)
    assert all(each.name_en.startswith("Qiaozhou ") for each in found)


@pytest.mark.parametrize("sm2", [False, True])
def test_the_local_stack_gives_them_sm2_keys_where_the_setting_asks_for_them(
    registry_url: str, tmp_path: Path, *, sm2: bool
) -> None:
    key_file = licences.master_key_file(tmp_path)
    for _ in range(2):  # each start of the stack enters them again
        licences.enter_issuers(registry_url, "http://127.0.0.1:8090", key_file, sm2=sm2)
    with connect(registry_url) as connection:
        algorithms = [key.algorithm for key in keys.all_keys(connection) if key.issuer_code is not None]
    authorities = len(issuers.read_file(FILE))
    assert (algorithms.count("ES256"), algorithms.count("SM2-SM3")) == (authorities, authorities if sm2 else 0)
