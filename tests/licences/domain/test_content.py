"""What records make licences say: every reason of a refusal at once, and nothing personal in it."""

from __future__ import annotations

import time
from datetime import date
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from connectors.mapping import compile_mapping
from registry.domain.licences.content import applies, as_json, content_hash, content_of, from_json, target_state
from registry.domain.licences.licence import Content, ContentRefusal, ContentRefused, Holder
from registry.domain.licences.types import LicenceType
from schemas import catalogue
from schemas.validation import validator
from shuqiao.demo.rosters import City
from shuqiao.demo.rows import MAKERS, all_rows
from tests.demo.reading import Pulled, manifest, take
from tests.licences.domain.contents import RECORDS, TYPES, content_from, contents, record_of, types, valid_records
from tests.schemas import records

NAMES = sorted(RECORDS)
USCC = str(records.LEGAL_ENTITY["uscc"])
slow = settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much], deadline=None)


def refusals(name: str, **changes: Any) -> dict[str, str]:
    """Field -> code."""
    with pytest.raises(ContentRefused) as caught:
        content_from(name, **changes)
    return {refusal.field: refusal.code for refusal in caught.value.refusals}


def said(licence_type: LicenceType, record: dict[str, Any]) -> tuple[Content | None, tuple[ContentRefusal, ...]]:
    """The content, or why there is none."""
    try:
        return content_of(licence_type, record), ()
    except ContentRefused as refused:
        return None, refused.refusals


@pytest.mark.parametrize("name", NAMES)
def test_the_good_record_of_each_type_is_valid_in_its_dataset_and_of_this_type_alone(name: str) -> None:
    licence_type = TYPES.latest(name)

    assert validator(licence_type.schema).is_valid(RECORDS[name])
    assert [found.name for found in TYPES.of_dataset(licence_type.dataset) if applies(found, RECORDS[name])] == [name]


def test_a_food_business_licence_says_what_its_record_says() -> None:
    content = content_from("food_business_licence")

    assert content.number == "JY13302030012345"
    assert content.holders == (Holder("桥州市示例餐饮管理有限公司", USCC, "001"),)
    assert content.issuer_name == "桥州市东城区市场监督管理局"
    assert content.issuer_code is None
    assert (content.issued_on, content.valid_from, content.valid_to) == (
        date(2024, 3, 1),
        date(2024, 3, 1),
        date(2029, 2, 28),
    )
    assert content.items == {
        "legal_representative": "张小明",
        "business_address": "桥州市东城区中山路1号",
        "operation_kind": "catering",
        "items": ["热食类食品制售", "自制饮品制售"],
    }


def test_a_term_to_the_end_of_2099_or_without_end_is_without_end() -> None:
    assert content_from("administrative_permit").valid_to is None
    assert content_from("administrative_permit", valid_to=None).valid_to is None
    assert content_from("administrative_permit", valid_to="2099-12-30").valid_to == date(2099, 12, 30)


def test_of_several_fields_the_first_with_a_value_counts() -> None:
    assert content_from("administrative_permit").number == "QZ000000001"
    assert content_from("administrative_permit", licence_number=None).number == "桥许〔2024〕0000001号"
    assert content_from("business_licence", approved_on=None).issued_on == date(2012, 5, 6)


def test_a_natural_person_holds_a_licence_by_the_code_of_a_document() -> None:
    person = {"uscc": None, "holder_name": "李四", "holder_code": "11010519491231002X", "holder_code_type": "111"}

    (holder,) = content_from("food_business_licence", **person).holders
    assert holder == Holder("李四", "11010519491231002X", "111")
    assert holder.is_natural_person


def test_every_reason_is_said_at_once() -> None:
    found = refusals(
        "food_business_licence", licence_number="JY1", uscc=None, authority=None, issued_on="2024-02-30", items="酒"
    )

    assert found == {
        "licence_number": "number_not_fitting",
        "uscc": "holder_code_missing",
        "authority": "issuer_missing",
        "issued_on": "date_wrong",
        "items": "item_wrong",
    }


