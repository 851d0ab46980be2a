"""What a grant shows of a record: property tests against the plainest way to say it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.domain.grants.grant import Grant
from registry.domain.grants.projection import shown
from schemas.catalogue import Catalogue
from schemas.errors import UnknownSchema

PERSON = {"type": "string", "x-personal": True}
SCHEMA = {
    "type": "object",
    "properties": {
        "number": {"type": "string"},
        "owner": PERSON,
        "party": {"type": "object", "properties": {"phone": PERSON, "city": {"type": "string"}}},
        "members": {"type": "array", "items": {"type": "object", "properties": {"name": PERSON}}},
        "names": {"type": "array", "items": PERSON},
    },
}
SECRETS = ("Zhang Jianguo", "13800001111", "Li Xiaoming", "Wang Fang", "Zhao Liu")
BODY = {
    "number": "7",
    "owner": SECRETS[0],
    "party": {"phone": SECRETS[1], "city": "Qiaozhou"},
    "members": [{"name": SECRETS[2]}, {"name": SECRETS[3]}],
    "names": [SECRETS[4]],
}
HOLDS = {"owner": 0, "party/phone": 1, "members/*/name": 2, "names/*": 4}


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    folder = tmp_path_factory.mktemp("schemas")
    (folder / "thing").mkdir()
    (folder / "thing" / "1.json").write_text(json.dumps(SCHEMA))
    return Catalogue((Path(folder),))


def grant(fields: frozenset[str] | None) -> Grant:
    return Grant(1, "bank", "thing", fields, frozenset(), {}, "thing@1", datetime(2030, 1, 1, tzinfo=UTC), None)


@given(fields=st.none() | st.frozensets(st.sampled_from([*SCHEMA["properties"], *HOLDS]), min_size=1))
def test_a_personal_value_is_in_clear_only_where_it_is_named(
    catalogue: Catalogue, fields: frozenset[str] | None
) -> None:
    seen = shown(BODY, grant(fields), "thing@1", catalogue)
    text = json.dumps(seen)

    for path, number in HOLDS.items():
        assert (SECRETS[number] in text) == (fields is not None and path in fields), path
    tops = {name.partition("/")[0] for name in fields or SCHEMA["properties"]}
    assert set(seen) == tops
    assert json.loads(json.dumps(BODY)) == BODY, "the record itself stays as it was"


def test_a_record_without_personal_values_named_or_not_keeps_the_rest(catalogue: Catalogue) -> None:
    seen: dict[str, Any] = shown(BODY, grant(None), "thing@1", catalogue)

    assert seen["number"] == "7"
    assert seen["party"] == {"phone": "13*******11", "city": "Qiaozhou"}
    assert shown({"owner": None}, grant(None), "thing@1", catalogue) == {"owner": None}


def test_of_a_schema_that_is_not_there_nothing_is_shown(catalogue: Catalogue) -> None:
    with pytest.raises(UnknownSchema):
        shown(BODY, grant(None), "other@1", catalogue)


@given(
    status=st.none() | st.sampled_from(["a", "b", "c"]) | st.lists(st.sampled_from(["a", "b", "c"])),
    allowed=st.frozensets(st.sampled_from(["a", "b", "c"]), min_size=1),
)
def test_a_record_is_covered_where_its_value_or_one_of_them_is_granted(status: Any, allowed: frozenset[str]) -> None:
    covering = Grant(1, "x", "d", None, frozenset(), {"s": allowed}, "d@1", datetime(2030, 1, 1, tzinfo=UTC), None)

    assert covering.has_row({"s": status}) == bool(allowed & set(status if isinstance(status, list) else [status]))


PENALTY = "administrative_penalty@1"


@pytest.mark.parametrize("code", ["91330203000000019N", None])
def test_a_partys_name_is_masked_unless_the_record_has_an_organisations_code(code: str | None) -> None:
    body = {"holder_name": "桥州天成餐饮有限公司", "holder_code": "330203199001011234"} | (
        {"uscc": code} if code else {}
    )
    seen = shown(body, replace(grant(None), schema=PENALTY), PENALTY)

    assert (seen["holder_name"] == body["holder_name"]) is (code is not None)
    assert seen["holder_code"] != body["holder_code"]
