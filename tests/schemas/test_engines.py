"""The fast engine and the reference agree: same verdict, same rules broken at the same places."""

from __future__ import annotations

from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas import catalogue
from schemas.catalogue import escape
from schemas.reference import reference_validator
from schemas.validation import validator
from tests.schemas import records

REFERENCES = catalogue.references()
relaxed = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


def rules_by_reference(schema: dict[str, Any], record: Any) -> set[tuple[str, str]]:
    found = set()
    for error in reference_validator(schema).iter_errors(record):
        place = "".join(f"/{escape(str(part))}" for part in error.absolute_path)
        keyword, limit, instance = str(error.validator), cast("Any", error.validator_value), cast("Any", error.instance)
        match keyword:
            case "required":
                names = [name for name in limit if name not in instance]
            case "dependentRequired":
                names = [
                    name
                    for field, needed in limit.items()
                    for name in needed
                    if field in instance and name not in instance
                ]
            case "additionalProperties":
                names = [name for name in instance if name not in cast("Any", error.schema)["properties"]]
            case _:
                found.add((place, keyword))
                continue
        found |= {(f"{place}/{escape(name)}", keyword) for name in names}
    return found


@pytest.mark.parametrize("reference", REFERENCES)
@relaxed
@given(data=st.data())
def test_both_engines_accept_a_record_made_by_the_rules(reference: str, data: st.DataObject) -> None:
    schema = catalogue.schema(reference)
    record = data.draw(records.valid_objects(schema))

    assert validator(reference).violations(record) == []
    assert validator(reference).is_valid(record)
    assert set() == rules_by_reference(schema, record)


@pytest.mark.parametrize("reference", REFERENCES)
@relaxed
@given(data=st.data())
def test_both_engines_name_the_same_rules_of_a_spoilt_record(reference: str, data: st.DataObject) -> None:
    schema = catalogue.schema(reference)
    record = data.draw(records.spoilt_objects(schema))
    fast = validator(reference)

    expected = rules_by_reference(schema, record)

    assert expected == fast.rules_broken(record)
    assert (not expected) == fast.is_valid(record)
    assert {(v.pointer, v.rule.partition(":")[0]) for v in fast.violations(record)} == expected


@pytest.mark.parametrize("reference", REFERENCES)
@relaxed
@given(record=records.json_values)
def test_both_engines_agree_on_what_is_no_record_at_all(reference: str, record: Any) -> None:
    assert rules_by_reference(catalogue.schema(reference), record) == validator(reference).rules_broken(record)