@pytest.mark.parametrize(
    ("name", "changes", "field", "code"),
    [
        ("construction_qualification", {"licence_number": "三级"}, "licence_number", "number_not_fitting"),
        (
            "construction_qualification",
            {"licence_number": None, "decision_number": None},
            "licence_number",
            "number_missing",
        ),
        ("construction_qualification", {"content": None}, "content", "item_missing"),
        ("food_business_licence", {"holder_name": ""}, "holder_name", "holder_name_missing"),
        ("food_business_licence", {"issued_on": None}, "issued_on", "issued_on_missing"),
        ("food_business_licence", {"valid_to": "2024-02-29"}, "valid_to", "term_reversed"),
        ("business_licence", {"registration_authority": None}, "registration_authority", "issuer_missing"),
        ("business_licence", {"registered_capital": {"amount": "1"}}, "registered_capital", "item_wrong"),
    ],
)
def test_a_record_that_makes_no_licence_says_why(name: str, changes: Any, field: str, code: str) -> None:
    assert refusals(name, **changes) == {field: code}


def test_a_kind_of_code_that_the_type_does_not_know_names_those_it_knows() -> None:
    with pytest.raises(ContentRefused, match=r"got “111”, holders of this licence have 001 \(Unified") as caught:
        content_from("construction_qualification", uscc=None, holder_code="11010519491231002X", holder_code_type="111")

    assert [refusal.code for refusal in caught.value.refusals] == ["holder_code_type_not_allowed"]


def test_refusals_speak_both_languages_and_call_fields_as_the_dataset_does() -> None:
    with pytest.raises(ContentRefused) as caught:
        content_from("food_business_licence", licence_number="JY1")

    (refusal,) = caught.value.refusals
    assert refusal.as_dict() == {
        "code": "number_not_fitting",
        "field": "licence_number",
        "zh": "许可证编号：收到 “JY1”，应符合 JY[0-9]{14}",
        "en": "Number of the licence (JY and 14 digits): got “JY1”, expected the pattern JY[0-9]{14}",
    }


@slow
@given(types, st.data())
def test_a_record_of_any_kind_makes_a_content_or_is_refused_without_showing_what_is_personal(
    licence_type: Any, data: st.DataObject
) -> None:
    schema = catalogue.schema(licence_type.schema)
    record = data.draw(records.spoilt_objects(schema))
    secret = "秘密的个人信息XYZ0123456789"
    for pointer in catalogue.personal_fields(licence_type.schema):
        field = pointer.split("/")[1]
        if field in record and data.draw(st.booleans()):
            record[field] = data.draw(st.sampled_from([secret, [secret], {"x": secret}]))
    content, refused = said(licence_type, record)

    assert bool(refused) == (content is None)
    assert said(licence_type, dict(reversed(record.items()))) == (content, refused)
    for refusal in refused:
        assert secret not in refusal.zh + refusal.en
        assert refusal.field in schema["properties"]


@slow
@given(types, st.data())
def test_the_plain_form_comes_back_and_equal_contents_have_one_hash(licence_type: Any, data: st.DataObject) -> None:
    content = data.draw(contents(licence_type))
    plain = as_json(content)
    stored = orjson.loads(orjson.dumps(plain, option=orjson.OPT_SORT_KEYS))

    assert from_json(licence_type, stored) == content
    assert content_hash(licence_type, stored) == content_hash(licence_type, plain)


@slow
@given(types, st.data())
def test_contents_that_differ_have_different_hashes(licence_type: Any, data: st.DataObject) -> None:
    one, other = data.draw(contents(licence_type)), data.draw(contents(licence_type))

    same = content_hash(licence_type, as_json(one)) == content_hash(licence_type, as_json(other))
    assert same == (one == other)


def test_the_same_content_in_another_type_is_another_licence() -> None:
    plain = as_json(content_from("animal_clinic_licence"))

    assert content_hash(TYPES.latest("animal_clinic_licence"), plain) != content_hash(
        TYPES.latest("administrative_permit"), plain
    )


@slow
@given(valid_records("administrative_licence@1"), st.data())
def test_exactly_one_type_applies_to_any_administrative_licence(record: dict[str, Any], data: st.DataObject) -> None:
    named = [value for found in TYPES.newest for condition in found.conditions for value in condition.values]
    if data.draw(st.booleans()):
        record["licence_name"] = data.draw(st.sampled_from(named))

    assert len([found for found in TYPES.of_dataset("administrative_licence") if applies(found, record)]) == 1


@slow
@given(st.data())
def test_any_valid_record_of_a_generic_permit_makes_a_licence_unless_its_term_is_reversed(data: st.DataObject) -> None:
    record = data.draw(valid_records("administrative_licence@1"))
    licence_type = TYPES.latest("administrative_permit")
    number = record.get("licence_number") or record["decision_number"]
    assume(number == number.strip())
    content, refused = said(licence_type, record)

    if content is None:
        assert [refusal.code for refusal in refused] == ["term_reversed"]
    else:
        assert content.number == number
        assert content.items["content"] == record["content"]


@pytest.mark.parametrize("connector", [name for name in MAKERS if TYPES.of_dataset(manifest(name).dataset)])
def test_every_licence_of_the_demo_city_makes_a_content(connector: str) -> None:
    what = manifest(connector)
    wanted = TYPES.of_dataset(what.dataset)
    rows = list(all_rows(City(scale=300), connector, 3))
    pulled = Pulled()
    take(what, compile_mapping(what), tuple(rows[0]), [tuple(row.values()) for row in rows], pulled)

    assert pulled.records
    for record in pulled.records.values():
        (licence_type,) = [found for found in wanted if applies(found, record)]
        content = content_of(licence_type, record)
        assert target_state(licence_type, record)[0] in {"01", "02", "04", "07"}
        assert isinstance(content, Content)


@pytest.mark.parametrize(
    ("name", "changes", "state"),
    [
        ("business_licence", {"status": "active"}, "01"),
        ("business_licence", {"status": "suspended"}, "02"),
        ("business_licence", {"status": "revoked"}, "07"),
        ("business_licence", {"status": "deregistered"}, "04"),
        ("business_licence", {"status": "moved_out"}, "06"),
        ("food_business_licence", {"status": "05"}, "05"),
        ("administrative_permit", {"status": "invalid"}, "04"),
    ],
)
def test_the_record_s_state_becomes_a_state_of_the_licence(name: str, changes: Any, state: str) -> None:
    assert target_state(TYPES.latest(name), record_of(name, **changes)) == (state, None)


def test_a_deleted_record_cancels_its_licence() -> None:
    assert target_state(TYPES.latest("business_licence"), None) == ("04", None)


def test_state_99_needs_its_explanation() -> None:
    licence_type = TYPES.latest("food_business_licence")
    explained = record_of("food_business_licence", status="99", status_reason="补办中")

    assert target_state(licence_type, explained) == ("99", "补办中")
    for reason in (None, " "):
        with pytest.raises(ContentRefused, match="state 99") as caught:
            target_state(licence_type, record_of("food_business_licence", status="99", status_reason=reason))
        assert caught.value.refusals[0].code == "state_text_missing"


@pytest.mark.parametrize(
    ("status", "code"), [("on fire", "state_unknown"), (7, "state_unknown"), (None, "state_missing")]
)
def test_a_state_that_means_nothing_is_refused(status: Any, code: str) -> None:
    with pytest.raises(ContentRefused) as caught:
        target_state(TYPES.latest("business_licence"), record_of("business_licence", status=status))

    assert caught.value.refusals[0].code == code


@pytest.mark.parametrize("name", NAMES)
def test_a_record_costs_less_than_40_microseconds_with_its_plain_form_and_hash(name: str) -> None:
    licence_type, record = TYPES.latest(name), RECORDS[name]
    best = min(_seconds(licence_type, record, 200) for _ in range(30))

    assert best / 200 < 40e-6


def _seconds(licence_type: Any, record: dict[str, Any], times: int) -> float:
    """Of this process alone, whatever else the machine does."""
    start = time.process_time()
    for _ in range(times):
        content_hash(licence_type, as_json(content_of(licence_type, record)))
    return time.process_time() - start
